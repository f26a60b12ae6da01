"""Claim: conditionals of measurements are exact and log-concave under much noise; jumps lead back to the modes."""

import numpy as np
import pytest

from stochsim.densities import Gaussian, GaussianMixture, from_log_prob
from stochsim.errors import ModelError
from stochsim.mcmc import MALA
from stochsim.mcmc.smoothing.smoothed_measurements import ConditionalMeasurement, log_concave_chain, walk_jump

MODES = GaussianMixture([0.3, 0.7], [[-3.0, 0.0], [3.0, 1.0]], [0.2, 0.3])
SIGMA = 2.0
POINTS = 3.0 * np.random.default_rng(0).normal(size=(2, 30))


def conditional(
    m: int, past: np.ndarray, density: GaussianMixture = MODES, sigma: float = SIGMA
) -> ConditionalMeasurement:
    return ConditionalMeasurement(density.noised(1.0, sigma / np.sqrt(m)).target, past, m, sigma)


@pytest.mark.parametrize("m", [2, 3, 10])
def test_the_conditional_is_the_noised_posterior_given_the_past_mean(m: int) -> None:
    """p(y_m | y_1 .. y_{m-1}) is the posterior given the mean ȳ_{m-1} of noise σ/√(m-1), noised by σ."""
    past = np.array([0.4, -0.2])
    exact = MODES.posterior(np.eye(2), past, SIGMA**2 / (m - 1)).noised(1.0, SIGMA)
    target = conditional(m, np.repeat(past[:, None], 30, axis=1))
    np.testing.assert_allclose(target.score(POINTS).T, exact.score(POINTS.T), rtol=0, atol=1e-12)
    gap = target.log_prob(POINTS) - exact.log_prob(POINTS.T)
    np.testing.assert_allclose(gap, gap[0], rtol=0, atol=1e-12)
    v = np.ones((2, 30))
    np.testing.assert_allclose(target.hessian_vector(POINTS, v).T, exact.hessian_vector(POINTS.T, v.T), atol=1e-12)
    np.testing.assert_allclose(target.laplacian(POINTS), exact.laplacian(POINTS.T), atol=1e-12)
    log_prob, score = target.log_prob_and_score(POINTS)
    np.testing.assert_allclose(log_prob, target.log_prob(POINTS), rtol=1e-14)
    np.testing.assert_allclose(score, target.score(POINTS), rtol=1e-14)


def test_the_score_is_the_denoisers_pull() -> None:
    """(E[x | ȳ_m; σ/√m] - y_m)/σ²."""
    m, past = 4, np.random.default_rng(1).normal(size=(2, 30))
    target, law = conditional(m, past), MODES.noised(1.0, SIGMA / 2.0)
    mean = past + (POINTS - past) / m
    denoised = mean.T + SIGMA**2 / m * law.score(mean.T)
    np.testing.assert_allclose(target.score(POINTS), (denoised.T - POINTS) / SIGMA**2, rtol=0, atol=1e-12)


def test_conditionals_are_log_concave_where_the_noise_exceeds_the_radius_of_the_support() -> None:
    """Two near-points at distance 2R apart: the largest curvature of every conditional, on a fine line."""
    radius, y = 2.0, np.linspace(-12, 12, 4001)[None]
    points = GaussianMixture([0.5, 0.5], [[-radius], [radius]], [1e-10, 1e-10])
    for m in (1, 2, 5):
        for past in (0.0, 1.0):
            concave = conditional(m, np.full_like(y, past), points, 1.001 * radius)
            assert concave.laplacian(y).max() < 0.0
    assert conditional(1, 0.0 * y, points, 0.9 * radius).laplacian(y).max() > 0.0


def test_walk_jump_has_the_law_of_the_exact_jump() -> None:
    """Means and covariances of y against the noised law, 4 standard errors of 4000 chains."""
    found = walk_jump(MODES, MALA(2.0), sigma=3.0, n_chains=4000, n_steps=40, seed=1)
    law = MODES.noised(1.0, 3.0)
    errors = np.sqrt(np.diag(law.covariance) / 4000)
    assert np.all(np.abs(found.y.mean(axis=0) - law.mean) < 4 * errors)
    np.testing.assert_allclose(found.x, found.y + 9.0 * law.score(found.y), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.y.var(axis=0), np.diag(law.covariance), rtol=4 * np.sqrt(2 / 4000))


def test_jumps_from_exact_measurements_approach_the_density() -> None:
    """On N(0, v) the jump law is N(0, v²/(v + σ²/M)): W2 falls as 1/M, by the affine jump itself."""
    v, sigma = 0.7, 2.0
    density, distances = Gaussian([0.0], v), []
    for M in (400, 800, 1600):
        s = sigma / np.sqrt(M)
        slope = 1.0 + s**2 * density.noised(1.0, s).score(np.ones((1, 1)))[0, 0]
        distances.append(np.sqrt(v) - slope * np.sqrt(v + s**2))
        np.testing.assert_allclose(distances[-1], np.sqrt(v) - v / np.sqrt(v + s**2), rtol=1e-9)
    np.testing.assert_allclose(np.diff(np.log2(distances)), -1.0, atol=0.01)


def test_the_chain_of_measurements_tunnels_between_modes() -> None:
    """Weight of a mode within 4 binomial errors of 2000 chains; every jump lands at one of the modes."""
    found = log_concave_chain(MODES, MALA(4.0), sigma=4.0, n_measurements=100, n_chains=2000, n_steps=10, seed=2)
    right = found.x[:, 0] > 0.0
    assert abs(right.mean() - 0.7) < 4 * np.sqrt(0.21 / 2000)
    np.testing.assert_allclose(found.x[right].mean(axis=0), [3.0, 1.0], atol=0.1)
    assert found.sigma == pytest.approx(0.4)


def test_densities_without_exact_noised_law_are_refused() -> None:
    with pytest.raises(ModelError, match="GaussianMixture"):
        walk_jump(from_log_prob(lambda x: -(x**4), d=1), MALA(0.1), sigma=1.0, n_chains=2, n_steps=1)
