"""The compile step: the only part of the kernel cache that imports Numba.

A kernel module applies `kernel` to its function. Compiled functions allocate nothing and are not wrapped for
Python, so their object code needs no run-time support and another process can load it without Numba.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
from numba import njit, types
from numba.core import config

from stochsim.codegen.objects import CompiledFunction, ObjectCode
from stochsim.errors import StochsimError

OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "_nrt": False,  # no reference counts: callers own all memory
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


@dataclass(frozen=True)
class Compiled:
    """A compiled function: what can be stored of it, and the same code in the memory of this process."""

    stored: ObjectCode
    in_memory: CompiledFunction


def kernel(arguments: str) -> Callable[[Callable[..., None]], Compiled]:
    """Compile a function of the given Numba types, such as ``"int64, float64[::1]"``, that returns nothing.

    Raises
    ------
    StochsimError
        If Numba was told not to compile.
    """

    def compile_function(function: Callable[..., None]) -> Compiled:
        if config.DISABLE_JIT:
            raise StochsimError("NUMBA_DISABLE_JIT is set, but stochsim's kernels run compiled only; unset it")
        dispatcher: Any = njit(f"void({arguments})", **OPTIONS)(function)
        (result,) = dispatcher.overloads.values()
        symbol, library = result.fndesc.llvm_func_name, result.library
        code = library.serialize_using_object_code()[2][0]
        stored = ObjectCode(symbol, tuple(_described(t) for t in result.signature.args), code)
        address = library.get_pointer_to_function(symbol)
        return Compiled(stored, CompiledFunction(address, stored.arguments, dispatcher))

    return compile_function


def _described(numba_type: Any) -> tuple[str, int]:
    if isinstance(numba_type, types.Array):
        return str(numba_type.dtype), numba_type.ndim
    return str(numba_type), 0


def compile_text(name: str, text: str, linked: Mapping[str, int]) -> Compiled:
    """Run a kernel module, which compiles its function; ``linked`` are functions that it calls by symbol.

    The lines stay known to `linecache`, so that tracebacks and debuggers show them.
    """
    for symbol, address in linked.items():
        llvm.add_symbol(symbol, address)
    filename = f"<stochsim {name}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    namespace: dict[str, Any] = {"__name__": f"stochsim_kernels.{name}"}
    exec(compile(text, filename, "exec"), namespace)
    (compiled,) = (value for value in namespace.values() if isinstance(value, Compiled))
    return compiled
