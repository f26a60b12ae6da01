"""Euler's method for the probability flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import sampler


@sampler(
    kind="ode",
    path_order=1,
    law_order=1,
    parametrisation="velocity",
    aliases=("Euler", "flow Euler"),
    reference="Song et al. 2021, eq. 13; Liu, Gong & Liu 2023, section 2.1",
)
def euler(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """Step x' = x + (t' - t) v(x, t), v = α' E[x_0|x] + σ' E[z|x], primes of v being derivatives.

    One evaluation a step. The result depends on what t means: for EDM, where σ = t, it is DDIM; for flows it is exact
    on a point mass; N(0, I) does not move under a variance preserving process.
    """
    t, *_ = model.tables(grid)
    for i in range(len(t) - 1):
        x = x + (t[i + 1] - t[i]) * model.velocity(x, t[i])
        yield x
