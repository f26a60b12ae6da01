"""DPM-Solver-v3: a multistep method about the best linear part, with statistics of the exact model."""

from __future__ import annotations

from collections.abc import Iterator
from math import isinf
from typing import Any

import numpy as np

from stochsim.columns import eager
from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._coefficients import lagrange
from stochsim.diffusion.samplers._model_statistics import Interval, intervals
from stochsim.diffusion.samplers._steps import check, first_order, tables


def _order(options: Options) -> float:
    order = float(options["order"])
    return order if options["starter"] == "corrected" else min(order, 2.0)


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    history=2,
    starter="one corrected step (order 3)",
    parametrisation="eps",
    variants=({"order": 1}, {"order": 2}, {"order": 3}),
    aliases=("DPM-Solver-v3",),
    reference="Zheng et al. 2023, eqs. 5, 9, 11 and 13, algorithm 2 without corrector",
)
def dpm_solver_v3(
    model: Any, x: Any, grid: Any, noise: Any, *, order: int = 3, starter: str = "corrected"
) -> Iterator[Any]:
    """Step y' = e^{-∫l} (y - ∫ E (g + B) dλ) of y = x/α, with E = e^{∫(l + s)}, B = ∫ e^{-∫s} b.

    g = e^{-∫s} f - B, where f = e^-λ ε - l y, is extrapolated by polynomials in λ through the last `order` evaluations
    (1 to 3). l, s and b are the statistics of the model along its flow: here of the exact one, from 64 fixed pilot
    points, at 5 points an interval, not counted as evaluations. For an isotropic Gaussian f does not depend on x, and
    one step is exact up to the rounding of their differences. The target is a Gaussian or a mixture. One evaluation a
    step. The order grows from 1; the first step of order=3 is repeated with g at its end known from one more
    evaluation, without which (starter="cold") order 2 is left. A step to σ = 0 is of order 1.
    """
    check("order", order, (1, 2, 3))
    check("starter", starter, ("corrected", "cold"))
    t, a, s, lam = tables(model, grid)
    xp = eager.module(x)
    known = intervals(model, np.array([place for place in lam if not isinf(place)]))
    past: list[tuple[float, Any]] = []  # λ and g (as seen from here), newest first
    for i in range(len(t) - 1):
        eps = model.eps(x, t[i])
        if isinf(lam[i + 1]):
            x = first_order(x, eps, "eps", a[i], s[i], a[i + 1], s[i + 1])
        else:
            part = known[i]
            y = x / a[i]
            past = [(lam[i], (s[i] / a[i]) * eps - _column(xp, part.start) * y), *past][:order]
            new = _step(xp, y, [(place - lam[i], g) for place, g in past], part)
            if i == 0 and order == 3 and starter == "corrected":
                f = (s[1] / a[1]) * model.eps(a[1] * new, t[1]) - _column(xp, part.end) * new
                g = f / _column(xp, part.turn) - _column(xp, part.gain)
                new = _step(xp, y, [(0.0, past[0][1]), (lam[1] - lam[0], g)], part)
            x = a[i + 1] * new
            past = [(place, _column(xp, part.turn) * (g + _column(xp, part.gain))) for place, g in past]
        yield x


def _step(xp: Any, y: Any, past: list[tuple[float, Any]], part: Interval) -> Any:
    total = _column(xp, part.known)
    for poly, (_, g) in zip(lagrange([u for u, _ in past]), past, strict=True):
        total = total + _column(xp, np.polynomial.polynomial.polyval(part.place, poly) @ part.weight) * g
    return _column(xp, part.decay) * (y - total)


def _column(xp: Any, values: np.ndarray) -> Any:
    return xp.asarray(values)[:, None]
