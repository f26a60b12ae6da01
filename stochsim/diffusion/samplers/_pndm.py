"""PNDM: DDIM's transfer with noise from a multistep formula, begun by pseudo Runge–Kutta steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._coefficients import combine
from stochsim.diffusion.samplers._ipndm import BASHFORTH
from stochsim.diffusion.samplers._steps import check, first_order, tables


@sampler(
    kind="ode",
    path_order=2,
    law_order=2,
    history=3,
    starter="pseudo Runge–Kutta steps",
    parametrisation="eps",
    variants=({"order": 4}, {"order": 2}),
    aliases=("PNDM", "F-PNDM", "S-PNDM", "PLMS"),
    reference="Liu et al. 2022, eqs. 11 to 13 (F-PNDM, S-PNDM)",
)
def pndm(model: Any, x: Any, grid: Any, noise: Any, *, order: int = 4) -> Iterator[Any]:
    """Step x' = φ(x, e), e = (55 ε - 59 ε_1 + 37 ε_2 - 9 ε_3)/24 or, for order=2, (3 ε - ε_1)/2; φ is DDIM's step.

    The first three steps take e = (e_1 + 2 e_2 + 2 e_3 + e_4)/6 from four evaluations by φ to t + h/2 and t + h; with
    order=2, one step takes the mean of two. One evaluation a step after them. The solution is of order 2: φ integrates
    the noise in σ/α, the weights belong to equal steps of time. On equal steps of σ/α it is of order 4.
    """
    check("order", order, (2, 4))
    t, a, s, _ = tables(model, grid)
    past: list[Any] = []  # noise predictions, newest first
    for i in range(len(t) - 1):
        eps = model.eps(x, t[i])
        past = [eps, *past][:order]
        if len(past) == order:
            e = combine(BASHFORTH[order - 1], past)
        else:
            e = _pseudo_runge_kutta(model, x, eps, t[i], t[i + 1], order)
        x = first_order(x, e, "eps", a[i], s[i], a[i + 1], s[i + 1])
        yield x


def _pseudo_runge_kutta(model: Any, x: Any, e1: Any, t: float, t2: float, order: int) -> Any:
    p = model.process
    a, s = float(p.alpha(t)), float(p.sigma(t))

    def noise_at(e: Any, time: float) -> Any:
        return model.eps(first_order(x, e, "eps", a, s, float(p.alpha(time)), float(p.sigma(time))), time)

    if order == 2:
        return 0.5 * (e1 + noise_at(e1, t2))
    e2 = noise_at(e1, 0.5 * (t + t2))
    e3 = noise_at(e2, 0.5 * (t + t2))
    return (e1 + 2.0 * e2 + 2.0 * e3 + noise_at(e3, t2)) / 6.0
