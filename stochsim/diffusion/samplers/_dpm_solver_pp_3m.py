"""DPM-Solver++(3M): two earlier data predictions, with the right coefficient of the second difference."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._coefficients import phi
from stochsim.diffusion.samplers._steps import check, first_order, start_step


def _order(options: Options) -> float:
    return 3 if options["starter"] == "midpoint" else 2


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    history=2,
    starter="midpoint rule",
    parametrisation="x0",
    aliases=("DPM++ 3M", "DPM-Solver++ multistep-3"),
    reference="Lu et al. 2022b, appendix, corrected; Hochbruck & Ostermann 2010, eq. 2.39",
)
def dpm_solver_pp_3m(model: Any, x: Any, grid: Any, noise: Any, *, starter: str = "midpoint") -> Iterator[Any]:
    """Step x' = (σ'/σ) x + α' h (φ_1 D + φ_2 D1 + 2 φ_3 D2), with φ_k of -h and D = E[x_0|x].

    D1 and D2 are the derivative in λ times h, and half the second derivative times h², from divided differences; the
    published coefficient of D2 lacks the factor 2 and gives order 2. One evaluation a step; the first step has one
    more, for the midpoint rule in κ = α/σ, and the second is that of order 2. With starter="cold" the first step is of
    order 1, which leaves order 2. Steps to σ = 0, or from α = 0, are of order 1.
    It is `exponential_ab` of order 3.
    """
    check("starter", starter, ("midpoint", "cold"))
    t, a, s, lam = model.tables(grid)
    past: list[tuple[float, Any]] = []  # λ and D, newest first
    for i in range(len(t) - 1):
        h = lam[i + 1] - lam[i]
        d = model.denoised(x, t[i])
        if not isfinite(h):
            x = first_order(x, d, "x0", a[i], s[i], a[i + 1], s[i + 1])
        elif not past:
            x = start_step(model, x, d, "x0", t[i], t[i + 1], 2 if starter == "midpoint" else 1)
        else:
            d1, d2 = _differences([(lam[i], d), *past], h)
            x = (s[i + 1] / s[i]) * x + (a[i + 1] * h) * (phi(1, -h) * d + phi(2, -h) * d1 + (2.0 * phi(3, -h)) * d2)
        past = [(lam[i], d), *past][:2] if isfinite(lam[i]) else []
        yield x


def _differences(past: list[tuple[float, Any]], h: float) -> tuple[Any, Any]:
    """The differences h d/dλ and h²/2 d²/dλ² of the newest value; the second one is 0 with two values."""
    (l0, m0), (l1, m1), *older = past
    r0 = (l0 - l1) / h
    first = (m0 - m1) / r0
    if not older:
        return first, 0.0 * m0
    l2, m2 = older[0]
    r1 = (l1 - l2) / h
    second = (first - (m1 - m2) / r1) / (r0 + r1)
    return first + r0 * second, second
