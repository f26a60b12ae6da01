"""Tabulated densities against closed forms, and the refusals of the tables."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from stochsim.densities.quadrature import Line, Plane, line, table
from stochsim.errors import ModelError

FALSE_ALARM = 1e-9  # of a Kolmogorov-Smirnov statement
ONE: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float, float]] = {
    # log-density, log-normaliser, variance
    "normal": (lambda x: -0.5 * x**2, 0.5 * np.log(2 * np.pi), 1.0),
    "far and narrow": (lambda x: -0.5 * ((x - 300.0) / 0.01) ** 2, np.log(0.01 * np.sqrt(2 * np.pi)), 1e-4),
    "wide": (lambda x: -0.5 * (x / 1e7) ** 2, np.log(1e7 * np.sqrt(2 * np.pi)), 1e14),
    "Laplace": (lambda x: -np.abs(x), np.log(2.0), 2.0),
    "logistic": (lambda x: -x - 2 * np.log1p(np.exp(-x)), 0.0, np.pi**2 / 3),
    "Student, 8 degrees": (stats.t(8).logpdf, 0.0, 8 / 6),
    "Gumbel": (lambda x: -x - np.exp(-x), 0.0, np.pi**2 / 6),
    "half normal": (lambda x: np.where(x > 0, -0.5 * x**2, -np.inf), 0.5 * np.log(np.pi / 2), 1 - 2 / np.pi),
    "not a number outside": (
        lambda x: np.where(x > -1, -0.5 * x**2, np.nan),
        np.log(np.sqrt(2 * np.pi) * stats.norm.cdf(1.0)),
        stats.truncnorm(-1.0, np.inf).var(),
    ),
    "two far modes": (
        lambda x: np.logaddexp(-0.5 * (x - 40) ** 2, -0.5 * (x + 40) ** 2),
        np.log(2 * np.sqrt(2 * np.pi)),
        1601.0,
    ),
}


@pytest.mark.parametrize("name", ONE)
def test_masses_and_variances_of_one_component(name: str) -> None:
    log_prob, log_mass, variance = ONE[name]
    with np.errstate(all="ignore"):
        law = line(log_prob)
    assert law.log_normaliser == pytest.approx(log_mass, abs=1e-12)
    assert law.variance == pytest.approx(variance, rel=2e-11)


PLANE_COVARIANCE = np.array([[1.0, 0.95], [0.95, 1.0]])


def correlated(x: np.ndarray) -> np.ndarray:
    return np.asarray(-0.5 * np.einsum("ni,ij,nj->n", x - 1.0, np.linalg.inv(PLANE_COVARIANCE), x - 1.0))


def test_a_correlated_normal_in_the_plane() -> None:
    law = table(correlated, 2)
    assert law.log_normaliser == pytest.approx(np.log(2 * np.pi * np.sqrt(1 - 0.95**2)), abs=1e-12)
    second = law.expectation(lambda x: (x[:, 0] - 1.0) * (x[:, 1] - 1.0))
    assert second == pytest.approx(0.95, abs=1e-12)


def test_a_thin_bent_ridge_is_not_lost_by_the_search() -> None:
    """A normal law bent along a parabola, its tails between the points of the first, coarse scan."""
    law = table(lambda x: -0.5 * (x[:, 0] ** 2 + (x[:, 1] + 0.7 * x[:, 0] ** 2) ** 2 / 0.3**2), 2)
    assert law.log_normaliser == pytest.approx(np.log(2 * np.pi * 0.3), abs=1e-12)


def kolmogorov(x: np.ndarray, cdf: Callable[[np.ndarray], np.ndarray]) -> float:
    return float(stats.kstest(x, cdf).pvalue)


@pytest.mark.parametrize("name", ["normal", "logistic", "Student, 8 degrees", "Gumbel"])
def test_draws_of_one_component_have_their_law(name: str) -> None:
    exact = {
        "normal": stats.norm,
        "logistic": stats.logistic,
        "Student, 8 degrees": stats.t(8),
        "Gumbel": stats.gumbel_r,
    }
    with np.errstate(over="ignore"):
        law = line(ONE[name][0])
    x = law.draw(20_000, np.random.default_rng(2))[:, 0]
    assert kolmogorov(x, exact[name].cdf) > FALSE_ALARM
    assert kolmogorov(x + 0.1 * x.std(), exact[name].cdf) < FALSE_ALARM  # negative control


def test_the_inverse_distribution_function_is_exact_in_the_bulk() -> None:
    """Draws at given ranks, without chance."""
    u = np.linspace(1e-6, 1 - 1e-6, 5001)
    law = line(ONE["normal"][0])
    assert np.max(np.abs(law.panels.draw(law.density, u) - stats.norm.ppf(u))) < 1e-8
    middle = np.abs(u - 0.5) < 0.49
    assert np.max(np.abs(law.panels.draw(law.density, u) - stats.norm.ppf(u))[middle]) < 1e-12


def test_draws_in_the_plane_are_normal_in_the_whitened_directions() -> None:
    law = table(correlated, 2)
    x = law.draw(20_000, np.random.default_rng(3)) - 1.0
    for direction, variance in (([1.0, 1.0], 3.9), ([1.0, -1.0], 0.1)):
        y = x @ np.array(direction) / np.sqrt(variance)
        assert kolmogorov(y, stats.norm.cdf) > FALSE_ALARM
        assert kolmogorov(1.1 * y, stats.norm.cdf) < 1e-5  # negative control


def test_a_domain_cuts() -> None:
    law = line(ONE["normal"][0], (0.0, 1.0))
    assert law.log_normaliser == pytest.approx(np.log(np.sqrt(2 * np.pi) * (stats.norm.cdf(1) - 0.5)), abs=1e-14)
    square = table(correlated, 2, ((0.0, 2.0), (0.0, 2.0)))
    assert isinstance(square, Plane)
    assert square.first.edges[[0, -1]].tolist() == [0.0, 2.0]


def test_tables_have_their_kinds() -> None:
    assert isinstance(table(lambda x: -(x[:, 0] ** 2), 1), Line)


@pytest.mark.parametrize("domain", [(1.0, 0.0), (0.0, np.inf), (0.0, 1.0, 2.0), 3.0])
def test_a_bad_domain_is_refused(domain: object) -> None:
    with pytest.raises(ModelError, match=r"give \(low, high\) with low < high"):
        line(ONE["normal"][0], domain)


def test_heavy_tails_are_refused() -> None:
    with pytest.raises(ModelError, match="does not fall fast enough"):
        line(lambda x: -np.log1p(x**2))


def test_three_components_are_refused() -> None:
    with pytest.raises(ModelError, match="for one and two components, this density has 3"):
        table(lambda x: -(x**2).sum(axis=1), 3)


def test_a_density_without_mass_is_refused() -> None:
    with pytest.raises(ModelError, match="largest log-density found is -inf"):
        line(lambda x: np.full(len(x), -np.inf))


def test_structure_beyond_the_means_is_refused() -> None:
    with pytest.raises(ModelError, match="too fine a structure"):
        table(lambda x: -0.5 * (x[:, 0] ** 2 + (x[:, 1] - 100.0 * np.sin(20.0 * x[:, 0])) ** 2), 2)
