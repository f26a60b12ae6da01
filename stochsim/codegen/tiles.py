"""Products held in registers: a few rows by sixteen columns at a time, as explicit vector instructions.

Each number is the same chain of fused multiply-adds, over the inner index in its order, that the plain loops of
`stochsim.codegen.products` make.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from stochsim.vecmath._host import FEATURES, HAS_FMA

WIDTH = 8  # numbers of a vector instruction; where the host's are narrower, LLVM cuts them
TALL, PARTS = (8, 2) if FEATURES.get("avx512f") else (4, 1)  # rows and vectors whose sums fit into the registers
COLUMNS = WIDTH * PARTS
AVAILABLE = HAS_FMA

_DOUBLE, _INT = ir.DoubleType(), ir.IntType(64)
_VECTOR = ir.VectorType(_DOUBLE, WIDTH)
_ZERO = ir.Constant(_VECTOR, [0.0] * WIDTH)


def _data(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return context.make_array(kind)(context, builder, array).data


def _place(builder: Any, data: Any, index: Any) -> Any:
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


def _spread(builder: Any, number: Any) -> Any:
    """The number in every place of a vector."""
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH))


def _fma(builder: Any) -> Callable[..., Any]:
    kind = ir.FunctionType(_VECTOR, (_VECTOR, _VECTOR, _VECTOR))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{WIDTH}f64")
    return lambda *operands: builder.call(function, operands)


def _at(builder: Any, start: Any, *steps: tuple[Any, Any]) -> Any:
    """The sum of start and of products of index and stride."""
    for index, stride in steps:
        start = builder.add(start, builder.mul(index, stride))
    return start


def _sums(
    builder: Any, rows: int, count: Any, x: Any, start: Any, stride: Any, term: Callable[..., Sequence[Any]]
) -> list[list[Any]]:
    """Sums of ``term(j, row, columns, sums)`` over j below count, in registers."""
    places = [[cgutils.alloca_once(builder, _VECTOR) for _ in range(PARTS)] for _ in range(rows)]
    for row in places:
        for place in row:
            builder.store(_ZERO, place)
    with cgutils.for_range(builder, count) as loop:
        j = loop.index
        first = _at(builder, start, (j, stride))
        columns = [
            builder.load(_place(builder, x, builder.add(first, ir.Constant(_INT, WIDTH * c))), align=8)
            for c in range(PARTS)
        ]
        for r, row in enumerate(places):
            new = term(j, ir.Constant(_INT, r), columns, [builder.load(place) for place in row])
            for value, place in zip(new, row, strict=True):
                builder.store(value, place)
    return [[builder.load(place) for place in row] for row in places]


def _store(builder: Any, sums: list[list[Any]], out: Any, start: Any, stride: Any) -> None:
    for r, row in enumerate(sums):
        first = _at(builder, start, (ir.Constant(_INT, r), stride))
        for c, value in enumerate(row):
            place = _place(builder, out, builder.add(first, ir.Constant(_INT, WIDTH * c)))
            builder.store(value, place, align=8)


def product_tile(rows: int) -> Any:
    """``tile(a, p, si, sj, x, q, sx, k, out, o, so)``: out[o + r so + c] = Σ_j a[p + r si + j sj] x[q + j sx + c]."""

    @intrinsic
    def tile(
        typingctx: Any, a: Any, p: Any, si: Any, sj: Any, x: Any, q: Any, sx: Any, k: Any, out: Any, o: Any, so: Any
    ) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            a, p, si, sj, x, q, sx, k, out, o, so = args
            kinds, fma = signature.args, _fma(builder)
            matrix, columns_of = _data(context, builder, kinds[0], a), _data(context, builder, kinds[4], x)

            def term(j: Any, r: Any, columns: Any, sums: Any) -> list[Any]:
                entry = builder.load(builder.gep(matrix, [_at(builder, p, (r, si), (j, sj))]))
                factor = _spread(builder, entry)
                return [fma(factor, column, total) for column, total in zip(columns, sums, strict=True)]

            sums = _sums(builder, rows, k, columns_of, q, sx, term)
            _store(builder, sums, _data(context, builder, kinds[8], out), o, so)
            return context.get_dummy_value()

        i = types.int64
        return types.void(a, i, i, i, x, i, i, i, out, i, i), codegen

    return tile


def distance_tile(rows: int) -> Any:
    """``tile(a, p, d, v, w, sk, si, x, q, sx, out, o, so)``: sums over i < d of v (x_i - a_ri)² for some rows r."""

    @intrinsic
    def tile(
        typingctx: Any, a: Any, p: Any, d: Any, v: Any, w: Any, sk: Any, si: Any, x: Any, q: Any, sx: Any, out: Any,
        o: Any, so: Any,
    ) -> Any:  # fmt: skip
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            a, p, d, v, w, sk, si, x, q, sx, out, o, so = args
            kinds, fma = signature.args, _fma(builder)
            centres, weights = _data(context, builder, kinds[0], a), _data(context, builder, kinds[3], v)
            columns_of = _data(context, builder, kinds[7], x)

            def term(i: Any, r: Any, columns: Any, sums: Any) -> list[Any]:
                centre = _spread(builder, builder.load(builder.gep(centres, [_at(builder, p, (r, d), (i, _one()))])))
                weight = _spread(builder, builder.load(builder.gep(weights, [_at(builder, w, (r, sk), (i, si))])))
                apart = [builder.fsub(column, centre) for column in columns]
                return [fma(builder.fmul(weight, y), y, total) for y, total in zip(apart, sums, strict=True)]

            sums = _sums(builder, rows, d, columns_of, q, sx, term)
            _store(builder, sums, _data(context, builder, kinds[10], out), o, so)
            return context.get_dummy_value()

        i = types.int64
        return types.void(a, i, i, v, i, i, i, x, i, i, out, i, i), codegen

    return tile


def round_tile(rows: int) -> Any:
    """``tile(a, p, d, v, w, sk, x, q, sx, out, o, so)``: v times the sums over i < d of (x_i - a_ri)² for some rows."""

    @intrinsic
    def tile(
        typingctx: Any, a: Any, p: Any, d: Any, v: Any, w: Any, sk: Any, x: Any, q: Any, sx: Any, out: Any, o: Any,
        so: Any,
    ) -> Any:  # fmt: skip
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            a, p, d, v, w, sk, x, q, sx, out, o, so = args
            kinds, fma = signature.args, _fma(builder)
            centres, weights = _data(context, builder, kinds[0], a), _data(context, builder, kinds[3], v)

            def term(i: Any, r: Any, columns: Any, sums: Any) -> list[Any]:
                centre = _spread(builder, builder.load(builder.gep(centres, [_at(builder, p, (r, d), (i, _one()))])))
                apart = [builder.fsub(column, centre) for column in columns]
                return [fma(y, y, total) for y, total in zip(apart, sums, strict=True)]

            sums = _sums(builder, rows, d, _data(context, builder, kinds[6], x), q, sx, term)
            for r, row in enumerate(sums):
                at = _at(builder, w, (ir.Constant(_INT, r), sk))
                weight = _spread(builder, builder.load(builder.gep(weights, [at])))
                row[:] = [builder.fmul(weight, total) for total in row]
            _store(builder, sums, _data(context, builder, kinds[9], out), o, so)
            return context.get_dummy_value()

        i = types.int64
        return types.void(a, i, i, v, i, i, x, i, i, out, i, i), codegen

    return tile


def _one() -> Any:
    return ir.Constant(_INT, 1)
