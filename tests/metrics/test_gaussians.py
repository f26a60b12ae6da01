"""Distances between Gaussians: closed forms, no cancellation, singular covariances."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from stochsim.errors import ParameterError
from stochsim.metrics import kl_gaussian, wasserstein2_gaussian


def covariance(d: int, seed: int) -> np.ndarray:
    a = np.random.default_rng(seed).standard_normal((d, d))
    return a @ a.T / d


@settings(max_examples=30, deadline=None)
@given(d=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_wasserstein2_is_the_bures_form(d: int, seed: int) -> None:
    a, b = covariance(d, seed), covariance(d, seed + 1)
    root = sqrtm(a)
    bures = np.trace(a + b - 2 * sqrtm(root @ b @ root).real)
    assert wasserstein2_gaussian(np.zeros(d), a, np.ones(d), b) == pytest.approx(np.sqrt(d + bures), rel=1e-7)


def test_wasserstein2_of_commuting_covariances() -> None:
    rotation = np.linalg.qr(covariance(4, 3))[0]
    a, b = np.array([4.0, 1.0, 0.25, 0.0]), np.array([1.0, 9.0, 0.0, 0.0])
    exact = np.sqrt(1 + 4 + 0.25)
    found = wasserstein2_gaussian(np.zeros(4), rotation @ np.diag(a) @ rotation.T, 0 * a, rotation * b @ rotation.T)
    assert found == pytest.approx(exact, abs=1e-10)


def test_wasserstein2_of_equal_laws_is_zero_to_rounding() -> None:
    cov = covariance(8, 5)
    assert wasserstein2_gaussian(np.ones(8), cov, np.ones(8), cov) < 1e-14


def test_wasserstein2_of_nearby_laws_keeps_its_digits() -> None:
    # W2 of N(0, 1) and N(0, (1 + e)²) is e; the trace form loses all of it at e = 1e-9
    e = 1e-9
    assert wasserstein2_gaussian(0.0, 1.0, 0.0, (1 + e) ** 2) == pytest.approx(e, rel=1e-6)


@pytest.mark.parametrize(("variance", "mean"), [(0.5, 0.0), (2.0, 1.5), (1.0, 0.0)])
def test_kl_on_the_line(variance: float, mean: float) -> None:
    exact = (variance - 1 - np.log(variance) + mean**2) / 2
    assert kl_gaussian(mean, variance, 0.0, 1.0) == pytest.approx(exact, abs=1e-14)


def test_kl_adds_over_independent_components_and_ignores_the_basis() -> None:
    a, b, m = np.array([1.0, 2.0, 0.3]), np.array([0.5, 3.0, 0.3]), np.array([1.0, -1.0, 0.0])
    parts = sum(kl_gaussian(m[i], a[i], 0.0, b[i]) for i in range(3))
    mix = covariance(3, 9)
    whole = kl_gaussian(mix @ m, mix @ np.diag(a) @ mix.T, np.zeros(3), mix @ np.diag(b) @ mix.T)
    assert whole == pytest.approx(parts, rel=1e-10)
    assert kl_gaussian(m, a, 0 * m, b) == pytest.approx(parts, rel=1e-12)


def test_kl_of_nearby_laws_is_the_fisher_quadratic() -> None:
    e = 1e-6
    assert kl_gaussian(0.0, 1 + e, 0.0, 1.0) == pytest.approx(e**2 / 4, rel=1e-3)


def test_kl_of_a_singular_law_is_infinite() -> None:
    assert kl_gaussian([0, 0], [1.0, 0.0], [0, 0], [1.0, 1.0]) == np.inf


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([0, 0], np.eye(2), [0], 1.0), "mean1 has 2 components"),
        (([0, 0], np.diag([1.0, -0.5]), [0, 0], np.eye(2)), "eigenvalue -0.5"),
        (([0, 0], [[1.0, 0.5], [0.0, 1.0]], [0, 0], np.eye(2)), "not symmetric"),
        (([0, 0], np.eye(3), [0, 0], np.eye(2)), r"shape \(3, 3\)"),
    ],
)
def test_bad_laws_are_refused(arguments: tuple, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        wasserstein2_gaussian(*arguments)


def test_kl_needs_a_positive_definite_reference() -> None:
    with pytest.raises(ParameterError, match="positive definite"):
        kl_gaussian([0, 0], np.eye(2), [0, 0], [1.0, 0.0])
