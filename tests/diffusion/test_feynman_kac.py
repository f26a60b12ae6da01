"""Feynman–Kac correctors: the weighted law is the composed one at every time, as an equation and by quadrature."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import EDM, VP, Flow, Model
from stochsim.diffusion.guidance.composed import Composed, Guided, given_label, within
from stochsim.diffusion.guidance.feynman_kac import corrected, log_weight_rate
from stochsim.diffusion.guidance.guided_laws import tilted_gaussian
from stochsim.errors import ParameterError

RNG = np.random.default_rng(8)
MIXED = GaussianMixture([0.2, 0.5, 0.3], RNG.normal(size=(3, 2)), [0.2, 0.5, 0.3])
OTHER = GaussianMixture([0.6, 0.4], RNG.normal(size=(2, 2)), [0.4, 0.3])
CAT = given_label(MIXED, [0, 1, 0], 0)
X = RNG.normal(size=(2, 6))
STENCIL = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0.0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])  # order 8
COMPOSED = {
    "guidance": ((CAT, MIXED), (3.0, -2.0)),
    "product": ((MIXED, OTHER), (1.0, 1.0)),
    "annealing": ((MIXED,), (2.5,)),
    "three": ((MIXED, OTHER, CAT), (0.5, 1.5, -0.7)),
}


def composed(name: str, process: Any) -> Composed:
    targets, weights = COMPOSED[name]
    return Composed([Model(target, process) for target in targets], weights)


@pytest.mark.parametrize("name", COMPOSED)
@pytest.mark.parametrize("process", [VP(), EDM(), Flow(2.0)], ids=repr)
@pytest.mark.parametrize("eta", [0.0, 1.0, 0.6])
def test_the_weighted_equation_is_solved_by_the_composed_law(name: str, process: Any, eta: float) -> None:
    """∂ log π/∂τ = -div b - b·s + ½ D (Δ log π + |s|²) + φ, up to a constant over x; without φ it is not."""
    model, t, h = composed(name, process), 0.02 * process.t_end if isinstance(process, EDM) else 0.3, 2e-3
    rate = -sum(w * model.log_prob(X, t + h * k) for w, k in zip(STENCIL, range(-4, 5), strict=True)) / h
    s, phi = log_weight_rate(model, X, t)
    f, g2, lap = float(process.f(t)), float(process.g2(t)), model._evaluate("laplacian", X, t, X)
    D = eta**2 * g2
    b = -f * X + 0.5 * (g2 + D) * s
    divergence = -2.0 * f + 0.5 * (g2 + D) * lap
    free = -divergence - (b * s).sum(axis=0) + 0.5 * D * (lap + (s**2).sum(axis=0))
    np.testing.assert_allclose(rate, free + phi, rtol=1e-7, atol=1e-7)
    assert np.abs(rate - free).max() > 1e-2


def test_rates_have_the_forms_of_the_paper() -> None:
    process, t, gamma = VP(), 0.3, 3.0
    model = composed("guidance", process)
    gap = model.parts[0].score(X, t) - model.parts[1].score(X, t)
    guidance = 0.5 * process.g2(t) * gamma * (gamma - 1.0) * (gap**2).sum(axis=0)
    np.testing.assert_allclose(log_weight_rate(model, X, t)[1], guidance, rtol=1e-10, atol=1e-12)
    one, beta = composed("annealing", process), 2.5
    s2 = (one.parts[0].score(X, t) ** 2).sum(axis=0)
    annealing = (beta - 1.0) * 2.0 * process.f(t) + 0.5 * process.g2(t) * beta * (beta - 1.0) * s2
    np.testing.assert_allclose(log_weight_rate(one, X, t)[1], annealing, rtol=1e-10)


LINE = GaussianMixture([0.5, 0.3, 0.2], [-1.0, 1.0, 2.0], [0.2, 0.3, 0.4])
LINES = {
    "guidance": ((given_label(LINE, [0, 1, 0], 0), LINE), (2.0, -1.0)),
    "annealing": ((LINE,), (2.0,)),
    "gaussians": ((Gaussian([0.3], [0.3]), Gaussian([0.0], [1.0])), (3.0, -2.0)),
}


def law_of_many_particles(name: str, n: int, weighted: bool = True) -> float:
    """Total-variation distance to the composed law at the end: infinitely many particles, by quadrature on the line."""
    targets, weights = LINES[name]
    process = VP()
    model = Composed([Model(target, process) for target in targets], weights)
    y = np.linspace(-5.0, 5.0, 401)[None]
    grid = np.linspace(0.6, 0.1, n + 1)

    def law(t: float) -> np.ndarray:
        p = np.exp(model.log_prob(y, t))
        return p / p.sum()

    p = law(grid[0])
    score, rate = log_weight_rate(model, y, float(grid[0]))
    for t, after in pairwise(grid):
        h, f, g2 = t - after, float(process.f(t)), float(process.g2(t))
        centres = (1.0 - h * f) * y[0] + h * g2 * score[0]
        kernel = np.exp(-0.5 * (y[0][:, None] - centres) ** 2 / (h * g2))
        kernel /= np.sqrt(2.0 * np.pi * h * g2) / (y[0, 1] - y[0, 0])
        score, then = log_weight_rate(model, y, float(after))
        p = np.exp(0.5 * h * then * weighted) * (kernel @ (np.exp(0.5 * h * rate * weighted) * p))
        rate, p = then, p / p.sum()
    return 0.5 * float(np.abs(p - law(grid[-1])).sum())


@pytest.mark.parametrize("name", LINES)
def test_infinitely_many_particles_have_the_composed_law(name: str) -> None:
    """The distance falls with order 1 in the step; without weights it stays."""
    errors = [law_of_many_particles(name, n) for n in (12, 24, 48)]
    assert np.log2(errors[-2] / errors[-1]) == pytest.approx(1.0, abs=0.15)
    unweighted = [law_of_many_particles(name, n, weighted=False) for n in (24, 48)]
    assert abs(np.log2(unweighted[0] / unweighted[1])) < 0.5
    assert unweighted[1] > 3.0 * errors[-1]


def runs(resample_below: float, n: int, n_runs: int) -> tuple[np.ndarray, np.ndarray, list[Any], Gaussian]:
    """Second moments about the aim's mean, weighted and not, for independent runs."""
    parts, weights, process = LINES["gaussians"][0], (3.0, -2.0), VP()
    model = Composed([Model(part, process) for part in parts], weights)
    grid = np.linspace(0.6, 0.1, 81)
    first, last = (
        tilted_gaussian([p.noised(float(process.alpha(t)), float(process.sigma(t))) for p in parts], weights)
        for t in (grid[0], grid[-1])
    )
    rng = np.random.default_rng(17)
    states = [
        corrected(
            model,
            first.sample(n, seed=rng).T,
            grid,
            lambda k, shape: rng.standard_normal(shape),
            uniforms=rng.random(80),
            resample_below=resample_below,
        )
        for _ in range(n_runs)
    ]
    squares = [(state.x[0] - last.mean[0]) ** 2 for state in states]
    weighted = np.array([state.weights @ square for state, square in zip(states, squares, strict=True)])
    return weighted, np.array([square.mean() for square in squares]), states, last


@pytest.mark.parametrize("resample_below", [0.0, 0.9])
def test_weighted_particles_have_the_tilted_variance(resample_below: float) -> None:
    """Student's test over 16 runs at a false-alarm rate of 1e-4; unweighted, never resampled particles must fail."""
    weighted, plain, states, aim = runs(resample_below, 2000, 16)
    variance, limit = aim.covariance[0, 0], stats.t.ppf(1.0 - 0.5e-4, 15)

    def statistic(values: np.ndarray) -> float:
        return float(abs(values.mean() - variance) / (values.std(ddof=1) / 4.0))

    assert statistic(weighted) < limit
    assert (states[0].n_resampled > 0) == (resample_below > 0.0)
    if resample_below == 0.0:
        assert statistic(plain) > 2.0 * limit
        assert 1.0 < states[0].ess < 2000.0


@pytest.mark.parametrize("resample_below", [0.0, 0.9])
def test_the_normaliser_is_estimated(resample_below: float) -> None:
    """Z of the product of Gaussians: within 1 per cent, five deviations of the mean of these runs."""
    _, _, states, _ = runs(resample_below, 2000, 16)
    parts, process = LINES["gaussians"][0], VP()
    x = np.linspace(-12.0, 12.0, 4001)[None]
    model = Composed([Model(part, process) for part in parts], (3.0, -2.0))
    log_z = [float(np.log(np.trapezoid(np.exp(model.log_prob(x, t)), x[0]))) for t in (0.6, 0.1)]
    estimates = np.exp([state.log_normaliser for state in states])
    assert (
        abs(estimates.mean() / np.exp(log_z[1] - log_z[0]) - 1.0)
        < 5.0 * estimates.std() / 4.0 / estimates.mean() + 0.01
    )


def test_bad_input_is_refused() -> None:
    process = VP()
    parts = [Model(CAT, process), Model(MIXED, process)]
    with pytest.raises(ParameterError, match="constant exponents"):
        corrected(Guided(*parts, within(process, 2.0, 0.1, 1.0)), X, [0.5, 0.1], np.zeros, uniforms=[0.5])
    with pytest.raises(ParameterError, match="the grid rises"):
        corrected(Guided(*parts, 2.0), X, [0.1, 0.5], np.zeros, uniforms=[0.5])
