"""Mean-square stability regions of stochsim schemes."""

from __future__ import annotations

from typing import Any

from stochsim.orders import stability
from stochsim.orders.stability import StabilityRegion
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE
from stochsim.steps import ArrayStep


def linear_test_step(scheme: Scheme) -> Any:
    """A factory (lambda, mu) -> one step of the scheme on dX = lambda X dt + mu X dW, read in its own calculus."""
    correction = 0.5 if scheme.calculus == "stratonovich" else 0.0
    sde = SDE(
        drift=lambda x, t, p: (p.lam - correction * p.mu * p.mu) * x,
        diffusion=lambda x, t, p: p.mu * x,
        params={"lam": -1.0, "mu": 1.0},
        calculus=scheme.calculus,
        name="linear test equation",
    )

    def factory(lam: Any, mu: Any) -> ArrayStep:
        return ArrayStep(sde, scheme, [lam, mu])

    return factory


def stability_region(scheme: Scheme, **options: Any) -> StabilityRegion:
    """Where a scheme is mean-square stable on the Itô test equation dX = lambda X dt + mu X dW, exactly.

    Parameters
    ----------
    scheme : Scheme
        A Stratonovich scheme is applied to the same process in Stratonovich form.
    **options
        As in `stochsim.orders.stability.stability_region`: the grids of lambda h and mu^2 h.

    Returns
    -------
    StabilityRegion
        With ``.plot()``.
    """
    return stability.stability_region(linear_test_step(scheme), scheme=scheme.name, vectorized=True, **options)
