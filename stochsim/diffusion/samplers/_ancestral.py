"""Ancestral sampling: Gaussian reverse steps with the exact mean and one of three variances."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, expm1, inf, sqrt
from typing import Any

import numpy as np

from stochsim.columns import eager
from stochsim.diffusion.exact import posterior_covariance
from stochsim.diffusion.record import sampler
from stochsim.errors import ParameterError

VARIANCES = ("small", "large", "exact")


@sampler(
    kind="sde",
    law_order=lambda o: inf if o["variance"] == "exact" else 1,
    weak_order=lambda o: 2 if o["variance"] == "exact" else 1,
    parametrisation="x0",
    variants=({}, {"variance": "large"}, {"variance": "exact"}),
    aliases=("DDPM", "Analytic-DPM"),
    reference="Ho, Jain & Abbeel 2020, eqs. 6-7; Bao et al. 2022, theorem 1 and eq. 10",
)
def ancestral(model: Any, x: Any, grid: Any, noise: Any, *, variance: str = "small") -> Iterator[Any]:
    """Step x' ~ N(E[x'|x], V): the mean of the reverse kernel, which is exact, with the covariance V.

    One evaluation a step. "exact" reproduces a Gaussian for every grid; for other targets the first two moments of
    the kernel are right and the law has order 2.

    Parameters
    ----------
    variance : {"small", "large", "exact"}
        With A = α'(1 - e^(-2h)) and h the step of λ: "small" is β̃ = σ'² (1 - e^(-2h)), right for a point mass; "large"
        is σ²_{t|t'} = σ² (1 - e^(-2h)), right for N(0, I) data and σ² = 1 - α²; "exact" is β̃ + A² Cov[x_0|x]
        (Analytic-DPM, with the whole covariance at x in place of its average trace).

    Raises
    ------
    ParameterError
        If the word is unknown.
    """
    if variance not in VARIANCES:
        raise ParameterError(f"variance is {variance!r}; give one of {', '.join(VARIANCES)}")
    t, a, s, lam = model.tables(grid)
    for i in range(len(t) - 1):
        h = lam[i + 1] - lam[i]
        gone, gain = -expm1(-2.0 * h), -a[i + 1] * expm1(-2.0 * h)
        keep = (s[i + 1] / s[i]) * exp(-h)
        mean = keep * x + gain * model.denoised(x, t[i])
        z = noise(i, x.shape)
        if variance == "exact":
            extra = gain**2 * posterior_covariance(
                model.target, a[i], s[i], x if isinstance(x, np.ndarray) else x.get()
            )
            mean += _colour(extra, s[i + 1] ** 2 * gone, z)
        else:
            mean += sqrt(gone) * (s[i + 1] if variance == "small" else s[i]) * z
        x = mean
        yield x


def _colour(covariance: np.ndarray, floor: float, z: Any) -> Any:
    """Normals z (d, n) with the covariance (d, d, n), plus floor times the identity, of each column."""
    xp = eager.module(z)
    values, vectors = np.linalg.eigh(np.moveaxis(covariance, -1, 0))
    spreads = xp.asarray(np.sqrt(np.maximum(values, 0.0) + floor))
    turn = xp.asarray(vectors)
    return xp.einsum("nij,nj,nkj,kn->in", turn, spreads, turn, z)
