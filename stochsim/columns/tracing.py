"""From objects with numbers to objects with symbols; loops and random draws of a traced formula."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

from stochsim.columns.graph import Column, as_column, parameter, walk
from stochsim.errors import TraceError

T = TypeVar("T")


def symbolic(obj: T, path: str = "") -> T:
    """A twin of a frozen dataclass whose numbers and (m, k) arrays are parameters, so that its methods trace.

    Nested dataclasses are turned too; what is neither number, 2-d array nor dataclass (strings, booleans, tuples,
    functions, arrays of other dimensions) stays as it is, and so decides about the text of the kernel.
    """
    twin = copy.copy(obj)
    for f in fields(obj):  # type: ignore[arg-type]
        value, name = getattr(obj, f.name), f"{path}.{f.name}"
        if is_dataclass(value) and not isinstance(value, type):
            object.__setattr__(twin, f.name, symbolic(value, name))
        elif _is_number(value) or (isinstance(value, np.ndarray) and value.ndim == 2):
            object.__setattr__(twin, f.name, parameter(value, np.shape(value), name))
    return twin


def structure(obj: Any) -> Any:
    """What of an object decides about the text of a kernel: types, shapes, and all that is no parameter."""
    if is_dataclass(obj) and not isinstance(obj, type):
        return (type(obj), *(structure(getattr(obj, f.name)) for f in fields(obj)))
    if isinstance(obj, np.ndarray):
        return obj.shape if obj.ndim == 2 else (obj.shape, obj.tobytes())
    return "number" if _is_number(obj) else obj


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def on_device(obj: T, convert: Callable[[np.ndarray], Any]) -> T:
    """A twin whose 2-d arrays are converted (to CuPy, say); numbers stay."""
    twin = copy.copy(obj)
    for f in fields(obj):  # type: ignore[arg-type]
        value = getattr(obj, f.name)
        if is_dataclass(value) and not isinstance(value, type):
            object.__setattr__(twin, f.name, on_device(value, convert))
        elif isinstance(value, np.ndarray) and value.ndim == 2:
            object.__setattr__(twin, f.name, convert(value))
    return twin


@dataclass
class Scope:
    """What was drawn, in the order of the calls: draws and loops, until the step or the body ends."""

    items: list[Column] = field(default_factory=list)


_SCOPES: list[Scope] = []


@contextmanager
def scope() -> Iterator[Scope]:
    """Collect the draws of a step or of a loop's body."""
    own = Scope()
    _SCOPES.append(own)
    try:
        yield own
    finally:
        _SCOPES.pop()


@dataclass(frozen=True)
class Body:
    """The body of a loop: its own symbols, what they become, its draws."""

    carry: tuple[Column, ...]
    outputs: tuple[Column, ...]
    draws: Scope


def variable(name: str, rows: int | None) -> Column:
    """A value that is there before the formula begins: a part of the state, a carry of a loop."""
    return Column("var", value=name, rows=rows)


def draw(kind: str, rows: int | None) -> Column:
    """Random numbers: ``normal`` or ``uniform``; None for one of each column."""
    node = Column(kind, rows=rows)
    _SCOPES[-1].items.append(node)
    return node


def numbered_draw(kind: str, rows: int, index: Column, stream: int) -> Column:
    """Random numbers of a counter that the formula names itself: ``index`` is the same for all columns."""
    return Column(kind, (index,), stream, rows=rows)


def trace_loop(count: Any, body: Callable[..., tuple[Any, ...]], *carry: Any) -> tuple[Column, ...]:
    """The node of a loop, and its results.

    Raises
    ------
    TraceError
        If the body returns another number of values, or changes the number of rows of one.
    """
    first = tuple(as_column(c) for c in carry)
    before = Column("mark").serial
    inside = tuple(variable(f"carry{i}", c.rows) for i, c in enumerate(first))
    with scope() as draws:
        outputs = tuple(as_column(v) for v in body(*inside))
    if [o.rows for o in outputs] != [c.rows for c in first]:
        raise TraceError("the body of a loop must return as many values, of the same numbers of rows, as it is given")
    outer = tuple(n for n in _outside(outputs, before) if not n.uniform)
    node = Column("loop", (as_column(count), *first, *outer), Body(inside, outputs, draws))
    _SCOPES[-1].items.append(node)
    return tuple(Column("item", (node,), i, rows=c.rows) for i, c in enumerate(first))


def _outside(outputs: tuple[Column, ...], before: int) -> list[Column]:
    """Values made before the loop that its body reads: the first ones met, not what they are made of."""
    found: dict[int, Column] = {}
    seen: set[int] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node.serial in seen:
            continue
        seen.add(node.serial)
        if node.serial < before and not node.uniform:
            found[node.serial] = node
        elif not node.uniform:
            stack.extend(node.args)
    return [found[s] for s in sorted(found)]


def parameters(outputs: list[Column]) -> list[Column]:
    """Every parameter that the outputs need, in the order of creation, in loops too."""
    found: dict[int, Column] = {}
    for node in walk(outputs):
        if node.op == "par":
            found[node.serial] = node
        if node.op == "loop":
            found |= {p.serial: p for p in parameters(list(node.value.outputs))}
    return [found[s] for s in sorted(found)]
