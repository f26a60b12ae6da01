"""Adams–Bashforth methods in the angle arctan(σ/α), with velocity prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import atan2, cos, hypot, log, sin
from typing import Any

from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._coefficients import adams, combine
from stochsim.diffusion.samplers._steps import STARTERS, check
from stochsim.diffusion.samplers._tableaux import explicit_step, tableau


def _order(options: Options) -> float:
    order = float(options["order"])
    return order if options["starter"] == "runge-kutta" else min(order, 2.0)


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    history=3,
    starter="Runge–Kutta of order - 1 in the angle",
    parametrisation="v",
    variants=tuple({"order": k} for k in (1, 2, 3, 4)),
    aliases=("vAB", "MRS-v", "velocity Adams"),
    reference="Salimans & Ho 2022, appendix D (the angle); Li et al. 2025 (MRS), velocity prediction",
)
def velocity_ab(
    model: Any, x: Any, grid: Any, noise: Any, *, order: int = 2, starter: str = "runge-kutta"
) -> Iterator[Any]:
    """x'/R' = x/R + Σ w_k v_k/R_k, w_k = ∫ ℓ_k dφ, with the angle φ = arctan(σ/α), R² = α² + σ² and v = α ε - σ x̂₀.

    ℓ_k are Lagrange's polynomials in φ through the last `order` predictions (1 to 4). N(0, I) does not move under a
    variance preserving process, where v = 0; α = 0 and σ = 0 are like other places. One evaluation a step. The first
    order - 1 steps are of Runge–Kutta methods of order - 1, with as many evaluations each; with starter="cold" of as
    many predictions as there are, which leaves order 2.
    """
    check("order", order, (1, 2, 3, 4))
    check("starter", starter, ("runge-kutta", "cold"))
    t, a, s, _ = model.tables(grid)
    angle, radius = [atan2(q, p) for p, q in zip(a, s, strict=True)], [hypot(p, q) for p, q in zip(a, s, strict=True)]
    past: list[tuple[float, Any]] = []  # φ and v/R, newest first
    for i in range(len(t) - 1):
        h = angle[i + 1] - angle[i]
        past = [(angle[i], model.v(x, t[i]) / radius[i]), *past][:order]
        if len(past) < order and starter == "runge-kutta":
            method, rate = tableau(STARTERS[order - 1]), _rate(model, angle[i], h, t[i + 1])
            y = explicit_step(method, rate, x / radius[i], h, past[0][1])
        else:
            y = x / radius[i] + combine(adams([phi - angle[i] for phi, _ in past], h), [v for _, v in past])
        x = radius[i + 1] * y
        yield x


def _rate(model: Any, start: float, h: float, end: float) -> Callable[[Any, float], Any]:
    """v/R at a fraction of the step."""
    p = model.process

    def rate(y: Any, c: float) -> Any:
        phi = start + c * h
        t = end if c == 1.0 else float(p.t_of_lam(log(cos(phi) / sin(phi))))
        r = hypot(float(p.alpha(t)), float(p.sigma(t)))
        return model.v(r * y, t) / r

    return rate
