"""Euler–Maruyama for the reverse equation and its relatives with less noise."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._sde_coefficients import tables


@sampler(
    kind="sde",
    law_order=lambda o: 1 if o["temperature"] == 1.0 or o["eta"] == 0.0 else None,
    parametrisation="score",
    variants=({}, {"eta": 0.5}),
    aliases=("EM", "reverse diffusion"),
    reference="Anderson 1982; Song et al. 2021, eq. 6 and appendix E; Huang, Lim & Courville 2021, eq. 18 for eta",
)
def euler_maruyama(
    model: Any, x: Any, grid: Any, noise: Any, *, eta: float = 1.0, temperature: float = 1.0
) -> Iterator[Any]:
    """Step x' = x - (f x - ½(1 + η²) g² s) h + η g √(T h) z, with the step h > 0 back in time.

    One evaluation a step; weak and law order 1, in the time of the process. Every eta has the same marginals: 1 is
    the reverse equation, 0 Euler's method for the probability flow.

    Parameters
    ----------
    eta : float
        Share of the noise amplitude g.
    temperature : float
        T multiplies the variance of the noise; the law is that of the data for T = 1 only.
    """
    t = np.asarray(tables(model, grid)[0])
    f, g2 = model.process.f(t).tolist(), model.process.g2(t).tolist()
    t = t.tolist()
    pull, heat = 0.5 * (1.0 + eta**2), eta**2 * temperature
    for i in range(len(t) - 1):
        h = t[i] - t[i + 1]
        x = (1.0 - h * f[i]) * x + (h * pull * g2[i]) * model.score(x, t[i])
        if heat > 0.0:
            x += sqrt(heat * h * g2[i]) * noise(i, x.shape)
        yield x
