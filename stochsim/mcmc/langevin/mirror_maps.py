"""Mirror maps: gradients of convex functions φ, their inverses, and noise of covariance ∇²φ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stochsim.columns.noise import Noise
from stochsim.columns.ops import absolute, exp, greatest, log, matvec, maximum, row, sqrt, total
from stochsim.densities.checks import vector
from stochsim.densities.gaussian import Gaussian
from stochsim.errors import ParameterError

__all__ = [
    "EntropicBox",
    "EntropicOrthant",
    "EntropicSimplex",
    "EuclideanMap",
    "LogBarrierBox",
    "MirrorMap",
    "NewtonMap",
    "box",
]


class MirrorMap(Protocol):
    """The formulas of a mirror map over columns."""

    def dual(self, x: Any) -> Any:
        """∇φ(x)."""

    def primal(self, y: Any) -> Any:
        """The point with ∇φ(x) = y; defined for every y."""

    def spread(self, x: Any, noise: Noise) -> Any:
        """A draw of N(0, ∇²φ(x))."""


@dataclass(frozen=True, eq=False)
class EuclideanMap:
    """φ = |x|²/2 on ℝᵈ: ULA."""

    def dual(self, x: Any) -> Any:
        """X itself."""
        return x

    def primal(self, y: Any) -> Any:
        """Y itself."""
        return y

    def spread(self, x: Any, noise: Noise) -> Any:
        """A draw of N(0, I)."""
        return noise.normal(x)


@dataclass(frozen=True, eq=False)
class NewtonMap:
    """φ = (x - m)ᵀ C⁻¹ (x - m)/2, the potential of a Gaussian; made by ``NewtonMap.of(gaussian)``.

    Parameters
    ----------
    mean : ndarray, shape (d, 1)
    covariance, precision, root : ndarray, shape (d, d)
        C, C⁻¹ and a matrix with root rootᵀ = C⁻¹.
    """

    mean: np.ndarray
    covariance: np.ndarray
    precision: np.ndarray
    root: np.ndarray

    @classmethod
    def of(cls, gaussian: Gaussian) -> NewtonMap:
        """The map whose potential is -log of a Gaussian."""
        covariance = np.ascontiguousarray(gaussian.covariance)
        precision = np.linalg.inv(covariance)
        precision = (precision + precision.T) / 2.0
        return cls(gaussian.mean[:, None].copy(), covariance, precision, np.linalg.cholesky(precision))

    def dual(self, x: Any) -> Any:
        """C⁻¹ (x - m)."""
        return matvec(self.precision, x - self.mean)

    def primal(self, y: Any) -> Any:
        """M + C y."""
        return self.mean + matvec(self.covariance, y)

    def spread(self, x: Any, noise: Noise) -> Any:
        """A draw of N(0, C⁻¹)."""
        return matvec(self.root, noise.normal(x))


@dataclass(frozen=True, eq=False)
class EntropicOrthant:
    """φ = Σ x log x - x on the positive orthant."""

    def dual(self, x: Any) -> Any:
        """Log x."""
        return log(x)

    def primal(self, y: Any) -> Any:
        """Exp y."""
        return exp(y)

    def spread(self, x: Any, noise: Noise) -> Any:
        """A draw of N(0, diag(1/x))."""
        return noise.normal(x) / sqrt(x)


@dataclass(frozen=True, eq=False)
class EntropicBox:
    """φ = Σ (x - a) log(x - a) + (b - x) log(b - x) on a box; made by ``box(low, high, "entropic")``."""

    low: np.ndarray  # (d, 1)
    high: np.ndarray  # (d, 1)

    def dual(self, x: Any) -> Any:
        """Log (x - a)/(b - x)."""
        return log((x - self.low) / (self.high - x))

    def primal(self, y: Any) -> Any:
        """(a + b eʸ)/(1 + eʸ), written without overflow."""
        small = exp(-absolute(y))
        upper = exp(0.5 * (y - absolute(y))) / (1.0 + small)  # eʸ/(1 + eʸ)
        lower = exp(-0.5 * (y + absolute(y))) / (1.0 + small)  # 1/(1 + eʸ)
        return self.low * lower + self.high * upper

    def spread(self, x: Any, noise: Noise) -> Any:
        """A draw of N(0, diag(1/(x - a) + 1/(b - x)))."""
        return sqrt(1.0 / (x - self.low) + 1.0 / (self.high - x)) * noise.normal(x)


@dataclass(frozen=True, eq=False)
class LogBarrierBox:
    """φ = -Σ log(x - a) + log(b - x) on a box; made by ``box(low, high, "log_barrier")``."""

    low: np.ndarray  # (d, 1)
    high: np.ndarray  # (d, 1)

    def dual(self, x: Any) -> Any:
        """1/(b - x) - 1/(x - a)."""
        return 1.0 / (self.high - x) - 1.0 / (x - self.low)

    def primal(self, y: Any) -> Any:
        """With half width r about the middle: c + y r²/(1 + √(1 + y² r²)), the root of 2t/(r² - t²) = y."""
        half = 0.5 * (self.high - self.low)
        stretched = y * half
        return 0.5 * (self.low + self.high) + half * stretched / (1.0 + sqrt(1.0 + stretched * stretched))

    def spread(self, x: Any, noise: Noise) -> Any:
        """A draw of N(0, diag(1/(x - a)² + 1/(b - x)²))."""
        left, right = 1.0 / (x - self.low), 1.0 / (self.high - x)
        return sqrt(left * left + right * right) * noise.normal(x)


@dataclass(frozen=True, eq=False)
class EntropicSimplex:
    """φ = Σ_{i=0}^d xᵢ log xᵢ on the simplex, with coordinates x₁ .. x_d > 0 and x₀ = 1 - Σ x > 0."""

    def dual(self, x: Any) -> Any:
        """Log xᵢ/x₀."""
        return log(x) - log(1.0 - total(x))

    def primal(self, y: Any) -> Any:
        """Exp yᵢ / (1 + Σ exp y), written without overflow."""
        top = maximum(greatest(y), 0.0)
        weights = exp(y - top)
        return weights / (exp(-top) + total(weights))

    def spread(self, x: Any, noise: Noise) -> Any:
        """A draw of N(0, diag(1/x) + 1/x₀): independent parts, and one that all components share."""
        own, shared = noise.normal(x) / sqrt(x), noise.normal(row(x, 0)) / sqrt(1.0 - total(x))
        return own + shared


BOXES = ("entropic", "log_barrier")


def box(low: Any, high: Any, kind: str = "entropic") -> EntropicBox | LogBarrierBox:
    """The mirror map of a box.

    Parameters
    ----------
    low, high : array_like, shape (d,), or float
        Sides of the box, low < high.
    kind : {"entropic", "log_barrier"}

    Raises
    ------
    ParameterError
        If the sides are not in order, or the kind is unknown.
    """
    if kind not in BOXES:
        raise ParameterError(f"kind is {kind!r}; give one of {', '.join(BOXES)}")
    a, b = np.broadcast_arrays(vector("low", low), vector("high", high))
    if not np.all(a < b):
        raise ParameterError(f"low is {a} and high {b}; give low < high for every component")
    made = EntropicBox if kind == "entropic" else LogBarrierBox
    return made(a[:, None].copy(), b[:, None].copy())
