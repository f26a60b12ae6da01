"""The ring: mass near a circle, or near a sphere in more dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import lgamma
from typing import Any

import numpy as np

from stochsim.columns.ops import dot, sqrt, squared_norm
from stochsim.densities.checks import dimension, generator, positive
from stochsim.densities.quadrature import Line, line
from stochsim.densities.record import Density, registered

__all__ = ["Ring"]


@dataclass(frozen=True, eq=False)
class RingTarget:
    """Formulas in the radius r."""

    radius: float
    precision: float  # of r
    dimension: float
    log_normaliser: float

    def _log_prob(self, r: Any) -> Any:
        return self.log_normaliser - 0.5 * self.precision * ((r - self.radius) * (r - self.radius))

    def log_prob(self, x: Any) -> Any:
        return self._log_prob(sqrt(squared_norm(x)))

    def score(self, x: Any) -> Any:
        return self.log_prob_and_score(x)[1]

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        r = sqrt(squared_norm(x))
        return self._log_prob(r), x * (self.precision * (self.radius / r - 1.0))

    def hessian_vector(self, x: Any, v: Any) -> Any:
        r = sqrt(squared_norm(x))
        along = self.radius * dot(x, v) / (r * r * r)
        return self.precision * (v * (self.radius / r - 1.0) - x * along)

    def laplacian(self, x: Any) -> Any:
        r = sqrt(squared_norm(x))
        return self.precision * ((self.dimension - 1.0) * self.radius / r - self.dimension)


@registered(lambda: Ring(), lambda: Ring(radius=1.0, width=0.5, d=4))
class Ring(Density):
    """p(x) ∝ exp(-(|x| - radius)² / (2 width²)).

    The radius |x| has density ∝ r^(d-1) exp(-(r - radius)² / (2 width²)), from which normaliser, moments and draws
    come by quadrature. At the origin the score has no direction and is NaN.

    Parameters
    ----------
    radius : float
    width : float
        Across the ring.
    d : int
        Number of components, at least 2.

    Raises
    ------
    ParameterError
        If radius or width is not positive, or d below 2.
    """

    def __init__(self, radius: float = 2.0, width: float = 0.2, d: int = 2) -> None:
        self.radius, self.width, self.d = positive("radius", radius), positive("width", width), dimension(d, at_least=2)
        log_sphere = float(np.log(2.0) + 0.5 * self.d * np.log(np.pi) - lgamma(self.d / 2.0))
        self.target = RingTarget(self.radius, self.width**-2.0, float(self.d), -log_sphere - self._radii.log_normaliser)

    @cached_property
    def _radii(self) -> Line:
        """The law of |x|."""

        def log_prob(r: np.ndarray) -> np.ndarray:
            return np.asarray((self.d - 1.0) * np.log(r) - 0.5 * ((r - self.radius) / self.width) ** 2)

        reach = self.width * (12.0 + np.sqrt(self.d))
        return line(log_prob, (max(0.0, self.radius - reach), self.radius + 2.0 * reach))

    @property
    def mean(self) -> np.ndarray:
        """E x = 0, shape (d,)."""
        return np.zeros(self.d)

    @property
    def covariance(self) -> np.ndarray:
        """Cov x = E|x|² / d I, shape (d, d)."""
        return float(self._radii.expectation(lambda r: r[:, 0] ** 2)) / self.d * np.eye(self.d)

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Exact draws, shape (n, d): a radius and a direction."""
        rng = generator(seed)
        z = rng.standard_normal((n, self.d))
        return np.asarray(self._radii.draw(n, rng) * z / np.linalg.norm(z, axis=1, keepdims=True))
