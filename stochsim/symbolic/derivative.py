"""Exact derivatives of expression graphs (forward mode, one pass per variable, shared nodes once)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from stochsim.errors import TraceError
from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node

UnaryRule = Callable[[Node, Node], Node]  # (argument, node itself) -> derivative of the outer function


def _one_plus_square(a: Node) -> Node:
    return g.add(g.ONE, g.mul(a, a))


UNARY_RULES: dict[str, UnaryRule] = {
    "neg": lambda a, f: g.const(-1.0),
    "sqrt": lambda a, f: g.div(g.const(0.5), f),
    "exp": lambda a, f: f,
    "log": lambda a, f: g.div(g.ONE, a),
    "sin": lambda a, f: g.unary("cos", a),
    "cos": lambda a, f: g.unary("neg", g.unary("sin", a)),
    "tan": lambda a, f: _one_plus_square(f),
    "sinh": lambda a, f: g.unary("cosh", a),
    "cosh": lambda a, f: g.unary("sinh", a),
    "tanh": lambda a, f: g.sub(g.ONE, g.mul(f, f)),
    "expm1": lambda a, f: g.unary("exp", a),
    "log1p": lambda a, f: g.div(g.ONE, g.add(g.ONE, a)),
    "arctan": lambda a, f: g.div(g.ONE, _one_plus_square(a)),
    "arcsinh": lambda a, f: g.div(g.ONE, g.unary("sqrt", _one_plus_square(a))),
    "abs": lambda a, f: g.unary("sign", a),
}


def derivative(outputs: Iterable[Node], wrt: Node) -> list[Node]:
    """Derivatives of each output with respect to one node (an input, or any intermediate result).

    Raises
    ------
    TraceError
        If a second derivative of a kinked function (``abs``, ``sign``, ``minimum``, ``maximum``,
        ``floor``) or a derivative of an untraced function is needed.
    """
    outputs = list(outputs)
    slope: dict[int, Node] = {}
    for node in g.walk(outputs):
        if node.op == "where" and node.value == "kink" and _moves(node.args[0], slope):
            _refuse("a second derivative of minimum or maximum")
        slope[node.serial] = g.ONE if node is wrt else _chain(node, [slope[a.serial] for a in node.args])
    return [slope[o.serial] for o in outputs]


def _moves(condition: Node, slope: dict[int, Node]) -> bool:
    """Whether the place of a kink changes with the variable."""
    return any(not slope[a.serial].equals(0.0) for a in condition.args)


def _chain(node: Node, inner: Sequence[Node]) -> Node:
    if all(d.equals(0.0) for d in inner):
        return g.ZERO
    if node.op in UNARY_RULES:
        return g.mul(UNARY_RULES[node.op](node.args[0], node), inner[0])
    if node.op in _BINARY_RULES:
        return _BINARY_RULES[node.op](node, *inner)
    if node.op == "where":
        return g.where(node.args[0], inner[1], inner[2], kink=node.value == "kink")
    if node.op == "function":
        return g.total(g.mul(_partial(node, k), d) for k, d in enumerate(inner))
    if node.op in ("sign", "floor"):
        return _refuse(f"a derivative of {node.op}() (a second derivative of a kinked function)")
    if node.op == "extern":
        return _refuse("a derivative of a function given with trace=False")
    if node.op == "solve":
        return _refuse("a derivative of an implicit step")
    return g.ZERO  # comparisons and logic are piecewise constant


def _partial(node: Node, k: int) -> Node:
    name, orders = node.value
    return g.function(name, node.args, tuple(n + (i == k) for i, n in enumerate(orders)))


def _refuse(what: str) -> Node:
    raise TraceError(f"this needs {what}, which does not exist as a formula; use a derivative-free scheme")


def _d_pow(node: Node, da: Node, db: Node) -> Node:
    a, b = node.args
    base = g.mul(g.mul(b, g.power(a, g.sub(b, g.ONE))), da)
    if db.equals(0.0):
        return base
    return g.add(base, g.mul(g.mul(node, g.unary("log", a)), db))


def _d_div(node: Node, da: Node, db: Node) -> Node:
    b = node.args[1]
    if db.equals(0.0):
        return g.div(da, b)
    return g.div(g.sub(da, g.mul(node, db)), b)


def _d_extreme(op: str) -> Callable[[Node, Node, Node], Node]:
    def rule(node: Node, da: Node, db: Node) -> Node:
        a, b = node.args
        return g.where(g.compare(op, a, b), da, db, kink=True)

    return rule


_BINARY_RULES: dict[str, Callable[[Node, Node, Node], Node]] = {
    "add": lambda n, da, db: g.add(da, db),
    "sub": lambda n, da, db: g.sub(da, db),
    "mul": lambda n, da, db: g.add(g.mul(da, n.args[1]), g.mul(n.args[0], db)),
    "div": _d_div,
    "pow": _d_pow,
    "min": _d_extreme("le"),
    "max": _d_extreme("ge"),
}
