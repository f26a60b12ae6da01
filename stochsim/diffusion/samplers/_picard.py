"""Picard iteration: all steps of a grid at once, again and again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._steps import tables


@sampler(
    kind="ode",
    path_order=1,
    law_order=1,
    nfe=lambda o: o["rounds"],
    parametrisation="eps",
    control="fixed_point",
    aliases=("ParaDiGMS", "parallel DDIM"),
    reference="Shih et al. 2023, eq. 4 and algorithm 1 (window of the whole grid)",
)
def picard(model: Any, x: Any, grid: Any, noise: Any, *, rounds: int = 12) -> Iterator[Any]:
    """y_i ← y_0 + Σ_{j<i} (ρ_{j+1} - ρ_j) ε(y_j), for all i at once, y = x/α, ρ = σ/α; at first all y_i = y_0.

    The evaluations of a round depend on none of that round, so they may run at the same time. The fixed point is the
    run of `ddim` on that grid: exact to rounding after as many rounds as steps, and close to it much earlier, as the
    error falls like C^k/k!. `rounds` evaluations a step; the order is that of the fixed point.
    """
    t, a, s, _ = tables(model, grid)
    n = len(t) - 1
    rho = [q / p for p, q in zip(a, s, strict=True)]
    start = x / a[0]
    y = [start] * (n + 1)
    for done in range(min(rounds, n)):
        # what a round leaves of the first `done` steps is already exact, and is evaluated no more
        slopes = {j: model.eps(a[j] * y[j], t[j]) for j in range(done, n)}
        for j in range(done, n):
            y[j + 1] = y[j] + (rho[j + 1] - rho[j]) * slopes[j]
    for i in range(n):
        yield a[i + 1] * y[i + 1]
