"""DPM-Solver-2: one inner point in log(α/σ)."""

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
    nfe=2,
    parametrisation="eps",
    variants=({}, {"r": 0.7}),
    aliases=("DPM-Solver-2", "DPM2", "KDPM2", "DPM-Solver singlestep-2"),
    reference="Lu et al. 2022, algorithm 1 (r = 1/2) and algorithm 4 (appendix)",
)
def dpm_solver_2(model: Any, x: Any, grid: Any, noise: Any, *, r: float = 0.5) -> Iterator[Any]:
    """Steps u = (α_r/α) x - σ_r (e^{rh} - 1) ε, x' = (α'/α) x - σ' (e^h - 1) (ε + (ε_r - ε)/2r), ε_r = ε(u) at λ + r h.

    Two evaluations a step; a step to σ = 0 is of order 1.
    """
    p = model.process
    t, a, s, lam = tables(model, grid)
    for i in range(len(t) - 1):
        h = lam[i + 1] - lam[i]
        eps = model.eps(x, t[i])
        if isinf(h):
            x = first_order(x, eps, "eps", a[i], s[i], a[i + 1], s[i + 1])
        else:
            inner = float(p.t_of_lam(lam[i] + r * h))
            u = (float(p.alpha(inner)) / a[i]) * x - (float(p.sigma(inner)) * expm1(r * h)) * eps
            eps = eps + (0.5 / r) * (model.eps(u, inner) - eps)
            x = (a[i + 1] / a[i]) * x - (s[i + 1] * expm1(h)) * eps
        yield x
