"""Coefficients of multistep and exponential methods: φ functions and integrals of Lagrange polynomials, to rounding."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, expm1, factorial, isinf
from typing import Any

import numpy as np

SERIES_BELOW, SERIES_TERMS = 2.0, 26  # 2^26/26! is 2e-19


def phi(k: int, h: float) -> float:
    """φ_k(h) = ∫₀¹ e^{(1-u)h} u^{k-1}/(k-1)! du = Σ_j h^j/(j + k)!, and φ_0 = e^h (Hochbruck & Ostermann 2010, 2.10).

    Parameters
    ----------
    k : int
    h : float

    Notes
    -----
    By the series below |h| = 2, by φ_{k+1} = (φ_k - 1/k!)/h above, which would cancel for small h.
    """
    if k == 0:
        return exp(h)
    if abs(h) < SERIES_BELOW:
        value = 0.0
        for j in range(SERIES_TERMS, -1, -1):
            value = value * h + 1.0 / factorial(j + k)
        return value
    value = expm1(h) / h
    for j in range(1, k):
        value = (value - 1.0 / factorial(j)) / h
    return value


def lagrange(nodes: Sequence[float]) -> list[list[float]]:
    """Coefficients, constant term first, of the polynomials that are 1 at one node and 0 at the others.

    Parameters
    ----------
    nodes : sequence of float
    """
    basis = []
    for k, own in enumerate(nodes):
        poly = [1.0]
        for other in (*nodes[:k], *nodes[k + 1 :]):
            gap = own - other
            poly = [(low - other * high) / gap for low, high in zip([0.0, *poly], [*poly, 0.0], strict=True)]
        basis.append(poly)
    return basis


def weights(nodes: Sequence[float], h: float, moments: Sequence[float]) -> list[float]:
    """Weights w with Σ_k w_k p(nodes_k) = h Σ_j c_j moments_j for p(u) = Σ_j c_j (u/h)^j of degree below their number.

    Parameters
    ----------
    nodes : sequence of float
        Places of the known values, from the start of the step.
    h : float
    moments : sequence of float
        ∫₀¹ v^j weight(v) dv.
    """
    basis = lagrange([u / h for u in nodes])
    return [h * sum(c * m for c, m in zip(poly, moments, strict=True)) for poly in basis]


def adams(nodes: Sequence[float], h: float) -> list[float]:
    """∫₀^h ℓ_k(u) du: Adams' weights for values at any places (Hairer, Nørsett & Wanner 1993, III.5).

    Parameters
    ----------
    nodes : sequence of float
    h : float
    """
    return weights(nodes, h, [1.0 / (j + 1) for j in range(len(nodes))])


def exponential(nodes: Sequence[float], h: float, sign: float) -> list[float]:
    """∫₀^h e^{sign (h-u)} ℓ_k(u) du: weights of exponential Adams methods (Hochbruck & Ostermann 2010, 2.39).

    Parameters
    ----------
    nodes : sequence of float
        λ of the known values less λ at the start of the step.
    h : float
        The step of λ; at the end of the noise it is infinite, and the newest value alone counts (nodes[0] = 0).
    sign : float
        1 for noise prediction, -1 for data prediction.
    """
    if isinf(h):
        return [1.0, *(0.0 for _ in nodes[1:])]
    return weights(nodes, h, [factorial(j) * phi(j + 1, sign * h) for j in range(len(nodes))])


def combine(w: Sequence[float], values: Sequence[Any]) -> Any:
    """Σ_k w_k values_k.

    Parameters
    ----------
    w : sequence of float
    values : sequence of array
    """
    total = w[0] * values[0]
    for weight, value in zip(w[1:], values[1:], strict=True):
        total = total + weight * value
    return total


def gauss_legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1], exact for polynomials of degree 2n - 1.

    Parameters
    ----------
    n : int
    """
    nodes, gauss = np.polynomial.legendre.leggauss(n)
    return 0.5 * (1.0 + nodes), 0.5 * gauss


def collocation(nodes: Sequence[float]) -> np.ndarray:
    """∫₀^{nodes_j} ℓ_k(u) du, shape (nodes, nodes): running integrals of what is known at the nodes.

    Parameters
    ----------
    nodes : sequence of float
    """
    return np.array([adams(nodes, c) for c in nodes])
