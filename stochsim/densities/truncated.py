"""The Gaussian with independent components, kept to a box."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from stochsim.columns.ops import total, where
from stochsim.densities.checks import generator, vector
from stochsim.densities.quadrature import Line, line
from stochsim.densities.record import Density, registered
from stochsim.errors import ModelError, ParameterError

__all__ = ["TruncatedGaussian"]

REACH = 40.0  # standard deviations: beyond them nothing is left beside the largest density


@dataclass(frozen=True, eq=False)
class TruncatedTarget:
    """Formulas; columns (d, 1)."""

    mean: np.ndarray
    precision: np.ndarray
    low: np.ndarray
    high: np.ndarray
    log_normaliser: float

    def log_prob(self, x: Any) -> Any:
        square = total(self.precision * ((x - self.mean) * (x - self.mean)))
        outside = total(where((x < self.low) | (x > self.high), 1.0, 0.0))
        return where(outside > 0.0, -np.inf, self.log_normaliser - 0.5 * square)

    def score(self, x: Any) -> Any:
        return self.precision * (self.mean - x)

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        return self.log_prob(x), self.score(x)

    def hessian_vector(self, x: Any, v: Any) -> Any:
        return -self.precision * v

    def laplacian(self, x: Any) -> Any:
        return total(0.0 * x - self.precision)


@registered(
    lambda: TruncatedGaussian(0.0, 1.0, 1.0, 2.0),
    lambda: TruncatedGaussian([0.0, 1.0, -2.0], [1.0, 4.0, 0.25], [0.0, -np.inf, -1.0], [np.inf, 2.0, 30.0]),
)
class TruncatedGaussian(Density):
    """N(mean, diag(variances)) given low <= x <= high.

    Outside of the box `log_prob` is -inf; the score is that of the whole Gaussian everywhere, so it knows nothing of
    the walls. All facts are of one component, by quadrature over its side, and keep their digits in the tails.

    Parameters
    ----------
    mean : array_like, shape (d,), or float
        Of the Gaussian before truncation.
    variances : array_like, shape (d,), or float
    low, high : array_like, shape (d,), or float
        The box; infinite sides are allowed.

    Raises
    ------
    ModelError
        If a variance is not positive (the smallest is named), or a side of the box is empty.
    ParameterError
        If shapes do not fit.
    """

    def __init__(self, mean: Any, variances: Any, low: Any, high: Any) -> None:
        self.location = vector("mean", mean)
        self.d = len(self.location)
        self.variances, self.low, self.high = (
            self._one_each(name, value) for name, value in (("variances", variances), ("low", low), ("high", high))
        )
        if not self.variances.min() > 0.0 or not np.all(np.isfinite(self.variances)):
            raise ModelError(f"the smallest variance is {self.variances.min():g}; give finite positive ones")
        if not np.all(self.low < self.high):
            raise ModelError(f"the box reaches from {self.low.tolist()} to {self.high.tolist()}; give low < high")
        self.target = TruncatedTarget(
            self.location[:, None],
            1.0 / self.variances[:, None],
            self.low[:, None],
            self.high[:, None],
            -sum(law.log_normaliser for law in self._laws),
        )

    def _one_each(self, name: str, value: Any) -> np.ndarray:
        given = np.asarray(value, dtype=float)
        if given.shape not in ((), (self.d,)) or np.any(np.isnan(given)):
            raise ParameterError(f"{name} has shape {given.shape}; give a number or numbers of shape ({self.d},)")
        return np.broadcast_to(given, self.d).copy()

    @cached_property
    def _laws(self) -> list[Line]:
        """The law of each component."""
        laws = []
        for m, v, low, high in zip(self.location, self.variances, self.low, self.high, strict=True):
            mode, reach = float(np.clip(m, low, high)), REACH * float(np.sqrt(v))
            side = (max(low, mode - reach), min(high, mode + reach))
            laws.append(line(partial(_log_normal, float(m), float(v)), side))
        return laws

    @property
    def mean(self) -> np.ndarray:
        """E x, shape (d,)."""
        return np.array([float(law.expectation(lambda x: x)[0]) for law in self._laws])

    @property
    def covariance(self) -> np.ndarray:
        """Cov x, shape (d, d), diagonal."""
        return np.diag([law.variance for law in self._laws])

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Exact draws, shape (n, d), by inverse distribution functions."""
        rng = generator(seed)
        return np.concatenate([law.draw(n, rng) for law in self._laws], axis=1)


def _log_normal(mean: float, variance: float, x: np.ndarray) -> np.ndarray:
    return np.asarray(-0.5 * (x - mean) ** 2 / variance)
