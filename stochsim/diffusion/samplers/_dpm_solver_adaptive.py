"""DPM-Solver-12 and DPM-Solver-23: step sizes of λ by tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

from stochsim.columns import ops
from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._adaptive import adaptive
from stochsim.diffusion.samplers._steps import check, tables
from stochsim.errors import ParameterError


@sampler(
    kind="ode",
    path_order=lambda o: o["order"],
    law_order=lambda o: o["order"],
    nfe=lambda o: o["order"],
    parametrisation="eps",
    control="tolerance",
    variants=({},),
    aliases=("DPM-Solver-12", "DPM-Solver-23", "dpm_adaptive"),
    reference="Lu et al. 2022, appendix C, algorithm 3",
)
def dpm_solver_adaptive(
    model: Any, x: Any, grid: Any, noise: Any,
    *, order: int = 3, rtol: float = 0.05, atol: float = 0.0078, first: float = 0.05, safety: float = 0.9,
) -> Iterator[Any]:  # fmt: skip
    """DPM-Solver-`order` with the method of one order less inside it, from the first to the last time of the grid.

    The step of λ changes as h' = safety h E^(-1/order), E being the difference of both methods in units of max(atol,
    rtol |x|). The authors take the largest E of a batch; here each particle has its own steps, and its result does not
    depend on the others. The error falls in proportion to the tolerances. Evaluations: `order` a trial, for as many
    trials as the slowest particle needs; as the times of particles differ, the target is a Gaussian or a mixture. The
    places between first and last time do not count, and both need σ > 0.

    Raises
    ------
    ParameterError
        If the grid ends at σ = 0, where λ is infinite.
    """
    check("order", order, (2, 3))
    *_, lam = tables(model, grid)
    if not isfinite(lam[0] - lam[-1]):
        raise ParameterError("an end of the grid has no noise, where λ is infinite; end the grid at a small σ > 0")
    step = _dpm_solver_12 if order == 2 else _dpm_solver_23

    def pair(y: Any, u: Any, h: Any) -> tuple[Any, Any]:
        return step(model, y, u, h)

    yield adaptive(
        pair, x, lam[0], lam[-1], first,
        rtol=rtol, atol=atol, safety=safety, order=order,
    )  # fmt: skip


def _levels(model: Any, lam: Any) -> tuple[Any, Any, Any]:
    t = model.process.t_of_lam(lam)
    return t, model.process.alpha(t), model.process.sigma(t)


def _dpm_solver_12(model: Any, x: Any, lam: Any, h: Any) -> tuple[Any, Any]:
    (t, a, _), (t1, a1, s1), (_, a2, s2) = (_levels(model, lam + c * h) for c in (0.0, 0.5, 1.0))
    eps = model.eps(x, t)
    later = model.eps((a1 / a) * x - (s1 * ops.expm1(0.5 * h)) * eps, t1)
    base, scale = (a2 / a) * x, s2 * ops.expm1(h)
    return base - scale * eps, base - scale * later


def _dpm_solver_23(model: Any, x: Any, lam: Any, h: Any) -> tuple[Any, Any]:
    r1, r2 = 1 / 3, 2 / 3
    (t, a, _), (t1, a1, s1), (t2, a2, s2), (_, a3, s3) = (_levels(model, lam + c * h) for c in (0.0, r1, r2, 1.0))
    eps = model.eps(x, t)
    d1 = model.eps((a1 / a) * x - (s1 * ops.expm1(r1 * h)) * eps, t1) - eps
    u2 = (a2 / a) * x - (s2 * ops.expm1(r2 * h)) * eps - (s2 * (r2 / r1) * _rest(r2 * h)) * d1
    d2 = model.eps(u2, t2) - eps
    base = (a3 / a) * x - (s3 * ops.expm1(h)) * eps
    return base - (s3 * ops.expm1(h) * (0.5 / r1)) * d1, base - (s3 / r2 * _rest(h)) * d2


def _rest(h: Any) -> Any:
    """(e^h - 1)/h - 1, by its series where it would cancel."""
    small = abs(h) < 0.01
    series = h * (0.5 + h * (1 / 6 + h * (1 / 24 + h * (1 / 120 + h / 720))))
    safe = ops.where(small, 1.0, h)
    return ops.where(small, series, ops.expm1(safe) / safe - 1.0)
