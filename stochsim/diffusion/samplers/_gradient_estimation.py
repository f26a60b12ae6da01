"""The gradient-estimation sampler: DDIM with a corrected direction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._steps import first_order, tables


def _order(options: Options) -> float:
    return 2.0 if options["gamma"] == 1.5 else 1.0


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    history=1,
    starter="cold (keeps the order)",
    parametrisation="eps",
    variants=({}, {"gamma": 1.5}),
    aliases=("GE",),
    reference="Permenter & Yuan 2024, algorithm 2",
)
def gradient_estimation(model: Any, x: Any, grid: Any, noise: Any, *, gamma: float = 2.0) -> Iterator[Any]:
    """DDIM's step with the noise γ ε + (1 - γ) ε_prev; one evaluation a step, the first is DDIM's.

    γ = 2, the authors' choice, is of order 1; γ = 3/2 is of order 2.
    """
    t, a, s, _ = tables(model, grid)
    earlier = None
    for i in range(len(t) - 1):
        eps = model.eps(x, t[i])
        e = eps if earlier is None else gamma * eps + (1.0 - gamma) * earlier
        x = first_order(x, e, "eps", a[i], s[i], a[i + 1], s[i + 1])
        earlier = eps
        yield x
