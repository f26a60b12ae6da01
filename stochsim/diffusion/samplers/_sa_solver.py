"""SA-Solver: stochastic Adams methods, predictor and corrector, for any amount of noise τ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._adams import Rule, adams, basis, quadrature
from stochsim.diffusion.samplers._sde_coefficients import tables
from stochsim.errors import ParameterError

STARTERS = ("collocation", "cold")


def _order(o: Any) -> int:
    full = min(o["predictor"], o["corrector"]) + 1 if o["corrector"] else o["predictor"]
    return int(min(full, 2) if o["starter"] == "cold" else full)


@sampler(
    kind="sde",
    path_order=lambda o: _order(o) if o["tau"] == 0.0 else None,
    law_order=lambda o: _order(o) if o["tau"] == 0.0 else min(_order(o), 2),
    nfe=lambda o: 2 if o["pece"] and o["corrector"] else 1,
    history=3,
    starter="collocation over the first steps, of the full order",
    parametrisation="x0",
    variants=(
        {}, {"predictor": 1, "corrector": 1}, {"predictor": 3, "corrector": 3}, {"tau": 0.5, "corrector": 0},
        {"pece": True},
    ),
    aliases=("SA-Solver", "SASolver"),
    reference="Xue et al. 2023, eqs. 14-18 and algorithm 1",
)  # fmt: skip
def sa_solver(
    model: Any, x: Any, grid: Any, noise: Any, *, tau: float | Callable[[Any], Any] = 1.0, predictor: int = 2,
    corrector: int = 2, pece: bool = False, starter: str = "collocation",
) -> Iterator[Any]:  # fmt: skip
    """Step x' = (σ'/σ) e^(-τ²h) x + α' Σ b_j x̂₀(j) + σ' √(1 - e^(-2τ²h)) z.

    b_j = ∫ k e^(-k(λ'-λ)) l_j(λ) dλ over the step h of λ, k = 1 + τ²;
    l_j are the Lagrange polynomials in λ of the last data predictions. One evaluation a step (PEC), two with pece.
    Without noise the order is that of the Adams method; with noise that of the law is at most 2 (strong order 1).

    Parameters
    ----------
    tau : float or callable
        Amplitude of the noise; a function of λ (arrays) is taken at the middle of each interval.
    predictor : int
        Data predictions it uses, 1 to 4.
    corrector : int
        Old data predictions it uses beside the new one, 0 (no corrector) to 4.
    pece : bool
        Evaluate once more after the correction.
    starter : {"collocation", "cold"}
        "cold": begin with lower orders, as published; the order is then at most 2.

    Raises
    ------
    ParameterError
        If a number of steps or the starter is unknown.
    """
    if predictor not in range(1, 5) or corrector not in range(5) or starter not in STARTERS:
        raise ParameterError(
            f"predictor is {predictor!r}, corrector {corrector!r} and starter {starter!r}; give 1 to 4, 0 to 4, and "
            "'collocation' or 'cold'"
        )
    order = _order({"predictor": predictor, "corrector": corrector, "starter": "collocation"})
    yield from adams(
        model, x, grid, noise, exponential_rule(model, grid, tau), predictor=predictor, corrector=corrector,
        again=pece, sweeps=order - 1 if starter == "collocation" else 0,
    )  # fmt: skip


def exponential_rule(model: Any, grid: Any, tau: Any) -> Rule:
    """The step with the kernel k e^(-k(λ' - λ)), k = 1 + τ², and polynomials in λ."""
    _, a, s, lam = (np.asarray(table) for table in tables(model, grid))
    middle = 0.5 * (lam[1:] + np.where(np.isfinite(lam[1:]), lam[1:], lam[:-1]))
    heat = np.broadcast_to(tau(middle) if callable(tau) else tau, len(middle)) ** 2
    h = np.diff(lam)
    quiet = np.where(heat > 0.0, heat * np.where(heat > 0.0, h, 1.0), 0.0)  # τ²h, 0 for an infinite step without noise
    keep, spread = s[1:] / s[:-1] * np.exp(-quiet), s[1:] * np.sqrt(-np.expm1(-2.0 * quiet))
    rates = dict(zip(lam[:-1].tolist(), (1.0 + heat).tolist(), strict=True))

    def weights(start: np.ndarray, stop: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        u, w = quadrature(start, stop)
        rate = np.array([rates[v] for v in start.tolist()])[:, None]
        kernel = w * rate * np.exp(-rate * (stop[:, None] - u))
        return np.asarray((kernel[:, None] * basis(u, nodes)).sum(axis=-1))

    return Rule(keep.tolist(), a[1:].tolist(), spread.tolist(), lam, weights)
