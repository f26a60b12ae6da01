"""Evaluate formulas at single points, in double precision or in 50 digits, and decide whether they vanish."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node

DIGITS = 50
FAST_TOLERANCE = 1e-6  # relative to the largest intermediate value: clearly not zero in double precision
HARD_TOLERANCE = 1e-38  # the same in 50 digits: clearly zero
DATA_TOLERANCE = 1e-13  # the same where constants such as 0.1 are themselves only known to rounding
LISTED_BRANCHES = 4  # up to so many conditions, every combination of outcomes is tried

Branches = Mapping[int, bool]  # outcome of a comparison, by the serial of its node


def evaluate_at(
    outputs: Sequence[Node], point: Mapping[str, Any], library: Any = math, branches: Branches | None = None
) -> tuple[list[Any], Any]:
    """Values of the outputs at a point, and the largest magnitude met on the way.

    ``library`` is ``math`` or ``mpmath``; points outside the real domain give NaN. ``branches`` may impose
    the outcomes of comparisons.
    """
    values: dict[int, Any] = {}
    scale: Any = 0.0
    for node in g.walk(outputs):
        value = _value(node, values, point, library, branches or {})
        values[node.serial] = value
        if node.op not in g.COMPARE and node.op not in g.LOGICAL and abs(value) < math.inf:
            scale = max(scale, abs(value))
    return [values[o.serial] for o in outputs], scale


def _value(node: Node, values: Mapping[int, Any], point: Mapping[str, Any], library: Any, branches: Branches) -> Any:
    if node.serial in branches:
        return branches[node.serial]
    try:
        value = _apply(node, [values[a.serial] for a in node.args], point, library, branches)
    except (ArithmeticError, ValueError, TypeError):
        return math.nan
    return math.nan if isinstance(value, complex) or hasattr(value, "_mpc_") else value


def _apply(node: Node, args: list[Any], point: Mapping[str, Any], library: Any, branches: Branches) -> Any:
    op = node.op
    if op == "const":
        return node.value if library is math else library.mpf(node.value)
    if op == "var":
        return point[node.value]
    if op in g.COMPARE:
        return g.COMPARE[op](*args)
    if op in g.LOGICAL:
        return not args[0] if op == "not" else (all(args) if op == "and" else any(args))
    if op == "where":
        return args[1] if args[0] else args[2]
    if op in KINKED and (chosen := branches.get(condition(node).serial)) is not None:
        return _piece(op, args, chosen)
    if op in ("min", "max") and any(a != a for a in args):
        return math.nan  # as NumPy; Python's min would depend on the order
    if op in ("abs", "neg", "sign"):
        return g.UNARY[op](args[0])
    if op in g.BINARY:
        return g.BINARY[op](*args)
    if op in g.UNARY:
        names = {"arctan": "atan", "arcsinh": "asinh"}
        return getattr(library, names.get(op, op))(args[0])
    return math.nan


# --- piecewise formulas ------------------------------------------------------------------------------

KINKED = ("min", "max", "abs", "sign")


def condition(node: Node) -> Node:
    """The comparison that decides which smooth piece of min, max, abs or sign holds."""
    if node.op in ("min", "max"):
        return g.compare("le" if node.op == "min" else "ge", *node.args)
    return g.compare("ge", node.args[0], g.ZERO)


def _piece(op: str, args: list[Any], chosen: bool) -> Any:
    if op in ("min", "max"):
        return args[0] if chosen else args[1]
    sign = 1 if chosen else -1
    return sign if op == "sign" else sign * args[0]


def conditions(outputs: Sequence[Node], fixed: str = "p.") -> list[Node]:
    """Comparisons that pieces of the outputs depend on, except those of parameters alone."""
    found: dict[int, Node] = {}
    for node in g.walk(outputs):
        decides = condition(node) if node.op in KINKED else node
        if decides.op in g.COMPARE and any(not v.startswith(fixed) for v in g.variables([decides])):
            found[decides.serial] = decides
    return list(found.values())


def all_branches(outputs: Sequence[Node]) -> list[Branches]:
    """Outcomes of the conditions to try: all, or (for many conditions) both extremes and 14 random ones."""
    serials = [c.serial for c in conditions(outputs)]
    if len(serials) <= LISTED_BRANCHES:
        rows = list(product((True, False), repeat=len(serials)))
    else:
        draw = random.Random(20260711)
        rows = [(True,) * len(serials), (False,) * len(serials)]
        rows += [tuple(draw.random() < 0.5 for _ in serials) for _ in range(14)]
    return [dict(zip(serials, row, strict=True)) for row in rows]


# --- identities --------------------------------------------------------------------------------------


def tolerance(outputs: Iterable[Node]) -> float:
    """What counts as zero in 50 digits, relative to the largest intermediate value."""
    constants = [n.value for n in g.walk(outputs) if n.op == "const" and math.isfinite(n.value)]
    exact = all(float(c * 2**20).is_integer() for c in constants)
    return HARD_TOLERANCE if exact else DATA_TOLERANCE


def is_zero(outputs: Iterable[Node], points: Sequence[Mapping[str, float]], *, every_piece: bool = True) -> bool:
    """Whether the expressions vanish identically, in each of their smooth pieces.

    An expression that is not 0 by construction is evaluated at the points in double precision, which
    rejects; what survives is evaluated in 50 digits, which accepts. For analytic expressions a zero at
    random points to 38 digits beyond the largest intermediate value leaves no practical doubt. The pieces
    of ``where``, ``abs``, ``minimum`` are each taken as formulas for all x, also where another one holds at
    the points; so an expression that vanishes only because two pieces never meet does not pass (without
    ``every_piece``, only what holds at the points counts).
    """
    left = [o for o in outputs if not o.equals(0.0)]
    if not left:
        return True
    pieces = all_branches(left) if every_piece else [{}]
    if len(pieces) > 1:  # a piece may be defined on one side of 0 only
        points = [*points, *({k: -v if k[0] == "x" else v for k, v in p.items()} for p in points)]
    if any(_differs(left, p, FAST_TOLERANCE, math, b) for b in pieces for p in points):
        return False
    import mpmath

    allowed = tolerance(left)
    with mpmath.workdps(DIGITS):
        precise = [{k: mpmath.mpf(v) for k, v in p.items()} for p in points]
        return all(_is_zero_piece(left, precise, allowed, b) for b in pieces)


def _is_zero_piece(outputs: Sequence[Node], points: Sequence[Mapping[str, Any]], allowed: float, b: Branches) -> bool:
    import mpmath

    usable = [p for p in points if _finite(outputs, p, mpmath, b)]
    return bool(usable) and not any(_differs(outputs, p, allowed, mpmath, b) for p in usable)


def _differs(
    outputs: Sequence[Node], point: Mapping[str, Any], allowed: float, library: Any, branches: Branches
) -> bool:
    values, scale = evaluate_at(outputs, point, library, branches)
    return any(v == v and abs(v) > allowed * scale for v in values)


def _finite(outputs: Sequence[Node], point: Mapping[str, Any], library: Any, branches: Branches) -> bool:
    values, _ = evaluate_at(outputs, point, library, branches)
    return all(v == v for v in values)
