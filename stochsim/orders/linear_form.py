"""Read the matrices of a linear SDE off its formulas."""

from __future__ import annotations

import numpy as np

from stochsim.formula import Formula
from stochsim.orders.linear_sde import LinearSDE
from stochsim.symbolic import graph as g
from stochsim.symbolic.calculus import gradient
from stochsim.symbolic.numbers import evaluate_at
from stochsim.symbolic.tracing import Sym


def linear_form(formula: Formula) -> LinearSDE | None:
    """The Itô matrices at the model's (first) parameter values; None unless linear and autonomous."""
    if formula.opaque:
        return None
    ito = formula.converted("ito")
    if not ito.autonomous:
        return None
    x, b = ito.x, ito.b.matrix
    slopes = [gradient(ito.a, x), *(gradient(b[:, k], x) for k in range(ito.m))]
    if any(_depends_on_state(s) for s in slopes):
        return None
    vector = ito.parameters.first_vector()
    matrices = [_numbers(s, vector) for s in slopes]
    origin = dict(vector) | {f"x{i}": 0.0 for i in range(ito.d)} | {"t": 0.0}
    constants = [_numbers(v, origin) for v in (ito.a, *(b[:, k] for k in range(ito.m)))]
    return LinearSDE(matrices[0], constants[0], np.array(matrices[1:]), np.array(constants[1:]))


def _depends_on_state(value: Sym) -> bool:
    return any(name.startswith("x") for name in g.variables(value.flat()))


def _numbers(value: Sym, point: dict[str, float]) -> np.ndarray:
    values, _ = evaluate_at(value.flat(), point)
    return np.array(values, dtype=float).reshape(value.shape)
