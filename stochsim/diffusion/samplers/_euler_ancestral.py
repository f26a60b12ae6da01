"""Euler ancestral: DDIM to a lower noise level, then fresh noise; the same map as DDIM with η."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, expm1
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._sde_coefficients import ancestral_split


@sampler(
    kind="sde",
    law_order=1,
    parametrisation="x0",
    variants=({}, {"eta": 0.5}),
    aliases=("Euler a", "DDIM(eta)", "k_euler_ancestral"),
    reference="Song, Meng & Ermon 2021, eqs. 12 and 16; Crowson 2022, k-diffusion",
)
def euler_ancestral(model: Any, x: Any, grid: Any, noise: Any, *, eta: float = 1.0) -> Iterator[Any]:
    """Step x' = α' x̂₀ + σ_down ε + σ_up z with σ_up = η σ' √(1 - e^(-2h)), σ_down² = σ'² - σ_up².

    One evaluation a step, order 1 of the law; the mean of a Gaussian is exact. With eta = 1 it is DDPM's ancestral
    sampler with the small variance, with eta = 0 it is DDIM.

    Parameters
    ----------
    eta : float
        Between 0 and 1.
    """
    t, a, s, lam = model.tables(grid)
    for i in range(len(t) - 1):
        gap, up = ancestral_split(lam[i + 1] - lam[i], eta)
        down = s[i + 1] * (1.0 - up**2) ** 0.5 if a[i] == 0.0 else s[i] * (a[i + 1] / a[i]) * exp(-gap)
        x = (down / s[i]) * x - (a[i + 1] * expm1(-gap)) * model.denoised(x, t[i])
        if up > 0.0:
            x += (s[i + 1] * up) * noise(i, x.shape)
        yield x
