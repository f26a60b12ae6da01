"""The fixed functions of the library as Python calls: random numbers, elementary functions over whole arrays.

They run the machine code of the kernel cache: the same bits as inside a kernel, and no compiler is imported
once they have been compiled on this machine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache as remembered
from typing import Any

import numpy as np

from stochsim.codegen import cache
from stochsim.codegen.library import elementary_text, filler_text, fixed_text
from stochsim.codegen.objects import CompiledFunction

__all__ = ["elementary", "filler", "fixed"]


@remembered
def filler(name: str) -> CompiledFunction:
    """The filler ``normals``, ``uniforms``, ``two_point`` or ``three_point``, see `stochsim.noise.philox`."""
    return cache.load(filler_text(name))


@remembered
def fixed(name: str) -> CompiledFunction:
    """A function of `stochsim.codegen.products` or `merging`."""
    return cache.load(fixed_text(name), quiet=True)


@remembered
def _loop(name: str) -> CompiledFunction:
    return cache.load(elementary_text(name), quiet=True)


@remembered
def elementary(name: str) -> Callable[..., np.ndarray]:
    """A function of `stochsim.vecmath`, of array-likes: they are broadcast, a new float64 array is returned.

    The machine code is loaded at the first call.
    """

    def function(*operands: Any) -> np.ndarray:
        shaped = [np.array(x, dtype=float) for x in np.broadcast_arrays(*operands)] if len(operands) > 1 else operands
        out = np.empty(np.shape(shaped[0]))
        _loop(name)(*map(_flat, shaped), out.reshape(-1))
        return out

    return function


def _flat(x: Any) -> np.ndarray:
    array = np.ascontiguousarray(x, dtype=np.float64).reshape(-1)
    return array if array.flags.aligned else array.copy()
