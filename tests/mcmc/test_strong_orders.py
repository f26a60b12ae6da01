"""Claim: strong orders of the discretised diffusions, exactly on N(0, 1), by moments of method and solution together.

Both are driven by one Brownian motion; the solution's noise and the method's are jointly Gaussian, with covariances by
matrix exponentials. No Monte Carlo.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

from stochsim.densities import Gaussian
from stochsim.mcmc import ULA, KineticRandomizedMidpoint, RandomizedMidpoint, Sampler, StochasticHeun, ThetaMethod
from stochsim.mcmc.langevin.midpoint import free_noise
from stochsim.mcmc.laws.affine import AffineMap, affine_map

TARGET = Gaussian(0.0, 1.0).target
T = 1.0


def noise_covariance(F: np.ndarray, G: np.ndarray, t: float) -> np.ndarray:
    """Of ∫ exp(F (t-s)) G dW (Van Loan 1978)."""
    m = len(F)
    block = expm(np.block([[F, G @ G.T], [np.zeros((m, m)), -F.T]]) * t)
    return np.asarray(block[:m, m:] @ block[:m, :m].T)


def squared_error(maps: list[tuple[float, AffineMap, np.ndarray, np.ndarray]], d: int, n_steps: int) -> float:
    """E |X - x|² of the first component after the steps, from a common start 1 (at rest).

    A map is (weight, method, propagator of the solution, covariance of (solution noise, method noise)).
    """
    z = np.zeros(2 * d)
    z[[0, d]] = 1.0
    mean, cov = z, np.zeros((2 * d, 2 * d))
    for _ in range(n_steps):
        second = np.zeros_like(cov)
        new = np.zeros_like(mean)
        for w, method, flow, joint in maps:
            A = np.block([[flow, np.zeros((d, d))], [np.zeros((d, d)), method.A]])
            second += w * (A @ (cov + np.outer(mean, mean)) @ A.T + joint)
            new += w * A @ mean
        mean, cov = new, second - np.outer(new, new)
    c = np.zeros(2 * d)
    c[0], c[d] = 1.0, -1.0
    return float(c @ cov @ c + (c @ mean) ** 2)


def overdamped(build: Callable[[float], Sampler], h: float) -> list[tuple[float, AffineMap, np.ndarray, np.ndarray]]:
    """One Brownian increment a step: its covariance with the solution's noise √2 ∫ e^{-(h-s)} dW."""
    method = affine_map(build(h), TARGET, 1)
    joint = noise_covariance(np.diag([-1.0, 0.0]), np.array([[np.sqrt(2)], [1 / np.sqrt(h)]]), h)
    L = np.diag([1.0, method.B[0, 0]])
    return [(1.0, method, np.array([[np.exp(-h)]]), L @ joint @ L.T)]


def random_midpoint(h: float) -> list[tuple[float, AffineMap, np.ndarray, np.ndarray]]:
    """Two increments a step, to αh and on."""
    nodes, weights = np.polynomial.legendre.leggauss(12)
    maps = []
    for a, w in zip((nodes + 1) / 2, weights / 2, strict=True):
        method = affine_map(RandomizedMidpoint(h), TARGET, 1, [a])
        joint = np.zeros((2, 2))
        for i, t in enumerate((a * h, h - a * h)):
            part = noise_covariance(np.diag([-1.0, 0.0]), np.array([[np.sqrt(2)], [1 / np.sqrt(t)]]), t)
            L = np.diag([np.exp(-(h - a * h)) if i == 0 else 1.0, method.B[0, i]])
            joint += L @ part @ L.T
        maps.append((w, method, np.array([[np.exp(-h)]]), joint))
    return maps


def kinetic_midpoint(h: float, g: float = 2.0) -> list[tuple[float, AffineMap, np.ndarray, np.ndarray]]:
    """Two pieces a step; each with the noise of the solution and of the free flow, driven by the same motion."""
    force, free = np.array([[0.0, 1.0], [-1.0, -g]]), np.array([[0.0, 1.0], [0.0, -g]])
    F = np.block([[force, np.zeros((2, 2))], [np.zeros((2, 2)), free]])
    G = np.sqrt(2 * g) * np.array([[0.0], [1.0], [0.0], [1.0]])
    nodes, weights = np.polynomial.legendre.leggauss(12)
    maps = []
    for a, w in zip((nodes + 1) / 2, weights / 2, strict=True):
        method = affine_map(KineticRandomizedMidpoint(h, g), TARGET, 1, [a])
        joint = np.zeros((4, 4))
        for i, t in enumerate((a * h, h - a * h)):
            root = np.array(free_noise(g, np.full(2, t), *np.eye(2)))  # (x, v) of the free noise from its two normals
            rest = expm(force * (h - a * h)) if i == 0 else np.eye(2)
            taken = method.B[:, 2 * i : 2 * i + 2] @ np.linalg.inv(root)
            L = np.block([[rest, np.zeros((2, 2))], [np.zeros((2, 2)), taken]])
            joint += L @ noise_covariance(F, G, t) @ L.T
        maps.append((w, method, expm(force * h), joint))
    return maps


CASES: list[tuple[str, Callable[[float], Any], int, float]] = [
    ("ULA", lambda h: overdamped(ULA, h), 1, ULA.claims.strong_order),
    ("StochasticHeun", lambda h: overdamped(StochasticHeun, h), 1, StochasticHeun.claims.strong_order),
    ("ThetaMethod", lambda h: overdamped(ThetaMethod, h), 1, ThetaMethod.claims.strong_order),
    ("RandomizedMidpoint", random_midpoint, 1, RandomizedMidpoint.claims.strong_order),
    ("KineticRandomizedMidpoint", kinetic_midpoint, 2, KineticRandomizedMidpoint.claims.strong_order),
]


@pytest.mark.parametrize(("name", "maps", "d", "claimed"), CASES, ids=[c[0] for c in CASES])
def test_strong_order_is_the_claim(name: str, maps: Callable[[float], Any], d: int, claimed: float) -> None:
    counts = [8, 16, 32, 64]
    errors = [np.sqrt(squared_error(maps(T / n), d, n)) for n in counts]
    slopes = -np.diff(np.log2(errors))
    assert abs(slopes[-1] - claimed) < 0.05
