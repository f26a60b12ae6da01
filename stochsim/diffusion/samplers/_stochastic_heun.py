"""Heun's method for the reverse equation, with the same noise in both stages."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._sde_coefficients import tables


@sampler(
    kind="sde",
    law_order=2,
    nfe=2,
    parametrisation="score",
    variants=({}, {"eta": 0.5}),
    aliases=("Heun SDE",),
    reference="Kloeden & Platen 1992, eq. 15.1.3 for additive noise; Song et al. 2021, eq. 6",
)
def stochastic_heun(model: Any, x: Any, grid: Any, noise: Any, *, eta: float = 1.0) -> Iterator[Any]:
    """Step x̄ = x + b(x, t) h + z √v, x' = x + ½(b(x, t) + b(x̄, t')) h + z √v, b = ½(1 + η²) g² s - f x.

    v = ½ η² (g² + g'²) h. Two evaluations a step, law order 2: with additive noise the one normal number of each
    component suffices.
    """
    t = np.asarray(tables(model, grid)[0])
    f, g2 = model.process.f(t).tolist(), model.process.g2(t).tolist()
    t = t.tolist()
    pull = 0.5 * (1.0 + eta**2)
    for i in range(len(t) - 1):
        h = t[i] - t[i + 1]
        b = (pull * g2[i]) * model.score(x, t[i]) - f[i] * x
        fresh = x + (eta * sqrt(0.5 * h * (g2[i] + g2[i + 1]))) * noise(i, x.shape)
        middle = fresh + h * b
        b += (pull * g2[i + 1]) * model.score(middle, t[i + 1]) - f[i + 1] * middle
        x = fresh + (0.5 * h) * b
        yield x
