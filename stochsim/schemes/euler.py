"""Euler-Maruyama, its tamed and drift-implicit forms."""

from __future__ import annotations

import numpy as np

from stochsim.schemes.record import scheme
from stochsim.symbolic.implicit import solve


def _euler_maruyama(c, x, t, h, dw):
    return x + c.a(x, t) * h + c.b(x, t) * dw


@scheme(
    strong_order={"general": 0.5, "additive": 1.0},
    weak_order=1.0,
    reference="Maruyama 1955; Kloeden & Platen 1992, eq. (10.2.4), Theorems 10.2.2 and 14.1.5",
    transcription=_euler_maruyama,
    register=True,
)
def euler_maruyama(sde, x, t, h, dW):
    """The first terms of the Itô-Taylor expansion: strong order 1/2, and 1 for additive noise."""
    return x + sde.drift(x, t) * h + sde.diffusion(x, t) @ dW


def _tamed_euler(c, x, t, h, dw):
    increment = c.a(x, t) * h
    return x + increment / (1.0 + np.abs(increment)) + c.b(x, t) * dw


@scheme(
    strong_order={"general": 0.5, "additive": 1.0},
    weak_order=1.0,
    assumes=("smooth",),
    reference="Hutzenthaler, Jentzen & Kloeden 2012, eq. (4), Theorem 1.1",
    transcription=_tamed_euler,
    register=True,
)
def tamed_euler(sde, x, t, h, dW):
    """Euler-Maruyama with the drift increment bounded by 1, for drifts that grow faster than linearly."""
    a = sde.drift(x, t)
    return x + a * h / (1 + h * np.sqrt(a @ a)) + sde.diffusion(x, t) @ dW


def _drift_implicit_euler(c, x, t, h, dw):
    known = x + c.b(x, t) * dw
    y = known + c.a(x, t) * h
    for _ in range(30):
        y = y - (y - c.a(y, t + h) * h - known) / (1.0 - c.da(y, t + h) * h)
    return y


@scheme(
    strong_order={"general": 0.5, "additive": 1.0},
    weak_order=1.0,
    assumes=("smooth",),
    reference="Kloeden & Platen 1992, eq. (12.2.2); Higham, Mao & Stuart 2002, Theorem 3.3",
    transcription=_drift_implicit_euler,
    register=True,
)
def drift_implicit_euler(sde, x, t, h, dW):
    """The drift taken at the end of the step, for stiff problems; Newton's method with the exact Jacobian."""
    a, noise = sde.drift(x, t), sde.diffusion(x, t) @ dW
    return solve(lambda y: y - x - sde.drift(y, t + h) * h - noise, start=x + a * h + noise)
