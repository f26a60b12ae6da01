"""Exact laws of affine samplers against closed forms: everything here holds to rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.errors import ParameterError, SchemeError
from stochsim.mcmc import HMC, MALA, ULA, Claims, Sampler
from stochsim.mcmc.laws.affine import GivenNoise, affine_law, affine_map, affine_start, stability_limit
from stochsim.mcmc.record import NoInfo

NORMAL = Gaussian([0.0], 1.0)
DENSE = Gaussian([1.0, -2.0], [[1.0, 0.6], [0.6, 2.0]])


class Place(NamedTuple):
    x: Any


@dataclass(frozen=True)
class RandomMidpoint(Sampler):
    """Shen & Lee 2019, overdamped: the score at a uniformly random time of the step, on the same Brownian path."""

    step_size: float
    claims = Claims("Shen & Lee 2019", bias_order=3)

    def init(self, target: Any, x: Any) -> Place:
        return Place(x)

    def step(self, target: Any, state: Place, noise: Any) -> tuple[Place, NoInfo]:
        h, u = self.step_size, noise.uniform(state.x)
        early, late = np.sqrt(2 * h * u) * noise.normal(state.x), np.sqrt(2 * h * (1 - u)) * noise.normal(state.x)
        middle = state.x + h * u * target.score(state.x) + early
        return Place(state.x + h * target.score(middle) + early + late), NoInfo()


@pytest.mark.parametrize("h", [0.1, 1.0, 1.9])
def test_ula_has_the_variance_and_correlations_of_its_autoregression(h: float) -> None:
    law = affine_law(ULA(h), NORMAL.target, 1)
    assert law.covariance[0, 0] == pytest.approx(1 / (1 - h / 2), rel=1e-13)
    assert law.autocorrelation(1) == pytest.approx(1 - h, abs=1e-14)
    assert law.autocorrelation_time() == pytest.approx((2 - h) / h, rel=1e-12)


@pytest.mark.parametrize("n", [0, 1, 7, 200])
def test_ula_after_n_steps(n: int) -> None:
    h, x0 = 0.3, 3.0
    mean, cov = affine_law(ULA(h), NORMAL.target, 1).after(n, [x0])
    assert mean[0] == pytest.approx((1 - h) ** n * x0, abs=1e-14)
    assert cov[0, 0] == pytest.approx((1 - (1 - h) ** (2 * n)) / (1 - h / 2), abs=1e-14)


def test_a_start_in_the_stationary_law_stays_there() -> None:
    law = affine_law(ULA(0.4), DENSE.target, 2)
    mean, cov = law.after(5, law.mean, law.covariance)
    np.testing.assert_allclose(mean, law.mean, atol=1e-13)
    np.testing.assert_allclose(cov, law.covariance, atol=1e-13)


def test_dense_gaussians_have_one_ula_variance_for_each_eigenvalue() -> None:
    h = 0.3
    law = affine_law(ULA(h), DENSE.target, 2)
    values, vectors = np.linalg.eigh(DENSE.covariance)
    np.testing.assert_allclose(law.mean, DENSE.mean, atol=1e-13)
    np.testing.assert_allclose(law.covariance, (vectors * (values / (1 - h / (2 * values)))) @ vectors.T, atol=1e-13)


def test_ula_is_stable_up_to_twice_the_smallest_variance() -> None:
    smallest = np.linalg.eigvalsh(DENSE.covariance)[0]
    assert stability_limit(ULA(0.1), DENSE.target, 2) == pytest.approx(2 * smallest, rel=1e-8)
    assert affine_law(ULA(1.99 * smallest), DENSE.target, 2).stable
    assert not affine_law(ULA(2.01 * smallest), DENSE.target, 2).stable


def test_an_unstable_chain_has_no_stationary_law() -> None:
    with pytest.raises(SchemeError, match=r"spectral radius is 1\.5"):
        _ = affine_law(ULA(2.5), NORMAL.target, 1).covariance


@pytest.mark.parametrize("h", [0.1, 0.5, 1.2])
def test_random_affine_maps_have_exact_second_moments(h: float) -> None:
    law = affine_law(RandomMidpoint(h), NORMAL.target, 1)
    assert law.covariance[0, 0] == pytest.approx(1 / (1 - h**3 / (3 * (2 - 2 * h + h * h))), rel=1e-12)
    mean, cov = law.after(400, [2.0])
    assert mean[0] == pytest.approx(0.0, abs=1e-12)
    assert cov[0, 0] == pytest.approx(law.covariance[0, 0], rel=1e-10)


@pytest.mark.parametrize("sampler", [MALA(0.5), HMC(0.5, 3)])
def test_metropolised_samplers_are_refused(sampler: Sampler) -> None:
    with pytest.raises(SchemeError, match="not affine"):
        affine_map(sampler, NORMAL.target, 1, uniforms=[0.5])


def test_targets_that_are_not_gaussian_are_refused() -> None:
    mixture = GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], [1.0, 1.0])
    with pytest.raises(SchemeError, match="not affine"):
        affine_law(ULA(0.1), mixture.target, 1)


def test_the_map_of_a_step_and_of_the_start() -> None:
    A, b, B = affine_map(ULA(0.25), DENSE.target, 2)
    precision = np.linalg.inv(DENSE.covariance)
    np.testing.assert_allclose(A, np.eye(2) - 0.25 * precision, atol=1e-14)
    np.testing.assert_allclose(b, 0.25 * precision @ DENSE.mean, atol=1e-14)
    np.testing.assert_allclose(B, np.sqrt(0.5) * np.eye(2), atol=1e-14)
    J, j = affine_start(ULA(0.25), DENSE.target, 2)
    np.testing.assert_array_equal(J, np.eye(2))
    np.testing.assert_array_equal(j, 0.0)


def test_given_noise_is_handed_out_in_order_and_runs_out() -> None:
    noise = GivenNoise(np.arange(6.0).reshape(3, 2), np.array([[0.1, 0.2]]))
    np.testing.assert_array_equal(noise.normal(np.zeros((2, 2))), [[0, 1], [2, 3]])
    np.testing.assert_array_equal(noise.normal(np.zeros(2)), [4, 5])
    np.testing.assert_array_equal(noise.uniform(np.zeros((2, 2))), [0.1, 0.2])
    with pytest.raises(ParameterError, match="more than the 3 normals"):
        noise.normal(np.zeros((1, 2)))
