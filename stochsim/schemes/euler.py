"""Euler-Maruyama, its tamed and drift-implicit forms."""

from __future__ import annotations

import numpy as np

from stochsim.schemes.record import scheme
from stochsim.symbolic.implicit import solve


@scheme(
    strong_order={"general": 0.5, "additive": 1.0},
    weak_order=1.0,
    reference="Maruyama 1955; Kloeden & Platen 1992, eq. (10.2.4), Theorems 10.2.2 and 14.1.5",
    register=True,
)
def euler_maruyama(sde, x, t, h, dW):
    """The first terms of the Itô-Taylor expansion: strong order 1/2, and 1 for additive noise."""
    return x + sde.drift(x, t) * h + sde.diffusion(x, t) @ dW


@scheme(
    strong_order={"general": 0.5, "additive": 1.0},
    weak_order=1.0,
    assumes=("smooth",),
    reference="Hutzenthaler, Jentzen & Kloeden 2012, eq. (4), Theorem 1.1",
    register=True,
)
def tamed_euler(sde, x, t, h, dW):
    """Euler-Maruyama with the drift increment bounded by 1, for drifts that grow faster than linearly."""
    a = sde.drift(x, t)
    return x + a * h / (1 + h * np.sqrt(a @ a)) + sde.diffusion(x, t) @ dW


@scheme(
    strong_order={"general": 0.5, "additive": 1.0},
    weak_order=1.0,
    assumes=("smooth",),
    reference="Kloeden & Platen 1992, eq. (12.2.2); Higham, Mao & Stuart 2002, Theorem 3.3",
    register=True,
)
def drift_implicit_euler(sde, x, t, h, dW):
    """The drift taken at the end of the step, for stiff problems; Newton's method with the exact Jacobian."""
    a, noise = sde.drift(x, t), sde.diffusion(x, t) @ dW
    return solve(lambda y: y - x - sde.drift(y, t + h) * h - noise, start=x + a * h + noise)
