"""DPM-Solver++ (SDE), singlestep: two evaluations on one Brownian path."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import exp, expm1, isinf, sqrt
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._sde_coefficients import levels


@sampler(
    kind="sde",
    law_order=2,
    nfe=2,
    parametrisation="x0",
    variants=({}, {"eta": 0.5}, {"r": 0.7}),
    aliases=("DPM++ SDE", "SDE-DPM-Solver++(2S)"),
    reference="Lu et al. 2022b, eqs. 18-19, singlestep; Crowson 2022, k-diffusion (r); Hochbruck & Ostermann 2010",
)
def dpm_pp_sde(model: Any, x: Any, grid: Any, noise: Any, *, eta: float = 1.0, r: float = 0.5) -> Iterator[Any]:
    """Step x' = (σ'/σ) e^(-η²h) x + α'(1 - e^(-(1+η²)h)) ((1 - 1/2r) x̂₀ + x̂₀(u)/2r) + σ' √(1 - e^(-2η²h)) z.

    u is the first-order step over the part r of h, driven by the same path: its noise is the part of the martingale
    ∫ e^(η²λ) dW up to there. Two evaluations a step, law order 2. A step to σ' = 0 is of the first order.

    Parameters
    ----------
    eta : float
        Amplitude of the noise: 1 for the reverse equation, 0 for the probability flow.
    r : float
        Where in (0, 1] the second evaluation lies.
    """
    t, a, s, lam = model.tables(grid)
    heat, inner = eta**2, levels(model.process, [u + r * (v - u) for u, v in pairwise(lam)])
    for i in range(len(t) - 1):
        h, D = lam[i + 1] - lam[i], model.denoised(x, t[i])
        z = noise(2 * i, x.shape)
        if not isinf(h):
            t_mid, a_mid, s_mid = inner[i]
            middle = _move(x, D, (s_mid / s[i], a_mid, s_mid), r * h, heat, z)
            D = (1.0 - 0.5 / r) * D + (0.5 / r) * model.denoised(middle, t_mid)
            shared = expm1(2.0 * heat * r * h) / expm1(2.0 * heat * h) if heat > 0.0 else 1.0
            z = sqrt(shared) * z + sqrt(max(1.0 - shared, 0.0)) * noise(2 * i + 1, x.shape)
        x = _move(x, D, (s[i + 1] / s[i], a[i + 1], s[i + 1]), h, heat, z)
        yield x


def _move(x: Any, D: Any, levels: tuple[float, float, float], h: float, heat: float, z: Any) -> Any:
    """The exact step of λ by h for a constant data prediction; levels are σ'/σ, α' and σ'; heat is η²."""
    ratio, alpha, sigma = levels
    decay = exp(-heat * h) if heat > 0.0 else 1.0
    x = (ratio * decay) * x - (alpha * expm1(-(1.0 + heat) * h)) * D
    return x + (sigma * sqrt(-expm1(-2.0 * heat * h))) * z if heat > 0.0 else x
