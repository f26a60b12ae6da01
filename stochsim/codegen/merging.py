"""Moments of a block of paths, merged into an accumulator (Chan, Golub & LeVeque 1979): code of moment kernels."""

from __future__ import annotations

from numba import njit

from stochsim.codegen.blocks import LANES

_SUMS = {"reassoc", "contract", "nsz"}  # plain sums only


@njit(error_model="numpy", fastmath=_SUMS)
def _sum(values, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        total += values[i]
    return total


@njit(error_model="numpy", fastmath=_SUMS)
def _co_moment(a, b, mean_a, mean_b, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        total += (a[i] - mean_a) * (b[i] - mean_b)
    return total


@njit(error_model="numpy")
def merge_block(rows, n_valid, acc, scratch):  # type: ignore[no-untyped-def]
    """Merge one block (k rows of 256) into ``acc``: count, k means, k (k + 1) / 2 centred co-moments.

    Paths with a non-finite value in any row are left out. ``scratch`` has room for 2 k numbers.
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
    delta, mean = scratch[:k], scratch[k : 2 * k]
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


@njit(error_model="numpy")
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
