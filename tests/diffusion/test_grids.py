"""Grids: both ends as given, steps equal in what their name says, the aligned one optimal."""

from typing import Any

import numpy as np
import pytest

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import EDM, VP, Flow, SubVP, grids
from stochsim.diffusion._align import DenoisingError
from stochsim.errors import ParameterError

LINE = GaussianMixture([0.3, 0.7], [-2.0, 1.0], [0.1, 0.5])
FAMILIES = [grids.uniform, grids.quadratic, grids.uniform_lam, grids.karras, grids.exponential, grids.uniform_angle]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("process", [VP(), SubVP(), EDM(), Flow(2.0)], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("n", [1, 2, 17])
def test_ends_are_exactly_those_given(family: Any, process: Any, n: int) -> None:
    start, stop = 0.9 * process.t_end, 0.01 * process.t_end
    grid = family(process, n, start, stop)
    assert (len(grid), grid[0], grid[-1]) == (n + 1, start, stop)
    assert np.all(np.diff(grid) < 0.0)


def test_ends_are_those_of_the_process_unless_given() -> None:
    assert grids.uniform(VP(), 3)[[0, -1]].tolist() == [1.0, 1e-3]


@pytest.mark.parametrize(
    ("family", "scale"),
    [
        (grids.uniform, lambda p, t: t),
        (grids.quadratic, lambda p, t: np.sqrt(t)),
        (grids.exponential, lambda p, t: np.log(t)),
        (grids.uniform_lam, lambda p, t: p.lam(t)),
        (grids.karras, lambda p, t: (p.sigma(t) / p.alpha(t)) ** (1 / 7)),
        (grids.uniform_angle, lambda p, t: np.arctan2(p.sigma(t), p.alpha(t))),
    ],
)
def test_steps_are_equal_in_their_own_scale(family: Any, scale: Any) -> None:
    p = VP()
    steps = np.diff(scale(p, family(p, 12, 0.9, 0.01)))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)


def test_the_karras_grid_is_that_of_its_paper() -> None:
    i, rho = np.arange(19), 7.0
    paper = (80.0 ** (1 / rho) + i / 18 * (0.002 ** (1 / rho) - 80.0 ** (1 / rho))) ** rho
    np.testing.assert_allclose(grids.karras(EDM(), 18), paper, rtol=1e-12)


@pytest.mark.parametrize(("variance", "n"), [(0.25, 1), (0.25, 2), (4.0, 10), (0.01, 60)])
def test_the_aligned_grid_of_a_gaussian_is_geometric(variance: float, n: int) -> None:
    """The best left Riemann sum of c²/(1 + c² s) has points geometric in 1 + c² s."""
    grid = grids.align_your_steps(Gaussian([1.0], [variance]), EDM(), n)
    steps = np.diff(np.log1p(variance / grid**2))
    np.testing.assert_allclose(steps, steps.mean(), rtol=1e-9)


def test_no_neighbour_of_the_aligned_grid_of_a_mixture_is_better() -> None:
    error = DenoisingError(LINE)
    snr = grids.align_your_steps(LINE, EDM(), 6) ** -2.0

    def bound(s: np.ndarray) -> float:
        return float((error(s[:-1]) * np.diff(s)).sum())

    best = bound(snr)
    for i in range(1, 6):
        for factor in (0.97, 1.03):
            moved = snr.copy()
            moved[i] *= factor
            assert bound(moved) > best
    assert bound(grids.karras(EDM(), 6) ** -2.0) > best  # as the grid in use


def test_the_denoising_error_of_a_mixture_is_its_integral() -> None:
    x = np.linspace(-12.0, 12.0, 4001)
    for snr in (0.01, 1.0, 30.0):
        a, s = np.sqrt(snr / (1.0 + snr)), 1.0 / np.sqrt(1.0 + snr)
        law = LINE.noised(a, s)
        denoised = (x + s**2 * law.score(x[:, None])[:, 0]) / a
        second = LINE.covariance[0, 0] + LINE.mean[0] ** 2
        expected = second - np.trapezoid(denoised**2 * np.exp(law.log_prob(x[:, None])), x)
        assert DenoisingError(LINE)(snr) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: grids.uniform(VP(), 0), "n_steps is 0; give a whole number of at least 1"),
        (lambda: grids.uniform(VP(), 2.5), "n_steps is 2.5"),  # type: ignore[arg-type]
        (lambda: grids.uniform(VP(), 4, 0.5, 0.5), "repeats a time"),
        (lambda: grids.uniform(VP(), 4, 2.0), r"outside of \[0, 1\]"),
        (lambda: grids.uniform_lam(VP(), 4, stop=0.0), "give ends with both data and noise left"),
        (lambda: grids.karras(Flow(), 4), "sigma/alpha is infinite at 1"),
        (lambda: grids.exponential(EDM(), 4, stop=0.0), "give a positive stop="),
        (lambda: grids.align_your_steps(LINE, Flow(), 4), "give ends with both left"),
    ],
)
def test_grids_that_cannot_be_are_refused(make: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        make()
