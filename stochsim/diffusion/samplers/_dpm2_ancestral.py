"""DPM2 ancestral: a midpoint step in log σ to a lower noise level, then fresh noise."""

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
    parametrisation="eps",
    variants=({}, {"eta": 0.5}),
    aliases=("DPM2 a", "k_dpm_2_ancestral"),
    reference="Karras et al. 2022, appendix B (midpoint); Crowson 2022, k-diffusion",
)
def dpm2_ancestral(model: Any, x: Any, grid: Any, noise: Any, *, eta: float = 1.0) -> Iterator[Any]:
    """With y = x/α, ρ = σ/α: y_mid = y + (ρ_mid - ρ) ε, y' = y + (ρ_down - ρ) ε_mid + ρ_up z, ρ_mid = √(ρ ρ_down).

    Two evaluations a step, law order 2: the noise moves exactly along the marginal laws, so that the order is that
    of the midpoint rule. A step to σ' = 0 is one of Euler.
    """
    t, a, s, lam = tables(model, grid)
    splits = [ancestral_split(after - before, eta) for before, after in pairwise(lam)]
    inner = levels(model.process, [before + 0.5 * gap for before, (gap, _) in zip(lam, splits, strict=False)])
    for i, (gap, up) in enumerate(splits):
        y, rho, eps = x / a[i], s[i] / a[i], model.eps(x, t[i])
        if not isinf(gap):
            t_mid, a_mid, _ = inner[i]
            eps = model.eps(a_mid * (y + (rho * expm1(-0.5 * gap)) * eps), t_mid)
        x = a[i + 1] * (y + (rho * expm1(-gap)) * eps)
        if up > 0.0:
            x += (s[i + 1] * up) * noise(i, x.shape)
        yield x
