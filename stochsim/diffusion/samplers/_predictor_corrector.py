"""Predictor–corrector: an ancestral step, then steps of Langevin at the new noise level."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, expm1, sqrt
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.errors import ParameterError

SCALES = ("lam", "step")


@sampler(
    kind="sde",
    law_order=lambda o: 1 if o["scale"] == "lam" else None,
    nfe=lambda o: 1 + o["corrections"],
    parametrisation="score",
    variants=({}, {"corrections": 2}),
    aliases=("PC sampler",),
    reference="Song et al. 2021, algorithms 1-5 (Langevin: algorithms 4 and 5)",
)
def predictor_corrector(
    model: Any, x: Any, grid: Any, noise: Any, *, snr: float = 0.5, corrections: int = 1, scale: str = "lam"
) -> Iterator[Any]:
    """DDPM's step to x', then corrections x' ← x' + ε s(x', t') + √(2ε) z with ε = 2 (r σ')².

    The paper's ε = 2 (r |z|/|s|)² with the norms' values for noise, |z|/|s| = σ', so that a step depends on no
    other particle. A Langevin correction with a fixed r has a bias that more steps do not remove (variance
    C/(1 - ε/2C) for N(m, C) at the level t'); so by default r² is multiplied by the step of λ, at most 1, and the
    law has order 1. No correction at σ' = 0. 1 + corrections evaluations a step.

    Parameters
    ----------
    snr : float
        r.
    corrections : int
        Langevin steps after each predictor step.
    scale : {"lam", "step"}
        "step": the paper's fixed r.

    Raises
    ------
    ParameterError
        If the scale is unknown.
    """
    if scale not in SCALES:
        raise ParameterError(f"scale is {scale!r}; give one of {', '.join(SCALES)}")
    t, a, s, lam = model.tables(grid)
    for i in range(len(t) - 1):
        h, k = lam[i + 1] - lam[i], i * (corrections + 1)
        x = (s[i + 1] / s[i] * exp(-h)) * x - (a[i + 1] * expm1(-2.0 * h)) * model.denoised(x, t[i])
        if s[i + 1] > 0.0:
            x += (s[i + 1] * sqrt(-expm1(-2.0 * h))) * noise(k, x.shape)
            step = 2.0 * (snr * s[i + 1]) ** 2 * (min(h, 1.0) if scale == "lam" else 1.0)
            for c in range(corrections):
                x = x + step * model.score(x, t[i + 1]) + sqrt(2.0 * step) * noise(k + 1 + c, x.shape)
        yield x
