"""The words of the language: operators and the functions below, for arrays and for traced symbols alike.

``x + y, x * y, x < y, x & y`` and so on are the operators of Python. Vectors are (m, n), numbers of each
column (n,), parameters are floats, columns (m, 1) or matrices (m, k). A number of each column goes with every
row of a vector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stochsim.columns import eager
from stochsim.columns.graph import Column, as_column, elementwise, made
from stochsim.columns.tracing import trace_loop
from stochsim.errors import TraceError

__all__ = [
    "absolute", "arctan2", "cos", "cosh", "distances", "dot", "erf", "exp", "expm1", "floor", "formula", "greatest",
    "join", "log", "log1p", "logsumexp", "loop", "matvec", "matvec_transposed", "maximum", "minimum", "pick",
    "power", "repeat", "row", "rows", "segment_sums", "sin", "sinh", "softmax", "sqrt", "squared_norm", "stack", "tanh",
    "tile", "total", "where",
]  # fmt: skip


def _traced(*values: Any) -> bool:
    return any(isinstance(v, Column) for v in values)


def _unary(name: str) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        return elementwise(name, x) if _traced(x) else eager.elementary(name, x)

    function.__name__ = name
    function.__doc__ = f"The function {name}, row by row."
    return function


exp, log, sin, cos, tanh = _unary("exp"), _unary("log"), _unary("sin"), _unary("cos"), _unary("tanh")
sinh, cosh, expm1, log1p, erf = _unary("sinh"), _unary("cosh"), _unary("expm1"), _unary("log1p"), _unary("erf")
sqrt, absolute, floor = _unary("sqrt"), _unary("abs"), _unary("floor")


def power(x: Any, y: Any) -> Any:
    """X to the power y, row by row."""
    return elementwise("power", x, y) if _traced(x, y) else eager.elementary("power", x, y)


def arctan2(y: Any, x: Any) -> Any:
    """Angle of the point (x, y), row by row."""
    return elementwise("arctan2", y, x) if _traced(x, y) else eager.elementary("arctan2", y, x)


def minimum(x: Any, y: Any) -> Any:
    """The smaller one; NaN where either is."""
    return elementwise("min", x, y) if _traced(x, y) else eager.module(x, y).minimum(x, y)


def maximum(x: Any, y: Any) -> Any:
    """The larger one; NaN where either is."""
    return elementwise("max", x, y) if _traced(x, y) else eager.module(x, y).maximum(x, y)


def where(condition: Any, x: Any, y: Any) -> Any:
    """X where the condition holds, else y; a condition of each column chooses whole vectors."""
    if _traced(condition, x, y):
        return elementwise("where", condition, x, y)
    return eager.module(condition, x, y).where(condition, x, y)


def total(x: Any) -> Any:
    """The sum over rows, first row first: (m, n) -> (n,)."""
    return made("total", (x,)) if _traced(x) else eager.total(x)


def greatest(x: Any) -> Any:
    """The largest row: (m, n) -> (n,)."""
    return made("greatest", (x,)) if _traced(x) else x.max(axis=0)


def dot(x: Any, y: Any) -> Any:
    """The scalar product of two vectors: (m, n), (m, n) -> (n,)."""
    return total(x * y)


def squared_norm(x: Any) -> Any:
    """The squared Euclidean length: (m, n) -> (n,)."""
    return total(x * x)


def logsumexp(x: Any) -> Any:
    """Log Σ exp x over rows, safe from overflow: (m, n) -> (n,); finite or -inf entries."""
    top = greatest(x)
    return top + log(total(exp(x - top)))


def softmax(x: Any) -> tuple[Any, Any]:
    """Exp x / Σ exp x over rows, and log Σ exp x: (m, n) -> (m, n), (n,)."""
    top = greatest(x)
    weights = exp(x - top)
    mass = total(weights)
    return weights / mass, top + log(mass)


def matvec(A: Any, x: Any) -> Any:
    """A x for a matrix parameter A (m, k): (k, n) -> (m, n)."""
    if not _traced(A, x):
        return eager.matvec(A, x, transposed=False)
    A, x = as_column(A), as_column(x)
    return made("matvec", (A, x), False, rows=A.shape[0])


def matvec_transposed(A: Any, x: Any) -> Any:
    """Aᵀ x for a matrix parameter A (m, k): (m, n) -> (k, n)."""
    if not _traced(A, x):
        return eager.matvec(A, x, transposed=True)
    A, x = as_column(A), as_column(x)
    return made("matvec", (A, x), True, rows=A.shape[1])


def distances(x: Any, centres: Any, weights: Any) -> Any:
    """Σ_i weights[k, i] (x_i - centres[k, i])² for parameters (K, d): (d, n) -> (K, n).

    Weights of shape (K, 1) go with every component.
    """
    if not _traced(x, centres, weights):
        return eager.distances(x, centres, weights)
    x, centres, weights = as_column(x), as_column(centres), as_column(weights)
    return made("distances", (centres, weights, x), rows=centres.shape[0])


def pick(table: Any, index: Any) -> Any:
    """The row of a matrix parameter (K, m) that each column asks for: (n,) -> (m, n).

    An index is rounded down and put back into 0 .. K - 1; NaN takes row 0.
    """
    if not _traced(table, index):
        return eager.pick(table, index)
    table, index = as_column(table), as_column(index)
    return made("pick", (table, index), rows=table.shape[1])


def segment_sums(x: Any, size: int) -> Any:
    """Sums of runs of ``size`` rows: (K size, n) -> (K, n)."""
    if _traced(x):
        return made("segments", (x,), size, rows=x.rows // size)
    return x.reshape(-1, size, *x.shape[1:]).sum(axis=1)


def repeat(x: Any, size: int) -> Any:
    """Every row ``size`` times: (K, n) -> (K size, n)."""
    if _traced(x):
        return made("repeat", (x,), size, rows=x.rows * size)
    return eager.module(x).repeat(x, size, axis=0)


def tile(x: Any, count: int) -> Any:
    """All rows, ``count`` times one below the other: (m, n) -> (count m, n)."""
    if count == 1:
        return x
    if _traced(x):
        return made("tile", (x,), count, rows=x.rows * count)
    return eager.module(x).concatenate((x,) * count)


def row(x: Any, i: int) -> Any:
    """Row i, a number of each column: (m, n) -> (n,)."""
    if not _traced(x):
        return x[i]
    if x.rows is None or not -x.rows <= i < x.rows:
        raise TraceError(f"row {i} of a column with {x.rows} rows does not exist")
    return made("row", (x,), i % x.rows)


def rows(x: Any, first: int, last: int) -> Any:
    """Rows first .. last - 1: (m, n) -> (last - first, n)."""
    if not _traced(x):
        return x[first:last]
    return made("rows", (x,), first, rows=last - first)


def stack(*numbers: Any) -> Any:
    """Numbers of each column as the rows of a vector: (n,), ... -> (m, n)."""
    if _traced(*numbers):
        args = tuple(as_column(v) for v in numbers)
        return made("stack", args, rows=len(args))
    xp = eager.module(*numbers)
    return xp.stack(xp.broadcast_arrays(*numbers))


def join(*vectors: Any) -> Any:
    """Vectors one below the other: (m1, n), (m2, n), ... -> (m1 + m2 + ..., n)."""
    if _traced(*vectors):
        args = tuple(as_column(v) for v in vectors)
        size = sum(a.rows or 1 for a in args)
        return made("join", args, rows=size)
    return eager.module(*vectors).concatenate(vectors)


def formula(program: Any, x: Any, *parameters: Any) -> Any:
    """A scalar program (`stochsim.columns.formulas.Formula`) of the rows of x: (d, n) -> (m, n)."""
    if _traced(x, *parameters):
        args = (as_column(x), *map(as_column, parameters))
        return made("formula", args, program, rows=program.n_outputs)
    return program(x, *parameters)


def loop(count: Any, body: Callable[..., tuple[Any, ...]], *carry: Any) -> tuple[Any, ...]:
    """Repeat ``carry = body(*carry)``; ``count`` is a number, the same for all columns.

    Random numbers drawn in the body are new in every round.
    """
    if _traced(count, *carry):
        return trace_loop(count, body, *carry)
    for _ in range(int(count)):
        carry = tuple(body(*carry))
    return carry
