"""The inverse of a formula in one variable: read off its operations, or found by SymPy; always tried out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from stochsim.errors import TraceError
from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node
from stochsim.symbolic.numbers import DATA_TOLERANCE, DIGITS, evaluate_at
from stochsim.symbolic.tracing import Sym, as_node
from stochsim.symbolic.ufuncs import odd_root

PROBES = (0.1, 0.4, 0.7, 1.3, 1.9, 2.9, 4.3, 7.1)  # an inverse must hold at these and their negatives
FEWEST_PROBES = 4


def invert(f: Node, unknown: str, others: Mapping[str, float], target: str = "target") -> Node | None:
    """The formula g with g(f(v)) = v for every real v in the domain of f, or None where none is found.

    Parameters
    ----------
    f : Node
        A formula of the input ``unknown``, and of others.
    unknown : str
        The variable to solve for.
    others : mapping
        Values of the other inputs at which candidates are tried.
    target : str
        Name of the input of the inverse that stands for the value of f.

    Returns
    -------
    Node or None
        A candidate is accepted if it gives back v at test values of both signs, in 50 digits; so x² is not
        inverted, which needs to know the sign of x.
    """
    for node in _candidates(f, unknown, target):
        if unknown not in g.variables([node]) and gives_back(node, f, unknown, others, target):
            return node
    return None


def gives_back(inverse: Node, f: Node, unknown: str, others: Mapping[str, float], target: str = "target") -> bool:
    """Whether inverse(f(v)) = v at the probes where f is defined, to the rounding of constants."""
    import mpmath

    (there_and_back,) = g.substitute([inverse], {target: f})
    with mpmath.workdps(DIGITS):
        fixed = {name: mpmath.mpf(v) for name, v in others.items()}
        probes = [mpmath.mpf(sign * v) for v in PROBES for sign in (1, -1)]
        errors = _errors([there_and_back, f], unknown, fixed, probes)
        return len(errors) >= FEWEST_PROBES and all(e < DATA_TOLERANCE for e in errors)


def _errors(pair: Sequence[Node], unknown: str, fixed: Mapping[str, Any], probes: Sequence[Any]) -> list[Any]:
    """|g(f(v)) - v| / (1 + |v|) at the probes where f is defined."""
    import mpmath

    errors = []
    for probe in probes:
        (back, value), _ = evaluate_at(pair, {**fixed, unknown: probe}, mpmath)
        if value == value:
            errors.append(abs(back - probe) / (1 + abs(probe)) if back == back else mpmath.inf)
    return errors


def _candidates(f: Node, unknown: str, target: str) -> Iterator[Node]:
    peeled = _peel(f, unknown, g.var(target))
    if peeled is not None:
        yield peeled
    yield from _solved(f, unknown, target)


# --- one operation after the other ---------------------------------------------------------------------


def _ufunc(function: Any) -> Callable[[Node], Node]:
    return lambda y: as_node(function(Sym(y)))


_UNDO: dict[str, Callable[[Node], Node]] = {
    "neg": _ufunc(np.negative),
    "sqrt": _ufunc(np.square),
    "exp": _ufunc(np.log),
    "log": _ufunc(np.exp),
    "expm1": _ufunc(np.log1p),
    "log1p": _ufunc(np.expm1),
    "sinh": _ufunc(np.arcsinh),
    "arcsinh": _ufunc(np.sinh),
    "tanh": _ufunc(np.arctanh),
    "arctan": _ufunc(np.tan),
}
_UNDO_LEFT: dict[str, Callable[[Node, Node], Node]] = {  # (y, b) -> a with y = a op b
    "add": g.sub,
    "sub": g.add,
    "mul": g.div,
    "div": g.mul,
    "pow": lambda y, b: g.power(y, g.div(g.ONE, b)),
}
_UNDO_RIGHT: dict[str, Callable[[Node, Node], Node]] = {  # (y, a) -> b with y = a op b
    "add": g.sub,
    "sub": lambda y, a: g.sub(a, y),
    "mul": g.div,
    "div": lambda y, a: g.div(a, y),
    "pow": lambda y, a: g.div(g.unary("log", y), g.unary("log", a)),
}


def _peel(f: Node, unknown: str, y: Node) -> Node | None:
    """Undo the operations from the outside in; None when the unknown is met on two ways, or for good."""
    while f.op != "var":
        base, n = _as_power(f)
        if n > 1:
            f, y = base, odd_root(y, 1, n) if n % 2 else g.power(y, g.const(1.0 / n))
            continue
        inside = [unknown in g.variables([a]) for a in f.args]
        if sum(inside) != 1:
            return None
        if f.op in _UNDO:
            f, y = f.args[0], _UNDO[f.op](y)
        elif f.op in _UNDO_LEFT and inside[0]:
            f, y = f.args[0], _UNDO_LEFT[f.op](y, f.args[1])
        elif f.op in _UNDO_RIGHT:
            f, y = f.args[1], _UNDO_RIGHT[f.op](y, f.args[0])
        else:
            return None
    return y


def _as_power(f: Node) -> tuple[Node, int]:
    """Base and exponent of a product of equal factors, as which integer powers are written."""
    if f.op != "mul":
        return f, 1
    (a, i), (b, j) = (_as_power(factor) for factor in f.args)
    return (a, i + j) if a is b else (f, 1)


# --- by SymPy ------------------------------------------------------------------------------------------


def _solved(f: Node, unknown: str, target: str) -> Iterator[Node]:
    import sympy

    from stochsim.symbolic.from_sympy import from_sympy, numbered_symbols
    from stochsim.symbolic.to_sympy import Label, symbol, to_sympy

    symbols, inputs = numbered_symbols([f])
    goal = symbol(Label("target"))
    (expression,) = to_sympy([f], symbols, exact=True)
    try:
        found = sympy.solve(expression - goal, symbols[unknown])
    except NotImplementedError:  # SymPy's word for: no method known
        return
    inputs |= {"target": g.var(target)}
    for solution in found:
        pieces = [e for e, _ in solution.args] if isinstance(solution, sympy.Piecewise) else [solution]
        for piece in pieces:
            try:
                yield from_sympy(piece, inputs)
            except TraceError:
                continue  # LambertW and its like: an inverse that cannot be run
