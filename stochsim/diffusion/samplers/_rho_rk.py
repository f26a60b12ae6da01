"""ρRK-DEIS: explicit Runge–Kutta methods in ρ = σ/α."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._steps import first_order, noise_flow, tables
from stochsim.diffusion.samplers._tableaux import explicit_step, tableau


def _order(options: Options) -> float:
    return tableau(options["method"]).order


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    nfe=lambda o: tableau(o["method"]).stages,
    parametrisation="eps",
    variants=({"method": "kutta3"}, {"method": "rk4"}, {"method": "heun3"}),
    aliases=("DEIS rhoRK", "rhoRK3", "rhoRK4"),
    reference="Zhang & Chen 2023, section 3.3 and algorithm 2 (appendix)",
)
def rho_rk(model: Any, x: Any, grid: Any, noise: Any, *, method: str = "kutta3") -> Iterator[Any]:
    """Step y' = RK(y), for dy/dρ = ε with y = x/α and ρ = σ/α; x' = α' y'.

    Evaluations a step: the stages of the tableau (see `runge_kutta`). Exact for a point mass; a step to σ = 0 is of
    order 1. With method="heun" it is `edm_heun`.
    """
    rk = tableau(method)
    t, a, s, _ = tables(model, grid)
    for i in range(len(t) - 1):
        eps = model.eps(x, t[i])
        if s[i + 1] == 0.0:
            x = first_order(x, eps, "eps", a[i], s[i], a[i + 1], s[i + 1])
        else:
            rate, h = noise_flow(model, t[i], t[i + 1])
            x = a[i + 1] * explicit_step(rk, rate, x / a[i], h, eps)
        yield x
