"""Functions that kernels call by symbol: each is compiled once, for itself, and not again with every kernel.

Numba would merge the code of a called function into its caller and optimise it there anew, which took most of
a kernel's compile time. Here the call stays a call: it happens once for a block of 256 paths.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from stochsim.codegen.library import LINKED, symbol

_TYPES = {"int64": types.int64, "float64[::1]": types.Array(types.float64, 1, "C")}


def _signature(arguments: str) -> Any:
    return types.void(*(_TYPES[a.strip()] for a in arguments.split(",")))


def _call(name: str) -> Any:
    """Numba's code for a call of the symbol, whatever the arguments are called."""
    signature = _signature(LINKED[name])

    def codegen(context: Any, builder: Any, _: Any, args: Any) -> Any:
        convention = context.call_conv
        function_type = convention.get_function_type(signature.return_type, signature.args)
        function = cgutils.get_or_insert_function(builder.module, function_type, symbol(name))
        status, _ = convention.call_function(builder, function, signature.return_type, signature.args, args)
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def normals(
    typingctx: Any, k0: Any, k1: Any, path: Any, index: Any, component: Any, stream: Any, out0: Any, out1: Any
) -> Any:
    """`stochsim.noise.philox.normals`."""
    return _call("normals")


@intrinsic
def uniforms(
    typingctx: Any, k0: Any, k1: Any, path: Any, index: Any, component: Any, stream: Any, out0: Any, out1: Any
) -> Any:
    """`stochsim.noise.philox.uniforms`."""
    return _call("uniforms")


@intrinsic
def two_point(
    typingctx: Any, k0: Any, k1: Any, path: Any, index: Any, component: Any, stream: Any, out0: Any, out1: Any
) -> Any:
    """`stochsim.noise.philox.two_point`."""
    return _call("two_point")


@intrinsic
def three_point(
    typingctx: Any, k0: Any, k1: Any, path: Any, index: Any, component: Any, stream: Any, out0: Any, out1: Any
) -> Any:
    """`stochsim.noise.philox.three_point`."""
    return _call("three_point")


@intrinsic
def merge_block(typingctx: Any, rows: Any, n_valid: Any, accumulator: Any, scratch: Any) -> Any:
    """`stochsim.codegen.merging.merge_block`."""
    return _call("merge_block")


@intrinsic
def matvec(typingctx: Any, a: Any, offset: Any, m: Any, k: Any, si: Any, sj: Any, x: Any, out: Any) -> Any:
    """`stochsim.codegen.products.matvec`."""
    return _call("matvec")


@intrinsic
def distances(
    typingctx: Any, c: Any, centres: Any, v: Any, weights: Any, sk: Any, si: Any, m: Any, d: Any, x: Any, out: Any
) -> Any:
    """`stochsim.codegen.products.distances`."""
    return _call("distances")
