"""Geometric Brownian motion: with one noise, with several, and as a system with commuting matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.models.answers import lognormal
from stochsim.models.record import matrix, model
from stochsim.parameters import fixed
from stochsim.sde import SDE


@model
def geometric_brownian_motion(mu: Any = 0.05, sigma: Any = 0.2, x0: float = 1.0, calculus: str = "ito") -> SDE:
    """Geometric Brownian motion, dX = mu X dt + sigma X dW.

    X_t = x0 exp((mu - sigma^2/2) t + sigma W_t) in the Itô calculus, x0 exp(mu t + sigma W_t) in that of
    Stratonovich (Kloeden & Platen 1992, Sections 4.4 and 4.9). X_t is lognormal.

    Parameters
    ----------
    mu, sigma : float or 1-d array_like
        Drift and volatility, per unit time and per square root of it; arrays sweep.
    x0 : float
        Start, positive for the density.
    calculus : {"ito", "stratonovich"}
        What the equation means.
    """
    shift = 0.5 if calculus == "ito" else 0.0

    def growth(p: Any) -> Any:
        return p.mu + (0.5 - shift) * p.sigma**2

    return SDE(
        drift=lambda x, t, p: p.mu * x,
        diffusion=lambda x, t, p: p.sigma * x,
        params={"mu": mu, "sigma": sigma},
        x0=x0,
        calculus=calculus,
        exact=lambda x0, t, W, p: x0 * np.exp((p.mu - shift * p.sigma**2) * t + p.sigma * W),
        mean=lambda t, x0, p: x0 * np.exp(growth(p) * t),
        cov=lambda t, x0, p: x0**2 * np.exp(2.0 * growth(p) * t) * np.expm1(p.sigma**2 * t),
        density=lambda x, t, x0, p: lognormal(x, np.log(x0) + (p.mu - shift * p.sigma**2) * t, p.sigma**2 * t),
        name="geometric_brownian_motion",
    )


@model
def multi_noise_geometric_brownian_motion(mu: Any = 0.05, sigma: Any = (0.2, -0.1, 0.15), x0: float = 1.0) -> SDE:
    """Geometric Brownian motion with m noises, dX = mu X dt + X sum_k sigma_k dW_k (Itô).

    X_t = x0 exp((mu - |sigma|^2/2) t + sigma . W_t) (Kloeden & Platen 1992, eq. (4.4.59)). The noise is
    commutative.

    Parameters
    ----------
    mu : float or 1-d array_like
        Drift per unit time; an array sweeps.
    sigma : (m,) array_like
        Volatility of each noise.
    x0 : float
        Start, positive for the density.
    """

    def variance(p: Any) -> Any:
        return np.sum(p.sigma**2)

    return SDE(
        drift=lambda x, t, p: p.mu * x,
        diffusion=lambda x, t, p: np.reshape(x * p.sigma, (1, -1)),
        params={"mu": mu, "sigma": fixed(matrix("sigma", sigma, (None,)))},
        x0=x0,
        exact=lambda x0, t, W, p: x0 * np.exp((p.mu - 0.5 * variance(p)) * t + np.sum(p.sigma * W)),
        mean=lambda t, x0, p: x0 * np.exp(p.mu * t),
        cov=lambda t, x0, p: x0**2 * np.exp(2.0 * p.mu * t) * np.expm1(variance(p) * t),
        density=lambda x, t, x0, p: lognormal(x, np.log(x0) + (p.mu - 0.5 * variance(p)) * t, variance(p) * t),
        name="multi_noise_geometric_brownian_motion",
    )


@model
def commuting_linear(
    rates: Any = (-1.0, -0.4),
    volatilities: Any = ((0.5, 0.2), (-0.3, 0.6)),
    angle: Any = 0.6,
    shear: Any = 0.8,
    x0: Any = (1.0, 0.5),
) -> SDE:
    """Linear system whose matrices commute, dX = A X dt + sum_k B_k X dW_k in two dimensions (Itô).

    A = S diag(rates) S^-1 and B_k = S diag(volatilities[:, k]) S^-1 share the eigenvectors S, a shear times a
    rotation. X_t = exp((A - sum_k B_k^2 / 2) t + sum_k B_k W_k(t)) x0 (Kloeden & Platen 1992, Section 4.8).
    The noise is commutative, not diagonal.

    Parameters
    ----------
    rates : (2,) array_like
        Eigenvalues of A, per unit time.
    volatilities : (2, m) array_like
        Eigenvalues of each B_k, per square root of time.
    angle, shear : float or 1-d array_like
        S = [[1, shear], [0, 1]] times the rotation by ``angle``; arrays sweep.
    x0 : (2,) array_like
        Start.
    """
    params = {
        "rates": fixed(matrix("rates", rates, (2,))),
        "volatilities": fixed(matrix("volatilities", volatilities, (2, None))),
        "angle": angle,
        "shear": shear,
    }

    def diffusion(x: Any, t: Any, p: Any) -> Any:
        z = _to_eigen(x, p)
        columns = [_from_eigen(p.volatilities[:, k] * z, p) for k in range(p.volatilities.shape[1])]
        return np.stack(columns, axis=1)

    def exact(x0: Any, t: Any, W: Any, p: Any) -> Any:
        v = p.volatilities
        noise = v[:, 0] * W if v.shape[1] == 1 else v @ W
        return _from_eigen(np.exp((p.rates - 0.5 * np.sum(v**2, axis=1)) * t + noise) * _to_eigen(x0, p), p)

    def cov(t: Any, x0: Any, p: Any) -> Any:
        z = _to_eigen(np.asarray(x0), p) * np.exp(p.rates * t)
        C = np.outer(z, z) * np.expm1(p.volatilities @ p.volatilities.T * t)
        half = np.stack([_from_eigen(row, p) for row in C])
        return np.stack([_from_eigen(column, p) for column in half.T])

    return SDE(
        drift=lambda x, t, p: _from_eigen(p.rates * _to_eigen(x, p), p),
        diffusion=diffusion,
        params=params,
        x0=matrix("x0", x0, (2,)),
        exact=exact,
        mean=lambda t, x0, p: _from_eigen(np.exp(p.rates * t) * _to_eigen(np.asarray(x0), p), p),
        cov=cov,
        name="commuting_linear",
    )


def _to_eigen(x: Any, p: Any) -> Any:
    c, s, u = np.cos(p.angle), np.sin(p.angle), x[0] - p.shear * x[1]
    return np.stack([c * u + s * x[1], c * x[1] - s * u])


def _from_eigen(z: Any, p: Any) -> Any:
    c, s = np.cos(p.angle), np.sin(p.angle)
    y = s * z[0] + c * z[1]
    return np.stack([c * z[0] - s * z[1] + p.shear * y, y])
