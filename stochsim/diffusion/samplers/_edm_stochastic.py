"""EDM's stochastic sampler: raise the noise a little, then a step of Heun or Euler down."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._sde_coefficients import levels, renoised, tables
from stochsim.errors import ParameterError

SOLVERS = ("heun", "euler")


@sampler(
    kind="sde",
    law_order=lambda o: 2 if o["solver"] == "heun" else 1,
    nfe=lambda o: 2 if o["solver"] == "heun" else 1,
    parametrisation="x0",
    variants=({}, {"solver": "euler"}),
    aliases=("EDM churn", "Heun churn"),
    reference="Karras et al. 2022, algorithm 2",
)
def edm_stochastic(
    model: Any, x: Any, grid: Any, noise: Any, *, S_churn: float = 1.0, S_min: float = 0.0, S_max: float = float("inf"),
    S_noise: float = 1.0, solver: str = "heun",
) -> Iterator[Any]:  # fmt: skip
    """ρ̂ = ρ (1 + γ), ŷ = y + √(ρ̂² - ρ²) S_noise z, then y' = ŷ + (ρ' - ρ̂) d with d the slope of Heun, y = x/α.

    γ = min(S_churn/N, √2 - 1) where S_min <= ρ <= S_max, else 0; ρ = σ/α, which is σ in the paper. Two evaluations
    a step with "heun", and law order 2; one and 1 with "euler", which the last step to σ' = 0 is too. ρ̂ stays within
    the process. S_noise other than 1 changes the law of the output.

    Raises
    ------
    ParameterError
        If the solver is unknown.
    """
    if solver not in SOLVERS:
        raise ParameterError(f"solver is {solver!r}; give one of {', '.join(SOLVERS)}")
    t, a, s, lam = tables(model, grid)
    churn = min(S_churn / (len(t) - 1), sqrt(2.0) - 1.0)
    raised = levels(model.process, renoised(model.process, lam, 1.0 + churn))
    for i in range(len(t) - 1):
        rho, rho_next, y = s[i] / a[i], s[i + 1] / a[i + 1], x / a[i]
        t_hat, a_hat, rho_hat = t[i], a[i], rho
        if churn > 0.0 and S_min <= rho <= S_max:
            t_hat, a_hat, s_hat = raised[i]
            rho_hat = s_hat / a_hat
            y = y + (S_noise * sqrt(max(rho_hat**2 - rho**2, 0.0))) * noise(i, x.shape)
        d = model.eps(a_hat * y, t_hat)  # (y - x̂₀)/ρ̂
        y_next = y + (rho_next - rho_hat) * d
        if solver == "heun" and rho_next > 0.0:
            y_next = y + (0.5 * (rho_next - rho_hat)) * (d + model.eps(a[i + 1] * y_next, t[i + 1]))
        x = a[i + 1] * y_next
        yield x
