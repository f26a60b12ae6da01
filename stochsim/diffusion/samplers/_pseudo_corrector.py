"""Heun's method that reuses the slope of its corrector: one evaluation a step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import sampler


@sampler(
    kind="ode",
    path_order=2,
    law_order=2,
    history=1,
    starter="the velocity at the start",
    parametrisation="velocity",
    aliases=("FlowTurbo pseudo-corrector",),
    reference="Zhao et al. 2024 (FlowTurbo), section 3.3",
)
def pseudo_corrector(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """Steps d' = v(x + h d, t'), x' = x + h (d + d')/2, and d' serves as d of the next step, h = t' - t.

    One evaluation a step, one more at the start; a last step to σ = 0 is Euler's.
    """
    t, _, s, _ = model.tables(grid)
    d = model.velocity(x, t[0])
    for i in range(len(t) - 1):
        h, before = t[i + 1] - t[i], d
        if s[i + 1] > 0.0:
            d = model.velocity(x + h * before, t[i + 1])
        x = x + (0.5 * h) * (before + d)
        yield x
