"""Run a plain NumPy function on symbols: `Sym` arrays, and `trace`, which turns a function into nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from stochsim.errors import StochsimError, TraceError
from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node
from stochsim.symbolic.ufuncs import BINARY, COMPOSITE, UNARY, builder, known

_OPTIONS = {"where": True, "initial": None, "keepdims": False}  # keyword: the value that changes nothing


class Sym(NDArrayOperatorsMixin):
    """An array of expressions that behaves as a NumPy array; shape ``()`` is a scalar."""

    __slots__ = ("nodes",)
    nodes: Any  # an object array of nodes
    __array_priority__ = 1000.0

    def __init__(self, nodes: Any) -> None:
        self.nodes = np.asarray(nodes, dtype=object)

    # --- array protocol ------------------------------------------------------------------------
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if kwargs.get("out") is not None:
            raise TraceError("in-place array updates cannot be traced; write x = x + y, not x += y into an array")
        if ufunc is np.matmul and method == "__call__":
            return _matmul(*inputs)
        options = [k for k, usual in _OPTIONS.items() if kwargs.get(k, usual) is not usual]
        if options:
            raise TraceError(
                f"np.{ufunc.__name__} with {', '.join(options)}= cannot be traced; use np.where for a choice"
            )
        if method == "reduce" and ufunc in (np.add, np.multiply, np.maximum, np.minimum):
            return _reduce(BINARY[ufunc], inputs[0], kwargs.get("axis", 0))
        if method == "outer":
            a, b = (as_sym(v) for v in inputs)
            return ufunc(a[(...,) + (None,) * b.ndim], b)
        build = builder(ufunc)
        if method != "__call__" or build is None:
            raise TraceError(
                f"np.{ufunc.__name__} cannot be traced; write it with {known()}, "
                "or pass trace=False to run the function as it is by the array executor"
            )
        return elementwise(build, *inputs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        handler = _FUNCTIONS.get(func)
        if handler is None:
            name = getattr(func, "__name__", str(func))
            raise TraceError(
                f"np.{name} cannot be traced; write the formula with elementary operations, "
                "or pass trace=False to run the function as it is by the array executor"
            )
        return handler(*args, **kwargs)

    # --- what a number or an array would do ----------------------------------------------------
    def __bool__(self) -> bool:
        raise TraceError(
            "the function branches on a symbol (`if x > 0`, `and`, `max(...)`); "
            "write np.where(x > 0, a, b), np.logical_and or np.maximum, which hold for every path at once"
        )

    def __float__(self) -> float:
        if self.nodes.shape == () and self.nodes[()].is_const:
            return float(self.nodes[()].value)
        raise TraceError(
            "a symbol was used where a plain number is needed (math.exp, float(x)); "
            "use the NumPy function: np.exp instead of math.exp"
        )

    def __int__(self) -> int:
        raise TraceError(
            "a symbol cannot become an integer (int(x), range(x), x as an index); np.floor(x) is its integer part"
        )

    __index__ = __int__

    def __len__(self) -> int:
        if self.nodes.ndim == 0:
            raise TypeError("len() of a scalar symbol")
        return len(self.nodes)

    def __iter__(self) -> Iterator[Sym]:
        if self.nodes.ndim == 0:
            raise TraceError("a scalar state cannot be unpacked; give x0 as a list to get a vector state")
        return (self[i] for i in range(len(self.nodes)))

    def __getitem__(self, key: Any) -> Sym:
        try:
            return type(self)(self.nodes[key])
        except IndexError as error:
            raise TraceError(f"index {key} does not fit a state of shape {self.shape}: {error}") from None

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TraceError("item assignment cannot be traced; build the result with np.stack or a list")

    def __repr__(self) -> str:
        return f"Sym({np.array2string(self.nodes, threshold=20)})"

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.nodes.shape)

    @property
    def ndim(self) -> int:
        return int(self.nodes.ndim)

    @property
    def size(self) -> int:
        return int(self.nodes.size)

    @property
    def T(self) -> Sym:
        return Sym(self.nodes.T)

    def sum(self, axis: int | None = None) -> Sym:
        return _reduce("add", self, axis)

    def prod(self, axis: int | None = None) -> Sym:
        return _reduce("mul", self, axis)

    def mean(self, axis: int | None = None) -> Sym:
        return _mean(self, axis)

    def max(self, axis: int | None = None) -> Sym:
        return _reduce("max", self, axis)

    def min(self, axis: int | None = None) -> Sym:
        return _reduce("min", self, axis)

    def clip(self, low: Any, high: Any) -> Sym:
        return _clip(self, low, high)

    def copy(self) -> Sym:
        return self

    def dot(self, other: Any) -> Any:
        return _dot(self, other)

    def reshape(self, *shape: Any) -> Sym:
        return Sym(self.nodes.reshape(*shape))

    def flatten(self) -> Sym:
        return Sym(self.nodes.ravel())

    ravel = flatten

    def flat(self) -> list[Node]:
        return list(self.nodes.ravel())


def _method(ufunc: Any) -> Callable[[Sym], Sym]:
    # NumPy calls x.exp() on the elements of an object array such as np.array([x[0], x[1]])
    return lambda self: ufunc(self)


for _ufunc in (*UNARY, *(u for u in COMPOSITE if u.nin == 1)):
    setattr(Sym, _ufunc.__name__, _method(_ufunc))


def as_node(value: Any) -> Node:
    """A node from a number, a scalar symbol or a node."""
    if isinstance(value, Node):
        return value
    if isinstance(value, Sym):
        if value.size != 1:
            raise TraceError(f"a scalar was wanted, an array of shape {value.shape} was given")
        return value.nodes.reshape(())[()]  # type: ignore[no-any-return]
    if isinstance(value, (complex, np.complexfloating)):
        raise TraceError(f"the complex number {value} takes part; write real and imaginary parts as two components")
    try:
        return g.const(float(value))
    except (TypeError, ValueError):
        raise TraceError(f"{value!r} is not a number or a traced expression") from None


def as_sym(value: Any) -> Sym:
    """A symbolic array from numbers, nested sequences, arrays of symbols, or a symbol."""
    if isinstance(value, Sym):
        return value
    if isinstance(value, Node):
        return Sym(np.array(value, dtype=object))
    if isinstance(value, (list, tuple)):
        parts = [as_sym(v) for v in value]
        if len({p.shape for p in parts}) > 1:
            raise TraceError(f"a list of parts with different shapes {[p.shape for p in parts]} is no array")
        # np.stack, because np.array would make an array of 0-d arrays of scalars
        return Sym(np.stack([p.nodes for p in parts]) if parts else np.empty(0, dtype=object))
    array = np.asarray(value)
    nodes = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        nodes[index] = as_node(array[index])
    return Sym(nodes)


def elementwise(build: Callable[..., Node], *inputs: Any) -> Sym:
    """Apply a node constructor over broadcast inputs."""
    arrays = np.broadcast_arrays(*(as_sym(v).nodes for v in inputs))
    result = np.empty(arrays[0].shape, dtype=object)
    for index in np.ndindex(result.shape):
        result[index] = build(*(a[index] for a in arrays))
    return Sym(result)


def _matmul(a: Any, b: Any) -> Any:
    for left, right in ((a, b),):
        if hasattr(left, "apply_to"):
            return left.apply_to(right)
    x, y = as_sym(a).nodes, as_sym(b).nodes
    if x.ndim == 0 or y.ndim == 0:
        raise TraceError("`@` needs vectors or matrices; multiply scalars with `*`")
    if x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise TraceError(f"`@` of shapes {x.shape} and {y.shape} does not fit")
    rows = x.reshape(-1, x.shape[-1])
    columns = y.reshape(y.shape[0], -1) if y.ndim > 1 else y[:, None]
    flat = [[g.total(g.mul(p, q) for p, q in zip(r, c, strict=True)) for c in columns.T] for r in rows]
    shape = x.shape[:-1] + (y.shape[1:] if y.ndim > 1 else ())
    return Sym(np.array(flat, dtype=object).reshape(shape))


def _reduce(op: str, value: Any, axis: int | None = None) -> Sym:
    nodes = as_sym(value).nodes
    if axis is None:
        nodes, axis = nodes.reshape(-1), 0
    moved = np.moveaxis(nodes, axis, 0)
    result = moved[0].copy() if moved.ndim > 1 else moved[0]
    for row in moved[1:]:
        result = elementwise(lambda a, b: g.binary(op, a, b), Sym(result), Sym(row)).nodes
    return Sym(result)


def _mean(value: Any, axis: int | None = None) -> Sym:
    nodes = as_sym(value).nodes
    count = nodes.size if axis is None else nodes.shape[axis]
    return _reduce("add", value, axis) / float(count)  # type: ignore[no-any-return]


def _where(condition: Any, a: Any, b: Any) -> Sym:
    return elementwise(g.where, condition, a, b)


def _stack(arrays: Any, axis: int = 0) -> Sym:
    return Sym(np.stack([as_sym(a).nodes for a in arrays], axis))


def _concatenate(arrays: Any, axis: int = 0) -> Sym:
    return Sym(np.concatenate([np.atleast_1d(as_sym(a).nodes) for a in arrays], axis))


def _dot(a: Any, b: Any) -> Any:
    x, y = as_sym(a), as_sym(b)
    return x * y if x.ndim == 0 or y.ndim == 0 else _matmul(x, y)


def _clip(a: Any, low: Any, high: Any) -> Sym:
    return np.minimum(np.maximum(a, low), high)  # type: ignore[no-any-return]


def _filled(number: float) -> Callable[..., Sym]:
    return lambda a, dtype=None, shape=None: as_sym(np.full(shape or as_sym(a).shape, number))


def diagonal(value: Any) -> Sym:
    nodes = as_sym(value).nodes
    if nodes.ndim == 2:
        return Sym(np.diag(nodes))
    result = np.full((len(nodes), len(nodes)), g.ZERO, dtype=object)
    np.fill_diagonal(result, nodes)
    return Sym(result)


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.where: _where,
    np.stack: _stack,
    np.concatenate: _concatenate,
    np.hstack: lambda arrays: _concatenate(arrays),
    np.vstack: lambda arrays: _concatenate([np.atleast_2d(as_sym(a).nodes) for a in arrays]),
    np.column_stack: lambda arrays: _stack(arrays, axis=1),
    np.sum: lambda a, axis=None: _reduce("add", a, axis),
    np.prod: lambda a, axis=None: _reduce("mul", a, axis),
    np.mean: _mean,
    np.max: lambda a, axis=None: _reduce("max", a, axis),
    np.min: lambda a, axis=None: _reduce("min", a, axis),
    np.dot: _dot,
    np.inner: _dot,
    np.outer: lambda a, b: as_sym(a).reshape(-1)[:, None] * as_sym(b).reshape(-1)[None, :],
    np.clip: _clip,
    np.zeros_like: _filled(0.0),
    np.ones_like: _filled(1.0),
    np.full_like: lambda a, value, dtype=None: np.zeros_like(a) + value,
    np.diag: diagonal,
    np.reshape: lambda a, shape: as_sym(a).reshape(shape),
    np.ravel: lambda a: as_sym(a).flatten(),
    np.transpose: lambda a: as_sym(a).T,
    np.roll: lambda a, shift, axis=None: Sym(np.roll(as_sym(a).nodes, shift, axis)),
    np.broadcast_to: lambda a, shape: Sym(np.broadcast_to(as_sym(a).nodes, shape)),
    np.atleast_1d: lambda a: Sym(np.atleast_1d(as_sym(a).nodes)),
    np.linalg.norm: lambda a: np.sqrt(np.sum(as_sym(a) * as_sym(a))),
    np.trace: lambda a: _reduce("add", Sym(np.diagonal(as_sym(a).nodes))),
    np.squeeze: lambda a: Sym(np.squeeze(as_sym(a).nodes)),
    np.diff: lambda a: as_sym(a)[1:] - as_sym(a)[:-1],
    np.shape: lambda a: as_sym(a).shape,
    np.ndim: lambda a: as_sym(a).ndim,
    np.copy: lambda a: a,
}


def symbols(name: str, shape: tuple[int, ...]) -> Sym:
    """Input symbols: ``x`` of shape ``()`` or ``(d,)`` gives ``x0, x1, ...``; more axes ``A0_1``."""
    nodes = np.empty(shape, dtype=object)
    for index in np.ndindex(shape):
        nodes[index] = g.var(name + ("_".join(map(str, index)) if shape else "0"))
    return Sym(nodes)


def trace(function: Callable[..., Any], args: Sequence[Any], what: str) -> Sym:
    """Call ``function`` with symbols and return its result as symbols.

    Raises
    ------
    TraceError
        If the function branches on a symbol, leaves NumPy, or returns something that is not an array.
        The sentence names the function (``what``) and says how to rewrite it.
    """
    try:
        value = function(*args)
        if value is None:
            raise TraceError("it returned nothing; end the function with return")
        return as_sym(value)
    except TraceError as error:
        raise TraceError(f"{what}: {error}") from None
    except StochsimError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        if "setting an array element" in str(error):  # NumPy's words for y[0] = x[1] with y = np.zeros(2)
            raise TraceError(
                f"{what} puts a symbol into an array of numbers; build the result with a list or np.stack, "
                "such as return [x[1], -x[0]]"
            ) from error
        raise TraceError(
            f"{what} failed when called with symbols: {error}; it must be a NumPy formula of (x, t, p) "
            "(or pass trace=False to run it as it is by the array executor)"
        ) from error
