"""DPM-Solver++(2M): the previous data prediction instead of an inner point."""

from __future__ import annotations

from collections.abc import Iterator
from math import expm1, isfinite
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._steps import first_order


@sampler(
    kind="ode",
    path_order=2,
    law_order=2,
    history=1,
    starter="cold (keeps the order)",
    parametrisation="x0",
    aliases=("DPM++ 2M", "DPM-Solver++(2M)"),
    reference="Lu et al. 2022b, algorithm 2",
)
def dpm_solver_pp_2m(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """Step x' = (σ'/σ) x - α' (e^{-h} - 1) ((1 + 1/2r) D - D_prev/2r), with r = h_prev/h and D = E[x_0|x].

    One evaluation a step. The first step is of order 1, which one step may be; so are steps to σ = 0 or from α = 0.
    """
    t, a, s, lam = model.tables(grid)
    earlier = None
    for i in range(len(t) - 1):
        h = lam[i + 1] - lam[i]
        d = model.denoised(x, t[i])
        if earlier is None or not isfinite(h):
            x = first_order(x, d, "x0", a[i], s[i], a[i + 1], s[i + 1])
        else:
            r = (lam[i] - lam[i - 1]) / h
            x = (s[i + 1] / s[i]) * x - (a[i + 1] * expm1(-h)) * ((1.0 + 0.5 / r) * d - (0.5 / r) * earlier)
        earlier = d if isfinite(lam[i]) else None
        yield x
