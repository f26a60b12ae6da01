"""Orders on linear SDEs from exact moments: no paths, no noise."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from stochsim.codegen.arrays import compile_arrays
from stochsim.errors import ModelError
from stochsim.noise.increments import NoisePlan
from stochsim.orders.assemble import estimate_of_table, judge_table
from stochsim.orders.estimate import OrderEstimate
from stochsim.orders.linear_form import linear_form
from stochsim.orders.linear_sde import LinearSDE
from stochsim.orders.moments import LEVELS, strong_moments, strong_moments_exact, weak_moments
from stochsim.orders.step_maps import is_affine
from stochsim.orders.tables import OrderTable, order_table
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE
from stochsim.steps import ArrayStep, symbol
from stochsim.symbolic import graph as g
from stochsim.symbolic.calculus import gradient
from stochsim.symbolic.numbers import evaluate_at
from stochsim.symbolic.tracing import Sym, trace


def linear_or_refuse(sde: SDE) -> LinearSDE:
    """The linear form.

    Raises
    ------
    ModelError
        If drift or diffusion is not affine in x, or depends on time.
    """
    linear = linear_form(sde.formula())
    if linear is None:
        raise ModelError(
            f"method='moments' needs drift and diffusion affine in x and without t; {sde.name} is not: leave method out"
        )
    return linear


def moments_close(sde: SDE, scheme: Scheme, span: float) -> bool:
    """Whether the first two moments of a scheme follow a closed recursion: both SDE and step are affine in x.

    Parameters
    ----------
    sde : SDE
    scheme : Scheme
    span : float
        Length of the time interval.
    """
    return linear_form(sde.formula()) is not None and is_affine(ArrayStep(sde, scheme), span / LEVELS[0])


def strong_by_moments(sde: SDE, scheme: Scheme, *, span: float, declared: float | None) -> OrderEstimate:
    """Mean-square order: against the exact flow where the increments determine it, else between neighbouring levels.

    ``span`` is the length of the time interval, wherever it starts: the coefficients are constant.
    """
    begin = time.perf_counter()
    linear, step = linear_or_refuse(sde), ArrayStep(sde, scheme)
    plan = scheme.plan(sde.formula())
    x0 = sde.start.reshape(-1)
    if plan.needs == ("dW",):
        table = strong_moments_exact(step, linear, x0, span)
    else:
        table = strong_moments(step, x0, span, aggregate(plan))
    declared = declared if declared is not None else scheme.declared("strong", sde.noise_classes)
    return estimate_of_table(
        table, declared=declared, verdict=judge_table(table, declared), kind="strong", method="moments",
        reference=table.against, problem=sde.name, scheme=scheme.name, seconds=time.perf_counter() - begin,
    )  # fmt: skip


def weak_by_moments(
    sde: SDE,
    scheme: Scheme,
    test_function: Callable[..., Any] | None,
    *,
    span: float,
    declared: float | None,
) -> OrderEstimate | None:
    """Weak order from first and second moments; None if the test function is not a polynomial of degree 2."""
    begin = time.perf_counter()
    linear = linear_or_refuse(sde)
    table = weak_moments(ArrayStep(sde, scheme), linear, sde.start.reshape(-1), span)
    if test_function is not None:
        combined = _combine(table, sde, test_function)
        if combined is None:
            return None
        table = combined
    return estimate_of_table(
        table, declared=declared, verdict=judge_table(table, declared), kind="weak", method="moments",
        reference="exact moments through the matrix exponential", problem=sde.name, scheme=scheme.name,
        seconds=time.perf_counter() - begin,
    )  # fmt: skip


def _combine(table: OrderTable, sde: SDE, f: Callable[..., Any]) -> OrderTable | None:
    formula = sde.formula()
    x = formula.x
    value = trace(f, (Sym(x.nodes.reshape(sde.start.shape)),), "test function").flatten()
    slope = gradient(value, x)[0]
    curvature = gradient(slope, x)
    if any(n.startswith("x") for n in g.variables(curvature.flat())):
        return None
    origin = formula.parameters.first_vector() | {f"x{i}": 0.0 for i in range(sde.d)}
    first, _ = evaluate_at(slope.flat(), origin)
    second = np.array(evaluate_at(curvature.flat(), origin)[0]).reshape(sde.d, sde.d)
    i, j = np.triu_indices(sde.d)
    weights = np.concatenate([first, np.where(i == j, 0.5, 1.0) * second[i, j]])
    errors, floor = table.errors @ weights, table.floor @ np.abs(weights)
    return order_table(table.h, errors[:, None], floor[:, None], ["f"], table.against)


def aggregate(plan: NoisePlan) -> Callable[[float, np.ndarray, np.ndarray], np.ndarray]:
    """Standardised draws of a step 2h from those of its two halves, by the merge rules."""
    left = plan.draw(symbol("h"))
    right = plan.draw(symbol("h"), first=len(plan.primitives))
    merged = plan.merge(left, right, symbol("h"), symbol("h"))
    standard = tuple(g.substitute(_standardise(plan, merged), {"H": g.mul(g.const(2.0), g.var("h"))}))
    names = tuple(f"n{i}" for i in range(2 * len(plan.primitives)))
    function = compile_arrays(standard, ("h", *names))

    def combine(h: float, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.stack(np.broadcast_arrays(*function(np.float64(h), *first, *second)))

    return combine


def _standardise(plan: NoisePlan, values: dict[str, Sym]) -> list[g.Node]:
    # the inverse of NoisePlan.draw, kind by kind, over a step of length H
    h: Any = symbol("H")
    if not set(plan.needs) <= {"dW", "dZ"}:
        raise ModelError("exact strong moments are known for dW and dZ; this scheme needs Lévy areas: use paths")
    nodes: list[g.Node] = (values["dW"] / np.sqrt(h)).flat()
    if "dZ" in plan.needs:
        rest = (values["dZ"] - 0.5 * h * values["dW"]) / (h * np.sqrt(h) * float(1 / np.sqrt(12.0)))
        nodes += rest.flat()
    return nodes
