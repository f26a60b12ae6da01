"""Models made from their closed-form solution, which is proved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.errors import ModelError
from stochsim.itolemma import replaced
from stochsim.parameters import Parameters
from stochsim.sde import SDE
from stochsim.symbolic import graph as g
from stochsim.symbolic.calculus import gradient, time_derivative
from stochsim.symbolic.proofs import check_solution, prove_solution
from stochsim.symbolic.structure import sample_points
from stochsim.symbolic.tracing import Sym, as_node, as_sym, symbols, trace

__all__ = ["from_exact"]

LARGEST = 150  # operations of a derived coefficient that SymPy may simplify

Exact = Callable[[Any, Any, Any, Any], Any]
Coefficient = Callable[[Any, Any, Any], Any]


def from_exact(
    exact: Exact,
    *,
    drift: Coefficient | None = None,
    diffusion: Coefficient | None = None,
    inverse: Exact | None = None,
    params: Mapping[str, Any] | None = None,
    x0: Any = 1.0,
    calculus: str = "ito",
    components: Sequence[str] | None = None,
    satisfies: Sequence[str] = (),
    name: str = "from_exact",
) -> SDE:
    """The SDE that a closed form X_t = F(x0, t, W_t) solves, with the solution proved by Itô's formula.

    A coefficient that is not given is derived: at the W for which F(x0, t, W) = x, the diffusion is
    b_j(x, t) = F_{w_j} and the Itô drift is a(x, t) = F_t + 1/2 sum_j F_{w_j w_j} (Stratonovich: F_t). This
    needs as many Brownian motions as components.

    Parameters
    ----------
    exact : callable
        ``exact(x0, t, W, p)``: the state at time ``t`` with the Brownian motion ``W`` at ``t``, a scalar for
        one noise, else (m,).
    drift, diffusion : callable, optional
        Coefficients ``(x, t, p)`` that are claimed; they are checked against the solution.
    inverse : callable, optional
        ``inverse(x, x0, t, p)``: the W with exact(x0, t, W, p) = x. Found symbolically for one noise where
        possible; needed for more.
    params, x0, calculus, components, satisfies, name
        As for `SDE`; no hypothesis is claimed unless ``satisfies`` names it.

    Returns
    -------
    SDE
        With ``exact`` attached.

    Raises
    ------
    ModelError
        If the claimed solution is wrong (naming the identity that fails and a point where it does), if W cannot
        be found from x, or if what is derived depends on the start, so that no SDE has this solution.
    """
    known = {
        "params": params or {},
        "x0": x0,
        "calculus": calculus,
        "components": components,
        "satisfies": satisfies,
        "name": name,
        "exact": exact,
    }
    if drift is not None and diffusion is not None:
        sde = SDE(drift=drift, diffusion=diffusion, **known)
        check_solution(sde)
        return sde
    derived = _Derived.of(exact, inverse, SDE(_still, diffusion or _still, **known))
    sde = SDE(drift=drift or derived.drift, diffusion=diffusion or derived.diffusion, **known)
    proof = prove_solution(sde)
    if not proof:
        raise ModelError(
            f"no SDE with coefficients of (x, t) has the solution {name}: with the coefficients that follow from it "
            f"at x0={sde.start.tolist()}, {proof}"
        )
    return sde


def _still(x: Any, t: Any, p: Any) -> Any:
    """A coefficient to stand in until the derived one is there."""
    return 0.0 * x


@dataclass(frozen=True)
class _Derived:
    """Coefficients read off a solution, as formulas of ``x*, t, p.*``."""

    a: Sym
    b: Sym

    @staticmethod
    def of(exact: Exact, inverse: Exact | None, sde: SDE) -> _Derived:
        s, w, t, p = symbols("s", (sde.d,)), symbols("w", (sde.m,)), Sym(np.array(g.var("t"))), sde.formula().p
        path = w[0] if sde.m == 1 else w
        F = trace(exact, (s.reshape(sde.start.shape), t, path, p), "exact").flatten()
        if F.size != sde.d:
            raise ModelError(f"exact returned {F.size} values for a state of {sde.d}; return the state at time t")
        W = _given(inverse, sde, t, p) if inverse is not None else _found(F, sde)
        slope = gradient(F, w)
        change: Any = time_derivative(F, t)
        if sde.calculus == "ito":
            for j in range(sde.m):
                change = change + 0.5 * gradient(slope[:, j], w)[:, j]
        points = _points(F, sde)
        a, b = (_without_start(replaced(c, "w", W), sde, points) for c in (as_sym(change), slope))
        return _Derived(a.reshape(sde.start.shape), b)

    def drift(self, x: Any, t: Any, p: Any) -> Sym:
        return replaced(replaced(self.a, "x", as_sym(x)), "t", as_sym(t))

    def diffusion(self, x: Any, t: Any, p: Any) -> Sym:
        return replaced(replaced(self.b, "x", as_sym(x)), "t", as_sym(t))


def _given(inverse: Exact, sde: SDE, t: Sym, p: Any) -> Sym:
    x, s = (symbols(letter, (sde.d,)).reshape(sde.start.shape) for letter in "xs")
    W = trace(inverse, (x, s, t, p), "inverse").flatten()
    if W.size != sde.m:
        raise ModelError(f"inverse returned {W.size} values for {sde.m} Brownian motions; return W, one value each")
    return W


def _found(F: Sym, sde: SDE) -> Sym:
    """The Brownian motion in terms of ``x0, s0, t, p.*``, for one component and one noise."""
    from stochsim.symbolic.inverse import invert

    W = None
    if sde.d == sde.m == 1 and "w0" in g.variables(F.flat()):
        W = invert(as_node(F), "w0", _others(sde)[0], target="x0")
    if W is None:
        raise ModelError(
            f"exact of {sde.name} could not be solved for W, from which its drift and diffusion would follow; give "
            "drift and diffusion, or inverse=lambda x, x0, t, p: W"
        )
    return Sym(np.array([W], dtype=object))


def _others(sde: SDE) -> list[dict[str, float]]:
    """Random points with the start as ``s*``."""
    points = sample_points(sde.start.ravel().tolist(), Parameters.of(sde.params).first_vector())
    return [{**p} | {f"s{i}": p[f"x{i}"] for i in range(sde.d)} for p in points]


def _points(F: Sym, sde: SDE) -> list[dict[str, float]]:
    """Random points with a state ``x*`` that the solution reaches from the start ``s*`` at time t."""
    from stochsim.symbolic.numbers import evaluate_at

    points = []
    for k, point in enumerate(_others(sde)):
        at = point | {f"w{j}": np.sin(1.0 + 5 * k + j) for j in range(sde.m)}
        values, _ = evaluate_at(F.flat(), at)
        if np.isfinite(values).all():
            points.append(at | {f"x{i}": float(v) for i, v in enumerate(values)})
    return points


def _without_start(values: Sym, sde: SDE, points: list[dict[str, float]]) -> Sym:
    """Formulas of x and t alone: the start cancels, or is set to the model's (the proof covers all others)."""
    from stochsim.symbolic.from_sympy import simplified

    nodes = simplified(values.flat(), points, LARGEST)
    start = {f"s{i}": g.const(float(v)) for i, v in enumerate(sde.start.ravel())}
    return Sym(np.array(g.substitute(nodes, start), dtype=object).reshape(values.shape))
