"""SDE-DPM-Solver++ (3M): the parabola through three data predictions, one evaluation a step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._adams import adams
from stochsim.diffusion.samplers._sa_solver import exponential_rule


@sampler(
    kind="sde",
    path_order=lambda o: 3 if o["eta"] == 0.0 else None,
    law_order=lambda o: 3 if o["eta"] == 0.0 else 2,
    history=2,
    starter="collocation over the first two steps",
    parametrisation="x0",
    variants=({}, {"eta": 0.5}),
    aliases=("DPM++ 3M SDE", "SDE-DPM-Solver++3M"),
    reference="Lu et al. 2022b, eq. 18; Crowson 2022, k-diffusion, with 2 φ₃ in place of φ₃",
)
def sde_dpm_pp_3m(model: Any, x: Any, grid: Any, noise: Any, *, eta: float = 1.0) -> Iterator[Any]:
    """Step x' = (σ'/σ) e^(-η²h) x + α' (φ₁ x̂₀ + φ₂ h D₁ + 2 φ₃ h² D₂) + σ' √(1 - e^(-2η²h)) z, k = (1 + η²) h.

    φ₁ = 1 - e^(-k), φ₂ = 1 - φ₁/k, φ₃ = ½ - φ₂/k; D₁ is the derivative in λ of the parabola through the last three
    data predictions and D₂ half of its second one, written here as weights of the predictions. One evaluation a step;
    law order 2 with noise, order 3 without. It is the predictor of `sa_solver` with three steps.

    Parameters
    ----------
    eta : float
        Amplitude of the noise (its square in k-diffusion).
    """
    yield from adams(model, x, grid, noise, exponential_rule(model, grid, eta), predictor=3, sweeps=2)
