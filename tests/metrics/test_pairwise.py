"""Energy distance: against SciPy on the line, and with exact expectations of Gaussians."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.errors import ParameterError
from stochsim.metrics import energy_distance
from stochsim.metrics._mixtures import components
from stochsim.metrics.pairwise import _mean_norm

LINE = GaussianMixture([0.3, 0.7], [[-2.0], [1.5]], [[[0.25]], [[1.0]]])
PLANE = GaussianMixture([0.3, 0.7], [[-2.0, 0.0], [1.0, 1.0]], [0.5 * np.eye(2), [[1.0, 0.4], [0.4, 0.6]]])


def test_on_the_line_it_is_the_one_of_scipy() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(101), rng.standard_normal(57) + 0.5
    assert energy_distance(x, y) == pytest.approx(stats.energy_distance(x, y), rel=1e-10)


def test_between_samples_it_is_the_mean_of_all_distances() -> None:
    x, y = np.random.default_rng(1).standard_normal((2, 40, 3))

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.linalg.norm(a[:, None] - b, axis=-1).mean())

    exact = np.sqrt(2 * mean(x, y) - mean(x, x) - mean(y, y))
    assert energy_distance(x, y) == pytest.approx(exact, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(m=st.floats(-1e3, 1e3), sd=st.floats(1e-3, 1e3))
def test_mean_of_a_folded_normal(m: float, sd: float) -> None:
    exact = stats.foldnorm(abs(m) / sd, scale=sd).mean() if abs(m) < 30 * sd else abs(m)
    assert _mean_norm(np.array([[m]]), np.array([[sd**2]]))[0] == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3, 10, 50])
def test_mean_norm_of_standard_normals_is_the_one_of_chi(d: int) -> None:
    assert _mean_norm(np.zeros((1, d)), np.eye(d))[0] == pytest.approx(stats.chi(d).mean(), rel=1e-13)


def test_mean_norm_of_a_flat_law_is_an_integral() -> None:
    # one wide and one narrow component, off the centre: E|(a + sZ, e)| over Z, e fixed
    exact = quad(lambda z: np.hypot(0.7 + 2 * z, 0.3) * stats.norm.pdf(z), -12, 12, epsabs=1e-13, limit=200)[0]
    assert _mean_norm(np.array([[0.7, 0.3]]), np.diag([4.0, 0.0]))[0] == pytest.approx(exact, abs=1e-11)
    assert _mean_norm(np.array([[3.0, 4.0]]), np.zeros((2, 2)))[0] == pytest.approx(5.0, rel=1e-13)


def test_to_a_density_on_the_line_it_is_cramers_integral() -> None:
    x = np.sort(LINE.sample(9, seed=0)[:, 0])
    law = components(LINE)
    assert law is not None
    grid = np.linspace(-12, 12, 400_001)
    gap = np.searchsorted(x, grid, "right") / 9 - law.projected(np.ones(1)).cdf(grid)
    exact = np.sqrt(2 * np.trapezoid(gap**2, grid))
    assert energy_distance(x, LINE) == pytest.approx(exact, rel=1e-4)


def test_the_mean_square_of_exact_draws_is_known() -> None:
    # E D² = E|Y - Y'|/n; 40 repeats, five standard errors (rate below 1e-5)
    law = components(PLANE)
    assert law is not None
    within = sum(w * _mean_norm(m[None], c)[0] for w, m, c in law.pairs())
    squares = np.array([energy_distance(PLANE.sample(100, seed=s), PLANE) ** 2 for s in range(40)])
    assert abs(squares.mean() - within / 100) < 5 * squares.std(ddof=1) / np.sqrt(40)


def test_it_sees_another_law() -> None:
    x = PLANE.sample(500, seed=0)
    assert energy_distance(x, Gaussian(PLANE.mean, PLANE.covariance)) > 2 * energy_distance(x, PLANE)


def test_other_dimensions_are_refused() -> None:
    with pytest.raises(ParameterError, match="x has 1 components and the target has 2"):
        energy_distance(np.zeros(5), PLANE)
