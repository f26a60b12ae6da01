"""DPM-Solver++ (2S) ancestral: the singlestep solver to a lower noise level, then fresh noise."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import expm1, isinf
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._sde_coefficients import ancestral_split, levels, tables


@sampler(
    kind="sde",
    law_order=2,
    nfe=2,
    parametrisation="x0",
    variants=({}, {"eta": 0.5}, {"r": 0.7}),
    aliases=("DPM++ 2S a", "k_dpmpp_2s_ancestral"),
    reference="Lu et al. 2022b, algorithm 1; Crowson 2022, k-diffusion",
)
def dpm_pp_2s_ancestral(
    model: Any, x: Any, grid: Any, noise: Any, *, eta: float = 1.0, r: float = 0.5
) -> Iterator[Any]:
    """Step x' = (σ_down/σ) x - α' (e^(-h) - 1) ((1 - 1/2r) x̂₀ + x̂₀(u)/2r) + σ_up z, h the step of λ to σ_down.

    u is the first-order step over the part r of h. Two evaluations a step, law order 2. A step to σ' = 0 is of the
    first order.
    """
    t, a, s, lam = tables(model, grid)
    splits = [ancestral_split(after - before, eta) for before, after in pairwise(lam)]
    inner = levels(model.process, [before + r * h for before, (h, _) in zip(lam, splits, strict=False)])
    for i, (h, up) in enumerate(splits):
        y, D = x / a[i], model.denoised(x, t[i])
        if not isinf(h):
            t_mid, a_mid, _ = inner[i]
            shift = expm1(-r * h)
            middle = model.denoised(a_mid * ((1.0 + shift) * y - shift * D), t_mid)
            D = (1.0 - 0.5 / r) * D + (0.5 / r) * middle
        shift = expm1(-h)
        x = a[i + 1] * ((1.0 + shift) * y - shift * D)
        if up > 0.0:
            x += (s[i + 1] * up) * noise(i, x.shape)
        yield x
