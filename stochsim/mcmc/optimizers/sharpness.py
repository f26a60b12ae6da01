"""Sharpness-aware minimisation: gradients taken a little uphill, and the equations that model it.

The distance uphill is ρ = radius √h, the scaling in which the equations are of weak order 1 in the learning rate h
(Compagnoni, Biggio, Orvieto, Proske, Kersting & Lucchi 2023). Their drift is the gradient of a regularised loss.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.mcmc.optimizers.descent import Descent, StochasticLoss, traced_gradient
from stochsim.mcmc.record import require_positive
from stochsim.symbolic.tracing import as_sym

__all__ = ["DNSAM", "SAM", "USAM"]


@dataclass(frozen=True)
class SharpnessAware(Descent):
    """x' = x - h ∇f_γ(x + ρ u) with u uphill; modelled by ∇f_γ + ρ ∇²f_γ u.

    Parameters
    ----------
    radius : float
        ρ/√h.
    """

    radius: float

    def __post_init__(self) -> None:
        require_positive("radius", self.radius)

    @abstractmethod
    def uphill(self, loss: StochasticLoss, x: Any, slope: Any) -> Any:
        """The direction u, where ∇f_γ(x) is the slope."""

    def direction(self, loss: StochasticLoss, x: Any, gamma: Any, h: float) -> Any:
        """The gradient at x + ρ u, with the same draw."""
        rho = self.radius * float(np.sqrt(h))
        return loss.gradient(x + rho * self.uphill(loss, x, loss.gradient(x, gamma)), gamma)

    def modelled(self, loss: StochasticLoss, x: Any, h: float) -> list[Any]:
        """Its expansion to first order in ρ."""
        rho = self.radius * float(np.sqrt(h))
        slopes = [as_sym(g) for g in loss.gradients(x)]
        return [g + rho * (traced_gradient(g, x) @ as_sym(self.uphill(loss, x, g))) for g in slopes]


class USAM(SharpnessAware):
    """Unnormalised: u = ∇f_γ; the regularised loss is f + ρ E|∇f_γ|²/2.

    Parameters
    ----------
    radius : float
        ρ/√h, h the learning rate.
    """

    def uphill(self, loss: StochasticLoss, x: Any, slope: Any) -> Any:
        """The gradient itself."""
        return slope


class SAM(SharpnessAware):
    """Normalised by the draw's own gradient: u = ∇f_γ/|∇f_γ|; the regularised loss is f + ρ E|∇f_γ|.

    Smooth where no draw has a vanishing gradient.

    Parameters
    ----------
    radius : float
        ρ/√h, h the learning rate.
    """

    def uphill(self, loss: StochasticLoss, x: Any, slope: Any) -> Any:
        """The unit vector."""
        return slope / _length(slope)


class DNSAM(SharpnessAware):
    """Normalised by the mean gradient: u = ∇f_γ/|∇f|, where ∇f does not vanish.

    Parameters
    ----------
    radius : float
        ρ/√h, h the learning rate.
    """

    def uphill(self, loss: StochasticLoss, x: Any, slope: Any) -> Any:
        """The gradient over the length of its mean."""
        return slope / _length(loss.mean(loss.gradients(x)))


def _length(v: Any) -> Any:
    return np.sqrt(sum(v[i] * v[i] for i in range(len(v))))
