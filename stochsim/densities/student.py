"""Student's t in any dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma
from typing import Any

import numpy as np

from stochsim.columns.ops import dot, log1p, matvec, matvec_transposed, squared_norm
from stochsim.densities.checks import generator, positive, positive_definite, selection, vector
from stochsim.densities.record import Density, registered
from stochsim.errors import ModelError, ParameterError

__all__ = ["StudentT"]


@dataclass(frozen=True, eq=False)
class StudentTarget:
    """Formulas with a whitening matrix of the scale."""

    location: np.ndarray  # (d, 1)
    whitening: np.ndarray  # (d, d), Wᵀ W = S⁻¹
    df: float
    power: float  # df + d
    trace_precision: float
    log_normaliser: float

    def _whitened(self, x: Any) -> tuple[Any, Any]:
        z = matvec(self.whitening, x - self.location)
        return z, squared_norm(z)

    def _log_prob(self, square: Any) -> Any:
        return self.log_normaliser - 0.5 * self.power * log1p(square / self.df)

    def _score(self, z: Any, square: Any) -> Any:
        return matvec_transposed(self.whitening, z) * (-self.power / (self.df + square))

    def log_prob(self, x: Any) -> Any:
        return self._log_prob(self._whitened(x)[1])

    def score(self, x: Any) -> Any:
        return self._score(*self._whitened(x))

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        z, square = self._whitened(x)
        return self._log_prob(square), self._score(z, square)

    def hessian_vector(self, x: Any, v: Any) -> Any:
        z, square = self._whitened(x)
        u, a = matvec(self.whitening, v), 1.0 / (self.df + square)
        return matvec_transposed(self.whitening, z * (2.0 * a * dot(z, u)) - u) * (self.power * a)

    def laplacian(self, x: Any) -> Any:
        z, square = self._whitened(x)
        a = 1.0 / (self.df + square)
        return self.power * a * (2.0 * a * squared_norm(matvec_transposed(self.whitening, z)) - self.trace_precision)


@registered(
    lambda: StudentT(6.0, [0.5], 2.0),
    lambda: StudentT(12.0, [1.0, -1.0, 0.0], [[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 0.5]]),
)
class StudentT(Density):
    """The multivariate t law (Kotz and Nadarajah 2004, eq. 1.1).

    Parameters
    ----------
    df : float
        Degrees of freedom; tails fall as |x|^-(df + d).
    location : array_like, shape (d,), or float
    scale : array_like
        Matrix (d, d), variances (d,) or a variance for all: the covariance is df / (df - 2) times it.

    Raises
    ------
    ModelError
        If the scale is not symmetric positive definite; its smallest eigenvalue is named.
    ParameterError
        If shapes do not fit or df is not positive.
    """

    def __init__(self, df: float, location: Any = 0.0, scale: Any = 1.0) -> None:
        self.df, self.location = positive("df", df), vector("location", location)
        self.d = d = len(self.location)
        given = np.asarray(scale, dtype=float)
        if given.shape not in ((), (d,), (d, d)):
            raise ParameterError(
                f"scale has shape {given.shape} and location ({d},); give a number, ({d},) or ({d}, {d})"
            )
        self.scale = np.diag(np.broadcast_to(given, d)) if given.ndim < 2 else given
        self._values, self._vectors = positive_definite("scale", self.scale)
        self.target = self._formulas()

    def _formulas(self) -> StudentTarget:
        precision, power = 1.0 / self._values, self.df + self.d
        whitening = np.sqrt(precision)[:, None] * self._vectors.T
        constant = lgamma(power / 2.0) - lgamma(self.df / 2.0) - 0.5 * self.d * np.log(self.df * np.pi)
        log_normaliser = float(constant + 0.5 * np.log(precision).sum())
        trace = float(precision.sum())
        return StudentTarget(self.location[:, None], whitening, self.df, power, trace, log_normaliser)

    @property
    def mean(self) -> np.ndarray:
        """E x, shape (d,).

        Raises
        ------
        ModelError
            If df <= 1: there is none.
        """
        if self.df <= 1.0:
            raise ModelError(f"Student's t with {self.df:g} degrees of freedom has no mean; give more than 1")
        return self.location

    @property
    def covariance(self) -> np.ndarray:
        """Cov x, shape (d, d).

        Raises
        ------
        ModelError
            If df <= 2: there is none.
        """
        if self.df <= 2.0:
            raise ModelError(f"Student's t with {self.df:g} degrees of freedom has no covariance; give more than 2")
        return np.asarray(self.df / (self.df - 2.0) * self.scale)

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Exact draws, shape (n, d)."""
        rng = generator(seed)
        z = rng.standard_normal((n, self.d)) * np.sqrt(self._values)
        return np.asarray(self.location + z @ self._vectors.T / np.sqrt(rng.chisquare(self.df, (n, 1)) / self.df))

    def marginal(self, components: Sequence[int]) -> StudentT:
        """The law of some components, in the order given: a t law with the same df."""
        index = selection(components, self.d)
        return StudentT(self.df, self.location[index], self.scale[np.ix_(index, index)])
