"""Neal's funnel: the scale of all components is itself a component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.columns.ops import dot, exp, join, row, rows, squared_norm, stack
from stochsim.densities.checks import dimension, generator, positive
from stochsim.densities.gaussian import LOG_2PI
from stochsim.densities.record import Density, registered

__all__ = ["Funnel"]


@dataclass(frozen=True, eq=False)
class FunnelTarget:
    """Formulas; v is the first component, e⁻ᵛ the precision of the d - 1 others."""

    precision: float  # of v
    others: float  # d - 1
    log_normaliser: float
    size: tuple[int]  # (d,): a tuple, so that it is part of the text

    def _parts(self, x: Any) -> tuple[Any, Any, Any]:
        v = row(x, 0)
        return v, rows(x, 1, self.size[0]), exp(-v)

    def _log_prob(self, v: Any, square: Any) -> Any:
        return self.log_normaliser - 0.5 * (self.precision * (v * v) + square + self.others * v)

    def _score(self, v: Any, y: Any, square: Any, e: Any) -> Any:
        return join(stack(0.5 * (square - self.others) - self.precision * v), -y * e)

    def log_prob(self, x: Any) -> Any:
        v, y, e = self._parts(x)
        return self._log_prob(v, e * squared_norm(y))

    def score(self, x: Any) -> Any:
        v, y, e = self._parts(x)
        return self._score(v, y, e * squared_norm(y), e)

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        v, y, e = self._parts(x)
        square = e * squared_norm(y)
        return self._log_prob(v, square), self._score(v, y, square, e)

    def hessian_vector(self, x: Any, v: Any) -> Any:
        _, y, e = self._parts(x)
        v0, w = row(v, 0), rows(v, 1, self.size[0])
        first = e * dot(y, w) - (self.precision + 0.5 * (e * squared_norm(y))) * v0
        return join(stack(first), (y * v0 - w) * e)

    def laplacian(self, x: Any) -> Any:
        _, y, e = self._parts(x)
        return -self.precision - e * (self.others + 0.5 * squared_norm(y))


@registered(lambda: Funnel(spread=0.7), lambda: Funnel(d=4))
class Funnel(Density):
    """Neal's funnel (2003, section 8): v ~ N(0, spread²), and d - 1 components N(0, eᵛ) given v, after v in x.

    Parameters
    ----------
    spread : float
        Standard deviation of v.
    d : int
        Number of components, at least 2.

    Raises
    ------
    ParameterError
        If spread is not positive, or d below 2.
    """

    def __init__(self, spread: float = 3.0, d: int = 2) -> None:
        self.spread, self.d = positive("spread", spread), dimension(d, at_least=2)
        log_normaliser = -float(np.log(self.spread)) - 0.5 * self.d * LOG_2PI
        self.target = FunnelTarget(self.spread**-2.0, float(self.d - 1), log_normaliser, (self.d,))

    @property
    def mean(self) -> np.ndarray:
        """E x = 0, shape (d,)."""
        return np.zeros(self.d)

    @property
    def covariance(self) -> np.ndarray:
        """Cov x, shape (d, d): spread² for v, E eᵛ = exp(spread² / 2) for the others."""
        return np.diag([self.spread**2, *[float(np.exp(self.spread**2 / 2.0))] * (self.d - 1)])

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Exact draws, shape (n, d)."""
        x = generator(seed).standard_normal((n, self.d))
        x[:, 0] *= self.spread
        x[:, 1:] *= np.exp(x[:, :1] / 2.0)
        return x
