"""LLVM-level building blocks: fused multiply-add, bit reinterpretation, the vector width of a function.

Everything here is an `@intrinsic`: it emits instructions straight into the function that uses it. None of
them carries a fast-math flag, so a result does not depend on where the optimiser put it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from stochsim.vecmath._host import HAS_FMA, VECTOR_ATTRIBUTES

_DOUBLE = ir.DoubleType()
_INT64 = ir.IntType(64)


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    if HAS_FMA:
        return builder.fma(a, b, c)
    return builder.fadd(builder.fmul(a, b), c)


def _unpack(builder: Any, packed: Any, length: int) -> list[Any]:
    return [builder.extract_value(packed, i) for i in range(length)]


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """Emit a*b + c rounded once; on a CPU without the instruction, the product is rounded first."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _fma(builder, *args)

    return types.float64(types.float64, types.float64, types.float64), codegen


_SPLITTER = 2.0**27 + 1.0


def _halves(builder: Any, x: Any) -> tuple[Any, Any]:
    """Split x into two numbers of at most 27 bits (Veltkamp 1968)."""
    scaled = builder.fmul(x, x.type(_SPLITTER))
    high = builder.fsub(scaled, builder.fsub(scaled, x))
    return high, builder.fsub(x, high)


@intrinsic
def product_error(typingctx: Any, a: Any, b: Any, product: Any) -> Any:
    """Emit a*b - product exactly, where product is a*b rounded (Dekker 1971 on a CPU without `fma`)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, b, product = args
        if HAS_FMA:
            return builder.fma(a, b, builder.fneg(product))
        (a1, a2), (b1, b2) = _halves(builder, a), _halves(builder, b)
        error = builder.fsub(builder.fmul(a1, b1), product)
        for left, right in ((a1, b2), (a2, b1), (a2, b2)):
            error = builder.fadd(error, builder.fmul(left, right))
        return error

    return types.float64(types.float64, types.float64, types.float64), codegen


@intrinsic
def horner(typingctx: Any, x: Any, coefficients: Any) -> Any:
    """Emit a polynomial in x by Horner's rule with `fma`; coefficients from the highest power down."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        result, *rest = _unpack(builder, args[1], len(coefficients))
        for coefficient in rest:
            result = _fma(builder, result, args[0], coefficient)
        return result

    return types.float64(types.float64, coefficients), codegen


@intrinsic
def subtract_multiple(typingctx: Any, x: Any, k: Any, parts: Any) -> Any:
    """Emit x - k*(parts[0] + parts[1] + ...), one `fma` a part in this order (Cody & Waite 1980)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        result, minus_k = args[0], builder.fneg(args[1])
        for part in _unpack(builder, args[2], len(parts)):
            result = _fma(builder, minus_k, part, result)
        return result

    return types.float64(types.float64, types.float64, parts), codegen


@intrinsic
def as_bits(typingctx: Any, x: Any) -> Any:
    """Reinterpret the bits of a float64 as a uint64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], _INT64)

    return types.uint64(types.float64), codegen


@intrinsic
def as_float(typingctx: Any, bits: Any) -> Any:
    """Reinterpret the bits of a uint64 as a float64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], _DOUBLE)

    return types.float64(types.uint64), codegen


@intrinsic
def bit_reverse(typingctx: Any, bits: Any) -> Any:
    """Mirror the 64 bits of a uint64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitreverse(args[0])

    return types.uint64(types.uint64), codegen


@intrinsic
def copysign(typingctx: Any, magnitude: Any, sign: Any) -> Any:
    """Emit |magnitude| with the sign bit of `sign`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function_type = ir.FunctionType(_DOUBLE, (_DOUBLE, _DOUBLE))
        function = builder.module.declare_intrinsic("llvm.copysign", [_DOUBLE], function_type)
        return builder.call(function, args)

    return types.float64(types.float64, types.float64), codegen


@intrinsic
def wide_vectors(typingctx: Any) -> Any:
    """Let LLVM use the widest vectors of the host in the function that calls this; emits no instruction.

    What is asked for stands in `_host.vector_attributes`; where there is nothing to ask, this does nothing.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        for name, value in VECTOR_ATTRIBUTES.items():
            # llvmlite's own `add` admits only the names it knows; what is in the set is printed as it stands.
            set.add(builder.function.attributes, f'"{name}"="{value}"')
        return context.get_dummy_value()

    return types.void(), codegen
