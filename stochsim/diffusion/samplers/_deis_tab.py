"""tAB-DEIS: noise predictions extrapolated by polynomials in time."""

from __future__ import annotations

from collections.abc import Iterator
from math import isinf
from typing import Any

import numpy as np

from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._coefficients import combine, gauss_legendre, lagrange
from stochsim.diffusion.samplers._steps import check, first_order, start_step, tables

POINTS = 24


def _order(options: Options) -> float:
    r = float(options["order"])
    return r + 1.0 if options["starter"] == "runge-kutta" else min(r + 1.0, 2.0)


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    history=3,
    starter="Runge–Kutta of this order in σ/α",
    parametrisation="eps",
    variants=({"order": 1}, {"order": 2}, {"order": 3}),
    aliases=("DEIS", "tAB-DEIS", "DEIS-tAB"),
    reference="Zhang & Chen 2023, eqs. 14 and 15",
)
def deis_tab(
    model: Any, x: Any, grid: Any, noise: Any, *, order: int = 3, starter: str = "runge-kutta"
) -> Iterator[Any]:
    """Step x' = (α'/α) x + α' Σ_j C_j ε_j, C_j = ∫ ℓ_j(τ) dρ(τ) from t to t', with ρ = σ/α.

    ℓ_j are Lagrange's polynomials in t through the last order + 1 noise predictions; order 0 is DDIM, 3 the highest.
    The integrals are taken over λ by Gauss's rule with 24 points. One evaluation a step. The first `order` steps are of
    Runge–Kutta methods of this order, with as many evaluations each; with starter="cold" of as many predictions as
    there are, which leaves order 2. A step to σ = 0 is of order 1.
    """
    check("order", order, (0, 1, 2, 3))
    check("starter", starter, ("runge-kutta", "cold"))
    t, a, s, lam = tables(model, grid)
    rule = gauss_legendre(POINTS)
    past: list[tuple[float, Any]] = []  # time and ε, newest first
    for i in range(len(t) - 1):
        eps = model.eps(x, t[i])
        past = [(t[i], eps), *past][: order + 1]
        if isinf(lam[i + 1]) or order == 0:
            x = first_order(x, eps, "eps", a[i], s[i], a[i + 1], s[i + 1])
        elif len(past) <= order and starter == "runge-kutta":
            x = start_step(model, x, eps, "eps", t[i], t[i + 1], order)
        else:
            c = _coefficients(model.process, rule, [time for time, _ in past], lam[i], lam[i + 1])
            x = (a[i + 1] / a[i]) * x + a[i + 1] * combine(c, [e for _, e in past])
        yield x


def _coefficients(
    process: Any, rule: tuple[np.ndarray, np.ndarray], times: list[float], start: float, end: float
) -> list[float]:
    """C_j = -∫ ℓ_j(t(λ)) e^-λ dλ."""
    nodes, gauss = rule
    lam = start + (end - start) * nodes
    tau = process.t_of_lam(lam) - times[0]
    measure = (start - end) * gauss * np.exp(-lam)
    moments = measure @ np.vander(tau, len(times), increasing=True)
    return [float(np.dot(poly, moments)) for poly in lagrange([time - times[0] for time in times])]
