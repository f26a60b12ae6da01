"""SymPy expressions as graph nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from stochsim.errors import TraceError
from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node
from stochsim.symbolic.numbers import is_zero
from stochsim.symbolic.to_sympy import Label, symbol, to_sympy
from stochsim.symbolic.tracing import Sym, as_node
from stochsim.symbolic.ufuncs import odd_root


def numbered_symbols(nodes: Iterable[Node]) -> tuple[dict[str, Any], dict[str, Node]]:
    """SymPy symbols v0, v1, ... of all inputs, by input name, and the inputs by symbol name."""
    names = sorted(g.variables(nodes))
    symbols = {name: symbol(Label(f"v{i}")) for i, name in enumerate(names)}
    return symbols, {f"v{i}": g.var(name) for i, name in enumerate(names)}


def simplified(nodes: Sequence[Node], points: Sequence[Mapping[str, float]], largest: int) -> list[Node]:
    """The nodes as SymPy simplifies them, each where that is shorter and equal in 50 digits at the points.

    Nodes of more than ``largest`` operations stay as they are.
    """
    return [_simpler(node, points, largest) for node in nodes]


def _simpler(node: Node, points: Sequence[Mapping[str, float]], largest: int) -> Node:
    import sympy

    symbols, inputs = numbered_symbols([node])
    try:
        (expression,) = to_sympy([node], symbols, exact=True)
        if sympy.count_ops(expression) > largest:
            return node
        simpler = from_sympy(sympy.simplify(expression), inputs)
    except TraceError:
        return node  # a part that has no counterpart on the other side
    shorter = sum(1 for _ in g.walk([simpler])) < sum(1 for _ in g.walk([node]))
    return simpler if shorter and is_zero([g.sub(simpler, node)], points, every_piece=False) else node


def from_sympy(expression: Any, inputs: Mapping[str, Node]) -> Node:
    """A SymPy expression as a node; ``inputs`` are the nodes of its symbols, by name.

    An odd root of a negative number is the real one.

    Raises
    ------
    TraceError
        If a function has no counterpart in the graphs.
    """
    if expression.is_Symbol:
        return inputs[str(expression)]
    if expression.is_number:
        return _constant(expression)
    if expression.is_Pow:
        return _power(from_sympy(expression.base, inputs), expression.exp, inputs)
    if expression.is_Mul:
        return _product(expression, inputs)
    build = _builders().get(expression.func.__name__)
    if build is None:
        raise TraceError(f"{expression.func.__name__} of SymPy cannot be written as a traced formula")
    return build(*(from_sympy(a, inputs) for a in expression.args))


def _constant(expression: Any) -> Node:
    value = complex(expression)
    if value.imag or not math.isfinite(value.real):
        raise TraceError(f"the constant {expression} is not a real number")
    return g.const(value.real)


def _product(expression: Any, inputs: Mapping[str, Node]) -> Node:
    above, below = expression.as_numer_denom()
    factors = [from_sympy(f, inputs) for f in above.as_ordered_factors()]
    result = factors[0]
    for factor in factors[1:]:
        result = g.mul(result, factor)
    return result if below == 1 else g.div(result, from_sympy(below, inputs))


def _power(base: Node, exponent: Any, inputs: Mapping[str, Node]) -> Node:
    if exponent.is_Rational and exponent.q % 2 == 1 and exponent.q > 1:
        return odd_root(base, exponent.p, exponent.q)
    return g.power(base, from_sympy(exponent, inputs))


@cache
def _builders() -> dict[str, Callable[..., Node]]:
    unary = {"exp": "exp", "log": "log", "Abs": "abs", "sign": "sign", "floor": "floor", "asinh": "arcsinh"}
    unary |= {name: name for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")} | {"atan": "arctan"}
    composite = {"asin": np.arcsin, "acos": np.arccos, "acosh": np.arccosh, "atanh": np.arctanh}
    return {
        "Add": lambda *a: g.total(a),
        **{name: _unary(op) for name, op in unary.items()},
        **{name: _numpy(ufunc) for name, ufunc in composite.items()},
    }


def _unary(op: str) -> Callable[[Node], Node]:
    return lambda a: g.unary(op, a)


def _numpy(ufunc: Any) -> Callable[[Node], Node]:
    return lambda a: as_node(ufunc(Sym(a)))
