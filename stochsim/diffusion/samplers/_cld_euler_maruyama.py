"""Euler–Maruyama for the reverse equation of critically damped Langevin diffusion."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from stochsim.columns import eager
from stochsim.diffusion.augmented import CriticallyDampedLangevin
from stochsim.diffusion.record import sampler


@sampler(
    kind="sde",
    law_order=1,
    parametrisation="score",
    space="phase",
    process=CriticallyDampedLangevin,
    aliases=("CLD EM",),
    reference="Dockhorn, Vahdat & Kreis 2022, eq. 6",
)
def cld_euler_maruyama(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """Step x' = x - β h v/M, v' = v + β h (x + Γ v/M + 2Γ s_v) + √(2Γβh) z, in columns (2d, n).

    One evaluation a step, law order 1: what the splitting `sscs` is compared with.
    """
    p, xp, d = model.process, eager.module(x), len(x) // 2
    t = np.asarray(grid, dtype=float).tolist()
    for i in range(len(t) - 1):
        b = float(p.beta(t[i])) * (t[i] - t[i + 1])
        q, v, s = x[:d], x[d:], model.score(x, t[i])[d:]
        drift = q + (p.friction / p.mass) * v + (2.0 * p.friction) * s
        x = xp.concatenate([q - (b / p.mass) * v, v + b * drift + sqrt(2.0 * p.friction * b) * noise(i, q.shape)])
        yield x
