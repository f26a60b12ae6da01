"""Parts of the no-U-turn kernel, compiled into it: sums and products of one column's rows, U-turns, moments.

A place is the first of the numbers of a value in the work space. Sums go through eight partial sums: they differ from
those of the kernels for many columns in the last bits.
"""

from __future__ import annotations

from numba import uint64

from stochsim.mcmc.hamiltonian._vector_sums import WIDTH, dot8, sum8, turn8
from stochsim.vecmath._jit import Array, part, scalar


@scalar
def _at(v: Array, i: int) -> float:
    """An index that is known not to be negative: Numba would look whether it counts from the end."""
    return v[uint64(i)]  # type: ignore[no-any-return]


@part
def row_sum(v: Array, first: int, n: int) -> float:
    """Return Σ v[first + i], i < n."""
    result = sum8(v, first, n - n % WIDTH)
    for i in range(n - n % WIDTH, n):
        result += _at(v, first + i)
    return result  # type: ignore[no-any-return]


@part
def products_sum(a: Array, p: int, v: Array, q: int, n: int) -> float:
    """Return Σ a[p + i] v[q + i], i < n."""
    result = dot8(a, p, v, q, n - n % WIDTH)
    for i in range(n - n % WIDTH, n):
        result += _at(a, p + i) * _at(v, q + i)
    return result  # type: ignore[no-any-return]


@part
def product(a: Array, offset: int, m: int, k: int, si: int, sj: int, w: Array, x: int, out: int) -> None:
    """Set w[out + i] = Σ_j a[offset + i si + j sj] w[x + j], i < m, j < k."""
    if sj == 1:
        for i in range(m):
            w[uint64(out + i)] = products_sum(a, offset + i * si, w, x, k)
        return
    for i in range(m):
        w[uint64(out + i)] = 0.0
    for j in range(k):
        factor = _at(w, x + j)
        for i in range(m):
            w[uint64(out + i)] = _at(w, out + i) + _at(a, offset + i * si + j * sj) * factor


@part
def squares(
    c: Array, centres: int, v: Array, weights: int, sk: int, si: int, m: int, d: int, w: Array, x: int, out: int
) -> None:
    """Set w[out + k] = Σ_i v[weights + k sk + i si] (w[x + i] - c[centres + k d + i])², k < m, i < d."""
    for k in range(m):
        total = 0.0
        for i in range(d):
            y = _at(w, x + i) - _at(c, centres + k * d + i)
            total += _at(v, weights + k * sk + i * si) * y * y
        w[uint64(out + k)] = total


@part
def copy(w: Array, source: int, target: int, n: int) -> None:
    """Set w[target + i] = w[source + i], i < n."""
    for i in range(n):
        w[uint64(target + i)] = _at(w, source + i)


@part
def add(w: Array, a: int, b: int, target: int, n: int) -> None:
    """Set w[target + i] = w[a + i] + w[b + i], i < n."""
    for i in range(n):
        w[uint64(target + i)] = _at(w, a + i) + _at(w, b + i)


@part
def turned(w: Array, a: int, b: int, r: int, s: int, d: int) -> bool:
    """Whether a trajectory with velocities at a and b at its ends and momenta summing to r + s turns back."""
    first, last = turn8(w, a, b, r, s, d - d % WIDTH)
    for i in range(d - d % WIDTH, d):
        rho = _at(w, r + i) + _at(w, s + i)
        first += _at(w, a + i) * rho
        last += _at(w, b + i) * rho
    return not (first > 0.0 and last > 0.0)


@part
def accumulate(w: Array, x: int, moments: Array, d: int, full: bool) -> None:
    """Take the place w[x + i] into count, means and co-moments (Welford 1962); the products i <= j, or squares only."""
    moments[0] += 1.0
    at = 1 + d
    for i in range(d):
        before = _at(w, x + i) - moments[1 + i]
        if full:
            for j in range(i, d):
                mean = moments[1 + j] + (_at(w, x + j) - moments[1 + j]) / moments[0]
                moments[at] += before * (_at(w, x + j) - mean)
                at += 1
            moments[1 + i] += before / moments[0]
        else:
            moments[1 + i] += before / moments[0]
            moments[at + i] += before * (_at(w, x + i) - moments[1 + i])
