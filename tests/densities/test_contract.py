"""What every density promises, checked for every registered example."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from stochsim.densities import REGISTRY, Density
from stochsim.densities.quadrature import Line, Panels, Plane, table
from stochsim.errors import ParameterError

EXAMPLES = {f"{name}-{i}": make for name, r in sorted(REGISTRY.items()) for i, make in enumerate(r.examples)}
N = 20_000  # draws
STANDARD_ERRORS = 6.5  # of a mean or covariance: some 200 statements, a false alarm in 10⁷ runs if they are normal
FALSE_ALARM = 1e-9  # of one comparison of distribution functions, by the inequality of Dvoretzky, Kiefer and Wolfowitz


@cache
def density(name: str) -> Density:
    return EXAMPLES[name]()


@cache
def draws(name: str) -> np.ndarray:
    return density(name).sample(N, seed=1)


@cache
def tabulated(name: str) -> Line | Plane:
    d = density(name)
    return table(d.log_prob, d.d, domain(name))


def domain(name: str) -> Any:
    return {"TruncatedGaussian-0": (1.0, 2.0), "VonMisesMixture-0": (-np.pi, np.pi)}.get(
        name, [(-np.pi, np.pi)] * 2 if name == "VonMisesMixture-1" else getattr(density(name), "domain", None)
    )


def points(name: str) -> np.ndarray:
    """A few points of the density, not so near to a wall that differences would reach over it."""
    x = draws(name)[:60]
    near = np.max([np.abs(density(name).log_prob(x + e)) for e in (-0.05, 0.05)], axis=0)
    return x[np.isfinite(near)][:7]


def slope(f: Any, x: np.ndarray, i: int, step: float = 3e-3) -> Any:
    """∂f/∂x_i by the symmetric difference of order 8."""
    e = np.eye(x.shape[1])[i] * step
    weights = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
    return np.sum([w * (f(x + k * e) - f(x - k * e)) for k, w in enumerate(weights, start=1)], axis=0) / step


def close(found: Any, wanted: Any) -> bool:
    return bool(np.all(np.abs(found - wanted) <= 1e-7 * (1.0 + np.max(np.abs(wanted)))))


def near(found: Any, wanted: Any, tolerance: float) -> bool:
    """Whether two arrays differ by no more than this share of the larger of 1 and the largest entry."""
    return bool(np.max(np.abs(np.asarray(found) - wanted)) <= tolerance * max(1.0, float(np.max(np.abs(wanted)))))


def gradient(name: str) -> np.ndarray:
    d = density(name)
    return np.stack([slope(d.log_prob, points(name), i) for i in range(d.d)], axis=1)


small = [name for name in EXAMPLES if density(name).d <= 2]
everyone = pytest.mark.parametrize("name", EXAMPLES)
up_to_two_components = pytest.mark.parametrize("name", small)


@everyone
def test_score_is_the_gradient_of_log_prob(name: str) -> None:
    assert close(density(name).score(points(name)), gradient(name))


@everyone
def test_a_score_wrong_by_a_millionth_is_noticed(name: str) -> None:
    """Negative control of the differences."""
    assert not close(density(name).score(points(name)) * (1.0 + 3e-6), gradient(name))


@everyone
def test_hessian_is_the_gradient_of_the_score(name: str) -> None:
    d = density(name)
    found = np.stack([slope(d.score, points(name), i) for i in range(d.d)], axis=2)
    assert close(d.hessian(points(name)), found)


@everyone
def test_laplacian_is_the_trace_of_the_hessian(name: str) -> None:
    hessian = density(name).hessian(points(name))
    assert near(density(name).laplacian(points(name)), np.trace(hessian, axis1=1, axis2=2), 1e-12)


@everyone
def test_both_together_are_each_alone(name: str) -> None:
    target, x = density(name).target, np.ascontiguousarray(points(name).T)
    log_p, score = target.log_prob_and_score(x)
    assert near(log_p, target.log_prob(x), 1e-13)
    assert near(score, target.score(x), 1e-13)


@everyone
def test_one_point_is_a_row_of_many(name: str) -> None:
    d, x = density(name), points(name)
    for method in ("log_prob", "score", "laplacian"):
        one = getattr(d, method)(x[0])
        assert np.shape(one) == ((d.d,) if method == "score" else ())
        assert np.array_equal(one, getattr(d, method)(x)[0])
    assert d.hessian_vector(x[0], x[1]).shape == (d.d,)


@everyone
def test_points_of_another_shape_are_refused(name: str) -> None:
    d = density(name)
    with pytest.raises(ParameterError, match=rf"has {d.d} components .* give \(n, {d.d}\)"):
        d.log_prob(np.zeros((3, d.d + 1)))


@up_to_two_components
def test_normalised_densities_have_mass_one(name: str) -> None:
    mass = tabulated(name).log_normaliser
    assert (abs(mass) < 2e-13) == density(name).normalised


@up_to_two_components
def test_moments_are_the_integrals(name: str) -> None:
    law, d = tabulated(name), density(name)
    mean = law.expectation(lambda x: x)
    second = law.expectation(lambda x: ((x - mean)[:, :, None] * (x - mean)[:, None, :]).reshape(len(x), -1))
    scale = np.abs(d.covariance).max()
    assert near(d.mean / np.sqrt(scale), mean / np.sqrt(scale), 3e-12)
    assert near(d.covariance.ravel() / scale, second / scale, 3e-12)


def misses(x: np.ndarray, exact: np.ndarray) -> float:
    """The largest distance of a mean from its exact value, in standard errors."""
    return float(np.max(np.abs(x.mean(axis=0) - exact) / (x.std(axis=0) / np.sqrt(len(x)))))


@everyone
def test_draws_have_the_mean_and_covariance(name: str) -> None:
    x, d = draws(name), density(name)
    assert x.shape == (N, d.d)
    centred = x - d.mean
    assert misses(x, d.mean) < STANDARD_ERRORS
    assert misses(centred[:, :, None] * centred[:, None, :], d.covariance) < STANDARD_ERRORS


def marginals(law: Line | Plane) -> list[tuple[Panels, np.ndarray]]:
    if isinstance(law, Line):
        return [(law.panels, law.density)]
    return [(law.first, law.density @ law.second.weights), (law.second, law.first.weights @ law.density)]


def distance(x: np.ndarray, panels: Panels, values: np.ndarray) -> float:
    """The largest difference of the distribution functions at the edges of the panels: at most Kolmogorov's."""
    masses = (values * panels.weights).reshape(len(panels.edges) - 1, -1).sum(axis=1)
    found = np.searchsorted(np.sort(x), panels.edges[1:], side="right") / len(x)
    return float(np.max(np.abs(found - np.cumsum(masses))))


THRESHOLD = float(np.sqrt(np.log(2.0 / FALSE_ALARM) / (2.0 * N)))


@up_to_two_components
def test_draws_have_the_distribution_functions(name: str) -> None:
    for i, law in enumerate(marginals(tabulated(name))):
        assert distance(draws(name)[:, i], *law) < THRESHOLD


@up_to_two_components
def test_draws_that_are_moved_do_not(name: str) -> None:
    """Negative control: a shift by a fifth of a standard deviation."""
    for i, law in enumerate(marginals(tabulated(name))):
        x = draws(name)[:, i]
        assert distance(x + 0.2 * x.std(), *law) > THRESHOLD


@everyone
def test_draws_are_those_of_their_seed(name: str) -> None:
    d = density(name)
    assert np.array_equal(d.sample(5, seed=9), d.sample(5, seed=9))
    assert not np.array_equal(d.sample(5, seed=9), d.sample(5, seed=10))
    assert d.sample(0, seed=1).shape == (0, d.d)


@everyone
def test_it_tells_what_it_is(name: str) -> None:
    d, record = density(name), REGISTRY[name.split("-")[0]]
    assert record.name in repr(d)
    assert f"d={d.d}" in repr(d)
    assert record.name in d._repr_html_()
    assert record.summary.endswith(".")
