"""Microcanonical samplers: the isokinetic flow, its Jacobian, and invariance at the false-alarm rate 1e-4."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import ndtr

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.errors import ParameterError
from stochsim.mcmc import MAMS, MCLMC
from stochsim.mcmc.hamiltonian.integrators import BCSS3, LEAPFROG, MINIMAL_NORM, OMELYAN, Integrator
from stochsim.mcmc.kinetic.microcanonical import Direction, isokinetic_kick, isokinetic_step
from stochsim.mcmc.laws.affine import GivenNoise
from stochsim.mcmc.laws.stationary import _interpolation
from stochsim.metrics import invariance_test
from stochsim.orders.richardson import fit_order
from tests.mcmc.exact_starts import GeneratorNoise, transition

MIXTURE = GaussianMixture([0.4, 0.6], [[-1.0, 0.0], [1.0, 0.5]], [[0.3, 1.0], [1.0, 0.2]])
TARGET = MIXTURE.target
X0, U0 = np.array([[0.3], [0.4]]), np.array([[0.6], [0.8]])


def flow(integrator: Integrator, h: float, n: int, x: Any = X0, u: Any = U0) -> tuple[Any, Any, Any]:
    score, gained = TARGET.score(x), np.zeros(x.shape[1])
    for _ in range(n):
        x, u, score, gained = isokinetic_step(TARGET, integrator, h, 2, x, u, score, gained)
    return x, u, gained


def test_the_kick_is_the_exact_flow_of_directions() -> None:
    score, u, t, d = np.array([1.0, -2.0, 0.5]), np.array([0.6, 0.0, 0.8]), 1.3, 3

    def turn(_: float, u: np.ndarray) -> np.ndarray:
        return (score - u * (u @ score)) / (d - 1)

    reference = solve_ivp(turn, (0, t), u, rtol=1e-12, atol=1e-13).y[:, -1]
    new, gain = isokinetic_kick(u[:, None], score[:, None], t, d)
    np.testing.assert_allclose(new[:, 0], reference, atol=1e-10)
    assert np.linalg.norm(new) == pytest.approx(1.0, abs=1e-15)
    norm = np.linalg.norm(score)
    delta, along = t * norm / (d - 1), u @ score / norm
    assert gain[0] == pytest.approx((d - 1) * np.log(np.cosh(delta) + along * np.sinh(delta)), rel=1e-13)


@pytest.mark.parametrize("size", [0.0, 1e-200, 1e4, 1e150])
def test_kicks_of_any_strength_are_finite(size: float) -> None:
    new, gain = isokinetic_kick(U0, size * np.array([[0.8], [-0.5]]), 1.0, 2)
    assert np.all(np.isfinite(new))
    assert np.isfinite(gain).all()
    assert np.linalg.norm(new) == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("integrator", [LEAPFROG, MINIMAL_NORM, BCSS3, OMELYAN], ids=lambda i: i.name)
def test_integrators_keep_their_order_on_the_isokinetic_flow(integrator: Integrator) -> None:
    counts = [16, 32, 64, 128, 256]
    ends = [np.vstack(flow(integrator, 2.0 / n, n)[:2]) for n in counts]
    gaps = [np.linalg.norm(a - b) for a, b in pairwise(ends)]
    fit = fit_order([2.0 / n for n in counts[:-1]], gaps, 1e-14)
    assert fit.order == pytest.approx(integrator.order, abs=0.05)


def test_the_energy_error_vanishes_with_the_order_of_the_integrator() -> None:
    errors = []
    for n in (16, 32, 64, 128):
        x, _, gained = flow(LEAPFROG, 2.0 / n, n)
        errors.append(float((gained - TARGET.log_prob(x) + TARGET.log_prob(X0))[0]))
    fit = fit_order([2.0 / n for n in (16, 32, 64, 128)], errors, 1e-14)
    assert fit.order == pytest.approx(2.0, abs=0.05)


def test_the_gain_of_kinetic_energy_is_minus_the_log_jacobian() -> None:
    # in two dimensions the direction is an angle; derivatives by central differences of sixth order
    h, e = 0.4, 2e-3
    weights = np.array([-1, 9, -45, 45, -9, 1]) / 60
    shifts = np.array([-3, -2, -1, 1, 2, 3]) * e
    columns = []
    for i in range(3):
        at = np.repeat([[0.3], [0.4], [0.9]], 6, axis=1)
        at[i] += shifts
        x, u, _ = flow(LEAPFROG, h, 3, at[:2], np.stack([np.cos(at[2]), np.sin(at[2])]))
        ends = np.vstack([x, np.unwrap(np.arctan2(u[1], u[0]))])
        columns.append(ends @ weights / e)
    gained = flow(LEAPFROG, h, 3, np.array([[0.3], [0.4]]), np.array([[np.cos(0.9)], [np.sin(0.9)]]))[2]
    assert np.log(abs(np.linalg.det(np.array(columns)))) == pytest.approx(-gained[0], abs=1e-9)


def test_trajectories_are_reversible() -> None:
    x, u, gained = flow(LEAPFROG, 0.3, 10)
    back, u_back, lost = flow(LEAPFROG, 0.3, 10, x, -u)
    np.testing.assert_allclose(back, X0, atol=1e-12)
    np.testing.assert_allclose(-u_back, U0, atol=1e-12)
    assert gained[0] + lost[0] == pytest.approx(0.0, abs=1e-12)


def invariant(sampler: Any, n_steps: int, **spoiled: float) -> Any:
    move = transition(sampler, TARGET, n_steps, **spoiled)
    return invariance_test(MIXTURE, move, n_chains=20_000, n_steps=1, seed=0, false_alarm=1e-4)


@pytest.mark.parametrize("sampler", [MAMS(1.0, 3), MAMS(2.2, 2, OMELYAN)], ids=lambda s: s.integrator.name)
def test_mams_leaves_the_target_invariant(sampler: Any) -> None:
    check = invariant(sampler, 8)
    assert check.passed, check
    assert not invariant(sampler, 8, power=2.0).passed


def refreshments(nu: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Normals (2, count) that turn u = (1, 0) to equally spaced directions, and the probabilities of these.

    The angle of u + ν ξ has the projected normal law (Mardia & Jupp 2000, section 3.5); smooth and periodic.
    """
    angle = 2 * np.pi * np.arange(count) / count
    kappa = np.cos(angle) / nu
    density = np.exp(-0.5 / nu**2) + np.sqrt(2 * np.pi) * kappa * np.exp(0.5 * kappa**2 - 0.5 / nu**2) * ndtr(kappa)
    return (np.stack([np.cos(angle), np.sin(angle)]) - [[1.0], [0.0]]) / nu, density / density.sum()


def second_moment(h: float, nodes: int = 36, angles: int = 90) -> float:
    """E |x|² in the stationary law of MCLMC on the plane, target N(0, I), by quadrature of its Markov operator.

    By symmetry the place as seen from the particle, x = a u + b u⊥, is a Markov chain.
    """
    length, target = 2.0, Gaussian([0.0, 0.0]).target
    axis = -6.0 * np.cos(np.pi * np.arange(nodes) / (nodes - 1))
    points = np.stack([g.ravel() for g in np.meshgrid(axis, axis, indexing="ij")])
    normals, mass = refreshments(np.sqrt(np.expm1(2 * h / length) / 2), angles)
    n, k = points.shape[1], len(mass)
    x = np.repeat(points, k, axis=1)
    state = Direction(x, np.stack([np.ones(n * k), np.zeros(n * k)]), *target.log_prob_and_score(x))
    noise = GivenNoise(np.tile(normals, (1, n)), np.empty((0, n * k)))
    new = MCLMC(h, length, LEAPFROG).step(target, state, noise)[0]
    seen = np.stack([(new.x * new.u).sum(axis=0), new.x[1] * new.u[0] - new.x[0] * new.u[1]])
    operator = _interpolation([axis, axis], seen, np.tile(mass, n), n)
    guess = np.full(n, 1.0 / n)
    weights = np.linalg.solve((np.eye(n) - operator + guess).T, guess)
    return float((points**2).sum(axis=0) @ weights)


def test_the_bias_of_mclmc_is_of_order_two() -> None:
    errors = [second_moment(h) - 2.0 for h in (0.4, 0.2)]
    resolution = abs(second_moment(0.2, nodes=40) - 2.0 - errors[1]) / errors[1]
    assert resolution < 0.02
    assert np.log2(errors[0] / errors[1]) == pytest.approx(MCLMC.claims.bias_order, abs=0.1)


def test_the_bias_of_mclmc_falls_with_the_step_size() -> None:
    assert not invariant(MCLMC(2.0, 2.0, LEAPFROG), 20).passed
    assert invariant(MCLMC(0.05, 2.0), 20).passed


def test_the_first_refreshment_makes_uniform_directions() -> None:
    # false-alarm rate 1e-5 for each of two statistics: 4.4 standard errors
    n = 20_000
    state = MCLMC(1e-9, 2.0).init(TARGET, np.zeros((2, n)))
    u = MCLMC(1e-9, 2.0).step(TARGET, state, GeneratorNoise(np.random.default_rng(0)))[0].u
    np.testing.assert_allclose(np.linalg.norm(u, axis=0), 1.0, atol=1e-14)
    assert abs(u[0].mean()) < 4.4 * np.sqrt(0.5 / n)
    assert abs((u[0] ** 2).mean() - 0.5) < 4.4 * np.sqrt(0.125 / n)


def test_one_dimension_is_refused() -> None:
    for sampler in (MCLMC(0.1, 1.0), MAMS(0.1, 3)):
        with pytest.raises(ParameterError, match="at least 2 components"):
            sampler.init(Gaussian([0.0]).target, np.zeros((1, 3)))


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(ParameterError, match="length is 0"):
        MCLMC(0.1, 0.0)
    with pytest.raises(ParameterError, match="n_leapfrog is 0"):
        MAMS(0.1, 0)
