"""Noised, tempered, conditional, multiplied and marginal laws against their definitions, by quadrature."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stochsim.densities import Checkerboard, Density, Gaussian, GaussianMixture, Tempered, TwoMoons
from stochsim.densities.quadrature import line, table

FULL = [[[1.0, 0.8], [0.8, 1.0]], [[0.2, 0.0], [0.0, 0.3]]]
WEIGHTS, MEANS = [0.6, 0.4], [[-1.0, 0.0], [1.0, 2.0]]
LAWS: dict[str, Callable[[], Any]] = {
    "dense Gaussian": lambda: Gaussian([1.0, -0.5], [[2.0, 0.7], [0.7, 0.5]]),
    "diagonal Gaussian": lambda: Gaussian([1.0, -0.5], [2.0, 0.5]),
    "isotropic mixture": lambda: GaussianMixture(WEIGHTS, MEANS, [0.3, 0.6]),
    "diagonal mixture": lambda: GaussianMixture(WEIGHTS, MEANS, [[0.3, 1.0], [0.6, 0.2]]),
    "full mixture": lambda: GaussianMixture(WEIGHTS, MEANS, FULL),
    "two moons": lambda: TwoMoons(0.4),
    "checkerboard": lambda: Checkerboard(0.5),
}
A, Y, NOISE = np.array([[1.0, 0.5], [0.0, 2.0], [1.0, -1.0]]), np.array([0.3, 1.0, -0.2]), np.array([0.5, 1.0, 0.2])
every_law = pytest.mark.parametrize("name", LAWS)
Conditionable = [name for name in LAWS if name not in ("checkerboard",)]
most_laws = pytest.mark.parametrize("name", Conditionable)
X = np.random.default_rng(5).normal(size=(9, 2))


def noised_by_definition(law: Density, alpha: float, sigma: float, y: np.ndarray) -> np.ndarray:
    plane = table(law.log_prob, 2)

    def kernel(x: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * ((y[:, None] - alpha * x) ** 2).sum(axis=2) / sigma**2).T / (2 * np.pi * sigma**2)

    return np.log(plane.expectation(kernel))


def near(found: Any, wanted: Any, tolerance: float) -> bool:
    """Whether two arrays differ by no more than this share of the larger of 1 and the largest entry."""
    return bool(np.max(np.abs(np.asarray(found) - wanted)) <= tolerance * max(1.0, float(np.max(np.abs(wanted)))))


def spread(values: np.ndarray) -> float:
    return float(values.max() - values.min())


@every_law
def test_noised_laws_are_convolutions(name: str) -> None:
    law = LAWS[name]()
    exact = noised_by_definition(law, -0.7, 0.6, X[:4])
    assert near(law.noised(-0.7, 0.6).log_prob(X[:4]), exact, 1e-11)


def test_noise_wrong_by_a_millionth_is_noticed() -> None:
    """Negative control of the convolution."""
    law = LAWS["full mixture"]()
    exact = noised_by_definition(law, 0.7, 0.6, X[:4])
    assert not near(law.noised(0.7, 0.6 * (1 + 1e-6)).log_prob(X[:4]), exact, 1e-11)


@every_law
def test_noising_twice_is_noising_once(name: str) -> None:
    law = LAWS[name]()
    twice = law.noised(0.8, 0.3).noised(0.5, 0.4)
    once = law.noised(0.4, np.hypot(0.15, 0.4))
    assert near(twice.log_prob(X), once.log_prob(X), 1e-12)


@most_laws
def test_posteriors_obey_bayes(name: str) -> None:
    """log p(x|y) - log p(x) - log p(y|x) does not depend on x."""
    law = LAWS[name]()
    likelihood = -0.5 * ((Y - X @ A.T) ** 2 / NOISE).sum(axis=1)
    assert spread(law.posterior(A, Y, NOISE).log_prob(X) - law.log_prob(X) - likelihood) < 1e-11


def test_a_posterior_with_other_noise_does_not() -> None:
    """Negative control."""
    law = LAWS["full mixture"]()
    likelihood = -0.5 * ((Y - X @ A.T) ** 2 / NOISE).sum(axis=1)
    assert spread(law.posterior(A, Y, 1.000001 * NOISE).log_prob(X) - law.log_prob(X) - likelihood) > 1e-8


def test_noise_may_be_a_number_or_a_matrix() -> None:
    law = LAWS["full mixture"]()
    assert near(law.posterior(A, Y, 0.3).mean, law.posterior(A, Y, 0.3 * np.eye(3)).mean, 1e-14)


@most_laws
def test_products_are_proportional_to_both(name: str) -> None:
    law = LAWS[name]()
    other = LAWS["dense Gaussian" if isinstance(law, Gaussian) else "full mixture"]()
    assert spread(law.product(other).log_prob(X) - law.log_prob(X) - other.log_prob(X)) < 1e-11


@most_laws
def test_tempered_laws_are_powers(name: str) -> None:
    law = LAWS[name]()
    cold = law.tempered(2.5)
    assert spread(cold.log_prob(X) - 2.5 * law.log_prob(X)) < 1e-11
    assert near(cold.score(X), 2.5 * law.score(X), 1e-12)
    assert near(cold.hessian(X), 2.5 * law.hessian(X), 1e-11)
    assert near(cold.laplacian(X), 2.5 * law.laplacian(X), 1e-11)
    assert cold.normalised == isinstance(law, Gaussian)


def test_a_tempered_gaussian_by_quadrature_is_the_exact_one() -> None:
    law = LAWS["dense Gaussian"]()
    exact, found = law.tempered(0.5), Tempered(law, 0.5)
    assert near(found.covariance, exact.covariance, 1e-11)
    log_mass = 0.5 * law.log_prob(law.mean) - exact.log_prob(law.mean)
    assert found.log_normaliser() == pytest.approx(log_mass, abs=1e-12)
    assert repr(found) == "<Gaussian^0.5, d=2, not normalised>"


@most_laws
def test_marginals_are_integrals(name: str) -> None:
    law = LAWS[name]()
    for x in X[:2]:
        for i in (0, 1):
            points = np.stack([x, x])

            def along(y: np.ndarray, i: int = i, points: np.ndarray = points) -> np.ndarray:
                moved = np.repeat(points[:1], len(y), axis=0)
                moved[:, 1 - i] = y
                return np.asarray(law.log_prob(moved))

            assert law.marginal([i]).log_prob(x[[i]]) == pytest.approx(line(along).log_normaliser, abs=1e-12)


@most_laws
def test_marginals_may_change_the_order(name: str) -> None:
    law = LAWS[name]()
    assert near(law.marginal([1, 0]).log_prob(X[:, ::-1]), law.log_prob(X), 1e-12)


def test_responsibilities_are_the_shares_of_the_gaussians() -> None:
    law = LAWS["full mixture"]()
    parts = np.stack([Gaussian(m, c).log_prob(X) for m, c in zip(MEANS, FULL, strict=True)], axis=1)
    joint = np.exp(parts) * WEIGHTS
    assert near(law.responsibilities(X), joint / joint.sum(axis=1, keepdims=True), 1e-13)


def test_a_mixture_may_have_weights_of_zero() -> None:
    law = GaussianMixture([0.0, 1.0], [-3.0, 1.0], 0.5)
    assert near(law.log_prob(X[:, :1]), Gaussian(1.0, 0.5).log_prob(X[:, :1]), 1e-14)
    assert near(law.score(X[:, :1]), Gaussian(1.0, 0.5).score(X[:, :1]), 1e-14)
    assert law.product(law).weights.sum() == pytest.approx(1.0)
