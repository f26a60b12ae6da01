"""Explicit Runge–Kutta methods in time, for the velocity of the probability flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._tableaux import explicit_step, tableau


def _order(options: Options) -> float:
    return tableau(options["method"]).order


def _stages(options: Options) -> float:
    b = tableau(options["method"]).b
    return len(b) - (b[-1] == 0.0)


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    nfe=_stages,
    parametrisation="velocity",
    variants=({"method": "midpoint"}, {"method": "heun3"}, {"method": "rk4"}),
    aliases=("midpoint", "RK4", "dopri5 with fixed steps"),
    reference="Hairer, Nørsett & Wanner 1993, tables II.1.1, II.1.2 and II.5.2",
)
def runge_kutta(model: Any, x: Any, grid: Any, noise: Any, *, method: str = "rk4") -> Iterator[Any]:
    """Step x' = x + h Σ b_i k_i, with slopes k_i = v(x + h Σ_j a_ij k_j, t + c_i h).

    Methods: euler, midpoint, heun, ralston, heun3, kutta3, rk4, bogacki_shampine, dormand_prince. A step to σ = 0 is
    Euler's, as the velocity may be infinite there.
    """
    rk = tableau(method)
    t, _, s, _ = model.tables(grid)
    for i in range(len(t) - 1):
        start, h = t[i], t[i + 1] - t[i]
        v = model.velocity(x, start)

        def rate(y: Any, c: float, start: float = start, h: float = h) -> Any:
            return model.velocity(y, start + c * h)

        x = explicit_step(rk, rate, x, h, v) if s[i + 1] > 0.0 else x + h * v
        yield x
