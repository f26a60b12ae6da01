"""Claims: thermostats hold E|p|² = d to a telescoping sum, leave their law invariant to their order, absorb noise."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from stochsim.columns.noise import PhiloxNoise
from stochsim.columns.ops import sqrt
from stochsim.mcmc import BADODAB, SGNHT, StochasticGradientSplitting
from stochsim.mcmc.laws.affine import GivenNoise
from stochsim.mcmc.stochastic_gradients.batch_laws import batch_law
from stochsim.mcmc.stochastic_gradients.batches import RESHUFFLED
from stochsim.mcmc.stochastic_gradients.targets import QuadraticSum
from stochsim.orders.richardson import fit_order

NORMAL = QuadraticSum([[1.0]], [[0.0]])
COIN = QuadraticSum([[0.25]] * 4, [[-(20.0**0.5)], [20.0**0.5]] * 2)  # N(0, 1), gradient noise of variance 20
TEN = QuadraticSum(np.ones((1, 10)), np.zeros((1, 10)))


@dataclass(frozen=True)
class Unsquared(SGNHT):
    """The wrong one, found in a published package: the length of p where its square belongs."""

    def kinetic_temperature(self, p: Any) -> Any:
        return sqrt(2.0 * self.metric.kinetic(p)) / len(p)


@dataclass(frozen=True)
class UnsquaredSymmetric(BADODAB):
    """The same mistake in the symmetric splitting."""

    def kinetic_temperature(self, p: Any) -> Any:
        return sqrt(2.0 * self.metric.kinetic(p)) / len(p)


def run(sampler: Any, density: QuadraticSum, n: int, n_steps: int) -> tuple[Any, np.ndarray, Any]:
    """States of n chains at the end, mean kinetic temperature along the way (n,), state after the first refreshing."""
    x = PhiloxNoise((1, 2), 0, 2**31).normal(np.empty((density.d, n)))
    state = sampler.refresh(sampler.init(density.target, x), PhiloxNoise((1, 2), 0, 2**31 + 1))
    begun, heat = state, np.zeros(n)
    for k in range(n_steps):
        state, info = sampler.step(density.target, state, PhiloxNoise((5, 6), 0, k))
        heat += info.kinetic_temperature
    return state, heat / n_steps, begun


@pytest.mark.parametrize(
    "sampler", [SGNHT(0.1, thermal_mass=0.7), BADODAB(0.1, RESHUFFLED, thermal_mass=0.7)], ids=repr
)
def test_the_kinetic_temperature_is_right_up_to_a_telescoping_sum(sampler: Any) -> None:
    """No statistical error: the mean of |p|²/d is T + μ (ζ_N - ζ_0)/(h N), for every single chain."""
    state, heat, begun = run(sampler, COIN, 20, 500)
    np.testing.assert_allclose(heat - 1.0, 0.7 * (state.zeta - begun.zeta) / (0.1 * 500), rtol=0, atol=1e-12)
    assert np.abs(heat - 1.0).max() < 0.1


def invariance_defects(sampler: Any, h: float) -> np.ndarray:
    """E f(step(s)) - E f(s) for s from the law of the adaptive Langevin equation, by Gauss–Hermite quadrature."""
    z, w = np.polynomial.hermite_e.hermegauss(14)
    x, p, zeta, xi = (g.reshape(1, -1) for g in np.meshgrid(z, z, z, z, indexing="ij"))
    mass = np.prod(np.meshgrid(w, w, w, w, indexing="ij"), axis=0).reshape(-1) / (2.0 * np.pi) ** 2
    zeta = sampler.friction + zeta / np.sqrt(sampler.thermal_mass)
    sampler = type(sampler)(h, friction=sampler.friction, thermal_mass=sampler.thermal_mass)
    state = sampler.init(NORMAL.target, x)._replace(p=p, zeta=zeta[0])
    new, _ = sampler.step(NORMAL.target, state, GivenNoise(xi, np.full((1, x.shape[1]), 0.5)))

    def functions(s: Any) -> np.ndarray:
        q, v, f = s.x[0], s.p[0], s.zeta
        return np.array([q * q, v * v, f, f * f, q * v, q * q * v * v, v**4, f * v * v, f * q * v])

    return np.asarray((functions(new) - functions(state)) @ mass)


def smallest_order(sampler: Any) -> float:
    """Of the defects of a step, among those that are settled; one more than the order of the bias."""
    h = 0.05 * 2.0 ** -np.arange(5.0)
    errors = np.array([invariance_defects(sampler, float(step)) for step in h])
    fits = [fit_order(h, e, 1e-13) for e in errors.T]
    return float(min(fit.order for fit in fits if fit.uncertainty < 0.05))


def test_sgnht_is_of_order_one_and_badodab_of_order_two() -> None:
    assert smallest_order(SGNHT(1.0, friction=0.8, thermal_mass=2.0)) == pytest.approx(2.0, abs=0.01)
    assert smallest_order(BADODAB(1.0, friction=0.8, thermal_mass=2.0)) == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize("wrong", [Unsquared, UnsquaredSymmetric])
def test_the_length_of_the_momentum_in_place_of_its_square_is_found(wrong: Any) -> None:
    assert smallest_order(wrong(1.0, friction=0.8, thermal_mass=2.0)) == pytest.approx(1.0, abs=0.02)


def test_the_length_of_the_momentum_heats_ten_dimensions_tenfold() -> None:
    """It holds E|p| = d: |p| is √T times a chi variable of mean 3.084, so T = (10/3.084)² = 10.5."""
    state, heat, _ = run(Unsquared(0.05, thermal_mass=0.5), TEN, 200, 1500)
    assert abs(heat.mean() - 1.0) < 0.01  # the wrong thermometer is content
    assert 9.0 < state.x.var() < 12.0
    right = run(SGNHT(0.05, thermal_mass=0.5), TEN, 200, 1500)[0]
    assert abs(right.x.var() - 1.0) < 5.0 * np.sqrt(2.0 / 2000.0) + 0.03  # false-alarm rate 6e-7; O(h) bias


def test_gradient_noise_is_absorbed_where_plain_friction_is_heated() -> None:
    """Gradient noise V = 20 at h = 0.1 doubles the temperature of a splitting; the thermostat raises ζ by h V/2."""
    heated = batch_law(StochasticGradientSplitting(0.1, scheme="BAOAB"), COIN.target, 1).covariance[0, 0]
    assert heated > 1.9
    state = run(BADODAB(0.1), COIN, 4000, 500)[0]
    assert abs(state.x.var() - 1.0) < 5.0 * np.sqrt(2.0 / 4000.0)  # false-alarm rate 6e-7
    assert abs(state.zeta.mean() - 2.0) < 0.15
