"""Heun's method for the probability flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import sampler


@sampler(
    kind="ode",
    path_order=2,
    law_order=2,
    nfe=2,
    parametrisation="velocity",
    aliases=("Heun", "explicit trapezoid", "flow Heun"),
    reference="Karras et al. 2022, algorithm 1",
)
def heun(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """Step x' = x + h (v(x, t) + v(x + h v, t'))/2, with h = t' - t.

    Two evaluations a step; a last step to σ = 0 is Euler's, as the velocity may be infinite there.
    """
    t, _, s, _ = model.tables(grid)
    for i in range(len(t) - 1):
        h = t[i + 1] - t[i]
        v = model.velocity(x, t[i])
        if s[i + 1] > 0.0:
            v = 0.5 * (v + model.velocity(x + h * v, t[i + 1]))
        x = x + h * v
        yield x
