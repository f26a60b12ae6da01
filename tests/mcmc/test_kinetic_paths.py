"""Strong orders of kinetic schemes on a Gaussian: every step size on one Brownian path, by linear algebra.

A path of an affine chain is linear in the normals of the finest level, so root mean square differences of levels are
Frobenius norms: no Monte Carlo.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from stochsim.densities import Gaussian
from stochsim.mcmc import BUB, UBU, ExponentialEuler, KineticEuler
from stochsim.mcmc.kinetic.phase_space import free_flow
from stochsim.mcmc.laws.affine import affine_map
from stochsim.orders.richardson import fit_order

TARGET = Gaussian([0.0], 0.5).target
FRICTION, T_END = 1.5, 2.0


def factor(t: float) -> np.ndarray:
    """From two normals to the noise (x, p) of a free flow over t."""
    flow = free_flow(FRICTION, t)
    return np.array([[flow.along, flow.across], [flow.momentum, 0.0]], dtype=float)


def free_noise(n: int, finest: int) -> np.ndarray:
    """Noise (n, 2, 2 finest) of n equal free flows as functions of the normals of ``finest`` ones."""
    t = T_END / finest
    noise = np.zeros((finest, 2, finest, 2))
    noise[np.arange(finest), :, np.arange(finest), :] = factor(t)
    noise = noise.reshape(finest, 2, -1)
    while len(noise) > n:
        flow = free_flow(FRICTION, t)
        push = np.array([[1.0, flow.reach], [0.0, flow.decay]], dtype=float)
        noise, t = push @ noise[::2] + noise[1::2], 2 * t
    return noise


def path(sampler: Any, flows: int, noise: np.ndarray, n: int) -> np.ndarray:
    """End of the chain as a function of the finest normals, (2, ...): ``flows`` free flows a step."""
    A, _, B = affine_map(sampler, TARGET, 1)
    t = T_END / n / flows
    normals = np.linalg.solve(factor(t), noise) if B.shape[1] > 1 else noise
    end = np.zeros((len(A), noise.shape[-1]))
    for k in range(n):
        end = A @ end + B @ normals[flows * k : flows * (k + 1)].reshape(B.shape[1], -1)
    return end[:2]


def strong_fit(scheme: Any, flows: int) -> Any:
    counts = [8, 16, 32, 64, 128]
    finest = flows * counts[-1]
    ends = [path(scheme(T_END / n, FRICTION), flows, free_noise(flows * n, finest), n) for n in counts]
    gaps = [np.linalg.norm(a - b) for a, b in pairwise(ends)]
    return fit_order([T_END / n for n in counts[:-1]], gaps, 1e-13)


@pytest.mark.parametrize(("scheme", "flows"), [(UBU, 2), (BUB, 1), (ExponentialEuler, 1)])
def test_strong_orders_are_what_is_declared(scheme: Any, flows: int) -> None:
    fit = strong_fit(scheme, flows)
    assert fit.uncertainty < 0.05
    assert fit.order == pytest.approx(scheme.claims.strong_order, abs=0.03)


def test_the_strong_order_of_euler_maruyama_is_what_is_declared() -> None:
    counts = [16, 32, 64, 128, 256]
    ends = []
    for n in counts:
        increments = np.repeat(np.eye(n), counts[-1] // n, axis=1)[:, None, :] / np.sqrt(counts[-1] / n)
        ends.append(path(KineticEuler(T_END / n, FRICTION), 1, increments, n))
    gaps = [np.linalg.norm(a - b) for a, b in pairwise(ends)]
    fit = fit_order([T_END / n for n in counts[:-1]], gaps, 1e-13)
    assert fit.order == pytest.approx(KineticEuler.claims.strong_order, abs=0.03)


def test_paths_of_all_levels_share_the_noise() -> None:
    fine = free_noise(16, 16)
    coarse = free_noise(4, 16)
    expected = factor(T_END / 4) @ factor(T_END / 4).T
    for k in range(4):
        np.testing.assert_allclose(coarse[k] @ coarse[k].T, expected, atol=1e-13)
    assert np.abs(coarse[0][0, : fine.shape[-1] // 4]).min() > 0
    np.testing.assert_array_equal(coarse[0][:, fine.shape[-1] // 4 :], 0.0)


def test_a_second_normal_that_is_left_out_costs_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def mutant(friction: Any, t: Any) -> Any:
        flow = free_flow(friction, t)
        return flow._replace(across=0.5 * flow.across)

    monkeypatch.setattr("stochsim.mcmc.kinetic.splitting.free_flow", mutant)
    assert strong_fit(UBU, 2).order < 1.6
