"""GHVB: Adams–Bashforth methods with a heavy ball's velocity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from stochsim.diffusion.record import Options, sampler
from stochsim.diffusion.samplers._coefficients import combine, lagrange
from stochsim.diffusion.samplers._steps import check, start_step, tables

ADAMS = (1.0, 1 / 2, 5 / 12, 3 / 8)  # coefficients of the backward differences


def _order(options: Options) -> float:
    order = float(options["order"])
    return order if options["starter"] == "runge-kutta" else min(order, 2.0)


@sampler(
    kind="ode",
    path_order=_order,
    law_order=_order,
    history=3,
    starter="Runge–Kutta of order - 1 in σ/α, then the smooth velocity",
    parametrisation="eps",
    uniform_in="rho",
    variants=({"order": 1}, {"order": 2}, {"order": 2, "beta": 0.5}, {"order": 3}, {"order": 4}),
    aliases=("GHVB", "HB"),
    reference="Wizadwongsa, Chinchuthakun, Khungurn, Suwajanakorn 2023, eqs. 13 to 16 and algorithm 2 (appendix)",
)
def ghvb(
    model: Any, x: Any, grid: Any, noise: Any, *, order: int = 2, beta: float = 0.8, starter: str = "runge-kutta"
) -> Iterator[Any]:
    """Steps v' = (1 - β) v + β ε, y' = y + h Σ_k c_k ∇^k v', for dy/dρ = ε with y = x/α, ρ = σ/α and h the step of ρ.

    c_k = g_k + g_{k-1} (1 - β)/β with Adams' g = 1, 1/2, 5/12, 3/8, which keeps the order (1 to 4) for each β; β = 1 is
    Adams–Bashforth, order 1 Polyak's heavy ball. For y' = λy the step h|λ| is stable on the real axis up to
    (4 - 2β)/β for order 1, and to 2 - β for order 2. One evaluation a step.

    The weights are for equal steps of ρ, where the order is as named. On other grids it is 2 at most. The first
    order - 1 steps are of Runge–Kutta methods of order - 1, after which v and its history are the smooth solutions of
    their recursion. With starter="cold" v begins as the first ε, which leaves order 2.
    """
    check("order", order, (1, 2, 3, 4))
    check("starter", starter, ("runge-kutta", "cold"))
    c = _difference_weights(order, beta)
    t, a, s, _ = tables(model, grid)
    rho = [q / p for p, q in zip(a, s, strict=True)]
    noises: list[Any] = []
    v: list[Any] = []  # newest first
    for i in range(len(t) - 1):
        eps = model.eps(x, t[i])
        noises = [eps, *noises][:order]
        if starter == "cold":
            v = v or [eps] * order
        elif len(noises) == order and not v:
            v = _smooth_velocities(noises, beta)
        if v:
            v = [(1.0 - beta) * v[0] + beta * eps, *v][:order]
            x = (a[i + 1] / a[i]) * x + (a[i + 1] * (rho[i + 1] - rho[i])) * combine(c, v)
        else:
            x = start_step(model, x, eps, "eps", t[i], t[i + 1], order - 1)
        yield x


def _difference_weights(order: int, beta: float) -> list[float]:
    """Σ_k c_k ∇^k v' as weights of v', v, ..."""
    c = [ADAMS[k] + (ADAMS[k - 1] * (1.0 - beta) / beta if k else 0.0) for k in range(order)]
    binomial, total = [1.0], [0.0] * order
    for k in range(order):
        for j, b in enumerate(binomial):
            total[j] += c[k] * b
        binomial = [p - q for p, q in zip([*binomial, 0.0], [0.0, *binomial], strict=True)]
    return total


def _smooth_velocities(noises: Sequence[Any], beta: float) -> list[Any]:
    """The smooth solution v_n, v_{n-1}, ... of the recursion for the polynomial through ε_n, ε_{n-1}, ...

    It is v_{n+1} = Σ_k (-(1-β)/β)^k ∇^k ε_n; differences of a polynomial of low degree end.
    """
    order, ratio = len(noises), -(1.0 - beta) / beta
    basis = lagrange([-float(j) for j in range(order)])

    def value(poly: list[float], u: float) -> float:
        return sum(q * u**power for power, q in enumerate(poly))

    def filtered(poly: list[float], u: float) -> float:
        row, total = [value(poly, u - j) for j in range(order)], 0.0
        for k in range(order):
            total += ratio**k * row[0]
            row = [p - q for p, q in pairwise(row)]
        return total

    return [combine([filtered(poly, -1.0 - j) for poly in basis], noises) for j in range(max(order - 1, 1))]
