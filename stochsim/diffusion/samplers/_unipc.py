"""UniPC: a predictor, and a corrector that pays no evaluation of its own."""

from __future__ import annotations

from collections.abc import Iterator
from math import expm1, factorial, isfinite
from typing import Any

import numpy as np

from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._coefficients import combine, phi
from stochsim.diffusion.samplers._steps import check, first_order, predictor, start_step, tables

Past = list[tuple[float, Any]]  # λ and prediction, newest first


def _order(options: Options) -> float:
    order = float(options["order"])
    return order + 1.0 if options["starter"] == "runge-kutta" else min(order + 1.0, 3.0)


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    history=3,
    starter="Runge–Kutta of this order in σ/α or α/σ",
    parametrisation="x0",
    variants=(
        *({"order": p, "kind": k} for p in (1, 2) for k in ("bh1", "bh2")),
        {"order": 3}, {"order": 4}, {"order": 3, "prediction": "eps"},
    ),
    aliases=("UniPC", "UniPC-bh1", "UniPC-bh2"),
    reference="Zhao et al. 2023, algorithms 1 and 2 (appendix), theorem 3.1",
)  # fmt: skip
def unipc(
    model: Any, x: Any, grid: Any, noise: Any,
    *, order: int = 3, kind: str = "bh2", prediction: str = "x0", starter: str = "runge-kutta",
) -> Iterator[Any]:  # fmt: skip
    """Predict with R_{p-1} ρ = b, evaluate, correct with R_p ρ = b; the evaluation serves the next step.

    x' = (σ'/σ) x - α' (e^{-h} - 1) D - α' B(h) Σ ρ_m (D_m - D)/r_m, r_m = (λ_m - λ)/h, with σ', e^h - 1 for noise
    prediction. B(h) = -h for kind="bh1" and e^{-h} - 1 for "bh2"; ρ solves Σ_m r_m^{i-1} ρ_m = i! φ_{i+1} hh/B(h), so
    that B cancels and both kinds are the same map but for the two places where ρ is put to 1/2: the corrector of order
    1 and the predictor of order 2.

    One evaluation a step. order is that of the predictor, 1 to 4; corrected, the solution is of order + 1. The first
    order - 1 steps are of a Runge–Kutta method; with starter="cold" the order grows from 1, which leaves order 3. Steps
    to σ = 0, or from α = 0, are of order 1; the last step is not corrected, which costs no order.
    """
    check("order", order, (1, 2, 3, 4))
    check("kind", kind, ("bh1", "bh2"))
    check("starter", starter, ("runge-kutta", "cold"))
    predict = predictor(model, prediction)
    t, a, s, lam = tables(model, grid) if prediction == "eps" else model.tables(grid)
    last = len(t) - 2
    m: Any = predict(x, t[0])
    past: Past = []
    for i in range(len(t) - 1):
        h, ends = lam[i + 1] - lam[i], (a[i], s[i], a[i + 1], s[i + 1])
        past = [(lam[i], m), *past][:order] if isfinite(lam[i]) else []
        ready = isfinite(h) and (len(past) == order or starter == "cold")
        if ready:
            base, scale, hh = _linear(x, m, prediction, h, *ends)
            ratios = [(earlier - lam[i]) / h for earlier, _ in past[1:]]
            steps = [(other - m) / r for (_, other), r in zip(past[1:], ratios, strict=True)]
            predicted = base - scale * _sum(_rho(ratios, hh, kind), steps)
        elif isfinite(h):
            predicted = start_step(model, x, m, prediction, t[i], t[i + 1], order)
        else:
            predicted = first_order(x, m, prediction, *ends)
        x = predicted
        if i < last:
            new = predict(predicted, t[i + 1])
            if ready:
                x = base - scale * _sum(_rho([*ratios, 1.0], hh, kind), [*steps, new - m])
            m = new
        yield x


def _linear(x: Any, m: Any, prediction: str, h: float, a: float, s: float, a2: float, s2: float) -> Any:
    """The step of order 1, the factor of the rest (its B apart), and hh."""
    if prediction == "eps":
        return (a2 / a) * x - (s2 * expm1(h)) * m, s2, h
    return (s2 / s) * x - (a2 * expm1(-h)) * m, a2, -h


def _rho(ratios: list[float], hh: float, kind: str) -> list[float]:
    """B(h) ρ."""
    if len(ratios) == 1:
        return [0.5 * (hh if kind == "bh1" else expm1(hh))]
    n = len(ratios)
    b = [factorial(i) * phi(i + 1, hh) * hh for i in range(1, n + 1)]
    return np.linalg.solve(np.vander(ratios, n, increasing=True).T, b).tolist() if n else []


def _sum(rho: list[float], steps: list[Any]) -> Any:
    return combine(rho, steps) if rho else 0.0
