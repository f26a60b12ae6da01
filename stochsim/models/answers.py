"""Laws that several models share: normal densities, densities of transformed Brownian motions, linear moments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["lognormal", "normal", "normal_vector", "second_moments", "stationary_cov", "transformed"]


def normal(x: Any, mean: Any, variance: Any) -> Any:
    """Density of N(mean, variance)."""
    return np.exp(-0.5 * (x - mean) ** 2 / variance) / np.sqrt(2.0 * np.pi * variance)


def lognormal(x: Any, log_mean: Any, variance: Any) -> Any:
    """Density of exp(N(log_mean, variance)); 0 for x <= 0."""
    x = np.asarray(x, dtype=float)
    positive = np.where(x > 0.0, x, 1.0)
    return np.where(x > 0.0, normal(np.log(positive), log_mean, variance) / positive, 0.0)


def transformed(
    to_normal: Callable[[Any], Any], slope: Callable[[Any], Any], mean: Any, variance: Any
) -> Callable[[Any], Any]:
    """Density of X where ``to_normal(X)``, increasing with derivative ``slope``, is N(mean, variance)."""
    return lambda x: normal(to_normal(x), mean, variance) * slope(x)


def normal_vector(x: Any, mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """Density of N(mean, cov) at points (..., d), for a regular covariance."""
    L = np.linalg.cholesky(cov)
    z = np.linalg.solve(L, np.moveaxis(np.asarray(x, dtype=float) - mean, -1, 0).reshape(len(mean), -1))
    log = -0.5 * (z * z).sum(axis=0) - np.log(np.diag(L)).sum() - 0.5 * len(mean) * np.log(2.0 * np.pi)
    return np.asarray(np.exp(log).reshape(np.shape(x)[:-1]))


def second_moments(t: float, x0: Any, A: Any, a: Any, B: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and covariance (d, d) of dX = (A X + a) dt + sum_k (B_k X + b_k) dW_k at time t, Itô.

    Mean m and second moment P obey m' = A m + a and P' = A P + P A^T + a m^T + m a^T + sum_k E[g_k g_k^T],
    g_k = B_k X + b_k (Arnold 1974, Section 8.5): one linear system for (1, m, P), solved by an exponential.

    Parameters
    ----------
    t : float
    x0 : (d,) array
    A, a : (d, d), (d,) arrays
    B, b : (m, d, d), (m, d) arrays
    """
    from scipy.linalg import expm

    x0, A, a, B, b = (np.asarray(v, dtype=float) for v in (x0, A, a, B, b))
    d = len(x0)
    # moments of X - x0, which start at 0: less is lost in the covariance
    z = expm(_moment_system(A, a + A @ x0, B, b + B @ x0) * t)[:, 0]
    mean, square = z[1 : 1 + d], z[1 + d :].reshape(d, d)
    return x0 + mean, square - np.outer(mean, mean)


def _moment_system(A: np.ndarray, a: np.ndarray, B: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Matrix of the linear system of (1, m, P), P row by row."""
    d = len(a)
    one = np.eye(d)
    G = np.zeros((1 + d + d * d, 1 + d + d * d))
    mean, square = slice(1, 1 + d), slice(1 + d, None)
    G[mean, 0], G[mean, mean] = a, A
    G[square, 0] = sum(np.kron(v, v) for v in b)
    G[square, mean] = np.kron(a[:, None], one) + np.kron(one, a[:, None])
    G[square, square] = np.kron(A, one) + np.kron(one, A)
    for M, v in zip(B, b[:, :, None], strict=True):
        G[square, mean] += np.kron(M, v) + np.kron(v, M)
        G[square, square] += np.kron(M, M)
    return G


def stationary_cov(A: Any, Q: Any) -> np.ndarray:
    """The solution C of A C + C A^T + Q = 0."""
    from scipy.linalg import solve_continuous_lyapunov

    return np.asarray(solve_continuous_lyapunov(np.asarray(A), -np.asarray(Q)), dtype=float)
