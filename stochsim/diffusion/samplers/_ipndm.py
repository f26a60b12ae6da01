"""iPNDM: PNDM that begins with multistep formulas of lower order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._coefficients import combine
from stochsim.diffusion.samplers._steps import check, first_order, tables

BASHFORTH = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)  # for equal steps (Bashforth & Adams 1883)


def _order(options: Options) -> float:
    return min(float(options["order"]), 2.0)


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    history=3,
    starter="cold (keeps order 2)",
    parametrisation="eps",
    variants=({"order": 2}, {"order": 3}, {"order": 4}),
    aliases=("iPNDM",),
    reference="Zhang & Chen 2023, appendix (iPNDM); Liu et al. 2022, eq. 12",
)
def ipndm(model: Any, x: Any, grid: Any, noise: Any, *, order: int = 4) -> Iterator[Any]:
    """Step x' = φ(x, Σ_k b_k ε_k), φ being DDIM's step and b the weights of Adams and Bashforth for equal steps.

    One evaluation a step from the first, which has order 1; then the order grows to `order`. The solution is of order
    2 whatever more the weights could do, as the steps of σ/α, in which φ integrates, are not equal; and as it began so.
    """
    check("order", order, (1, 2, 3, 4))
    t, a, s, _ = tables(model, grid)
    past: list[Any] = []  # noise predictions, newest first
    for i in range(len(t) - 1):
        past = [model.eps(x, t[i]), *past][:order]
        e = combine(BASHFORTH[len(past) - 1], past)
        x = first_order(x, e, "eps", a[i], s[i], a[i + 1], s[i + 1])
        yield x
