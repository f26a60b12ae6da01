"""ρAB-DEIS, better known as LMS: Adams–Bashforth methods in ρ = σ/α."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._coefficients import adams, combine
from stochsim.diffusion.samplers._steps import check, start_step, tables


def _order(options: Options) -> float:
    order = float(options["order"])
    return order if options["starter"] == "runge-kutta" else min(order, 2.0)


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    history=3,
    starter="Runge–Kutta of order - 1 in σ/α",
    parametrisation="eps",
    variants=({"order": 2}, {"order": 3}, {"order": 4}),
    aliases=("LMS", "LMS-4", "rhoAB-DEIS", "iPNDM-v"),
    reference="Zhang & Chen 2023, section 3.3; Hairer, Nørsett & Wanner 1993, III.5",
)
def rho_ab(model: Any, x: Any, grid: Any, noise: Any, *, order: int = 4, starter: str = "runge-kutta") -> Iterator[Any]:
    """x'/α' = x/α + Σ_k w_k ε_k, w_k = ∫ ℓ_k dρ from ρ to ρ', with Lagrange's polynomials ℓ_k in ρ = σ/α.

    One evaluation a step, for orders 1 to 4. The first order - 1 steps are of Runge–Kutta methods of order - 1, with
    as many evaluations each; with starter="cold", as in k-diffusion, of as many predictions as there are, which leaves
    order 2.
    """
    check("order", order, (1, 2, 3, 4))
    check("starter", starter, ("runge-kutta", "cold"))
    t, a, s, _ = tables(model, grid)
    rho = [q / p for p, q in zip(a, s, strict=True)]
    past: list[tuple[float, Any]] = []  # ρ and ε, newest first
    for i in range(len(t) - 1):
        eps = model.eps(x, t[i])
        past = [(rho[i], eps), *past][:order]
        if len(past) < order and starter == "runge-kutta":
            x = start_step(model, x, eps, "eps", t[i], t[i + 1], order - 1)
        else:
            w = adams([place - rho[i] for place, _ in past], rho[i + 1] - rho[i])
            x = (a[i + 1] / a[i]) * x + a[i + 1] * combine(w, [e for _, e in past])
        yield x
