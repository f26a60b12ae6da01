"""Embedded Runge–Kutta pairs in time: step sizes by tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._adaptive import adaptive
from stochsim.diffusion.samplers._coefficients import combine
from stochsim.diffusion.samplers._steps import check
from stochsim.diffusion.samplers._tableaux import TABLEAUX, slopes, tableau

EMBEDDED = tuple(name for name, method in TABLEAUX.items() if method.lower)


def _order(options: Options) -> float:
    return tableau(options["method"]).order


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    nfe=lambda o: tableau(o["method"]).stages,
    parametrisation="velocity",
    control="tolerance",
    variants=({"method": "bogacki_shampine"},),
    aliases=("RK45 ODE", "dopri5", "RK23"),
    reference="Dormand & Prince 1980; Bogacki & Shampine 1989; Hairer, Nørsett & Wanner 1993, II.4",
)
def runge_kutta_adaptive(
    model: Any, x: Any, grid: Any, noise: Any,
    *, method: str = "dormand_prince", rtol: float = 1e-5, atol: float = 1e-5, first: float = 0.01,
    safety: float = 0.9,
) -> Iterator[Any]:  # fmt: skip
    """The probability flow from the first to the last time of the grid, by an embedded pair of explicit methods.

    Errors are measured in units of max(atol, rtol |x|); `first` is the first step as a
    part of the whole way. Each particle has its own steps, and its result does not depend on the others; the target is
    a Gaussian or a mixture. Evaluations: the stages of the pair a trial. The error falls in proportion to the
    tolerances. The velocity must be finite at the end: for a variance preserving process, t > 0.
    """
    check("method", method, EMBEDDED)
    rk = tableau(method)
    t, *_ = model.tables(grid)

    def pair(y: Any, u: Any, h: Any) -> tuple[Any, Any]:
        def rate(state: Any, c: float) -> Any:
            return model.velocity(state, u + c * h)

        k = slopes(rk, rate, y, h, rate(y, 0.0))
        return y + h * combine(rk.lower, k), y + h * combine(rk.b, k)

    span = t[-1] - t[0]
    yield adaptive(pair, x, t[0], t[-1], first * span, rtol=rtol, atol=atol, safety=safety, order=rk.order)
