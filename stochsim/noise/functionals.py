"""Path functionals over one step: their exact joint law with (dW, dZ), as formulas of the noise.

A Gaussian functional of the path over a step is c0 dW + c1 (dZ - h dW/2) + s e, with e a standard normal
independent of (dW, dZ); the three terms are independent, being the first Legendre coefficients of the white
noise over the step and what is left of it. Writing the functional through both dW and dZ keeps the reference
joint with any scheme that uses dZ. The functions take symbols, numbers or arrays.

Notation: u = h - s runs backwards from the end of the step, and y = a h.
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

__all__ = ["linear_step", "mean_exponential_integral", "ou_coefficients", "ou_integral"]

SERIES_BELOW = 4.0  # |y|: Taylor series below, closed forms (which then cancel little) above
_SLOPE = tuple(3.0 * (2 * k + 2) / (factorial(2 * k + 3) * 4**k) for k in range(14))
_REST = tuple(2 * k * (2 * k - 2) * (2 * k + 3) / factorial(2 * k + 4) for k in range(2, 18))

LARGEST_STEP = 16.0
"""Largest h |A| (maximum row sum) of `linear_step`; beyond, it returns NaN."""
_DOUBLINGS = 8
_DEGREE = 7


def ou_integral(a: Any, h: Any, dW: Any, dZ: Any, e: Any) -> Any:
    """The integral of exp(-a (h - s)) dW_s over a step, on the path that has increments dW and dZ.

    Parameters
    ----------
    a : float or symbol
        Rate, any sign (also 0).
    h : float or symbol
        Length of the step.
    dW, dZ : float, array or symbol
        Increment of W and integral of W - W_0 over the step.
    e : float, array or symbol
        Standard normal, independent of (dW, dZ).
    """
    c0, c1, s = ou_coefficients(a, h)
    return c0 * dW + c1 * (dZ - 0.5 * h * dW) + s * e


def ou_coefficients(a: Any, h: Any) -> tuple[Any, Any, Any]:
    """c0, c1 and s of `ou_integral`, each to relative 1e-14 for a h > -300.

    With z = a h / 2 and the modified spherical Bessel functions i_n they are c0 = exp(-z) i_0(z),
    c1 = -(6/h) exp(-z) i_1(z) and s^2 = h exp(-2z) sum_{n>=2} (2n + 1) i_n(z)^2, which for small a h is
    a^4 h^5 / 720. The integrals of an exponential times Legendre polynomials are in NIST DLMF, (10.54.2).
    """
    y = a * h
    near = abs(y) < SERIES_BELOW
    small, large = np.where(near, y, 0.0), np.where(near, SERIES_BELOW, y)
    decay, loss = np.exp(-large), np.expm1(-large)
    slope = (6.0 * large * (1.0 + decay) + 12.0 * loss) / large**3
    rest = (
        (-0.5 * np.expm1(-2.0 * large)) * (large**2 + 24.0) / large**3
        - (4.0 * (1.0 + decay**2) + 4.0 * decay) / large**2
        - 12.0 * loss**2 / large**4
    )
    half = np.exp(-0.5 * small)
    square = small * small
    zero = y == 0.0
    c0 = np.where(zero, 1.0, -np.expm1(-y) / np.where(zero, 1.0, y))
    c1 = -a * np.where(near, half * _horner(square, _SLOPE), slope)
    s = np.sqrt(h) * np.where(near, half * square * np.sqrt(_horner(square, _REST)), np.sqrt(rest))
    return c0, c1, s


def _horner(x: Any, coefficients: tuple[float, ...]) -> Any:
    result: Any = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        result = result * x + c
    return result


def mean_exponential_integral(c: Any, s: Any, h: Any, dW: Any, dZ: Any) -> Any:
    """Conditional mean, given (dW, dZ), of the integral of exp(c u + s B_u) over a step, B a Brownian motion.

    Given (dW, dZ), B is a parabola plus an arch of variance h (x(1-x) - 3 x^2 (1-x)^2) at u = x h (Foster,
    Lyons & Oberhauser 2020), so the conditional mean is an ordinary integral, here by three
    Gauss-Legendre nodes (relative error of order h^6 in its smooth part). What is left out has mean zero
    given (dW, dZ) and standard deviation of order s^2 h^2 a step: the accumulated functional is of strong
    order 3/2, the best that any function of (dW, dZ) can reach.

    Parameters
    ----------
    c, s : float or symbol
        Rate and volatility.
    h : float or symbol
        Length of the step.
    dW, dZ : float, array or symbol
        Increment of B and integral of B over the step.
    """
    area = dZ / h - 0.5 * dW
    total: Any = 0.0
    for x, weight in zip(*_gauss_legendre(3), strict=True):
        w = x * (1.0 - x)
        mean, variance = x * dW + (6.0 * w) * area, h * (w - 3.0 * w * w)
        total = total + weight * np.exp(c * (x * h) + s * mean + 0.5 * (s * s) * variance)
    return h * total


def _gauss_legendre(n: int) -> tuple[list[float], list[float]]:
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (0.5 + 0.5 * nodes).tolist(), (0.5 * weights).tolist()


def linear_step(A: Any, B: Any, h: Any, dW: Any, dZ: Any, e: Any) -> tuple[Any, Any]:
    """exp(A h) - 1, and the integral of exp(A (h - s)) B dW_s over a step, jointly with (dW, dZ).

    Everything is computed at h / 256 from Taylor series and carried to h by doubling the step, which needs
    no eigenvectors and no inverse: A may be any matrix with h |A| <= 16 in the maximum row sum, and the law
    is right to relative 1e-12; beyond that the results are NaN. This takes about 1400 operations for d = 2
    and 4100 for d = 3, nearly all of them on h and the parameters alone, so once a step for all paths.

    Parameters
    ----------
    A : (d, d) array or symbols
        Drift matrix.
    B : (d, m) array or symbols
        Noise matrix.
    h : float or symbol
        Length of the step.
    dW, dZ : (m,) array or symbols
        Increments and integrals of W - W_0 over the step.
    e : (d,) array or symbols
        Standard normals, independent of (dW, dZ).

    Returns
    -------
    growth : (d, d)
        exp(A h) - 1.
    integral : (d,)
        Exact on the path as far as (dW, dZ) determine it, exact in law given them.
    """
    growth, c0, c1, rest = _linear_law(A, B, h)
    root = np.sqrt(h)
    space_time = (dZ / h - 0.5 * dW) * float(np.sqrt(12.0))
    return growth, c0 @ dW + c1 @ space_time + root * (_cholesky(rest) @ e)


def _linear_law(A: Any, B: Any, h: Any) -> tuple[Any, Any, Any, Any]:
    """X = exp(A h) - 1, c0 B, c1 B and R: the integral is sqrt(h) (c0 B xi0 + c1 B xi1) + N(0, h R).

    c_k is the k-th coefficient of exp(A u) in the orthonormal Legendre polynomials of u/h on [0, 1]. A
    doubled step has coefficients (c0, c1) of its halves besides its own: what they add goes to R. Kept are
    slope = sqrt(12) c1 B and S = 16 R.
    """
    size = np.max(np.sum(abs(A), axis=1))
    unit = A * (h * np.where(h * size <= LARGEST_STEP, 1.0, np.nan) / 2.0**_DOUBLINGS)
    X, c0, slope, c2 = _legendre_series(unit, B)
    S = 16.0 * _gram(c2)
    one = np.eye(A.shape[0])
    for _ in range(_DOUBLINGS):
        Xc, Xs = X @ c0, X @ slope
        middle = slope + 0.5 * Xs
        S = 0.5 * (S + _gram(one + X, S)) + (_gram(middle - Xc) + _gram(Xs) * (1.0 / 3.0))
        c0, slope = c0 + 0.5 * Xc, 0.5 * middle + 1.5 * Xc
        X = (X + 2.0 * one) @ X
    return X, c0, slope * float(1.0 / np.sqrt(12.0)), S * (1.0 / 16.0)


def _gram(M: Any, S: Any = None) -> Any:
    """M S M^T for symmetric S (default 1), each pair of equal entries computed once."""
    d = M.shape[0]
    MS = M if S is None else M @ S
    upper = {(i, j): np.sum(MS[i] * M[j]) for i in range(d) for j in range(i, d)}
    return np.stack([np.stack([upper[min(i, j), max(i, j)] for j in range(d)]) for i in range(d)])


def _legendre_series(Y: Any, B: Any) -> tuple[Any, Any, Any, Any]:
    """exp(Y) - 1, c0 B, sqrt(12) c1 B and c2 B for small Y: Taylor series in Y, term by term on B."""
    growth, power = Y, Y
    columns = [B, Y @ B]
    for n in range(2, _DEGREE + 1):
        power = power @ Y
        growth = growth + power * (1.0 / factorial(n))
        columns.append(power @ B)
    c0, slope, c2 = B, 0.0, 0.0
    for n, column in enumerate(columns[1:], 1):
        size = 1.0 / factorial(n + 1)  # of the integral of x^n / n!
        c0 = c0 + column * size
        slope = slope + column * (6.0 * n * size / (n + 2))
        if n > 1:
            c2 = c2 + column * float(np.sqrt(5.0) * n * (n - 1) * size / ((n + 2) * (n + 3)))
    return growth, c0, slope, c2


def _cholesky(matrix: Any) -> Any:
    """Lower triangular L with L L^T = matrix, for a matrix that may be singular.

    A pivot below 1e-14 of its diagonal entry is rounding and counts as zero.
    """
    d = matrix.shape[0]
    L = [[0.0 * matrix[i, j] for j in range(d)] for i in range(d)]
    for j in range(d):
        pivot = matrix[j, j] - sum(L[j][k] * L[j][k] for k in range(j))
        positive = pivot > 1e-14 * matrix[j, j]
        root = np.sqrt(np.where(positive, pivot, 1.0))
        for i in range(j, d):
            below = matrix[i, j] - sum(L[i][k] * L[j][k] for k in range(j))
            L[i][j] = np.where(positive, below / root, 0.0)
    return np.stack([np.stack(row) for row in L])
