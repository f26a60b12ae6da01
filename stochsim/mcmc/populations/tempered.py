"""Tempered targets: powers of a density, and the geometric path from a reference to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stochsim.densities.record import Target

__all__ = ["GeometricPath", "ScaledPower"]


@dataclass(frozen=True, eq=False)
class ScaledPower:
    """The law of u = √β x where x has the density π^β: a Gaussian looks the same at every β.

    Samplers with one step size serve all temperatures this way; in x their steps grow like 1/√β.

    Parameters
    ----------
    target : Target
    root : float or column
        √β > 0.
    """

    target: Target
    root: Any

    def log_prob(self, u: Any) -> Any:
        """β log π(u/√β)."""
        return self.root * self.root * self.target.log_prob(u / self.root)

    def score(self, u: Any) -> Any:
        """√β ∇log π(u/√β)."""
        return self.root * self.target.score(u / self.root)

    def log_prob_and_score(self, u: Any) -> tuple[Any, Any]:
        """Both."""
        log_prob, score = self.target.log_prob_and_score(u / self.root)
        return self.root * self.root * log_prob, self.root * score

    def hessian_vector(self, u: Any, v: Any) -> Any:
        """∇²log π(u/√β) v: β and the two inner derivatives cancel."""
        return self.target.hessian_vector(u / self.root, v)

    def laplacian(self, u: Any) -> Any:
        """Δ log π(u/√β)."""
        return self.target.laplacian(u / self.root)


@dataclass(frozen=True, eq=False)
class GeometricPath:
    """π_β ∝ π₀^(1-β) π^β between a reference π₀ and a target π (Gelman & Meng 1998, section 4.3).

    Parameters
    ----------
    reference, target : Target
    beta : float
        In [0, 1].
    """

    reference: Target
    target: Target
    beta: float

    def log_prob(self, x: Any) -> Any:
        """(1 - β) log π₀ + β log π."""
        return (1.0 - self.beta) * self.reference.log_prob(x) + self.beta * self.target.log_prob(x)

    def score(self, x: Any) -> Any:
        """(1 - β) ∇log π₀ + β ∇log π."""
        return (1.0 - self.beta) * self.reference.score(x) + self.beta * self.target.score(x)

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        """Both."""
        log_p0, score0 = self.reference.log_prob_and_score(x)
        log_p, score = self.target.log_prob_and_score(x)
        rest = 1.0 - self.beta
        return rest * log_p0 + self.beta * log_p, rest * score0 + self.beta * score

    def hessian_vector(self, x: Any, v: Any) -> Any:
        """(1 - β) ∇²log π₀ v + β ∇²log π v."""
        return (1.0 - self.beta) * self.reference.hessian_vector(x, v) + self.beta * self.target.hessian_vector(x, v)

    def laplacian(self, x: Any) -> Any:
        """(1 - β) Δlog π₀ + β Δlog π."""
        return (1.0 - self.beta) * self.reference.laplacian(x) + self.beta * self.target.laplacian(x)
