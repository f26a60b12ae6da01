"""Moments of blocks of paths, merged in a fixed order (Chan, Golub & LeVeque 1979)."""

from __future__ import annotations

import numpy as np
from numba import njit

LANES = 256


@njit(nogil=True, error_model="numpy", cache=True, fastmath={"reassoc", "contract", "nsz"})  # plain sums only
def _sum(values, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        total += values[i]
    return total


@njit(nogil=True, error_model="numpy", cache=True, fastmath={"reassoc", "contract", "nsz"})
def _co_moment(a, b, mean_a, mean_b, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        total += (a[i] - mean_a) * (b[i] - mean_b)
    return total


@njit(nogil=True, error_model="numpy", cache=True)
def merge_block(rows, n_valid, acc):  # type: ignore[no-untyped-def]
    """Merge one block (k rows of 256) into ``acc``: count, k means, k (k + 1) / 2 centred co-moments.

    Paths with a non-finite value in any row are left out.
    """
    k = rows.size // LANES
    n = n_valid
    mark = 0.0
    for i in range(k):
        mark += 0.0 * _sum(rows[i * LANES : i * LANES + n], n)
    if mark != mark:
        n = _compact(rows, k, n)
    if n <= 0:
        return
    total = acc[0] + n
    delta = np.empty(k)
    mean = np.empty(k)
    for i in range(k):
        mean[i] = _sum(rows[i * LANES : i * LANES + n], n) / n
        delta[i] = mean[i] - acc[1 + i]
    position = 1 + k
    for i in range(k):
        for j in range(i, k):
            a, b = rows[i * LANES : i * LANES + n], rows[j * LANES : j * LANES + n]
            acc[position] += _co_moment(a, b, mean[i], mean[j], n) + delta[i] * delta[j] * acc[0] * n / total
            position += 1
    for i in range(k):
        acc[1 + i] += delta[i] * n / total
    acc[0] = total


@njit(nogil=True, error_model="numpy", cache=True)
def _compact(rows, k, n):  # type: ignore[no-untyped-def]
    kept = 0
    for l in range(n):
        mark = 0.0
        for i in range(k):
            mark += 0.0 * rows[i * LANES + l]
        if mark == mark:
            for i in range(k):
                rows[i * LANES + kept] = rows[i * LANES + l]
            kept += 1
    return kept


def merge_moments(a: np.ndarray, b: np.ndarray, k: int) -> np.ndarray:
    """Two accumulators (slots, 1 + k + k (k + 1) / 2) as one."""
    total = a[:, 0] + b[:, 0]
    weight = np.divide(b[:, 0], total, out=np.zeros_like(total), where=total > 0)
    delta = b[:, 1 : 1 + k] - a[:, 1 : 1 + k]
    i, j = np.triu_indices(k)
    result = a + b
    result[:, 0] = total
    result[:, 1 : 1 + k] = a[:, 1 : 1 + k] + delta * weight[:, None]
    result[:, 1 + k :] += delta[:, i] * delta[:, j] * (a[:, 0] * weight)[:, None]
    return result
