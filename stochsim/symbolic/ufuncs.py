"""NumPy's elementwise functions as constructors of graph nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node

UNARY: dict[Any, str] = {
    np.negative: "neg",
    np.sqrt: "sqrt",
    np.exp: "exp",
    np.log: "log",
    np.sin: "sin",
    np.cos: "cos",
    np.tan: "tan",
    np.sinh: "sinh",
    np.cosh: "cosh",
    np.tanh: "tanh",
    np.expm1: "expm1",
    np.log1p: "log1p",
    np.arctan: "arctan",
    np.arcsinh: "arcsinh",
    np.absolute: "abs",
    np.fabs: "abs",
    np.sign: "sign",
    np.floor: "floor",
    np.logical_not: "not",
    np.invert: "not",
}
BINARY: dict[Any, str] = {
    np.add: "add",
    np.subtract: "sub",
    np.multiply: "mul",
    np.true_divide: "div",
    np.power: "pow",
    np.float_power: "pow",
    np.minimum: "min",
    np.maximum: "max",
    np.fmin: "min",
    np.fmax: "max",
    np.less: "lt",
    np.less_equal: "le",
    np.greater: "gt",
    np.greater_equal: "ge",
    np.equal: "eq",
    np.not_equal: "ne",
    np.logical_and: "and",
    np.logical_or: "or",
    np.bitwise_and: "and",
    np.bitwise_or: "or",
}


def odd_root(a: Node, p: int = 1, q: int = 3) -> Node:
    """The real power a^(p/q) for odd q, also of negative a; differentiable to all orders except at 0."""
    sign = g.where(g.compare("lt", a, g.ZERO), g.const(-1.0), g.ONE)  # with abs, second derivatives would end
    size = g.power(g.mul(sign, a), g.const(p / q))
    return g.mul(sign, size) if p % 2 else size


def _arcsin(a: Node) -> Node:
    return g.unary("arctan", g.div(a, g.unary("sqrt", g.mul(g.sub(g.ONE, a), g.add(g.ONE, a)))))


def _arccosh(a: Node) -> Node:
    return g.unary("log", g.add(a, g.unary("sqrt", g.mul(g.sub(a, g.ONE), g.add(a, g.ONE)))))


def _arctanh(a: Node) -> Node:
    return g.mul(g.const(0.5), g.sub(g.unary("log1p", a), g.unary("log1p", g.unary("neg", a))))


_HALF_PI = g.const(float(np.pi / 2))
_LOG2 = g.const(float(np.log(2.0)))
_LOG10 = g.const(float(np.log(10.0)))
COMPOSITE: dict[Any, Callable[..., Node]] = {
    np.positive: lambda a: a,
    np.square: lambda a: g.mul(a, a),
    np.reciprocal: lambda a: g.div(g.ONE, a),
    np.cbrt: odd_root,
    np.arcsin: _arcsin,
    np.arccos: lambda a: g.sub(_HALF_PI, _arcsin(a)),
    np.arccosh: _arccosh,
    np.arctanh: _arctanh,
    np.exp2: lambda a: g.unary("exp", g.mul(a, _LOG2)),
    np.log2: lambda a: g.div(g.unary("log", a), _LOG2),
    np.log10: lambda a: g.div(g.unary("log", a), _LOG10),
    np.hypot: lambda a, b: g.unary("sqrt", g.add(g.mul(a, a), g.mul(b, b))),
    np.heaviside: lambda a, b: g.where(
        g.compare("eq", a, g.ZERO), b, g.where(g.compare("gt", a, g.ZERO), g.ONE, g.ZERO)
    ),
}


def builder(ufunc: Any) -> Callable[..., Node] | None:
    if ufunc in UNARY:
        op = UNARY[ufunc]
        return lambda a: g.logical("not", a) if op == "not" else g.unary(op, a)
    if ufunc in BINARY:
        op = BINARY[ufunc]
        return lambda a, b: g.binary(op, a, b)
    return COMPOSITE.get(ufunc)


def known() -> str:
    names = {u.__name__ for u in (*UNARY, *COMPOSITE)}
    return ", ".join(sorted(names - {"negative", "positive", "logical_not", "invert"}))
