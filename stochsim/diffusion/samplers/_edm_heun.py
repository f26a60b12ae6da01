"""The second-order family of EDM: Runge–Kutta methods of two stages in the noise level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._steps import first_order, noise_flow, tables


@sampler(
    kind="ode",
    path_order=2,
    law_order=2,
    nfe=2,
    parametrisation="eps",
    variants=({}, {"fraction": 2 / 3}),
    aliases=("EDM Heun", "DEIS rhoRK-Heun", "rhoRK2"),
    reference="Karras et al. 2022, algorithm 1 and appendix D.2, eqs. 73 to 75",
)
def edm_heun(model: Any, x: Any, grid: Any, noise: Any, *, fraction: float = 1.0) -> Iterator[Any]:
    """For y = x/α and ρ = σ/α: d = ε(y, ρ), d' = ε(y + c h d, ρ + c h), y' = y + h ((1 - 1/2c) d + d'/2c).

    The fraction c is 1 for Heun's method, 1/2 for the midpoint rule, 2/3 for Ralston's. Two evaluations a step; with
    c = 1 a step to σ = 0 is of order 1. For Gaussian data (and only for it) the midpoint rule is of order 3.
    """
    t, a, s, _ = tables(model, grid)
    for i in range(len(t) - 1):
        d = model.eps(x, t[i])
        if s[i + 1] == 0.0 and fraction == 1.0:
            x = first_order(x, d, "eps", a[i], s[i], a[i + 1], s[i + 1])
        else:
            rate, h = noise_flow(model, t[i], t[i + 1])
            y = x / a[i]
            later = rate(y + (fraction * h) * d, fraction)
            x = a[i + 1] * (y + h * ((1.0 - 0.5 / fraction) * d + (0.5 / fraction) * later))
        yield x
