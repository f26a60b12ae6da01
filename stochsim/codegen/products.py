"""Products of a small matrix with many columns, and weighted distances to centres: compiled, linked into kernels.

Sums run over the inner index in its order, by fused multiply-adds, whatever the number of columns: a column gets
the same bits alone, in a block, or among a million.
"""

from __future__ import annotations

from numba import njit, uint64

from stochsim.codegen.tiles import AVAILABLE, COLUMNS, TALL, distance_tile, product_tile, round_tile
from stochsim.vecmath._llvm import fma, wide_vectors

_TALL_PRODUCT, _ONE_PRODUCT = product_tile(TALL), product_tile(1)
_TALL_DISTANCE, _ONE_DISTANCE = distance_tile(TALL), distance_tile(1)
_TALL_ROUND, _ONE_ROUND = round_tile(TALL), round_tile(1)


@njit(error_model="numpy")
def matvec(a, offset, m, k, si, sj, x, out):  # type: ignore[no-untyped-def]
    """Out[i] = Σ_j a[offset + i si + j sj] x[j] for columns x (k, n) and out (m, n), both flat."""
    wide_vectors()
    n = out.size // m
    whole = n - n % COLUMNS if AVAILABLE else 0
    for l in range(0, whole, COLUMNS):
        for i in range(0, m - m % TALL, TALL):
            _TALL_PRODUCT(a, offset + i * si, si, sj, x, l, n, k, out, i * n + l, n)
        for i in range(m - m % TALL, m):
            _ONE_PRODUCT(a, offset + i * si, si, sj, x, l, n, k, out, i * n + l, n)
    if whole < n:
        for i in range(m):
            _rest_of_products(a, offset + i * si, sj, k, x, out, i * n, n, whole)


@njit(error_model="numpy")
def _rest_of_products(a, p, sj, k, x, out, to, n, first):  # type: ignore[no-untyped-def]
    """One row, the columns from ``first`` on."""
    for l in range(first, n):
        out[uint64(to + l)] = 0.0  # an index of this type is not looked at for counting from the end
    for j in range(k):
        c, at = a[p + j * sj], j * n
        for l in range(first, n):
            out[uint64(to + l)] = fma(c, x[uint64(at + l)], out[uint64(to + l)])


@njit(error_model="numpy")
def distances(c, centres, v, weights, sk, si, m, d, x, out):  # type: ignore[no-untyped-def]
    """Out[k] = Σ_i v[weights + k sk + i si] (x[i] - c[centres + k d + i])² for columns x (d, n), out (m, n), flat.

    With si = 0, one weight for all components, the sum is multiplied by it at the end.
    """
    wide_vectors()
    n = out.size // m
    whole = n - n % COLUMNS if AVAILABLE else 0
    for l in range(0, whole, COLUMNS):
        for k in range(0, m - m % TALL, TALL):
            p, q, to = centres + k * d, weights + k * sk, k * n + l
            if si == 0:
                _TALL_ROUND(c, p, d, v, q, sk, x, l, n, out, to, n)
            else:
                _TALL_DISTANCE(c, p, d, v, q, sk, si, x, l, n, out, to, n)
        for k in range(m - m % TALL, m):
            p, q, to = centres + k * d, weights + k * sk, k * n + l
            if si == 0:
                _ONE_ROUND(c, p, d, v, q, sk, x, l, n, out, to, n)
            else:
                _ONE_DISTANCE(c, p, d, v, q, sk, si, x, l, n, out, to, n)
    if whole < n:
        for k in range(m):
            _rest_of_distances(c, centres + k * d, v, weights + k * sk, si, d, x, out, k * n, n, whole)


@njit(error_model="numpy")
def _rest_of_distances(c, p, v, q, si, d, x, out, to, n, first):  # type: ignore[no-untyped-def]
    """One centre, the columns from ``first`` on."""
    for l in range(first, n):
        out[uint64(to + l)] = 0.0
    for i in range(d):
        centre, at = c[p + i], i * n
        if si == 0:
            for l in range(first, n):
                y = x[uint64(at + l)] - centre
                out[uint64(to + l)] = fma(y, y, out[uint64(to + l)])
        else:
            weight = v[q + i * si]
            for l in range(first, n):
                y = x[uint64(at + l)] - centre
                out[uint64(to + l)] = fma(weight * y, y, out[uint64(to + l)])
    if si == 0:
        for l in range(first, n):
            out[uint64(to + l)] = v[q] * out[uint64(to + l)]
