"""Claims: block gradients average to the score, control variates change no mean, surrogates take the noise away."""

from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.mcmc.stochastic_gradients.targets import (
    BlockPosterior,
    QuadraticSum,
    control_variate,
    laplace_surrogate,
)

RNG = np.random.default_rng(11)
ROOTS = RNG.normal(size=(3, 2, 2))
QUADRATICS = QuadraticSum(ROOTS @ ROOTS.transpose(0, 2, 1), RNG.normal(size=(3, 2)), [[0.4, 0.1], [0.1, 0.3]])
LOGISTIC = BlockPosterior(ss.densities.LogisticPosterior.simulate(24, 2, prior_variance=3.0, seed=1), 6)
LINEAR = BlockPosterior(ss.densities.LinearPosterior.simulate(24, 3, noise_variance=0.5, seed=2), 4)
DENSITIES = [QUADRATICS, LOGISTIC, LINEAR]


def block_scores(density: Any, x: np.ndarray, control: Any = None) -> np.ndarray:
    """The estimates from all blocks, (K, d, n)."""
    scores = []
    for b in range(density.n_blocks):
        index = np.full(x.shape[1], float(b))
        extra = 0.0 if control is None else control.correction(density.target, x, index)
        scores.append(density.target.block_score(x, index) + extra)
    return np.array(scores)


@pytest.mark.parametrize("density", DENSITIES, ids=lambda d: d.name)
@pytest.mark.parametrize("kind", ["none", "anchored", "surrogate"])
def test_block_gradients_average_to_the_score(density: Any, kind: str) -> None:
    x = RNG.normal(size=(density.d, 20))
    control = None
    if kind == "anchored":
        control = control_variate(density, np.full(density.d, 0.3))
    if kind == "surrogate":
        control = control_variate(density, density if density is QUADRATICS else laplace_surrogate(density))
    mean = block_scores(density, x, control).mean(axis=0)
    np.testing.assert_allclose(mean, density.target.score(x), rtol=0, atol=1e-12 * np.abs(mean).max())


def test_the_blocks_of_a_regression_are_its_minibatches() -> None:
    x = RNG.normal(size=(2, 20))
    for b in range(6):
        rows = np.arange(4 * b, 4 * b + 4)
        expected = LOGISTIC.posterior.target.minibatch_score(x, rows)
        np.testing.assert_allclose(LOGISTIC.target.block_score(x, float(b)), expected, rtol=0, atol=1e-12)


def test_quadratics_are_the_gaussian_that_they_sum_to() -> None:
    x = RNG.normal(size=(5, 2))
    H, m = ROOTS @ ROOTS.transpose(0, 2, 1), QUADRATICS.target.pulls
    precision = H.sum(axis=0) + np.array([[0.4, 0.1], [0.1, 0.3]])
    np.testing.assert_allclose(QUADRATICS.covariance, np.linalg.inv(precision), rtol=1e-12)
    np.testing.assert_allclose(QUADRATICS.score(x), m.sum(axis=0) - x @ precision, rtol=0, atol=1e-12)


@pytest.mark.parametrize("density", [QUADRATICS, LINEAR], ids=lambda d: d.name)
def test_exact_surrogates_leave_no_noise(density: Any) -> None:
    x = RNG.normal(size=(density.d, 20))
    surrogate = density if density is QUADRATICS else laplace_surrogate(density)
    scores = block_scores(density, x, control_variate(density, surrogate))
    np.testing.assert_allclose(scores, np.broadcast_to(density.target.score(x), scores.shape), rtol=0, atol=1e-11)


def test_control_variates_shrink_the_noise_near_the_mode() -> None:
    mode = LOGISTIC.posterior.laplace().mean
    x = mode[:, None] + 0.1 * RNG.normal(size=(2, 50))
    plain = block_scores(LOGISTIC, x).std(axis=0).mean()
    anchored = block_scores(LOGISTIC, x, control_variate(LOGISTIC, mode)).std(axis=0).mean()
    curved = block_scores(LOGISTIC, x, control_variate(LOGISTIC, laplace_surrogate(LOGISTIC))).std(axis=0).mean()
    assert curved < 0.2 * anchored < 0.2 * plain


def test_bad_input_is_told() -> None:
    with pytest.raises(ss.errors.ParameterError, match="give a divisor"):
        BlockPosterior(LOGISTIC.posterior, 7)
    with pytest.raises(ss.errors.ParameterError, match="give a LogisticPosterior"):
        BlockPosterior(QUADRATICS, 1)
    with pytest.raises(ss.errors.ParameterError, match=r"curvatures have shape \(3, 3\)"):
        QuadraticSum(np.ones((3, 3)), np.ones((3, 2)))
    with pytest.raises(ss.errors.ModelError, match="positive definite"):
        QuadraticSum([[1.0], [-2.0]], [[0.0], [0.0]])
    with pytest.raises(ss.errors.ParameterError, match="3 blocks"):
        control_variate(LOGISTIC, QUADRATICS)
    with pytest.raises(ss.errors.ParameterError, match=r"give \(2,\)"):
        control_variate(LOGISTIC, [1.0])
