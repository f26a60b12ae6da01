"""DPM-Solver-3: two inner points in log(α/σ)."""

from __future__ import annotations

from collections.abc import Iterator
from math import expm1, isclose, isinf
from typing import Any

from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._coefficients import phi
from stochsim.diffusion.samplers._steps import first_order, tables


def _order(options: Options) -> float:
    return 3.0 if isclose(options["r2"], 2 / 3) else 2.0


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    nfe=3,
    parametrisation="eps",
    variants=({}, {"r1": 0.5}),
    aliases=("DPM-Solver-3", "singlestep_fixed-3"),
    reference="Lu et al. 2022, algorithm 2 (r1 = 1/3, r2 = 2/3)",
)
def dpm_solver_3(model: Any, x: Any, grid: Any, noise: Any, *, r1: float = 1 / 3, r2: float = 2 / 3) -> Iterator[Any]:
    """Step x' = (α'/α) x - σ' (e^h - 1) ε - σ'/r2 ((e^h - 1)/h - 1) (ε_2 - ε), ε_2 = ε(u_2) at λ + r2 h.

    u_1 = (α_1/α) x - σ_1 (e^{r1 h} - 1) ε and
    u_2 = (α_2/α) x - σ_2 (e^{r2 h} - 1) ε - σ_2 r2/r1 ((e^{r2 h} - 1)/(r2 h) - 1) (ε_1 - ε).
    Three evaluations a step; a step to σ = 0 is of order 1. With another r2 the
    solution is of order 2.
    """
    p = model.process
    t, a, s, lam = tables(model, grid)
    for i in range(len(t) - 1):
        h = lam[i + 1] - lam[i]
        eps = model.eps(x, t[i])
        if isinf(h):
            x = first_order(x, eps, "eps", a[i], s[i], a[i + 1], s[i + 1])
        else:
            t1, t2 = float(p.t_of_lam(lam[i] + r1 * h)), float(p.t_of_lam(lam[i] + r2 * h))
            a1, s1, a2, s2 = float(p.alpha(t1)), float(p.sigma(t1)), float(p.alpha(t2)), float(p.sigma(t2))
            d1 = model.eps((a1 / a[i]) * x - (s1 * expm1(r1 * h)) * eps, t1) - eps
            u2 = (a2 / a[i]) * x - (s2 * expm1(r2 * h)) * eps - (s2 * (r2 / r1) * r2 * h * phi(2, r2 * h)) * d1
            d2 = model.eps(u2, t2) - eps
            x = (a[i + 1] / a[i]) * x - (s[i + 1] * expm1(h)) * eps - (s[i + 1] / r2 * h * phi(2, h)) * d2
        yield x
