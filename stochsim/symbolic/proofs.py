"""Proofs of closed-form solutions by Itô's formula.

A claim X_t = F(x0, t, W_t) solves dX = a(X, t) dt + sum_j b_j(X, t) dW_j with X_0 = x0 if, identically in
(x0, t, w),

    F_t + 1/2 sum_j F_{w_j w_j} = a(F, t),    F_{w_j} = b_j(F, t),    F(x0, 0, 0) = x0

(Øksendal 2003, Theorem 4.1.2); for Stratonovich equations the second derivatives drop out. The derivatives
are exact. Each identity is evaluated at random points in 50 digits, which refutes a wrong claim, and then
simplified by SymPy, which proves it where the result is 0. Parameters are variables, so the claim is proved
for all their values; if it does not hold for all values of array parameters (matrices that need to commute),
these are taken at their values.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from stochsim.errors import ModelError
from stochsim.symbolic import graph as g
from stochsim.symbolic.calculus import gradient, time_derivative
from stochsim.symbolic.graph import Node
from stochsim.symbolic.numbers import DIGITS, conditions, evaluate_at, tolerance
from stochsim.symbolic.structure import sample_points
from stochsim.symbolic.tracing import Sym, symbols, trace

POINTS = 12
FEWEST_POINTS = 4
LARGEST_CANCELLED = 400  # operations of a residual that SymPy may cancel as a fraction
LARGEST_SIMPLIFIED = 100  # the same for its general simplification, which may take minutes for more

SYMBOLIC, DIGITS_50, ROUNDING = "symbolic", "50 digits", "50 digits, to the rounding of its constants"
REFUTED = "refuted"
METHODS = (SYMBOLIC, DIGITS_50, ROUNDING)  # from the strongest


class Solved(Protocol):
    """What a proof needs of a model: an `SDE` with a closed form."""

    @property
    def name(self) -> str: ...

    @property
    def start(self) -> np.ndarray: ...

    @property
    def solution(self) -> Any: ...

    def formula(self) -> Any: ...


@dataclass(frozen=True)
class Identity:
    """One identity of a proof.

    Attributes
    ----------
    statement : str
        The identity, such as ``"F_w = b(F, t)"``, with the component it belongs to.
    method : str
        ``"symbolic"``: simplifies to 0. ``"50 digits"``: 0 at random points to 38 digits. ``"50 digits, to
        the rounding of its constants"``: 0 to 13 digits, where constants such as 0.1 are known to 16.
        ``"refuted"``: not 0.
    residual : float
        Largest |left - right| over the points, relative to the largest value met in its evaluation.
    point : dict
        Where that is: values by readable name.
    left, right : float
        The two sides there.
    """

    statement: str
    method: str
    residual: float
    point: Mapping[str, float]
    left: float
    right: float

    @property
    def holds(self) -> bool:
        """Whether the identity was proved in one of the three ways."""
        return self.method != REFUTED


@dataclass(frozen=True)
class Proof:
    """The verdict on a claimed solution; true in a condition if the claim holds.

    Attributes
    ----------
    name : str
        Name of the model.
    identities : tuple of Identity
        Initial value, drift, and diffusion, one a component (and noise).
    for_all_arrays : bool
        Whether array parameters were variables in the proof, as scalar ones are, or taken at their values.
    """

    name: str
    identities: tuple[Identity, ...]
    for_all_arrays: bool = True

    @property
    def holds(self) -> bool:
        """Whether every identity holds."""
        return all(i.holds for i in self.identities)

    @property
    def method(self) -> str:
        """The weakest way in which an identity was proved, or ``"refuted"``."""
        found = {i.method for i in self.identities}
        return REFUTED if not self.holds else next(m for m in reversed(METHODS) if m in found)

    def __bool__(self) -> bool:
        return self.holds

    @property
    def failure(self) -> Identity | None:
        """The first identity that fails."""
        return next((i for i in self.identities if not i.holds), None)

    def __str__(self) -> str:
        bad = self.failure
        if bad is None:
            scope = "" if self.for_all_arrays else "; for array parameters as given"
            return f"the exact solution of {self.name} is proved ({self.method}{scope})"
        where = ", ".join(f"{k}={v:.6g}" for k, v in bad.point.items())
        return (
            f"the exact solution of {self.name} is wrong: {bad.statement} fails at {where}: "
            f"{bad.left:.10g} on the left, {bad.right:.10g} on the right"
        )


def prove_solution(sde: Solved) -> Proof:
    """Prove, or refute, the closed form that a model carries.

    Parameters
    ----------
    sde : SDE
        With ``exact(x0, t, W, p)``, a smooth function of the Brownian motion at time ``t``.

    Returns
    -------
    Proof
        True in a condition if the claim holds; it says which identity holds in which way.

    Raises
    ------
    ModelError
        If there is no closed form of this kind: none at all, one of path functionals, one that is only
        piecewise smooth in (t, W), or a model with ``trace=False``; or if it is defined at no random point.
    """
    formula = sde.formula()
    proof = _prove(sde, formula, {})
    arrays = formula.parameters.array_entries()
    if proof or not arrays:
        return proof
    return _prove(sde, formula.with_array_values(), {name: g.const(v) for name, v in arrays.items()})


def _prove(sde: Solved, formula: Any, values: dict[str, Node]) -> Proof:
    x0, w, F = _traced_solution(sde, formula, values)
    _check_smooth(sde, F, w)
    points = _points(formula, formula.m)
    names = _readable_names(formula, sde.start.ndim == 0)
    judged = tuple(_judge(sde, c, points, names) for c in _claims(formula, x0, w, F))
    return Proof(sde.name, judged, not values)


def check_solution(sde: Solved) -> Proof:
    """The proof of a closed form.

    Raises
    ------
    ModelError
        If the claim is wrong, naming the identity that fails and a point where it does; or if it is of a kind
        that cannot be proved (see `prove_solution`).
    """
    proof = prove_solution(sde)
    if not proof:
        raise ModelError(f"{proof}; correct exact, the drift or the diffusion")
    return proof


# --- the claim -----------------------------------------------------------------------------------------


def _traced_solution(sde: Solved, formula: Any, values: dict[str, Node]) -> tuple[Sym, Sym, Sym]:
    """The start (d,), the Brownian motion (m,) and the solution (d,) as formulas."""
    solution = sde.solution
    if solution is None or solution.functionals is not None:
        what = "no exact solution" if solution is None else "an exact solution by path functionals"
        raise ModelError(
            f"{sde.name} has {what}, and Itô's formula needs one of the form exact(x0, t, W, p) "
            "with the Brownian motion W at time t"
        )
    if formula.opaque:
        raise ModelError(f"{sde.name} has trace=False: its solution can be proved only if it can be traced")
    w = symbols("w", (formula.m,))
    path = w[0] if formula.m == 1 else w
    start = Sym(formula.x.nodes.reshape(sde.start.shape))
    F = trace(solution.readout, (start, formula.t, path, formula.p), "exact")
    if F.size != formula.d:
        raise ModelError(f"exact returned shape {F.shape} for a state of {formula.d}; return the state at time t")
    return formula.x, w, Sym(np.array(g.substitute(F.flat(), values), dtype=object))


def _check_smooth(sde: Solved, F: Sym, w: Sym) -> None:
    moving = {"t", *(v.value for v in w.flat())}
    if any(moving & g.variables([c]) for c in conditions(F.flat())):
        raise ModelError(
            f"exact of {sde.name} is piecewise in (t, W) (np.where, abs, minimum, maximum, sign); Itô's formula "
            "needs a function with two continuous derivatives, so this claim cannot be proved"
        )


class _Claim(NamedTuple):
    statement: str
    left: Node
    right: Node


def _claims(formula: Any, x0: Sym, w: Sym, F: Sym) -> list[_Claim]:
    """Every identity of the proof."""
    t, ito = formula.t, formula.calculus == "ito"
    start = g.substitute(F.flat(), {"t": g.ZERO} | {v.value: g.ZERO for v in w.flat()})
    slopes = gradient(F, w)
    change: Any = time_derivative(F, t)
    if ito:
        for j in range(formula.m):
            change = change + 0.5 * gradient(slopes[:, j], w)[:, j]
    a, b = formula.drift(F, t), formula.diffusion(F, t).matrix
    drift = "F_t + 1/2 sum_j F_{w_j w_j} = a(F, t)" if ito else "F_t = a(F, t)"
    rows = []
    for i in range(formula.d):
        part = f" of component {i + 1}" if formula.d > 1 else ""
        rows.append(_Claim(f"the initial value F(x0, 0, 0) = x0{part}", start[i], x0.nodes[i]))
        rows.append(_Claim(f"the drift identity {drift}{part}", change.nodes[i], a.nodes[i]))
        for j in range(formula.m):
            name = f"the diffusion identity F_w{j + 1} = b{j + 1}(F, t)" if formula.m > 1 else _DIFFUSION
            rows.append(_Claim(name + part, slopes.nodes[i, j], b.nodes[i, j]))
    return rows


_DIFFUSION = "the diffusion identity F_w = b(F, t)"


def _points(formula: Any, m: int) -> Sequence[Mapping[str, float]]:
    draw = random.Random(20260712)
    parameters = formula.parameters.first_vector()
    near = sample_points(formula.x0, parameters, POINTS)
    return [p | {f"w{j}": draw.uniform(-1.5, 1.5) for j in range(m)} for p in near]  # type: ignore[operator]


# --- the verdict ---------------------------------------------------------------------------------------


def _judge(sde: Solved, claim: _Claim, points: Sequence[Mapping[str, float]], names: Mapping[str, str]) -> Identity:
    statement, left, right = claim
    residual = g.sub(left, right)
    worst, point, sides = _worst(residual, left, right, points)
    if point is None:
        raise ModelError(
            f"exact of {sde.name} is not defined at enough of the {POINTS} random points near its x0 and its "
            f"parameters to decide on {statement}; give an x0 inside its domain"
        )
    allowed = tolerance([residual])
    if worst > allowed:
        method = REFUTED
    elif _simplifies(residual):
        method = SYMBOLIC
    else:
        method = DIGITS_50 if worst <= tolerance([]) else ROUNDING
    used = g.variables([left, right])
    shown = {names[k]: float(v) for k, v in point.items() if k in used}
    return Identity(statement, method, float(worst), shown, *sides)


def _worst(
    residual: Node, left: Node, right: Node, points: Sequence[Mapping[str, float]]
) -> tuple[Any, Mapping[str, float] | None, tuple[float, float]]:
    """The largest relative residual, its point (None: defined at too few) and the two sides there."""
    import mpmath

    found: list[tuple[Any, int, tuple[float, float]]] = []
    with mpmath.workdps(DIGITS):
        for k, point in enumerate(points):
            at = {name: mpmath.mpf(v) for name, v in point.items()}
            (value, *sides), scale = evaluate_at([residual, left, right], at, mpmath)
            if value == value:
                relative = abs(value) / (scale or 1)
                found.append((relative, k, (float(sides[0]), float(sides[1]))))
    if len(found) < FEWEST_POINTS:
        return 0, None, (0.0, 0.0)
    worst, k, both = max(found)
    return worst, points[k], both


def _simplifies(residual: Node) -> bool:
    """Whether SymPy reduces the residual to 0."""
    import sympy

    from stochsim.symbolic.to_sympy import number, to_sympy

    if residual.equals(0.0):
        return True
    if any(number(n.value, exact=True).is_Float for n in g.walk([residual]) if n.is_const):
        return False  # SymPy would cancel by rounding what is only nearly 0
    (expression,) = to_sympy([residual], {}, exact=True)
    size = sympy.count_ops(expression)
    if size <= LARGEST_CANCELLED and (sympy.expand(expression) == 0 or sympy.cancel(expression) == 0):
        return True
    return bool(size <= LARGEST_SIMPLIFIED and sympy.simplify(expression) == 0)


def _readable_names(formula: Any, scalar: bool) -> dict[str, str]:
    """Inputs as the arguments of ``exact`` that they are."""
    names = {"t": "t"} | {name: name.removeprefix("p.") for name in formula.parameters.vector_names}
    names |= {f"x{i}": "x0" if scalar else f"x0[{i}]" for i in range(formula.d)}
    return names | {f"w{j}": "W" if formula.m == 1 else f"W[{j}]" for j in range(formula.m)}
