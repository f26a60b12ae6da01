"""Planted bugs: every scheme, wrong in every way that a careful author still gets wrong.

A mutant is a scheme whose formula was changed by one operator. Its one-step difference from the original
says beforehand what it is: *equivalent* (the declared local orders still hold: an order test must not flag
it, the formula check must) or *faulty* (some order test must flag it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stochsim.formula import Formula
from stochsim.orders.expansion import LocalOrders, local_orders
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE
from stochsim.steps import ArrayStep
from stochsim.symbolic import graph as g
from stochsim.symbolic.calculus import Diffusion
from stochsim.symbolic.graph import Node
from stochsim.symbolic.tracing import Sym

Formulas = Callable[..., Any]
TERM_CHANGES = (("dropped", 0.0), ("sign", -1.0), ("halved", 0.5), ("x 0.9", 0.9), ("x 1.1", 1.1))


@dataclass(frozen=True)
class Mutant:
    """A scheme with one planted bug; ``lag`` is a bug in the use of the noise instead of in the formula."""

    name: str
    scheme: Scheme
    lag: str = ""


def mutants(scheme: Scheme, sde: SDE) -> list[Mutant]:
    """Every mutant of a scheme on a model, those that change nothing there left out."""
    made = [*_coefficient_mutants(scheme), *_argument_mutants(scheme), *_term_mutants(scheme, sde)]
    if sde.m > 1:
        made.append(
            Mutant("noises taken one by one: cross terms lost", _mutated(scheme, _without_cross_terms(scheme.formula)))
        )
    kept = [m for m in made if _changes(m.scheme, scheme, sde)]
    return [*kept, *(Mutant(f"increments {lag}", scheme, lag) for lag in ("shifted", "reused"))]


def classify(mutant: Mutant, scheme: Scheme, sde: SDE) -> tuple[str, LocalOrders]:
    """``equivalent`` or ``faulty``, with the local orders that decide."""
    original, changed = ArrayStep(sde, scheme), ArrayStep(sde, mutant.scheme)
    x0 = sde.start.reshape(-1, 1)
    states = x0 * np.array([0.8, 1.0, 1.3]) + np.array([0.05, 0.11, 0.17])
    found = local_orders(original, changed, states, lagged=bool(mutant.lag))
    classes = sde.noise_classes
    strong, weak = scheme.declared("strong", classes), scheme.declared("weak", classes)
    if mutant.lag == "shifted":  # the errors telescope to W(T) - W(T - h): strong order 1/2, weak order 1
        return ("equivalent" if (strong or 0.0) <= 0.5 and (weak or 0.0) <= 1.0 else "faulty"), found
    kept = (strong is None or found.keeps_strong(strong)) and (weak is None or found.keeps_weak(weak))
    return ("equivalent" if kept else "faulty"), found


def _changes(mutated: Scheme, scheme: Scheme, sde: SDE) -> bool:
    a, b = ArrayStep(sde, scheme).program.update, ArrayStep(sde, mutated).program.update
    return any(p is not q for p, q in zip(a, b, strict=True))


def _mutated(scheme: Scheme, formula: Formulas) -> Scheme:
    return replace(scheme, formula=formula)


# --- wrong coefficients ---------------------------------------------------------------------------


def _coefficient_mutants(scheme: Scheme) -> Iterator[Mutant]:
    for factor in (0.99, 1.01):
        yield Mutant(f"drift x {factor:g}", _with_view(scheme, _scaled(drift=factor)))
    for factor in (0.95, 0.98, 0.99, 1.01, 1.02, 1.05):
        yield Mutant(f"noise x {factor:g}", _with_view(scheme, _scaled(diffusion=factor)))
    yield Mutant("other calculus", _with_view(scheme, _other_calculus))


def _with_view(scheme: Scheme, change: Callable[[Formula], Formula]) -> Scheme:
    return _mutated(scheme, lambda sde, *args: scheme.formula(change(sde), *args))


def _scaled(drift: float = 1.0, diffusion: float = 1.0) -> Callable[[Formula], Formula]:
    def change(sde: Formula) -> Formula:
        b = Diffusion((diffusion * Sym(sde.b.nodes)).nodes)
        return replace(sde, a=drift * sde.a, b=b)

    return change


def _other_calculus(sde: Formula) -> Formula:
    # the coefficients that this process has in the other calculus, used as if they belonged to this one
    other = "stratonovich" if sde.calculus == "ito" else "ito"
    return replace(sde.converted(other), calculus=sde.calculus)


# --- wrong arguments --------------------------------------------------------------------------------


def _argument_mutants(scheme: Scheme) -> Iterator[Mutant]:
    f = scheme.formula
    yield Mutant("time at the end of the step", _mutated(scheme, lambda sde, x, t, h, *n: f(sde, x, t + h, h, *n)))
    for name, power in (("h in place of sqrt(h) in the noise", 0.5), ("noise too rough: h^(1/4)", -0.25)):
        yield Mutant(name, _mutated(scheme, _rescaled_noise(f, power)))
    yield Mutant("drift at half a noise step ahead", _with_view_at(scheme))


def _rescaled_noise(f: Formulas, power: float) -> Formulas:
    return lambda sde, x, t, h, *noise: f(sde, x, t, h, *(v * h**power for v in noise))


def _with_view_at(scheme: Scheme) -> Scheme:
    # a classic: the drift evaluated where the noise has already moved the state
    def formula(sde: Formula, x: Any, t: Any, h: Any, *noise: Any) -> Any:
        ahead = x + 0.5 * (sde.diffusion(x, t) @ noise[0])
        step = scheme.formula(sde, x, t, h, *noise)
        return step + (sde.drift(ahead, t) - sde.drift(x, t)) * h

    return _mutated(scheme, formula)


def _without_cross_terms(f: Formulas) -> Formulas:
    # the formula for diagonal noise on coupled noise: each Brownian motion as if it were alone
    def formula(sde: Formula, x: Any, t: Any, h: Any, *noise: Any) -> Any:
        none = [v * 0.0 for v in noise]
        still = f(sde, x, t, h, *none)
        result = still
        for j in range(sde.m):
            alone = [Sym(np.array([n if i == j else g.ZERO for i, n in enumerate(v.flat())])) for v in noise]
            result = result + (f(sde, x, t, h, *alone) - still)
        return result

    return formula


# --- wrong terms ------------------------------------------------------------------------------------


def _term_mutants(scheme: Scheme, sde: SDE) -> Iterator[Mutant]:
    program = ArrayStep(sde, scheme).program.update
    count = max(len(terms(node)) for node in program)
    if count < 3 and any(n.op == "solve" for n in g.walk(program)):
        yield from _hidden_term_mutants(scheme)
        return
    for i in range(1, count):
        for name, factor in TERM_CHANGES:
            yield Mutant(f"term {i} {name}", _mutated(scheme, _term_scaled(scheme.formula, i, factor)))


def _hidden_term_mutants(scheme: Scheme) -> Iterator[Mutant]:
    # the terms are inside an implicit equation: there they are the two coefficients
    for name, factor in TERM_CHANGES:
        yield Mutant(f"drift term {name}", _with_view(scheme, _scaled(drift=factor)))
        yield Mutant(f"noise term {name}", _with_view(scheme, _scaled(diffusion=factor)))


def terms(node: Node) -> list[tuple[float, Node]]:
    """A sum as its signed terms, outermost additions only."""
    if node.op == "add":
        return terms(node.args[0]) + terms(node.args[1])
    if node.op == "sub":
        return terms(node.args[0]) + [(-sign, n) for sign, n in terms(node.args[1])]
    if node.op == "neg":
        return [(-sign, n) for sign, n in terms(node.args[0])]
    return [(1.0, node)]


def _term_scaled(f: Formulas, index: int, factor: float) -> Formulas:
    def formula(*args: Any) -> Sym:
        result: Sym = f(*args)
        nodes = [_rebuilt(terms(n), index, factor) for n in result.flat()]
        return Sym(np.array(nodes, dtype=object).reshape(result.shape))

    return formula


def _rebuilt(parts: list[tuple[float, Node]], index: int, factor: float) -> Node:
    scaled = [(sign * (factor if i == index else 1.0), n) for i, (sign, n) in enumerate(parts)]
    return g.total(g.mul(g.const(sign), n) for sign, n in scaled)
