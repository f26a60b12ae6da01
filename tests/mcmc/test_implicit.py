"""Claim: the θ-method solves its equation to rounding, and its conjugate gradients are exact after d steps."""

import numpy as np
import pytest

from stochsim.columns.noise import PhiloxNoise
from stochsim.densities import Gaussian, from_log_prob
from stochsim.mcmc import ThetaMethod
from stochsim.mcmc.langevin.implicit import conjugate_gradients

LOGISTIC = from_log_prob(lambda x: -(x[0] ** 4) / 4 - np.log(np.cosh(x[0] - 2 * x[1])) - 0.1 * x[1] ** 2, d=2)


def test_conjugate_gradients_are_exact_after_as_many_steps_as_components() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    A, b = root @ root.T + np.eye(5), rng.normal(size=(5, 7))
    np.testing.assert_allclose(conjugate_gradients(lambda v: A @ v, b, 5), np.linalg.solve(A, b), rtol=0, atol=1e-10)
    assert np.abs(conjugate_gradients(lambda v: A @ v, b, 3) - np.linalg.solve(A, b)).max() > 1e-3


def test_columns_that_are_done_stay() -> None:
    b = np.array([[0.0, 1.0], [0.0, 2.0]])
    np.testing.assert_array_equal(conjugate_gradients(lambda v: 2.0 * v, b, 9), b / 2.0)


@pytest.mark.parametrize("theta", [0.5, 1.0])
@pytest.mark.parametrize("h", [0.1, 5.0])
def test_newton_solves_the_step_to_rounding_on_a_log_concave_density(theta: float, h: float) -> None:
    sampler = ThetaMethod(h, theta=theta, n_newton=30, n_cg=4)
    x = np.random.default_rng(1).normal(size=(2, 200))
    state, info = sampler.step(LOGISTIC.target, sampler.init(LOGISTIC.target, x), PhiloxNoise((1, 2), 0, 0))
    score = LOGISTIC.target.score
    xi = PhiloxNoise((1, 2), 0, 0).normal(x)
    implied = x + h * ((1 - theta) * score(x) + theta * score(state.x)) + np.sqrt(2 * h) * xi
    np.testing.assert_allclose(state.x, implied, rtol=0, atol=1e-11)
    assert info.residual.max() < 1e-11


def test_the_residual_tells_of_too_few_iterations() -> None:
    x = np.random.default_rng(1).normal(size=(2, 200))
    sampler = ThetaMethod(5.0, n_newton=1, n_cg=1)
    _, info = sampler.step(LOGISTIC.target, sampler.init(LOGISTIC.target, x), PhiloxNoise((1, 2), 0, 0))
    assert info.residual.max() > 1e-2


def test_one_newton_step_is_exact_on_a_gaussian_of_any_condition() -> None:
    density = Gaussian(np.ones(4), np.diag([1e-4, 1e-2, 1.0, 100.0]) + 1e-5)
    sampler = ThetaMethod(0.5, n_newton=1, n_cg=12)
    x = np.random.default_rng(2).normal(size=(4, 50))
    _, info = sampler.step(density.target, sampler.init(density.target, x), PhiloxNoise((1, 2), 0, 0))
    scale = 0.25 * np.abs(density.target.score(x)).max()
    assert info.residual.max() < 1e-10 * scale
