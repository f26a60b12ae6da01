"""The elementary functions over whole arrays: the same bits as inside a compiled loop.

Each loop is compiled at its first use and cached on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stochsim.vecmath._jit import Array, kernel
from stochsim.vecmath._llvm import wide_vectors
from stochsim.vecmath.error_function import erf
from stochsim.vecmath.exponentials import cosh, exp, expm1, sinh, tanh
from stochsim.vecmath.inverse import arccos, arcsin, arctan, arctan2
from stochsim.vecmath.logarithms import arcsinh, log, log1p
from stochsim.vecmath.powers import power
from stochsim.vecmath.trigonometry import cos, sin, tan

__all__ = ["ARRAY"]


@kernel
def _arccos(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = arccos(x[i])


@kernel
def _arcsin(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = arcsin(x[i])


@kernel
def _arcsinh(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = arcsinh(x[i])


@kernel
def _arctan(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = arctan(x[i])


@kernel
def _arctan2(y: Array, x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = arctan2(y[i], x[i])


@kernel
def _cos(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = cos(x[i])


@kernel
def _cosh(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = cosh(x[i])


@kernel
def _erf(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = erf(x[i])


@kernel
def _exp(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = exp(x[i])


@kernel
def _expm1(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = expm1(x[i])


@kernel
def _log(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = log(x[i])


@kernel
def _log1p(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = log1p(x[i])


@kernel
def _power(x: Array, y: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = power(x[i], y[i])


@kernel
def _sin(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = sin(x[i])


@kernel
def _sinh(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = sinh(x[i])


@kernel
def _tan(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = tan(x[i])


@kernel
def _tanh(x: Array, out: Array) -> None:
    wide_vectors()
    for i in range(out.size):
        out[i] = tanh(x[i])


def _over_arrays(loop: Callable[..., None]) -> Callable[..., Array]:
    """Make a function of array-likes that broadcasts them and returns a new C-contiguous float64 array."""

    def function(*operands: Any) -> Array:
        shaped = np.broadcast_arrays(*operands) if len(operands) > 1 else operands
        flat = [np.require(x, np.float64, ("C", "A", "W")).reshape(-1) for x in shaped]
        out = np.empty(np.shape(shaped[0]))
        loop(*flat, out.reshape(-1))
        return out

    return function


ARRAY: dict[str, Callable[..., Array]] = {
    "arccos": _over_arrays(_arccos),
    "arcsin": _over_arrays(_arcsin),
    "arcsinh": _over_arrays(_arcsinh),
    "arctan": _over_arrays(_arctan),
    "arctan2": _over_arrays(_arctan2),
    "cos": _over_arrays(_cos),
    "cosh": _over_arrays(_cosh),
    "erf": _over_arrays(_erf),
    "exp": _over_arrays(_exp),
    "expm1": _over_arrays(_expm1),
    "log": _over_arrays(_log),
    "log1p": _over_arrays(_log1p),
    "power": _over_arrays(_power),
    "sin": _over_arrays(_sin),
    "sinh": _over_arrays(_sinh),
    "tan": _over_arrays(_tan),
    "tanh": _over_arrays(_tanh),
}
"""Array form of every function of `stochsim.vecmath`: (array-like, ...) -> array of the broadcast shape."""
