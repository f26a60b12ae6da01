"""SDE-DPM-Solver++ (1): the exact step for a constant data prediction."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, expm1, sqrt
from typing import Any

from stochsim.diffusion.record import sampler


@sampler(
    kind="sde",
    law_order=1,
    parametrisation="x0",
    variants=({"eta": 0.5}, {"eta": 1.5}),
    aliases=("SDE-DPM-Solver++1",),
    reference="Lu et al. 2022b, eq. 18; Xue et al. 2023, eq. 13 (τ = η) and proposition 5.1",
)
def sde_dpm_pp_1(model: Any, x: Any, grid: Any, noise: Any, *, eta: float = 1.0) -> Iterator[Any]:
    """Step x' = (σ'/σ) e^(-η²h) x + α'(1 - e^(-(1+η²)h)) x̂₀ + σ' √(1 - e^(-2η²h)) z, h the step of λ.

    One evaluation a step, law order 1; exact for a point mass. With eta = 1 it is `euler_ancestral`, with 0 `ddim`.

    Parameters
    ----------
    eta : float
        Amplitude of the noise; the marginals are those of the data for every eta >= 0.
    """
    t, a, s, lam = model.tables(grid)
    heat = eta**2
    for i in range(len(t) - 1):
        h = lam[i + 1] - lam[i]
        keep = (s[i + 1] / s[i]) * (exp(-heat * h) if heat > 0.0 else 1.0)
        x = keep * x - (a[i + 1] * expm1(-(1.0 + heat) * h)) * model.denoised(x, t[i])
        if heat > 0.0:
            x += (s[i + 1] * sqrt(-expm1(-2.0 * heat * h))) * noise(i, x.shape)
        yield x
