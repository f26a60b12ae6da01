"""The words of the language for arrays: NumPy's with the elementary functions of the kernels, or CuPy's."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from stochsim.codegen import functions

_DIRECT = {"sqrt": np.sqrt, "abs": np.abs, "floor": np.floor}


def module(*values: Any) -> Any:
    """The array module of the values: CuPy if one of them is a CuPy array, else NumPy."""
    cupy = sys.modules.get("cupy")
    if cupy is not None and any(isinstance(v, cupy.ndarray) for v in values):
        return cupy
    return np


def elementary(name: str, *operands: Any) -> Any:
    """An elementary function of arrays or numbers, with the bits of the kernels where NumPy runs it."""
    xp = module(*operands)
    if xp is not np:
        return _erf(xp, *operands) if name == "erf" else getattr(xp, name)(*operands)
    if name in _DIRECT:
        return _DIRECT[name](*operands)
    return functions.elementary(name)(*operands)[()]


def _erf(xp: Any, x: Any) -> Any:
    import cupyx.scipy.special as special

    return special.erf(x)


def total(x: Any) -> Any:
    """The sum over rows in their order, (m, n) -> (n,); CuPy chooses its own order."""
    if module(x) is not np:
        return x.sum(axis=0)
    result = 0.0 + x[0]
    for i in range(1, len(x)):
        result += x[i]
    return result


def matvec(A: Any, x: Any, *, transposed: bool) -> Any:
    """A x or Aᵀ x."""
    if module(A, x) is not np:
        return (A.T if transposed else A) @ x
    (m, k), (si, sj) = A.shape, (A.shape[1], 1)
    if transposed:
        m, k, si, sj = k, m, sj, si
    flat, out = _flat(x), np.empty((m, *x.shape[1:]))
    functions.fixed("matvec")(_flat(A), 0, m, k, si, sj, flat, out.reshape(-1))
    return out


def distances(x: Any, centres: Any, weights: Any) -> Any:
    """Weighted squared distances to centres (K, d), with weights (K, d) or (K, 1)."""
    xp = module(x, centres)
    if xp is not np:
        return (weights[:, :, None] * (x[None] - centres[:, :, None]) ** 2).sum(axis=1)
    (m, d), wide = centres.shape, weights.shape[1]
    out = np.empty((m, *x.shape[1:]))
    strides = (wide, 1 if wide > 1 else 0)
    functions.fixed("distances")(_flat(centres), 0, _flat(weights), 0, *strides, m, d, _flat(x), out.reshape(-1))
    return out


def pick(table: Any, index: Any) -> Any:
    """Rows of a table (K, m) by an index (n,), or one number for all columns."""
    xp = module(table, index)
    inside = xp.clip(xp.where(index > 0.0, index, 0.0), 0.0, len(table) - 1.0)
    rows = table[xp.atleast_1d(xp.floor(inside)).astype(xp.int64)]
    return xp.ascontiguousarray(rows.T)


def _flat(x: Any) -> np.ndarray:
    return np.ascontiguousarray(x, dtype=np.float64).reshape(-1)
