"""Products of a small matrix with many columns, and weighted distances to centres: compiled, linked into kernels.

Sums run over the inner index in its order, by fused multiply-adds, whatever the number of columns: a column gets
the same bits alone, in a block, or among a million.
"""

from __future__ import annotations

from numba import njit, uint64

from stochsim.vecmath._llvm import fma, wide_vectors

STRIP = 256  # columns taken through all rows before the next ones: their rows stay in cache


@njit(error_model="numpy")
def matvec(a, offset, m, k, si, sj, x, out):  # type: ignore[no-untyped-def]
    """Out[i] = Σ_j a[offset + i si + j sj] x[j] for columns x (k, n) and out (m, n), both flat."""
    wide_vectors()
    n = out.size // m
    for first in range(0, n, STRIP):
        last = min(first + STRIP, n)
        for i in range(0, m - m % 4, 4):
            for j in range(0, k, 4):
                _tile(a, offset + i * si + j * sj, si, sj, min(4, k - j), x, j * n, out, i * n, n, first, last, j == 0)
        for i in range(m - m % 4, m):
            for j in range(0, k, 4):
                _strip(a, offset + i * si + j * sj, sj, min(4, k - j), x, j * n, out, i * n, n, first, last, j == 0)


@njit(error_model="numpy", inline="always")
def _at(v, i):  # type: ignore[no-untyped-def]
    """An index that is known not to be negative: Numba would look whether it counts from the end."""
    return v[uint64(i)]


@njit(error_model="numpy")
def _strip(a, p, sj, width, x, at, out, to, n, first, last, begin):  # type: ignore[no-untyped-def]
    """Adds ``width`` (at most 4) products to one row."""
    if width == 4:
        p0, p1, p2, p3 = a[p], a[p + sj], a[p + 2 * sj], a[p + 3 * sj]
        for l in range(first, last):
            x0, x1, x2, x3 = _at(x, at + l), _at(x, at + n + l), _at(x, at + 2 * n + l), _at(x, at + 3 * n + l)
            u = 0.0 if begin else _at(out, to + l)
            out[uint64(to + l)] = fma(p3, x3, fma(p2, x2, fma(p1, x1, fma(p0, x0, u))))
        return
    for j in range(width):
        c = a[p + j * sj]
        fresh = begin and j == 0
        for l in range(first, last):
            u = 0.0 if fresh else _at(out, to + l)
            out[uint64(to + l)] = fma(c, _at(x, at + j * n + l), u)


@njit(error_model="numpy")
def _tile(a, p, si, sj, width, x, at, out, to, n, first, last, begin):  # type: ignore[no-untyped-def]
    """Adds ``width`` (at most 4) products to each of four rows."""
    if width < 4:
        for i in range(4):
            _strip(a, p + i * si, sj, width, x, at, out, to + i * n, n, first, last, begin)
        return
    p0, p1, p2, p3 = a[p], a[p + sj], a[p + 2 * sj], a[p + 3 * sj]
    q = p + si
    q0, q1, q2, q3 = a[q], a[q + sj], a[q + 2 * sj], a[q + 3 * sj]
    r = q + si
    r0, r1, r2, r3 = a[r], a[r + sj], a[r + 2 * sj], a[r + 3 * sj]
    s = r + si
    s0, s1, s2, s3 = a[s], a[s + sj], a[s + 2 * sj], a[s + 3 * sj]
    for l in range(first, last):
        x0, x1, x2, x3 = _at(x, at + l), _at(x, at + n + l), _at(x, at + 2 * n + l), _at(x, at + 3 * n + l)
        u, v = (0.0 if begin else _at(out, to + l)), (0.0 if begin else _at(out, to + n + l))
        y, z = (0.0 if begin else _at(out, to + 2 * n + l)), (0.0 if begin else _at(out, to + 3 * n + l))
        out[uint64(to + l)] = fma(p3, x3, fma(p2, x2, fma(p1, x1, fma(p0, x0, u))))
        out[uint64(to + n + l)] = fma(q3, x3, fma(q2, x2, fma(q1, x1, fma(q0, x0, v))))
        out[uint64(to + 2 * n + l)] = fma(r3, x3, fma(r2, x2, fma(r1, x1, fma(r0, x0, y))))
        out[uint64(to + 3 * n + l)] = fma(s3, x3, fma(s2, x2, fma(s1, x1, fma(s0, x0, z))))


@njit(error_model="numpy")
def distances(c, centres, v, weights, sk, si, m, d, x, out):  # type: ignore[no-untyped-def]
    """Out[k] = Σ_i v[weights + k sk + i si] (x[i] - c[centres + k d + i])² for columns x (d, n), out (m, n), flat."""
    wide_vectors()
    n = out.size // m
    for first in range(0, n, STRIP):
        last = min(first + STRIP, n)
        for k in range(m):
            p, q, to = centres + k * d, weights + k * sk, k * n
            for i in range(0, d - d % 2, 2):
                _two_squares(
                    c[p + i],
                    c[p + i + 1],
                    v[q + i * si],
                    v[q + (i + 1) * si],
                    x,
                    i * n,
                    out,
                    to,
                    n,
                    first,
                    last,
                    i == 0,
                )
            if d % 2:
                c0, v0, at, begin = c[p + d - 1], v[q + (d - 1) * si], (d - 1) * n, d == 1
                for l in range(first, last):
                    y = _at(x, at + l) - c0
                    u = 0.0 if begin else _at(out, to + l)
                    out[uint64(to + l)] = fma(v0 * y, y, u)


@njit(error_model="numpy")
def _two_squares(c0, c1, v0, v1, x, at, out, to, n, first, last, begin):  # type: ignore[no-untyped-def]
    for l in range(first, last):
        y, z = _at(x, at + l) - c0, _at(x, at + n + l) - c1
        u = 0.0 if begin else _at(out, to + l)
        out[uint64(to + l)] = fma(v1 * z, z, fma(v0 * y, y, u))
