"""DPM-Solver++(2S): one inner point, data prediction."""

from __future__ import annotations

from collections.abc import Iterator
from math import expm1, isinf
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._steps import first_order


@sampler(
    kind="ode",
    path_order=2,
    law_order=2,
    nfe=2,
    parametrisation="x0",
    variants=({}, {"r": 0.3}),
    aliases=("DPM++ 2S", "DPM-Solver++(2S)"),
    reference="Lu et al. 2022b, algorithm 1",
)
def dpm_solver_pp_2s(model: Any, x: Any, grid: Any, noise: Any, *, r: float = 0.5) -> Iterator[Any]:
    """Steps u = (σ_r/σ) x - α_r (e^{-rh} - 1) D, x' = (σ'/σ) x - α' (e^{-h} - 1) ((1 - 1/2r) D + D_r/2r), D_r = D(u).

    D = E[x_0|x]; two evaluations a step; steps to σ = 0, or from α = 0, are of order 1.
    """
    p = model.process
    t, a, s, lam = model.tables(grid)
    for i in range(len(t) - 1):
        h = lam[i + 1] - lam[i]
        d = model.denoised(x, t[i])
        if isinf(h):
            x = first_order(x, d, "x0", a[i], s[i], a[i + 1], s[i + 1])
        else:
            inner = float(p.t_of_lam(lam[i] + r * h))
            u = (float(p.sigma(inner)) / s[i]) * x - (float(p.alpha(inner)) * expm1(-r * h)) * d
            d = (1.0 - 0.5 / r) * d + (0.5 / r) * model.denoised(u, inner)
            x = (s[i + 1] / s[i]) * x - (a[i + 1] * expm1(-h)) * d
        yield x
