"""DPM-Solver multistep-2: the previous noise prediction instead of an inner point."""

from __future__ import annotations

from collections.abc import Iterator
from math import expm1, isinf
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._steps import first_order, tables


@sampler(
    kind="ode",
    path_order=2,
    law_order=2,
    history=1,
    starter="cold (keeps the order)",
    parametrisation="eps",
    aliases=("DPM-Solver multistep-2", "DPM-Solver-2M"),
    reference="Lu et al. 2022b, appendix (the noise-prediction form of algorithm 2)",
)
def dpm_solver_2m(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """Step x' = (α'/α) x - σ' (e^h - 1) ((1 + 1/2r) ε - ε_prev/2r), with r = h_prev/h.

    One evaluation a step. The first step is of order 1, which one step may be; so is a step to σ = 0.
    """
    t, a, s, lam = tables(model, grid)
    earlier = None
    for i in range(len(t) - 1):
        h = lam[i + 1] - lam[i]
        eps = model.eps(x, t[i])
        if earlier is None or isinf(h):
            x = first_order(x, eps, "eps", a[i], s[i], a[i + 1], s[i + 1])
        else:
            r = (lam[i] - lam[i - 1]) / h
            x = (a[i + 1] / a[i]) * x - (s[i + 1] * expm1(h)) * ((1.0 + 0.5 / r) * eps - (0.5 / r) * earlier)
        earlier = eps
        yield x
