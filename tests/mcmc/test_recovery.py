"""Claim: recovery conditionals are exact mixtures, and the chain down the levels finds modes and weights."""

import numpy as np
import pytest

from stochsim.densities import GaussianMixture
from stochsim.errors import ParameterError
from stochsim.mcmc import MALA
from stochsim.mcmc.smoothing.recovery import RecoveryConditional, recovery_chain

MODES = GaussianMixture([0.3, 0.7], [[-3.0, 0.0], [3.0, 1.0]], [0.2, 0.3])
POINTS = 3.0 * np.random.default_rng(0).normal(size=(2, 30))


@pytest.mark.parametrize("v", [0.1, 4.0])
def test_the_conditional_is_the_posterior(v: float) -> None:
    x, w = np.array([0.4, -0.2]), np.ones((2, 30))
    target = RecoveryConditional(MODES.target, np.repeat(x[:, None], 30, axis=1), np.sqrt(v))
    exact, y = MODES.posterior(np.eye(2), x, v), target.place(POINTS).T
    np.testing.assert_allclose(target.score(POINTS).T, np.sqrt(v) * exact.score(y), rtol=1e-11, atol=1e-11)
    gap = target.log_prob(POINTS) - exact.log_prob(y)
    np.testing.assert_allclose(gap, gap[0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(target.hessian_vector(POINTS, w).T, v * exact.hessian_vector(y, w.T), atol=1e-10)
    np.testing.assert_allclose(target.laplacian(POINTS), v * exact.laplacian(y), atol=1e-10)
    log_prob, score = target.log_prob_and_score(POINTS)
    np.testing.assert_allclose(log_prob, target.log_prob(POINTS), rtol=1e-14)
    np.testing.assert_allclose(score, target.score(POINTS), rtol=1e-14, atol=1e-14)


def test_the_chain_down_the_levels_finds_weights_and_means() -> None:
    """Within 4 standard errors of 3000 chains; one step a level is too few, and is seen."""
    n, sigmas = 3000, [*np.geomspace(20.0, 0.2, 30), 0.0]
    x = recovery_chain(MODES, MALA(0.5), sigmas=sigmas, n_chains=n, n_steps=8, seed=1)
    right = x[:, 0] > 0.0
    assert abs(right.mean() - 0.7) < 4 * np.sqrt(0.21 / n)
    np.testing.assert_allclose(x[right].mean(axis=0), [3.0, 1.0], atol=4 * np.sqrt(0.3 / 2000))
    np.testing.assert_allclose(x[right].var(axis=0), 0.3, rtol=4 * np.sqrt(2 / 2000))
    hasty = recovery_chain(MODES, MALA(0.05), sigmas=sigmas, n_chains=n, n_steps=1, seed=1)
    assert abs(np.mean(hasty[:, 0] > 0.0) - 0.7) > 4 * np.sqrt(0.21 / n)


@pytest.mark.parametrize("sigmas", [[1.0], [1.0, 0.5], [0.5, 1.0, 0.0]])
def test_bad_levels_are_refused(sigmas: list[float]) -> None:
    with pytest.raises(ParameterError, match="decrease"):
        recovery_chain(MODES, MALA(0.1), sigmas=sigmas, n_chains=3, n_steps=1)
