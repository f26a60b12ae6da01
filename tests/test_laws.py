"""Affine maps read off samplers' code, and the exact laws that follow."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import EDM, VP, grids, samplers
from stochsim.errors import ModelError, SchemeError
from stochsim.laws import affine_map, affine_maps, exact_law

VP_GRID = grids.uniform(VP(), 12, 0.8, 0.05)


def langevin(h: float, n: int) -> Any:
    """Unadjusted Langevin on N(0, 1)."""

    def run(x: Any, noise: Any) -> Any:
        for i in range(n):
            x = (1.0 - h) * x + np.sqrt(2.0 * h) * noise(i, x.shape)
        return x

    return run


@pytest.mark.parametrize("h", [0.1, 0.5, 1.5])
def test_langevin_has_its_closed_law(h: float) -> None:
    mean, cov = affine_map(langevin(h, 20), 1).law([3.0], [[0.0]])
    assert mean[0] == pytest.approx(3.0 * (1.0 - h) ** 20, rel=1e-13)
    assert cov[0, 0] == pytest.approx((1.0 - (1.0 - h) ** 40) / (1.0 - h / 2.0), rel=1e-13)


def test_noises_of_several_sizes_are_told_apart() -> None:
    def run(x: Any, noise: Any) -> Any:
        y = noise(5, (1, x.shape[1]))
        return x + np.concatenate([y, 2.0 * y]) + noise(2, x.shape)

    cov = affine_map(run, 2).law(np.zeros(2), np.zeros((2, 2)))[1]
    np.testing.assert_allclose(cov, [[2.0, 2.0], [2.0, 5.0]], rtol=1e-15)


def test_several_states_of_one_run_are_the_states_of_shorter_runs() -> None:
    def run(x: Any, noise: Any) -> list[Any]:
        states = []
        for i in range(6):
            x = 0.5 * x + noise(i, x.shape)
            states.append(x)
        return [states[1], states[5]]

    maps = affine_maps(run, 1)
    variances = [m.law([0.0], [[0.0]])[1][0, 0] for m in maps]
    np.testing.assert_allclose(variances, [(1 - 0.25**2) / 0.75, (1 - 0.25**6) / 0.75], rtol=1e-14)


@pytest.mark.parametrize("bend", [lambda x: x + 1e-6 * x**2, np.abs, lambda x: x * (1.0 + np.mean(x**2))])
def test_a_sampler_that_is_not_affine_is_refused(bend: Any) -> None:
    with pytest.raises(SchemeError, match="is not affine in its state and noise"):
        affine_map(lambda x, noise: bend(x + noise(0, x.shape)), 1)


def test_noise_that_depends_on_the_state_is_refused() -> None:
    with pytest.raises(SchemeError, match="was not asked for in the first run"):
        affine_map(lambda x, noise: x + noise(x.shape[1], x.shape), 1)


def test_ddim_has_its_closed_factor() -> None:
    """A step on N(0, v) multiplies by (α' α v + σ' σ)/(α² v + σ²)."""
    v, p = 0.3, VP()
    a, s = p.alpha(VP_GRID), p.sigma(VP_GRID)
    factor = np.prod((a[1:] * a[:-1] * v + s[1:] * s[:-1]) / (a[:-1] ** 2 * v + s[:-1] ** 2))
    law = exact_law(samplers.ddim, Gaussian([0.0], [v]), p, VP_GRID)
    assert law.cov[0, 0] == pytest.approx(factor**2 * (a[0] ** 2 * v + s[0] ** 2), rel=1e-13)


@pytest.mark.parametrize("n", [5, 40])
def test_ddim_on_the_unit_normal_turns_by_cosines(n: int) -> None:
    p, (first, last) = VP(), (1.2, 0.2)
    angles = np.linspace(first, last, n + 1)
    law = exact_law(samplers.ddim, Gaussian([0.0], [1.0]), p, p.t_of_lam(-np.log(np.tan(angles))))
    assert np.sqrt(law.cov[0, 0]) == pytest.approx(np.cos((first - last) / n) ** n, rel=1e-12)


def test_the_start_from_the_noise_alone_scales_the_covariance() -> None:
    """Starting from N(0, σ² I) the flow gives C_0 σ²/C_T, and W2 that of two Gaussians (Pierret & Galerne 2025)."""
    p, v = EDM(), 0.25
    grid = grids.karras(p, 400, 10.0, 0.01)
    law = exact_law(samplers.unipc.with_options(order=4), Gaussian([1.0], [v]), p, grid, start="prior")
    low, high = v + 0.01**2, v + 10.0**2
    assert law.cov[0, 0] == pytest.approx(low * 10.0**2 / high, rel=1e-7)
    assert law.mean[0] == pytest.approx(1.0 - np.sqrt(low / high), rel=1e-7)
    apart = [law.mean[0] - 1.0, np.sqrt(law.cov[0, 0]) - np.sqrt(low)]
    assert law.w2 == pytest.approx(np.hypot(*apart), rel=1e-12)


def test_euler_maruyama_has_the_law_of_its_recursion() -> None:
    p, g = VP(), Gaussian([1.0, -1.0], [[0.5, 0.2], [0.2, 0.3]])
    first = g.noised(float(p.alpha(VP_GRID[0])), float(p.sigma(VP_GRID[0])))
    mean, cov = first.mean, first.covariance
    for t, s in pairwise(VP_GRID):
        law, h = g.noised(float(p.alpha(t)), float(p.sigma(t))), t - s
        pull = h * p.g2(t) * np.linalg.inv(law.covariance)
        A = (1.0 - h * p.f(t)) * np.eye(2) - pull
        mean, cov = A @ mean + pull @ law.mean, A @ cov @ A.T + h * p.g2(t) * np.eye(2)
    law = exact_law(samplers.euler_maruyama, g, p, VP_GRID)
    np.testing.assert_allclose(law.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(law.cov, cov, rtol=1e-12)
    assert law.kl > 0.0


def test_a_target_that_is_not_gaussian_is_refused() -> None:
    with pytest.raises(ModelError, match="GaussianMixture; exact laws are known for a Gaussian"):
        exact_law(samplers.ddim, GaussianMixture([0.5, 0.5], [0.0, 1.0]), VP(), VP_GRID)


def test_a_thing_without_a_law_is_refused() -> None:
    with pytest.raises(SchemeError, match="has no exact law"):
        exact_law(len, Gaussian([0.0], [1.0]))
