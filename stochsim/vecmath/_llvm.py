"""LLVM-level building blocks: fused multiply-add, bit reinterpretation, and the vector width of a function.

Everything here is an `@intrinsic`: it emits instructions straight into the function that uses it. None of the
instructions carries a fast-math flag, so a result does not depend on where the optimiser put it.
"""

from __future__ import annotations

import platform
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic

_DOUBLE = ir.DoubleType()
_INT64 = ir.IntType(64)


def cpu_features() -> dict[str, bool]:
    """Return the CPU features Numba compiles for (its environment overrides included); empty when unknown."""
    if config.CPU_FEATURES is not None:
        flags = [flag for flag in config.CPU_FEATURES.split(",") if flag]
        return {flag[1:]: flag[0] == "+" for flag in flags}
    try:
        return dict(llvm.get_host_cpu_features())
    except RuntimeError:  # LLVM cannot read the flags of this platform
        return {}


FEATURES = cpu_features()
MACHINE = platform.machine().lower()
HAS_FMA = FEATURES.get("fma", False) or MACHINE in {"aarch64", "arm64"}
VECTOR_WIDTH = 512 if FEATURES.get("avx512f", False) and FEATURES.get("avx512dq", False) else None


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    if HAS_FMA:
        return builder.fma(a, b, c)
    return builder.fadd(builder.fmul(a, b), c)


def _unpack(builder: Any, packed: Any, length: int) -> list[Any]:
    return [builder.extract_value(packed, i) for i in range(length)]


@intrinsic  # type: ignore[untyped-decorator]
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """a*b + c rounded once; on a CPU without the instruction, the product is rounded first."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _fma(builder, *args)

    return types.float64(types.float64, types.float64, types.float64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def horner(typingctx: Any, x: Any, coefficients: Any) -> Any:
    """Evaluate a polynomial by Horner's rule with `fma`; coefficients from the highest power down."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        result, *rest = _unpack(builder, args[1], len(coefficients))
        for coefficient in rest:
            result = _fma(builder, result, args[0], coefficient)
        return result

    return types.float64(types.float64, coefficients), codegen


@intrinsic  # type: ignore[untyped-decorator]
def subtract_multiple(typingctx: Any, x: Any, k: Any, parts: Any) -> Any:
    """x - k*(parts[0] + parts[1] + ...), one `fma` a part, largest first (Cody and Waite 1980)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        result, minus_k = args[0], builder.fneg(args[1])
        for part in _unpack(builder, args[2], len(parts)):
            result = _fma(builder, minus_k, part, result)
        return result

    return types.float64(types.float64, types.float64, parts), codegen


@intrinsic  # type: ignore[untyped-decorator]
def as_bits(typingctx: Any, x: Any) -> Any:
    """Reinterpret the bits of a float64 as a uint64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], _INT64)

    return types.uint64(types.float64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def as_float(typingctx: Any, bits: Any) -> Any:
    """Reinterpret the bits of a uint64 as a float64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], _DOUBLE)

    return types.float64(types.uint64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def bit_reverse(typingctx: Any, bits: Any) -> Any:
    """Mirror the 64 bits of a uint64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitreverse(args[0])

    return types.uint64(types.uint64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def copysign(typingctx: Any, magnitude: Any, sign: Any) -> Any:
    """|magnitude| with the sign bit of `sign`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        signature_of = ir.FunctionType(_DOUBLE, (_DOUBLE, _DOUBLE))
        return builder.call(builder.module.declare_intrinsic("llvm.copysign", [_DOUBLE], signature_of), args)

    return types.float64(types.float64, types.float64), codegen


@intrinsic  # type: ignore[untyped-decorator]
def wide_vectors(typingctx: Any) -> Any:
    """Let LLVM use the widest vectors of the host in the function that calls this; emits no instruction.

    LLVM prefers 256-bit vectors on many CPUs with AVX-512. On a CPU without AVX-512 this does nothing.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if VECTOR_WIDTH is not None:
            # llvmlite admits only the attributes it knows by name, but prints any text in the set.
            set.add(builder.function.attributes, f'"prefer-vector-width"="{VECTOR_WIDTH}"')
        return context.get_dummy_value()

    return types.void(), codegen
