"""Integrators by exact trajectories of the anharmonic force -q - q³: orders, reversibility, volume, energy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from stochsim.mcmc.hamiltonian.integrators import BCSS3, INTEGRATORS, LEAPFROG, Integrator
from stochsim.orders.richardson import fit_order

ORDERS = {"leapfrog": 2, "minimal norm": 2, "bcss3": 2, "yoshida": 4, "suzuki": 4, "omelyan": 4}
GRADIENTS = {"leapfrog": 1, "minimal norm": 2, "bcss3": 3, "yoshida": 3, "suzuki": 5, "omelyan": 4}


def force(q: float) -> float:
    return -q - q**3


def energy(q: float, p: float) -> float:
    return p * p / 2 + q * q / 2 + q**4 / 4


def trajectory(integrator: Integrator, h: float, n: int, q: float = 0.7, p: float = 0.4) -> tuple[float, float]:
    f = force(q)
    for _ in range(n):
        q, p, f = integrator.step(force, lambda p: p, q, p, f, h)
    return q, p


def slopes(integrator: Integrator) -> tuple[float, float]:
    """Orders of the end point (by differences of successive levels) and of the energy, with their uncertainties."""
    counts = [16, 32, 64, 128, 256]
    ends = [trajectory(integrator, 2.0 / n, n) for n in counts]
    gaps = [np.hypot(a - c, b - d) for (a, b), (c, d) in pairwise(ends)]
    fit = fit_order([2.0 / n for n in counts[:-1]], gaps, 1e-14)
    return fit.order, fit.uncertainty


@pytest.mark.parametrize("integrator", INTEGRATORS.values(), ids=lambda i: i.name)
def test_orders_are_what_is_declared(integrator: Integrator) -> None:
    order, uncertainty = slopes(integrator)
    assert uncertainty < 0.03
    assert order == pytest.approx(ORDERS[integrator.name], abs=0.02)
    assert integrator.order == ORDERS[integrator.name]


def test_a_wrong_coefficient_is_seen() -> None:
    spoiled = Integrator("spoiled", (0.4, 0.6), (1.0,), 2, "no palindrome")
    assert slopes(spoiled)[0] == pytest.approx(1.0, abs=0.02)


def test_what_blackjax_calls_yoshida_is_bcss3_and_of_order_two() -> None:
    # blackjax.mcmc.integrators.yoshida: b₁ = 0.11888010966548, a₁ = 0.29619504261126
    assert BCSS3.kicks[0] == 0.11888010966548
    assert BCSS3.drifts[0] == 0.29619504261126
    assert slopes(BCSS3)[0] == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("integrator", INTEGRATORS.values(), ids=lambda i: i.name)
def test_coefficients_sum_to_one_and_read_the_same_backwards(integrator: Integrator) -> None:
    for part in (integrator.kicks, integrator.drifts):
        assert sum(part) == pytest.approx(1.0, abs=1e-15)
        assert part == pytest.approx(part[::-1], abs=1e-15)
    assert len(integrator.kicks) == len(integrator.drifts) + 1
    assert integrator.gradients == GRADIENTS[integrator.name]


@pytest.mark.parametrize("integrator", INTEGRATORS.values(), ids=lambda i: i.name)
def test_trajectories_are_reversible(integrator: Integrator) -> None:
    q, p = trajectory(integrator, 0.2, 40)
    back, p_back = trajectory(integrator, 0.2, 40, q, -p)
    assert (back, -p_back) == pytest.approx((0.7, 0.4), abs=1e-12)


@pytest.mark.parametrize("integrator", INTEGRATORS.values(), ids=lambda i: i.name)
def test_steps_preserve_volume(integrator: Integrator) -> None:
    # every kick and drift is a shear with a polynomial, so central differences of a complex step are exact
    h = 1e-30
    columns = [trajectory(integrator, 0.3, 3, 0.7 + 1j * h * a, 0.4 + 1j * h * b) for a, b in ((1, 0), (0, 1))]
    jacobian = np.imag(np.array(columns)).T / h
    assert np.linalg.det(jacobian) == pytest.approx(1.0, abs=1e-13)


@pytest.mark.parametrize("h", [0.1, 1.0, 1.9])
def test_the_leapfrog_is_a_rotation_of_the_harmonic_oscillator(h: float) -> None:
    ends = [LEAPFROG.step(lambda q: -q, lambda p: p, q, p, -q, h)[:2] for q, p in ((1.0, 0.0), (0.0, 1.0))]
    matrix = np.array(ends).T
    np.testing.assert_allclose(matrix, [[1 - h * h / 2, h], [-h * (1 - h * h / 4), 1 - h * h / 2]], atol=1e-15)
    np.testing.assert_allclose(np.angle(np.linalg.eigvals(matrix)).max(), np.arccos(1 - h * h / 2), rtol=1e-12)


def test_the_leapfrog_conserves_its_shadow_energy() -> None:
    h, q, p, f = 0.7, 1.0, 0.3, -1.0
    shadow = p * p / 2 + (1 - h * h / 4) * q * q / 2
    for _ in range(1000):
        q, p, f = LEAPFROG.step(lambda q: -q, lambda p: p, q, p, f, h)
    assert p * p / 2 + (1 - h * h / 4) * q * q / 2 == pytest.approx(shadow, rel=1e-12)


@pytest.mark.parametrize("integrator", INTEGRATORS.values(), ids=lambda i: i.name)
def test_energy_does_not_drift(integrator: Integrator) -> None:
    q, p, f = 0.7, 0.4, force(0.7)
    errors = []
    for _ in range(4000):
        q, p, f = integrator.step(force, lambda p: p, q, p, f, 0.1)
        errors.append(energy(q, p) - energy(0.7, 0.4))
    assert abs(np.mean(errors[:2000]) - np.mean(errors[2000:])) < 0.01 * np.abs(errors).max()
