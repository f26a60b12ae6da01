"""SDE-DPM-Solver++ (2M): two data predictions, one evaluation a step."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, expm1, isinf, sqrt
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.errors import ParameterError

SOLVERS = ("midpoint", "heun")


@sampler(
    kind="sde",
    law_order=2,
    history=1,
    starter="cold",
    parametrisation="x0",
    variants=({}, {"solver": "heun"}, {"eta": 0.5}),
    aliases=("DPM++ 2M SDE", "SDE-DPM-Solver++2M"),
    reference="Lu et al. 2022b, eq. 19 and appendix; Crowson 2022, k-diffusion (heun)",
)
def sde_dpm_pp_2m(
    model: Any, x: Any, grid: Any, noise: Any, *, eta: float = 1.0, solver: str = "midpoint"
) -> Iterator[Any]:
    """Step x' = (σ'/σ) e^(-η²h) x + α'(1 - e^(-k)) x̂₀ + α' c (x̂₀ - x̂₀,last) h/h_last + σ' √(1 - e^(-2η²h)) z.

    k = (1 + η²) h with h the step of λ; c = ½(1 - e^(-k)) (midpoint) or 1 - (1 - e^(-k))/k (heun). One evaluation a
    step, law order 2; the first step, and a step to σ' = 0, is of the first order. The difference of data predictions
    holds the noise of the last step: that replaces on average the noise inside of the step, which is why the order of
    the law is 2 and that of paths 1.

    Parameters
    ----------
    eta : float
        Amplitude of the noise (its square in k-diffusion).
    solver : {"midpoint", "heun"}

    Raises
    ------
    ParameterError
        If the solver is unknown.
    """
    if solver not in SOLVERS:
        raise ParameterError(f"solver is {solver!r}; give one of {', '.join(SOLVERS)}")
    t, a, s, lam = model.tables(grid)
    heat, last, h_last = eta**2, None, 1.0
    for i in range(len(t) - 1):
        h, D = lam[i + 1] - lam[i], model.denoised(x, t[i])
        k = (1.0 + heat) * h
        gain = -expm1(-k)
        x = (s[i + 1] / s[i] * (exp(-heat * h) if heat > 0.0 else 1.0)) * x + (a[i + 1] * gain) * D
        if last is not None and not isinf(h):
            c = 0.5 * gain if solver == "midpoint" else _phi2(k)
            x += (a[i + 1] * c * h / h_last) * (D - last)
        if heat > 0.0:
            x += (s[i + 1] * sqrt(-expm1(-2.0 * heat * h))) * noise(i, x.shape)
        last, h_last = D, h
        yield x


def _phi2(k: float) -> float:
    """1 - (1 - e^(-k))/k, by its series where that cancels."""
    return 1.0 + expm1(-k) / k if k > 1e-2 else k / 2.0 * (1.0 - k / 3.0 * (1.0 - k / 4.0 * (1.0 - k / 5.0)))
