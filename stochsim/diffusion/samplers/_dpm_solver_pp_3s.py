"""DPM-Solver++(3S): two inner points, data prediction."""

from __future__ import annotations

from collections.abc import Iterator
from math import expm1, isinf
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._coefficients import phi
from stochsim.diffusion.samplers._steps import first_order


@sampler(
    kind="ode",
    path_order=3,
    law_order=3,
    nfe=3,
    parametrisation="x0",
    aliases=("DPM++ 3S", "DPM-Solver++ singlestep-3"),
    reference="Lu et al. 2022b, appendix (the data-prediction form of Lu et al. 2022, algorithm 2)",
)
def dpm_solver_pp_3s(model: Any, x: Any, grid: Any, noise: Any, *, r1: float = 1 / 3) -> Iterator[Any]:
    """Step x' = (σ'/σ) x + α' h (φ_1 D + φ_2 (D_2 - D)/r2), with φ_k of -h, D_2 = D(u_2) at λ + r2 h and r2 = 2/3.

    u_1 = (σ_1/σ) x + α_1 r1 h φ_1 D and u_2 = (σ_2/σ) x + α_2 r2 h (φ_1 D + (r2/r1) φ_2 (D_1 - D)), with φ_k of -r1 h
    and of -r2 h. Three evaluations a step; steps to σ = 0, or from α = 0, are of order 1.
    """
    p, r2 = model.process, 2 / 3
    t, a, s, lam = model.tables(grid)
    for i in range(len(t) - 1):
        h = lam[i + 1] - lam[i]
        d = model.denoised(x, t[i])
        if isinf(h):
            x = first_order(x, d, "x0", a[i], s[i], a[i + 1], s[i + 1])
        else:
            t1, t2 = float(p.t_of_lam(lam[i] + r1 * h)), float(p.t_of_lam(lam[i] + r2 * h))
            a1, s1, a2, s2 = float(p.alpha(t1)), float(p.sigma(t1)), float(p.alpha(t2)), float(p.sigma(t2))
            d1 = model.denoised((s1 / s[i]) * x - (a1 * expm1(-r1 * h)) * d, t1) - d
            u2 = (s2 / s[i]) * x - (a2 * expm1(-r2 * h)) * d + (a2 * r2 * h * (r2 / r1) * phi(2, -r2 * h)) * d1
            d2 = model.denoised(u2, t2) - d
            x = (s[i + 1] / s[i]) * x - (a[i + 1] * expm1(-h)) * d + (a[i + 1] * h * phi(2, -h) / r2) * d2
        yield x
