"""Small problems for tests, written as a user would write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import stochsim as ss


def gbm(mu: float = 0.5, sigma: float = 0.8, **options: object) -> ss.SDE:
    """Geometric Brownian motion, Itô."""
    return ss.SDE(
        drift=lambda x, t, p: p.mu * x,
        diffusion=lambda x, t, p: p.sigma * x,
        params={"mu": mu, "sigma": sigma},
        x0=1.0,
        exact=lambda x0, t, W, p: x0 * np.exp((p.mu - p.sigma**2 / 2) * t + p.sigma * W),
        name="gbm",
        **options,  # type: ignore[arg-type]
    )


def stratonovich_gbm(a: float = 0.3, sigma: float = 0.8) -> ss.SDE:
    """Geometric Brownian motion, Stratonovich."""
    return ss.SDE(
        drift=lambda x, t, p: p.a * x,
        diffusion=lambda x, t, p: p.sigma * x,
        params={"a": a, "sigma": sigma},
        x0=1.0,
        calculus="stratonovich",
        exact=lambda x0, t, W, p: x0 * np.exp(p.a * t + p.sigma * W),
        name="stratonovich gbm",
    )


def cubic() -> ss.SDE:
    """dX = -a^2 X (1 - X^2) dt + a (1 - X^2) dW, X = tanh(atanh x0 + a W)."""
    return ss.SDE(
        drift=lambda x, t, p: -(p.a**2) * x * (1 - x**2),
        diffusion=lambda x, t, p: p.a * (1 - x**2),
        params={"a": 0.8},
        x0=0.2,
        exact=lambda x0, t, W, p: ((1 + x0) * np.exp(2 * p.a * W) + x0 - 1) / ((1 + x0) * np.exp(2 * p.a * W) + 1 - x0),
        name="cubic",
    )


def two_noises() -> ss.SDE:
    """Two-dimensional linear noise with two commuting Brownian motions (x (c_1 dW_1 + c_2 dW_2))."""
    return ss.SDE(
        drift=lambda x, t, p: 0.1 * x,
        diffusion=lambda x, t, p: [[0.3 * x[0], 0.4 * x[0]], [0.2 * x[1], -0.1 * x[1]]],
        x0=[1.0, 2.0],
        exact=lambda x0, t, W, p: [
            x0[0] * np.exp((0.1 - 0.125) * t + 0.3 * W[0] + 0.4 * W[1]),
            x0[1] * np.exp((0.1 - 0.025) * t + 0.2 * W[0] - 0.1 * W[1]),
        ],
        name="two noises",
    )


def non_commuting() -> ss.SDE:
    """A linear SDE whose two noise matrices do not commute."""
    return ss.SDE(
        drift=lambda x, t, p: [-x[0], -0.5 * x[1]],
        diffusion=lambda x, t, p: [[0.5 * x[1], 0.3 * x[0]], [0.1 * x[0], 0.4 * x[1]]],
        x0=[1.0, 0.5],
        name="non-commuting",
    )


def rotation() -> ss.SDE:
    """Nonlinear drift, two components, additive noise in both."""
    return ss.SDE(
        drift=lambda x, t, p: np.stack([x[1] - x[0], -np.sin(x[0]) - x[1]]),
        diffusion=lambda x, t, p: [0.4, 0.5],
        x0=[0.3, -0.2],
        name="pendulum",
    )


def bounded() -> ss.SDE:
    """dX = -sin X cos^3 X dt + cos^2 X dW, X = arctan(tan x0 + W): every scheme stays near [-pi/2, pi/2]."""
    return ss.SDE(
        drift=lambda x, t, p: -np.sin(x) * np.cos(x) ** 3,
        diffusion=lambda x, t, p: np.cos(x) ** 2,
        x0=0.3,
        exact=lambda x0, t, W, p: np.arctan(np.tan(x0) + W),
        name="arctan",
    )


def closure(value: float) -> Callable[[Any, Any, Any], Any]:
    """A drift that holds a number in its closure."""
    return lambda x, t, p: value * x
