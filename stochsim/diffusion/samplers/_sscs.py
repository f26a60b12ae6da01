"""SSCS: symmetric splitting for critically damped Langevin diffusion."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, sqrt
from typing import Any

import numpy as np

from stochsim.columns import eager
from stochsim.diffusion.augmented import CriticallyDampedLangevin
from stochsim.diffusion.record import sampler
from stochsim.errors import ParameterError

FLOWS = ("euler", "midpoint")


@sampler(
    kind="sde",
    law_order=lambda o: 2 if o["flow"] == "midpoint" else 1,
    nfe=lambda o: 2 if o["flow"] == "midpoint" else 1,
    parametrisation="score",
    space="phase",
    process=CriticallyDampedLangevin,
    variants=({}, {"flow": "midpoint"}),
    aliases=("SSCS", "CLD splitting"),
    reference="Dockhorn, Vahdat & Kreis 2022, section 3.3, algorithm 1 and appendix D",
)
def sscs(model: Any, x: Any, grid: Any, noise: Any, *, flow: str = "euler") -> Iterator[Any]:
    """Half a step of A, a step of S, half a step of A, for the reverse equation of (x, v), in columns (2d, n).

    A: dx = -β v/M dt, dv = β (x - Γ v/M) dt + √(2Γβ) dW, done exactly; S: dv = 2Γβ (s_v + v/M) dt with the score with
    respect to v at the middle of the step.

    Parameters
    ----------
    flow : {"euler", "midpoint"}
        How S is solved. Euler's method, as published, takes one evaluation a step and leaves order 1; the midpoint
        rule takes two and keeps the order 2 of the splitting.

    Raises
    ------
    ParameterError
        If the word is unknown.
    """
    if flow not in FLOWS:
        raise ParameterError(f"flow is {flow!r}; give one of {', '.join(FLOWS)}")
    p, xp, d = model.process, eager.module(x), len(x) // 2
    t, rule = np.asarray(grid, dtype=float).tolist(), np.polynomial.legendre.leggauss(16)
    for i in range(len(t) - 1):
        middle = 0.5 * (t[i] + t[i + 1])
        passed = [float(p.schedule.integral(time)) for time in (t[i], middle, t[i + 1])]
        x = _stationary(x, noise(2 * i, x.shape), passed[0] - passed[1], p.mass, rule)
        push = 2.0 * p.friction * (passed[0] - passed[2])
        kick = model.score(x, middle)[d:] + x[d:] / p.mass
        if flow == "midpoint":
            half = xp.concatenate([x[:d], x[d:] + (0.5 * push) * kick])
            kick = model.score(half, middle)[d:] + half[d:] / p.mass
        x[d:] += push * kick
        x = _stationary(x, noise(2 * i + 1, x.shape), passed[1] - passed[2], p.mass, rule)
        yield x


def _stationary(u: Any, z: Any, b: float, mass: float, rule: tuple[np.ndarray, np.ndarray]) -> Any:
    """A over ∫β = b, exactly: the forward motion with the sign of x turned, so that N(0, I) × N(0, M I) stays."""
    d, a = len(u) // 2, 1.0 / sqrt(mass)  # the double eigenvalue of the drift is -a
    decay, c = exp(-a * b), _kicks(b, a, mass, rule)
    x, v = u[:d], u[d:]
    moved_x = decay * ((1.0 + a * b) * x - (b / mass) * v) - c[0] * z[:d]
    moved_v = decay * (b * x + (1.0 - a * b) * v) + c[1] * z[:d] + c[2] * z[d:]
    return eager.module(u).concatenate([moved_x, moved_v])


def _kicks(b: float, a: float, mass: float, rule: tuple[np.ndarray, np.ndarray]) -> tuple[float, float, float]:
    """Cholesky factor of ∫ 2Γ e^(-2au) (u/M, 1 - au)(u/M, 1 - au)ᵀ du over [0, b], by quadrature: no cancellation."""
    u = 0.5 * b * (rule[0] + 1.0)
    w = 0.5 * b * rule[1] * (4.0 * sqrt(mass)) * np.exp(-2.0 * a * u)
    xx, xv, vv = (w * (u / mass) ** 2).sum(), (w * u / mass * (1.0 - a * u)).sum(), (w * (1.0 - a * u) ** 2).sum()
    first = sqrt(xx)
    return first, float(xv / first), sqrt(vv - xv**2 / xx)
