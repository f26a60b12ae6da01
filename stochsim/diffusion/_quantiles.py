"""Quantile transport between mixtures on the line, accurate in both tails."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.errors import ParameterError

Line = tuple[np.ndarray, np.ndarray, np.ndarray]  # weights, means, standard deviations: (K,) each
ROUNDS, EPS = 100, float(np.finfo(float).eps)


def log_tail(law: Line, x: np.ndarray, side: float) -> np.ndarray:
    """Logarithm of P(X < x) for side 1, of P(X > x) for side -1; x (n,)."""
    from scipy.special import log_ndtr

    weights, means, spreads = (part[:, None] for part in law)
    return _log_sum(weights, log_ndtr(side * (x - means) / spreads))


def log_density(law: Line, x: np.ndarray) -> np.ndarray:
    """Logarithm of the density."""
    weights, means, spreads = (part[:, None] for part in law)
    z = (x - means) / spreads
    return _log_sum(weights / (spreads * np.sqrt(2.0 * np.pi)), -0.5 * z**2)


def _log_sum(weights: np.ndarray, logs: np.ndarray) -> np.ndarray:
    top = logs.max(axis=0)
    return np.asarray(top + np.log((weights * np.exp(logs - top)).sum(axis=0)))


def transport(source: Line, destination: Line, x: np.ndarray) -> np.ndarray:
    """F_destination⁻¹(F_source(x)), computed with the logarithm of the smaller tail.

    Parameters
    ----------
    source, destination : tuple of ndarray
        Weights, means and standard deviations.
    x : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
    """
    below, above = log_tail(source, x, 1.0), log_tail(source, x, -1.0)
    left = below < above
    out = np.empty_like(x, dtype=float)
    for side, chosen, height in ((1.0, left, below), (-1.0, ~left, above)):
        if chosen.any():
            out[chosen] = quantile(destination, height[chosen], side)
    return out


def quantile(law: Line, log_height: np.ndarray, side: float) -> np.ndarray:
    """The point with this logarithm of the lower tail (side 1) or of the upper one (side -1).

    Newton's method on the logarithm of the tail, which is concave and so well behaved far out, kept inside a bracket.

    Raises
    ------
    ParameterError
        If it does not settle.
    """
    low, high = _bracket(law, log_height)
    x = 0.5 * (low + high)
    for _ in range(ROUNDS):
        tail = log_tail(law, x, side)
        wrong = tail - log_height
        beyond = side * wrong > 0.0
        high, low = np.where(beyond, x, high), np.where(beyond, low, x)
        # d log tail / dx = side p / tail
        step = side * wrong * np.exp(np.minimum(tail - log_density(law, x), 700.0))
        new = x - step
        new = np.where((new > low) & (new < high), new, 0.5 * (low + high))
        settled = np.abs(new - x) <= 4.0 * EPS * np.maximum(np.abs(new), law[2].min())
        x = new
        if settled.all():
            return np.asarray(x)
    raise ParameterError("a quantile of the mixture was not found; the point is too far out in the tails")


def _bracket(law: Line, log_height: np.ndarray) -> tuple[Any, Any]:
    """Quantiles of the components hold those of the mixture between them; here with a margin."""
    from scipy.special import ndtri_exp

    _, means, spreads = law
    deep = np.abs(ndtri_exp(np.minimum(log_height, -1e-300))) + 1.0
    reach = deep[None] * spreads[:, None]
    return (means[:, None] - reach).min(axis=0), (means[:, None] + reach).max(axis=0)
