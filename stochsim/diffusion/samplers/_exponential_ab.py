"""Exponential Adams–Bashforth methods with noise, data or velocity prediction."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._coefficients import combine, exponential
from stochsim.diffusion.samplers._steps import check, first_order, predictor, start_step, tables


def _order(options: Options) -> float:
    order = float(options["order"])
    return order if options["starter"] == "runge-kutta" else min(order, 2.0)


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    history=3,
    starter="Runge–Kutta of order - 1 in σ/α or α/σ",
    parametrisation="x0",
    variants=tuple({"prediction": p, "order": k} for p in ("x0", "eps") for k in (2, 3, 4)),
    aliases=("MRS", "EAB", "REAB", "xEAB", "zEAB", "exponential Adams"),
    reference="Li et al. 2025 (MRS), section 3; Hochbruck & Ostermann 2010, eq. 2.39; Zhang & Chen 2023, section 3.2",
)
def exponential_ab(
    model: Any, x: Any, grid: Any, noise: Any,
    *, order: int = 2, prediction: str = "x0", starter: str = "runge-kutta",
) -> Iterator[Any]:  # fmt: skip
    """Step x' = (σ'/σ) x + α' Σ w_k D_k, w_k = ∫₀^h e^{-(h-u)} ℓ_k(u) du, or x' = (α'/α) x - σ' Σ w_k ε_k with e^{h-u}.

    ℓ_k are Lagrange's polynomials in λ through the last `order` predictions (1 to 4); one evaluation a step. The first
    order - 1 steps are of Runge–Kutta methods of order - 1, with as many evaluations each; with starter="cold" of as
    many predictions as there are, which leaves order 2. For a mean-reverting process these are the solvers MRS-n and
    MRS-d of x - centre, in which the terms with the centre vanish. Steps to σ = 0, or from α = 0, are of order 1.
    """
    check("order", order, (1, 2, 3, 4))
    check("starter", starter, ("runge-kutta", "cold"))
    predict = predictor(model, prediction)
    t, a, s, lam = tables(model, grid) if prediction == "eps" else model.tables(grid)
    past: list[tuple[float, Any]] = []  # λ and prediction, newest first
    for i in range(len(t) - 1):
        h = lam[i + 1] - lam[i]
        m = predict(x, t[i])
        past = [(lam[i], m), *past][:order]
        if not isfinite(h):
            x = first_order(x, m, prediction, a[i], s[i], a[i + 1], s[i + 1])
        elif len(past) < order and starter == "runge-kutta":
            x = start_step(model, x, m, prediction, t[i], t[i + 1], order - 1)
        else:
            x = _step(x, past, prediction, h, a[i + 1] / a[i] if prediction == "eps" else s[i + 1] / s[i],
                      s[i + 1] if prediction == "eps" else a[i + 1])  # fmt: skip
        past = [entry for entry in past if isfinite(entry[0])]
        yield x


def _step(x: Any, past: list[tuple[float, Any]], prediction: str, h: float, ratio: float, scale: float) -> Any:
    sign = 1.0 if prediction == "eps" else -1.0
    w = exponential([lam - past[0][0] for lam, _ in past], h, sign)
    return ratio * x + combine([-sign * scale * weight for weight in w], [m for _, m in past])
