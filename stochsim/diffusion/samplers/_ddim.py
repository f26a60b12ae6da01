"""DDIM: keep the predicted data and the predicted noise, change their levels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._steps import first_order


@sampler(
    kind="ode",
    path_order=1,
    law_order=1,
    parametrisation="eps",
    aliases=("DDIM", "DPM-Solver-1", "DEIS-0", "UniP-1", "DPM-Solver++1", "Euler in σ/α", "EDM Euler"),
    reference="Song, Meng & Ermon 2021, eq. 12 with no noise; Lu et al. 2022, eq. 3.7",
)
def ddim(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """Step x' = α' x̂₀ + σ' ε, with ε = E[z|x] and x̂₀ = (x - σ ε)/α.

    One evaluation a step; exact for a point mass, order 1 for all else. It is Euler's method for x/α in σ/α.
    """
    t, a, s, _ = model.tables(grid)
    for i in range(len(t) - 1):
        prediction = "eps" if a[i] > 0.0 else "x0"  # at α = 0 the noise says nothing of the data
        m = model.eps(x, t[i]) if prediction == "eps" else model.denoised(x, t[i])
        x = first_order(x, m, prediction, a[i], s[i], a[i + 1], s[i + 1])
        yield x
