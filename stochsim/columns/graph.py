"""The graph of a traced formula: one node a value, with its number of rows.

``rows`` is None for a number of each column, m for a vector of m numbers. A node is ``uniform`` if it is the
same for all columns: parameters, and what is computed from them alone.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from stochsim.errors import TraceError

INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/",
    "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "and": "&", "or": "|",
}  # fmt: skip
BOOLEAN = frozenset({"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not"})
ELEMENTARY = frozenset(
    {
        "exp", "log", "sin", "cos", "tan", "tanh", "sinh", "cosh", "expm1", "log1p",
        "arctan", "arctan2", "arcsin", "arccos", "arcsinh", "erf", "power",
    }
)  # fmt: skip
ELEMENTWISE = frozenset(INFIX) | ELEMENTARY | {"neg", "not", "sqrt", "abs", "floor", "sign", "min", "max", "where"}
REDUCTIONS = frozenset({"total", "greatest"})
_UFUNCS = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "negative": "neg", "less": "lt",
    "less_equal": "le", "greater": "gt", "greater_equal": "ge", "equal": "eq", "not_equal": "ne",
    "logical_and": "and", "logical_or": "or", "logical_not": "not", "bitwise_and": "and", "bitwise_or": "or",
    "invert": "not", "sqrt": "sqrt", "absolute": "abs", "floor": "floor", "sign": "sign", "minimum": "min",
    "maximum": "max",
} | {name: name for name in ELEMENTARY}  # fmt: skip
_SERIALS = itertools.count()
_KNOWN: weakref.WeakValueDictionary[Any, Column] = weakref.WeakValueDictionary()


class Column:
    """A value of the formula: what it is made by, from which values, and how many rows it has.

    ``uniform`` marks what is the same for all columns, ``shape`` the shape of a parameter (its ``rows`` are then
    those of a column (m, 1), if it can be used as one).
    """

    __slots__ = (
        "__weakref__",
        "args",
        "boolean",
        "op",
        "path",
        "rows",
        "serial",
        "shape",
        "uniform",
        "value",
    )
    __hash__ = object.__hash__

    def __init__(
        self, op: str, args: tuple[Column, ...] = (), value: Any = None, *, rows: int | None = None,
        uniform: bool = False, shape: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        self.op, self.args, self.value, self.rows, self.uniform, self.shape = op, args, value, rows, uniform, shape
        self.boolean, self.path = op in BOOLEAN or (op == "const" and isinstance(value, bool)), ""
        self.serial = next(_SERIALS)

    def __repr__(self) -> str:
        inside = ", ".join([*map(repr, self.args), *([] if self.value is None else [str(self.value)])])
        return f"{self.op}({inside})"

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Column:
        name = ufunc.__name__
        if method != "__call__" or kwargs or name not in _UFUNCS:
            raise TraceError(f"numpy.{name} cannot be part of a compiled formula; use the functions of columns.ops")
        return elementwise(_UFUNCS[name], *inputs)

    def __add__(self, other: Any) -> Column:
        return elementwise("add", self, other)

    def __radd__(self, other: Any) -> Column:
        return elementwise("add", other, self)

    def __sub__(self, other: Any) -> Column:
        return elementwise("sub", self, other)

    def __rsub__(self, other: Any) -> Column:
        return elementwise("sub", other, self)

    def __mul__(self, other: Any) -> Column:
        return elementwise("mul", self, other)

    def __rmul__(self, other: Any) -> Column:
        return elementwise("mul", other, self)

    def __truediv__(self, other: Any) -> Column:
        return elementwise("div", self, other)

    def __rtruediv__(self, other: Any) -> Column:
        return elementwise("div", other, self)

    def __pow__(self, exponent: Any) -> Column:
        if isinstance(exponent, int) and 0 <= exponent <= 8:
            return _whole_power(self, exponent)
        return elementwise("power", self, exponent)

    def __neg__(self) -> Column:
        return elementwise("neg", self)

    def __abs__(self) -> Column:
        return elementwise("abs", self)

    def __lt__(self, other: Any) -> Column:
        return elementwise("lt", self, other)

    def __le__(self, other: Any) -> Column:
        return elementwise("le", self, other)

    def __gt__(self, other: Any) -> Column:
        return elementwise("gt", self, other)

    def __ge__(self, other: Any) -> Column:
        return elementwise("ge", self, other)

    def __eq__(self, other: object) -> Any:
        return elementwise("eq", self, other)

    def __ne__(self, other: object) -> Any:
        return elementwise("ne", self, other)

    def __and__(self, other: Any) -> Column:
        return elementwise("and", self, other)

    def __or__(self, other: Any) -> Column:
        return elementwise("or", self, other)

    def __invert__(self) -> Column:
        return elementwise("not", self)

    def __bool__(self) -> bool:
        raise TraceError("a compiled formula cannot branch on the value of a column (if, and, or); use where(c, a, b)")

    def __float__(self) -> float:
        raise TraceError("a compiled formula cannot turn a column into a number; use the functions of columns.ops")

    __index__ = __int__ = __float__

    def __iter__(self) -> Iterator[Column]:
        raise TraceError("a column cannot be iterated over; use columns.ops.row(x, i)")


def made(
    op: str, args: tuple[Column, ...], value: Any = None, *, rows: int | None = None, uniform: bool = False
) -> Column:
    """The node of an operation: the same one whenever the same operation is asked of the same values."""
    key = (op, *(a.serial for a in args), value)
    node = _KNOWN.get(key)
    if node is None:
        node = _KNOWN[key] = Column(op, args, value, rows=rows, uniform=uniform)
    return node


def _whole_power(x: Column, exponent: int) -> Column:
    if exponent == 0:
        return as_column(1.0)
    result = x
    for _ in range(exponent - 1):
        result = result * x
    return result


def as_column(value: Any) -> Column:
    """The value as a node: a number becomes a constant, an array (m, 1) or (m, k) one of its own.

    Raises
    ------
    TraceError
        If it is neither.
    """
    if isinstance(value, Column):
        return value
    if isinstance(value, np.ndarray) and value.ndim == 2:
        return parameter(value, value.shape)
    if isinstance(value, bool | np.bool_):
        return Column("const", value=bool(value), uniform=True)
    if isinstance(value, int | float | np.integer | np.floating) or (isinstance(value, np.ndarray) and not value.ndim):
        return Column("const", value=float(value), uniform=True)
    raise TraceError(f"{value!r} cannot be part of a compiled formula; give numbers, columns (m, 1) or matrices (m, k)")


def parameter(value: Any, shape: tuple[int, ...], path: str = "") -> Column:
    """A parameter: its value is read at every run and is no part of the kernel's text.

    ``path`` says where in the object it stands, such as ``target.means``; empty for a value of the formula itself.
    """
    node = Column("par", value=value, rows=shape[0] if shape else None, uniform=True, shape=shape)
    node.path = path
    return node


def elementwise(op: str, *operands: Any) -> Column:
    """Apply an operation row by row; numbers of a column go with every row.

    Raises
    ------
    TraceError
        If the numbers of rows differ.
    """
    args = tuple(as_column(x) for x in operands)
    sizes = {a.rows for a in args if a.rows is not None}
    if len(sizes) > 1 and 1 in sizes:
        sizes.discard(1)
    if len(sizes) > 1:
        raise TraceError(f"{op} got columns of {' and '.join(map(str, sorted(sizes)))} rows; give equal numbers")
    matrices = [a for a in args if len(a.shape) == 2 and a.shape[1] != 1]
    if matrices:
        raise TraceError(f"{op} got a matrix of shape {matrices[0].shape}; use matvec(A, x)")
    return made(op, args, rows=sizes.pop() if sizes else None, uniform=all(a.uniform for a in args))


def walk(outputs: Sequence[Column]) -> Iterator[Column]:
    """Every node that the outputs need, arguments first."""
    seen: set[int] = set()
    for output in outputs:
        stack = [(output, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                yield node
            elif node.serial not in seen:
                seen.add(node.serial)
                stack.append((node, True))
                stack.extend((a, False) for a in reversed(node.args))
