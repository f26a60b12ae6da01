"""Implicit equations inside a formula: a Newton iteration with its symbolic Jacobian, as one graph node."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from stochsim.errors import SchemeError
from stochsim.symbolic import graph as g
from stochsim.symbolic.calculus import gradient
from stochsim.symbolic.graph import Node
from stochsim.symbolic.tracing import Sym, as_sym, symbols

MAX_ITERATIONS = 50
TOLERANCE = 1e-12  # on the Newton update relative to 1 + |y|; the step after it would be of order 1e-24


class Implicit:
    """One implicit equation in ``n`` unknowns: inputs ``u*`` (unknowns) and ``c*`` (captured values).

    ``update`` are the n expressions of the Newton correction J^-1 r; the graph node's arguments are the
    start values followed by the captured values. ``residual`` is the equation as written, for display only:
    it is not followed through substitutions.
    """

    def __init__(
        self, n: int, update: tuple[Node, ...], captured: tuple[str, ...], residual: tuple[Node, ...] = ()
    ) -> None:
        self.n, self.update, self.captured, self.residual = n, update, captured, residual
        self._key = (n, tuple(u.serial for u in update), captured)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Implicit) and self._key == other._key

    @staticmethod
    def solve(residual: Callable[[Sym], Any], start: Sym) -> Sym:
        unknown = symbols("u", (start.size,))
        values = _traced(residual, unknown.reshape(start.shape)).flatten()
        if values.size != start.size:
            raise SchemeError(f"solve: {values.size} equations were given for {start.size} unknowns")
        jacobian = gradient(values, unknown)
        update, outer = _lift(eliminate(jacobian.nodes, values.nodes), unknown)
        captured = tuple(f"c{i}" for i in range(len(outer)))
        spec = Implicit(start.size, tuple(update), captured, tuple(values.flat()))
        args = tuple(start.flat()) + tuple(outer)
        solution = [g.solved(spec, args, i) for i in range(start.size)]
        return Sym(np.array(solution, dtype=object).reshape(start.shape))


_SOLVING = ContextVar("solving", default=False)


def _traced(residual: Callable[[Sym], Any], unknown: Sym) -> Sym:
    if _SOLVING.get():  # both would call their unknowns u0, u1, ...
        raise SchemeError("solve was called inside the equation of another solve; write one larger system")
    outside = _SOLVING.set(True)
    try:
        return as_sym(residual(unknown))
    finally:
        _SOLVING.reset(outside)


def solve(residual: Callable[[Sym], Any], start: Any) -> Sym:
    """The solution y of ``residual(y) = 0`` by Newton's method from ``start``, with the exact Jacobian.

    Runs until every path has converged (each path frozen when done); a path that does not converge in
    50 iterations becomes NaN and is counted as diverged.
    """
    return Implicit.solve(residual, as_sym(start))


def eliminate(matrix: Any, right: Any) -> list[Node]:
    """Solve a small linear system by straight-line Gaussian elimination without pivoting.

    Meant for Jacobians I - h J of one step, which are dominated by the identity for small h.
    """
    a = [[matrix[i, j] for j in range(len(right))] for i in range(len(right))]
    r = list(right)
    n = len(r)
    for k in range(n):
        for i in range(k + 1, n):
            factor = g.div(a[i][k], a[k][k])
            if factor.equals(0.0):
                continue
            for j in range(k + 1, n):
                a[i][j] = g.sub(a[i][j], g.mul(factor, a[k][j]))
            r[i] = g.sub(r[i], g.mul(factor, r[k]))
    x: list[Node] = [g.ZERO] * n
    for i in reversed(range(n)):
        known = g.total(g.mul(a[i][j], x[j]) for j in range(i + 1, n))
        x[i] = g.div(g.sub(r[i], known), a[i][i])
    return x


def _lift(update: list[Node], unknown: Sym) -> tuple[list[Node], list[Node]]:
    """Replace every maximal sub-expression free of the unknowns by a captured input."""
    names = {n.value for n in unknown.flat()}
    depends: dict[int, bool] = {}
    for node in g.walk(update):
        own = node.op == "var" and node.value in names
        depends[node.serial] = own or any(depends[a.serial] for a in node.args)
    outer: dict[int, tuple[Node, Node]] = {}

    def inner(node: Node) -> Node:
        if depends[node.serial] or node.is_const:
            return done.get(node.serial, node)
        if node.serial not in outer:
            outer[node.serial] = (node, g.var(f"c{len(outer)}"))
        return outer[node.serial][1]

    done: dict[int, Node] = {}
    for node in g.walk(update):
        if depends[node.serial] and node.op != "var":
            done[node.serial] = g.rebuild(node, tuple(inner(a) for a in node.args))
    lifted = [inner(u) for u in update]
    return lifted, [node for node, _ in outer.values()]
