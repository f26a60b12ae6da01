"""Guesses of the likelihood against exact posteriors; edits against their exact law."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import EDM, VP, Flow, Model, samplers
from stochsim.diffusion.guidance.editing import edited, edited_density, edited_gaussian
from stochsim.diffusion.guidance.posterior_sampling import (
    LinearMeasurement,
    PosteriorModel,
    dps,
    exact_posterior,
    pigdm,
    tmpd,
)
from stochsim.diffusion.record import no_noise
from stochsim.errors import ModelError, ParameterError
from stochsim.laws import affine_map

RNG = np.random.default_rng(11)
X = RNG.normal(size=(3, 5))
PRIOR = Gaussian([0.5, -1.0, 0.0], [[1.0, 0.4, 0.1], [0.4, 0.8, -0.2], [0.1, -0.2, 0.5]])
MIXED = GaussianMixture([0.3, 0.7], [[-1.0, 0.0, 1.0], [1.0, 0.5, -0.5]], [0.3, 0.5])
MEASURED = LinearMeasurement([[1.0, 0.5, 0.0], [0.0, 1.0, -1.0]], [0.7, -0.4], [0.1, 0.3])


@pytest.mark.parametrize("process", [VP(), EDM(), Flow()], ids=repr)
def test_the_whole_posterior_covariance_is_exact_for_gaussians(process: Any) -> None:
    """TMPD has the score of the exact posterior; DPS has not."""
    prior, exact = Model(PRIOR, process), Model(exact_posterior(PRIOR, MEASURED), process)
    for t in (0.05, 0.4, 0.9):
        score = exact.score(X, t)
        np.testing.assert_allclose(PosteriorModel(prior, MEASURED, tmpd).score(X, t), score, rtol=1e-9, atol=1e-10)
    assert np.abs(PosteriorModel(prior, MEASURED, dps).score(X, 0.9) - score).max() > 0.05


def test_pigdm_is_exact_for_unit_covariance() -> None:
    prior, process = Gaussian([0.5, -1.0, 0.0], 1.0), VP()
    exact = Model(exact_posterior(prior, MEASURED), process)
    np.testing.assert_allclose(
        PosteriorModel(Model(prior, process), MEASURED, pigdm).score(X, 0.4), exact.score(X, 0.4), rtol=1e-10
    )


def flow_law(spread: Any, c: float, r2: float) -> tuple[float, float]:
    """Mean and variance of the flow from far away, for the prior N(0, c) and y = 1.5 = x_0 + N(0, r2)."""
    model = PosteriorModel(Model(Gaussian([0.0], [c]), EDM(t_end=1e4)), LinearMeasurement([[1.0]], [1.5], r2), spread)
    grid = np.append(np.geomspace(1e3, 1e-3, 800), 0.0)
    whole = affine_map(lambda x, noise: samplers.heun(model, x, grid, noise), 1)
    mean, cov = whole.law(np.zeros(1), np.array([[1e6 + c]]))
    return float(mean[0]), float(cov[0, 0])


@pytest.mark.parametrize(("c", "r2"), [(1.0, 0.25), (0.5, 0.5), (2.0, 1.0)])
def test_the_bias_of_dps_is_known(c: float, r2: float) -> None:
    """Its flow ends with the variance c e^(-c/r²); the posterior's is c r²/(c + r²), which TMPD has."""
    assert flow_law(dps, c, r2)[1] == pytest.approx(c * np.exp(-c / r2), rel=2e-3)
    mean, variance = flow_law(tmpd, c, r2)
    assert (mean, variance) == (pytest.approx(1.5 * c / (c + r2), rel=2e-3), pytest.approx(c * r2 / (c + r2), rel=2e-3))


def ends(model: Any) -> np.ndarray:
    """Quantiles of the flow's output on the line: the flow keeps the order of points."""
    z = stats.norm.ppf((np.arange(400) + 0.5) / 400)[None]
    return samplers.heun(model, 80.0 * z, np.append(np.geomspace(80.0, 0.01, 120), 0.0), no_noise)[0]


def test_distances_to_the_exact_posterior_of_a_mixture_are_ordered() -> None:
    """W1 between quantiles: the exact score is best, TMPD near, DPS far."""
    prior = GaussianMixture([0.4, 0.6], [[-1.0], [1.5]], [0.2, 0.3])
    measured = LinearMeasurement([[1.0]], [0.4], 0.5)
    process = EDM()
    exact = ends(Model(exact_posterior(prior, measured), process))
    far = {f.__name__: np.abs(ends(PosteriorModel(Model(prior, process), measured, f)) - exact).mean()
           for f in (dps, pigdm, tmpd)}  # fmt: skip
    assert 0.01 < far["tmpd"] < far["pigdm"] < far["dps"]


def test_the_gradient_is_that_of_the_guess() -> None:
    """DPS: the gradient of log N(y; A E[x_0|x], R), by differences, for a mixture."""
    process, t, h = VP(), 0.3, 1e-4
    prior = Model(MIXED, process)

    def log_likelihood(x: np.ndarray) -> np.ndarray:
        missing = MEASURED.y[:, None] - MEASURED.A @ prior.denoised(x, t)
        return -0.5 * (missing * np.linalg.solve(MEASURED.noise, missing)).sum(axis=0)

    added = PosteriorModel(prior, MEASURED, dps).score(X, t) - prior.score(X, t)
    for i in range(3):
        e = h * np.eye(3)[:, [i]]
        f = log_likelihood
        slope = (8.0 * (f(X + e) - f(X - e)) - f(X + 2.0 * e) + f(X - 2.0 * e)) / (12.0 * h)
        np.testing.assert_allclose(added[i], slope, rtol=1e-6, atol=1e-7)


def test_bad_measurements_are_refused() -> None:
    prior = Model(PRIOR, VP())
    with pytest.raises(ParameterError, match="A has shape"):
        LinearMeasurement([[1.0]], [1.0, 2.0], 1.0)
    with pytest.raises(ModelError, match="measurement's noise"):
        LinearMeasurement([[1.0]], [1.0], 0.0)
    with pytest.raises(ParameterError, match="A has 1 columns and the prior 3"):
        PosteriorModel(prior, LinearMeasurement([[1.0]], [1.0], 1.0))
    with pytest.raises(ParameterError, match="a time for each column"):
        PosteriorModel(prior, MEASURED).score(X, np.full(5, 0.3))
    with pytest.raises(ModelError, match="no law"):
        samplers.REGISTRY["exact_kernel"](PosteriorModel(prior, MEASURED), X, [0.5, 0.4], no_noise)


def test_edits_of_gaussian_data_have_their_law() -> None:
    """VE, N(0, s²): mean s² y/(s² + σ²), variance K² σ² + s² σ²/(s² + σ²) with K = s²/(s² + σ²)."""
    s2, sigma, y = 0.7, 1.3, 2.0
    law, K = edited_gaussian(Gaussian([0.0], [s2]), EDM(), [y], sigma), s2 / (s2 + sigma**2)
    assert law.mean[0] == pytest.approx(K * y, rel=1e-13)
    assert law.covariance[0, 0] == pytest.approx(K**2 * sigma**2 + s2 * sigma**2 / (s2 + sigma**2), rel=1e-13)
    x = np.linspace(-2.0, 3.0, 7)
    np.testing.assert_allclose(
        edited_density(Gaussian([0.0], [s2]), EDM(), y, sigma, x), np.exp(law.log_prob(x[:, None])), rtol=1e-10
    )


def test_edits_are_the_affine_map_of_the_kernel() -> None:
    process, t, y = VP(), 0.4, np.array([1.0, 0.0, -1.0])
    law = edited_gaussian(PRIOR, process, y, t)

    def run(x: np.ndarray, noise: Any) -> np.ndarray:
        z = np.stack([noise(0, x.shape), noise(1, x.shape)])
        return edited(PRIOR, process, y[:, None] + 0.0 * x, t, z, np.full(x.shape[1], 0.5))

    mean, cov = affine_map(run, 3).law(np.zeros(3), np.eye(3))
    np.testing.assert_allclose(mean, law.mean, rtol=1e-11)
    np.testing.assert_allclose(cov, law.covariance, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("wrong", [False, True])
def test_edits_of_a_mixture_have_their_density(wrong: bool) -> None:
    """Kolmogorov-Smirnov at a false-alarm rate of 1e-4; edits of another guide must fail."""
    target, process, t, n = GaussianMixture([0.5, 0.5], [[-2.0], [2.0]], 0.3), VP(), 0.4, 4000
    rng = np.random.default_rng(2)
    guides = np.full((1, n), -0.6 if wrong else -1.0)
    x = edited(target, process, guides, t, rng.standard_normal((2, 1, n)), rng.random(n))[0]
    nodes = np.linspace(-6.0, 6.0, 1201)
    p = edited_density(target, process, -1.0, t, nodes, n=401)
    heights = np.cumsum(p) * 0.01
    assert heights[-1] == pytest.approx(1.0, abs=1e-9)
    check = stats.kstest(x, lambda v: np.interp(v, nodes + 0.005, heights))
    assert (check.pvalue > 1e-4) != wrong


def test_more_noise_forgets_the_guide() -> None:
    """Distance of the edit's law to the data falls with t, and that to the guide grows."""
    data, guide = Gaussian([0.0], [0.5]), [3.0]
    laws = [edited_gaussian(data, VP(), guide, t) for t in (0.1, 0.3, 0.6)]
    kept = [float(law.mean[0]) for law in laws]
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] < 0.5 < 2.0 < kept[0]


def test_densities_of_edits_are_for_the_line() -> None:
    with pytest.raises(ParameterError, match="on the line only"):
        edited_density(PRIOR, VP(), 0.0, 0.3, [0.0])
