"""The noise structure of an SDE, read off its formulas."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from stochsim.symbolic import graph as g
from stochsim.symbolic.calculus import Coefficients, Diffusion, gradient
from stochsim.symbolic.numbers import is_zero
from stochsim.symbolic.tracing import Sym

CLASSES = ("scalar", "diagonal", "additive", "commutative", "general")
Points = Sequence[Mapping[str, float]]


def sample_points(x0: Sequence[float], parameters: Mapping[str, float], count: int = 5) -> Points:
    """Random points around the initial state and the given parameters, the same each time."""
    draw = random.Random(20260711)

    def near(value: float) -> float:
        return value * (1.0 + 0.4 * draw.uniform(-1, 1)) + 0.1 * draw.uniform(0, 1)

    return [
        {f"x{i}": near(v) for i, v in enumerate(x0)}
        | {k: near(v) for k, v in parameters.items()}
        | {"t": draw.uniform(0.1, 1.0), "h": draw.uniform(0.01, 0.1)}
        for _ in range(count)
    ]


def noise_classes(sde: Coefficients, x: Sym, t: Sym, points: Points) -> frozenset[str]:
    """Every class of noise the diffusion belongs to; ``general`` always.

    ``scalar``: one Brownian motion. ``diagonal``: b_k depends on x_k and t only, one noise a component.
    ``additive``: b does not depend on x. ``commutative``: L^j b_k = L^k b_j for all pairs
    (Kloeden & Platen 1992, eq. (10.3.13)).
    """
    b = sde.diffusion(x, t)
    classes = {"general"}
    if sde.m == 1:
        classes.add("scalar")
    slopes = gradient(b.matrix, x)  # (d, m, d): db_ij / dx_k
    if is_zero(slopes.flat(), points):
        classes.add("additive")
    if _is_diagonal(b, slopes, points):
        classes.add("diagonal")
    if classes & {"scalar", "additive", "diagonal"} or is_zero(commutators(b, x), points):
        classes.add("commutative")
    return frozenset(classes)


def primary(classes: frozenset[str]) -> str:
    """The most telling single name."""
    order = ("additive", "scalar", "diagonal", "commutative", "general")
    return next(c for c in order if c in classes)


def _is_diagonal(b: Diffusion, slopes: Sym, points: Points) -> bool:
    d, m = b.matrix.shape
    if d != m:
        return False
    outside = [b.matrix.nodes[i, j] for i in range(d) for j in range(d) if i != j]
    foreign = [slopes.nodes[i, i, k] for i in range(d) for k in range(d) if k != i]
    return is_zero(outside + foreign, points)


def commutators(b: Diffusion, x: Sym) -> list[g.Node]:
    """Entries of L^j b_k - L^k b_j for j < k."""
    matrix = b.matrix
    m = matrix.shape[1]
    slopes = [gradient(matrix[:, k], x) for k in range(m)]
    entries: list[g.Node] = []
    for j in range(m):
        for k in range(j + 1, m):
            entries += (slopes[k] @ matrix[:, j] - slopes[j] @ matrix[:, k]).flat()
    return entries
