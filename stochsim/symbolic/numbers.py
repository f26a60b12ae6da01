"""Evaluate formulas at single points, in double precision or in 50 digits, and decide whether they vanish."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node

DIGITS = 50
FAST_TOLERANCE = 1e-6  # relative to the largest intermediate value: clearly not zero in double precision
HARD_TOLERANCE = 1e-38  # the same in 50 digits: clearly zero


def evaluate_at(outputs: Sequence[Node], point: Mapping[str, Any], library: Any = math) -> tuple[list[Any], Any]:
    """Values of the outputs at a point, and the largest magnitude met on the way.

    ``library`` is ``math`` or ``mpmath``; points outside the domain give NaN.
    """
    values: dict[int, Any] = {}
    scale: Any = 0.0
    for node in g.walk(outputs):
        args = [values[a.serial] for a in node.args]
        try:
            value = _apply(node, args, point, library)
        except (ArithmeticError, ValueError, TypeError):
            value = math.nan
        values[node.serial] = value
        if node.op not in ("item", "solve", "extern") and isinstance(value, (int, float)) or hasattr(value, "_mpf_"):
            scale = max(scale, abs(value)) if value == value else scale
    return [values[o.serial] for o in outputs], scale


def _apply(node: Node, args: list[Any], point: Mapping[str, Any], library: Any) -> Any:
    op = node.op
    if op == "const":
        return node.value if library is math else library.mpf(node.value)
    if op == "var":
        return point[node.value]
    if op in g.COMPARE:
        return g.COMPARE[op](*args)
    if op in ("and", "or", "not"):
        return {"and": lambda a, b: a and b, "or": lambda a, b: a or b, "not": lambda a: not a}[op](*args)
    if op == "where":
        return args[1] if args[0] else args[2]
    if op in ("abs", "neg", "sign"):
        return g.UNARY[op](args[0])
    if op in g.BINARY:
        return g.BINARY[op](*args)
    if op in g.UNARY:
        names = {"arctan": "atan", "arcsinh": "asinh"}
        return getattr(library, names.get(op, op))(args[0])
    return math.nan


def is_zero(outputs: Iterable[Node], points: Sequence[Mapping[str, float]]) -> bool:
    """Whether the expressions vanish identically.

    An expression that is not 0 by construction is evaluated at the points in double precision, which
    rejects; what survives is evaluated in 50 digits, which accepts. For analytic expressions a zero at
    random points to 38 digits beyond the largest intermediate value leaves no practical doubt.
    """
    left = [o for o in outputs if not o.equals(0.0)]
    if not left:
        return True
    if any(_differs(left, p, FAST_TOLERANCE, math) for p in points):
        return False
    import mpmath

    with mpmath.workdps(DIGITS):
        precise = [{k: mpmath.mpf(v) for k, v in p.items()} for p in points]
        usable = [p for p in precise if _finite(left, p, mpmath)]
        return bool(usable) and not any(_differs(left, p, HARD_TOLERANCE, mpmath) for p in usable)


def _differs(outputs: Sequence[Node], point: Mapping[str, Any], tolerance: float, library: Any) -> bool:
    values, scale = evaluate_at(outputs, point, library)
    return any(v == v and abs(v) > tolerance * scale for v in values)


def _finite(outputs: Sequence[Node], point: Mapping[str, Any], library: Any) -> bool:
    values, _ = evaluate_at(outputs, point, library)
    return all(v == v for v in values)
