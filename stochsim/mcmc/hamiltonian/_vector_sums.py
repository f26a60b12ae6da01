"""Sums over rows in eight partial sums, written as vector instructions.

Numba's optimiser leaves a sum of several partial sums in single numbers, and with reassociation allowed its order
would depend on the width of the host's vectors; here it does not.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WIDTH = 8
_DOUBLE = ir.DoubleType()
_VECTOR = ir.VectorType(_DOUBLE, WIDTH)
_INT64 = ir.IntType(64)


def _data(context: Any, builder: Any, array_type: Any, array: Any) -> Any:
    return context.make_array(array_type)(context, builder, array).data


def _load(builder: Any, data: Any, index: Any) -> Any:
    place = builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())
    return builder.load(place, align=8)


def _folded(builder: Any, vector: Any) -> Any:
    """((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7))."""
    size = WIDTH
    while size > 1:
        size //= 2
        undefined = ir.Constant(vector.type, ir.Undefined)
        halves = [
            builder.shuffle_vector(vector, undefined, ir.Constant(ir.VectorType(ir.IntType(32), size), list(part)))
            for part in (range(size), range(size, 2 * size))
        ]
        vector = builder.fadd(*halves)
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))


def _sums(builder: Any, n: Any, count: int, terms: Any) -> list[Any]:
    """Totals of ``terms(i, totals)`` for i = 0, 8, ... below n, which is a multiple of 8."""
    zero = ir.Constant(_VECTOR, [0.0] * WIDTH)
    places = [cgutils.alloca_once_value(builder, zero) for _ in range(count)]
    for place in places:
        builder.store(zero, place)
    step = ir.Constant(_INT64, WIDTH)
    with cgutils.for_range_slice(builder, ir.Constant(_INT64, 0), n, step, inc=True) as (i, _):
        new = terms(i, [builder.load(place) for place in places])
        for place, value in zip(places, new, strict=True):
            builder.store(value, place)
    return [_folded(builder, builder.load(place)) for place in places]


@intrinsic
def sum8(typingctx: Any, v: Any, first: Any, n: Any) -> Any:
    """Emit Σ v[first + i] for i < n, a multiple of 8."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = _data(context, builder, signature.args[0], args[0])

        def terms(i: Any, totals: Any) -> Any:
            return [builder.fadd(totals[0], _load(builder, data, builder.add(args[1], i)))]

        return _sums(builder, args[2], 1, terms)[0]

    return types.float64(v, types.int64, types.int64), codegen


@intrinsic
def dot8(typingctx: Any, a: Any, p: Any, v: Any, q: Any, n: Any) -> Any:
    """Emit Σ a[p + i] v[q + i] for i < n, a multiple of 8."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        left, right = (_data(context, builder, signature.args[k], args[k]) for k in (0, 2))

        def terms(i: Any, totals: Any) -> Any:
            x = _load(builder, left, builder.add(args[1], i))
            y = _load(builder, right, builder.add(args[3], i))
            return [builder.fadd(totals[0], builder.fmul(x, y))]

        return _sums(builder, args[4], 1, terms)[0]

    return types.float64(a, types.int64, v, types.int64, types.int64), codegen


@intrinsic
def turn8(typingctx: Any, w: Any, a: Any, b: Any, r: Any, s: Any, n: Any) -> Any:
    """Emit Σ w[a + i] ρ and Σ w[b + i] ρ with ρ = w[r + i] + w[s + i] for i < n, a multiple of 8."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = _data(context, builder, signature.args[0], args[0])

        def terms(i: Any, totals: Any) -> Any:
            x, y, left, right = (_load(builder, data, builder.add(place, i)) for place in args[1:5])
            rho = builder.fadd(left, right)
            return [builder.fadd(t, builder.fmul(end, rho)) for t, end in zip(totals, (x, y), strict=True)]

        return context.make_tuple(builder, signature.return_type, _sums(builder, args[5], 2, terms))

    integers = (types.int64,) * 5
    return types.UniTuple(types.float64, 2)(w, *integers), codegen
