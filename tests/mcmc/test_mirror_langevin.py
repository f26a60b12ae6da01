"""Claim: mirror maps are inverse pairs with the Hessian as covariance of their noise; mirror Langevin has order 1."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from stochsim.columns.noise import PhiloxNoise
from stochsim.columns.ops import log
from stochsim.densities import Gaussian
from stochsim.errors import ParameterError
from stochsim.mcmc import ULA, MirrorLangevin
from stochsim.mcmc.langevin.mirror_maps import EntropicOrthant, EntropicSimplex, EuclideanMap, NewtonMap, box
from stochsim.mcmc.laws.affine import GivenNoise, affine_law

DENSE = Gaussian([0.5, -1.0, 2.0], [[1.0, 0.6, 0.1], [0.6, 2.0, 0.3], [0.1, 0.3, 0.05]])
MAPS = [
    EuclideanMap(),
    NewtonMap.of(DENSE),
    EntropicOrthant(),
    EntropicSimplex(),
    box([0.0, -0.5, 0.0], [1.0, 2.0, 5.0]),
    box([0.0, -0.5, 0.0], [1.0, 2.0, 5.0], "log_barrier"),
]
POINT = np.array([[0.3], [0.2], [0.4]])


@pytest.mark.parametrize("mirror", MAPS, ids=lambda m: type(m).__name__)
def test_primal_is_the_inverse_of_dual(mirror: Any) -> None:
    x = POINT * np.linspace(0.02, 1.05, 40)
    np.testing.assert_allclose(mirror.primal(mirror.dual(x)), x, rtol=1e-12, atol=1e-13)
    y = 30.0 * np.random.default_rng(0).normal(size=(3, 100))
    assert np.all(np.isfinite(mirror.primal(y)))


@pytest.mark.parametrize("mirror", MAPS, ids=lambda m: type(m).__name__)
def test_noise_has_the_hessian_as_covariance(mirror: Any) -> None:
    """The derivative of the dual map by Richardson's differences, against the columns of the noise."""
    columns = np.repeat(POINT, 4, axis=1)
    spread = mirror.spread(columns, GivenNoise(np.eye(4), np.zeros((0, 4))))
    hessian = spread @ spread.T

    def difference(e: float) -> np.ndarray:
        return np.asarray(mirror.dual(POINT + e * np.eye(3)) - mirror.dual(POINT - e * np.eye(3))) / (2 * e)

    np.testing.assert_allclose(hessian, (4 * difference(5e-4) - difference(1e-3)) / 3, rtol=1e-8, atol=1e-8)


def test_newtons_map_removes_the_condition_number() -> None:
    law = affine_law(MirrorLangevin(0.5, NewtonMap.of(DENSE)), DENSE.target, 3)
    np.testing.assert_allclose(law.covariance, DENSE.covariance / 0.75, rtol=0, atol=1e-12)


def test_the_euclidean_map_is_ula() -> None:
    x = np.random.default_rng(0).normal(size=(3, 50))
    ends = []
    for sampler in (ULA(0.1), MirrorLangevin(0.1)):
        state, _ = sampler.step(DENSE.target, sampler.init(DENSE.target, x), PhiloxNoise((1, 2), 0, 0))
        ends.append(state.x)
    np.testing.assert_array_equal(*ends)


@dataclass(frozen=True, eq=False)
class Beta:
    """x^(a-1) (1-x)^(b-1) on (0, 1)."""

    a: float
    b: float

    def log_prob(self, x: Any) -> Any:
        return ((self.a - 1.0) * log(x) + (self.b - 1.0) * log(1.0 - x))[0]

    def score(self, x: Any) -> Any:
        return (self.a - 1.0) / x - (self.b - 1.0) / (1.0 - x)


def stationary_mean(sampler: MirrorLangevin, a: float, b: float, n: int = 64) -> float:
    """E x of the chain on (0, 1): Gauss-Hermite for the noise, interpolation at Chebyshev points for functions of x."""
    nodes = (1 - np.cos(np.pi * (np.arange(n) + 0.5) / n)) / 2
    signs = (-1.0) ** np.arange(n) * np.sin(np.pi * (np.arange(n) + 0.5) / n)  # barycentric weights
    xi, w = np.polynomial.hermite_e.hermegauss(60)
    x = np.repeat(nodes, len(xi))[None]
    target = Beta(a, b)
    noise = GivenNoise(np.tile(xi, n)[None], np.zeros((0, x.shape[1])))
    ends = sampler.step(target, sampler.init(target, x), noise)[0].x[0]
    gaps = ends[:, None] - nodes
    gaps[gaps == 0.0] = 1e-300
    basis = signs / gaps
    basis /= basis.sum(axis=1, keepdims=True)
    operator = np.einsum("j,ijk->ik", w / w.sum(), basis.reshape(n, len(xi), n))
    system = np.vstack([operator.T - np.eye(n), np.ones(n)])
    law = np.linalg.lstsq(system, np.append(np.zeros(n), 1.0), rcond=None)[0]
    return float(law @ nodes)


@pytest.mark.parametrize("kind", ["entropic", "log_barrier"])
def test_bias_on_an_interval_is_of_order_one(kind: str) -> None:
    """Without Monte Carlo: E x of Beta(6, 4) is 0.6."""
    base = 0.01 if kind == "entropic" else 0.002
    bias = [stationary_mean(MirrorLangevin(h, box(0.0, 1.0, kind)), 6.0, 4.0) - 0.6 for h in (base, base / 2, base / 4)]
    slopes = -np.diff(np.log2(np.abs(bias)))
    assert abs(slopes[-1] - MirrorLangevin.claims.bias_order) < 0.1


def test_chains_stay_inside() -> None:
    @dataclass(frozen=True, eq=False)
    class Dirichlet:
        alpha: float

        def score(self, x: Any) -> Any:
            return (self.alpha - 1.0) * (1.0 / x - 1.0 / (1.0 - x.sum(axis=0)))

    target, sampler = Dirichlet(5.0), MirrorLangevin(0.001, EntropicSimplex())
    state = sampler.init(target, np.full((3, 500), 0.25))
    for k in range(100):
        state, _ = sampler.step(target, state, PhiloxNoise((1, 2), 0, k))
    assert np.all(state.x > 0.0)
    assert np.all(state.x.sum(axis=0) < 1.0)


def test_bad_boxes_are_refused() -> None:
    with pytest.raises(ParameterError, match="low < high"):
        box(1.0, 0.0)
    with pytest.raises(ParameterError, match="kind"):
        box(0.0, 1.0, "round")
