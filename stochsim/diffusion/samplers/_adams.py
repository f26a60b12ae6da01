"""Multistep methods for x' = keep x + α' ∫ kernel(u) x̂₀(u) du + spread z: x̂₀ replaced by a polynomial through history.

The weights are integrals of Lagrange polynomials with the kernel, by Gauss–Legendre quadrature to rounding. They start
by collocation: the polynomial through the first nodes themselves, found in a few sweeps, so that the first steps do
not cap the order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Rule", "adams", "basis", "slopes"]

POINTS, WEIGHTS = np.polynomial.legendre.leggauss(24)  # exact to rounding for kernels that fall by e^-20 over a step


@dataclass(frozen=True)
class Rule:
    """The exact part of a step for each interval, and where x̂₀ is interpolated.

    Attributes
    ----------
    keep, gain, spread : sequence of float
        Factors of x, of the integral and of the noise.
    places : ndarray, shape (n_steps + 1,)
        The coordinate of the grid times in which x̂₀ is a polynomial; infinite where there is no noise left.
    weights : callable
        ``weights(start, stop, nodes)`` of arrays (m,), (m,), (m, c) gives the weights (m, c) of the nodes.
    """

    keep: Sequence[float]
    gain: Sequence[float]
    spread: Sequence[float]
    places: np.ndarray
    weights: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]

    def tables(self, most: int, first: int) -> list[list[Any]]:
        """Weights of the newest 0, 1, ..., most nodes for each interval; the newest is ``first`` after its start.

        Fewer than ``most`` are used once at the beginning, in the first interval that has them.
        """
        n = len(self.keep)
        return [
            [],
            *(self._table(c, first, range(c - 1 - first, n if c == most else c - first)) for c in range(1, most + 1)),
        ]

    def block(self, count: int) -> list[list[float]]:
        """Weights of the first ``count`` nodes, for each of the intervals between them."""
        rows = np.arange(count - 1)
        return self._weights(rows, np.broadcast_to(np.arange(count), (count - 1, count)))

    def usable(self) -> int:
        """How many nodes have noise left."""
        return int(np.isfinite(self.places).sum())

    def _table(self, order: int, first: int, wanted: range) -> list[Any]:
        rows = np.array([i for i in wanted if 0 <= i < len(self.keep)], dtype=int)
        out: list[Any] = [None] * len(self.keep)
        for i, w in zip(rows.tolist(), self._weights(rows, rows[:, None] + first - np.arange(order)), strict=True):
            out[i] = w
        return out

    def _weights(self, rows: np.ndarray, nodes: np.ndarray) -> list[list[float]]:
        fine = np.isfinite(self.places[rows + 1])
        out = (nodes == rows[:, None]).astype(float)  # to the end of all noise: x̂₀ at the start of the interval
        if fine.any():
            rows, nodes = rows[fine], nodes[fine]
            out[fine] = self.weights(self.places[rows], self.places[rows + 1], self.places[nodes])
        listed: list[list[float]] = out.tolist()
        return listed


def basis(u: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Lagrange polynomials: u (m, q), nodes (m, c) -> (m, c, q)."""
    factors = _factors(u, nodes)
    return np.asarray(factors.prod(axis=2))


def slopes(u: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Derivatives of `basis`, (m, c, q)."""
    factors, gaps = _factors(u, nodes), nodes[:, :, None] - nodes[:, None, :]
    out = np.zeros((*nodes.shape, u.shape[1]))
    for k in range(nodes.shape[1]):
        others = np.delete(factors, k, axis=2).prod(axis=2)
        with np.errstate(divide="ignore"):
            inverse = np.where(gaps[:, :, k] == 0.0, 0.0, 1.0 / gaps[:, :, k])
        out += others * inverse[:, :, None]
    return out


def quadrature(start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre points and weights between start and stop, each (m, q)."""
    half = 0.5 * (stop - start)[:, None]
    return start[:, None] + half * (POINTS + 1.0), half * WEIGHTS


def adams(
    model: Any, x: Any, grid: Any, noise: Any, rule: Rule, *,
    predictor: int, corrector: int = 0, again: bool = False, sweeps: int = 0,
) -> Iterator[Any]:  # fmt: skip
    """Predict with the newest ``predictor`` values of x̂₀; correct with ``corrector`` of them and the predicted one.

    Parameters
    ----------
    model, x, grid, noise : object
        As for samplers.
    rule : Rule
    predictor, corrector : int
        Numbers of old values; no correction for 0.
    again : bool
        Evaluate after the correction too (PECE).
    sweeps : int
        Of the collocation at the start; 0: begin with low orders.
    """
    t, n = np.asarray(grid, dtype=float).tolist(), len(rule.keep)
    ahead, back = rule.tables(predictor, 0), rule.tables(corrector + 1, 1) if corrector else []
    depth, usable = max(predictor, corrector), rule.usable()
    history = [model.denoised(x, t[0])]
    begun = _collocation(model, x, t, noise, rule, history[0], min(depth, usable) if sweeps else 1, sweeps)
    for state, D in begun:
        x, history = state, [D, *history]
        yield x
    for i in range(len(history) - 1, n):
        kept = rule.keep[i] * x
        if rule.spread[i] > 0.0:
            kept += rule.spread[i] * noise(i, x.shape)
        used = history[:predictor]
        x = _combined(kept, rule.gain[i], ahead[len(used)][i], used)
        if corrector and i + 1 < usable:
            used = [model.denoised(x, t[i + 1]), *history[:corrector]]
            x = _combined(kept, rule.gain[i], back[len(used)][i], used)
            new = model.denoised(x, t[i + 1]) if again and i + 1 < n else used[0]
            history = [new, *history[: depth - 1]]
        elif i + 1 < n:
            history = [model.denoised(x, t[i + 1]), *history[: depth - 1]]
        yield x


def _collocation(
    model: Any, x: Any, t: list[float], noise: Any, rule: Rule, D: Any, count: int, sweeps: int
) -> Iterator[tuple[Any, Any]]:
    """States and data predictions at nodes 1, ..., count - 1: each sweep gains an order."""
    weights, data = rule.block(count), [D] * count
    kicks = [rule.spread[j] * noise(j, x.shape) if rule.spread[j] > 0.0 else 0.0 for j in range(count - 1)]
    states = [x] * count
    for _ in range(sweeps if count > 1 else 0):
        for j in range(count - 1):
            states[j + 1] = _combined(rule.keep[j] * states[j] + kicks[j], rule.gain[j], weights[j], data)
        data = [D, *(model.denoised(states[j], t[j]) for j in range(1, count))]
    yield from zip(states[1:], data[1:], strict=True)


def _combined(kept: Any, gain: float, weights: list[float], data: list[Any]) -> Any:
    total = kept + (gain * weights[0]) * data[0]
    for w, D in zip(weights[1:], data[1:], strict=True):
        total += (gain * w) * D
    return total


def _factors(u: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """(u - node_k)/(node_j - node_k), 1 for k = j: (m, j, k, q)."""
    gaps = nodes[:, :, None] - nodes[:, None, :]
    same = np.eye(nodes.shape[1], dtype=bool)[None, :, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(same, 1.0, (u[:, None, None, :] - nodes[:, None, :, None]) / gaps[..., None])
