"""What densities without closed forms share: normaliser, moments and draws by quadrature, for d <= 2."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from stochsim.densities.checks import generator
from stochsim.densities.quadrature import Line, Plane, table
from stochsim.densities.record import Density

__all__ = ["Numerical"]


class Numerical(Density):
    """A density of one or two components whose exact facts come by quadrature, to some 1e-13.

    Attributes
    ----------
    domain : (low, high), one such pair a component, or None
        Where its mass is; searched for if None.
    """

    domain: Any = None

    @cached_property
    def _table(self) -> Line | Plane:
        return table(self.log_prob, self.d, self.domain)

    def log_normaliser(self, domain: Any = None) -> float:
        """Log ∫ exp(log_prob), over the domain if one is given; 0 for a normalised density on all of its space.

        Parameters
        ----------
        domain : (low, high) or one such pair a component, optional

        Raises
        ------
        ModelError
            If there are more than two components, or the integral cannot be had.
        """
        known = self._table if domain is None else table(self.log_prob, self.d, domain)
        return known.log_normaliser

    def expectation(self, function: Any) -> Any:
        """E f(x), for f from points (n, d) to (n,) or (n, k).

        Parameters
        ----------
        function : callable
            Smooth; a kink costs digits.

        Raises
        ------
        ModelError
            If there are more than two components.
        """
        return self._table.expectation(function)

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Exact draws, shape (n, d), by inverse distribution functions."""
        return np.asarray(self._table.draw(n, generator(seed)))

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        mean = self._table.expectation(lambda x: x)
        return mean, self._table.expectation(lambda x: _outer(x - mean)).reshape(self.d, self.d)

    @property
    def mean(self) -> np.ndarray:
        """E x, shape (d,)."""
        return self._moments[0]

    @property
    def covariance(self) -> np.ndarray:
        """Cov x, shape (d, d)."""
        return self._moments[1]


def _outer(x: np.ndarray) -> np.ndarray:
    return np.asarray((x[:, :, None] * x[:, None, :]).reshape(len(x), -1))
