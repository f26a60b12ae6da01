"""The Gaussian, N(m, C), with its exact noised, tempered, conditional and marginal laws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.columns.ops import dot, matvec, total
from stochsim.densities.checks import (
    finite,
    generator,
    noise_levels,
    not_positive,
    positive,
    positive_definite,
    selection,
    vector,
)
from stochsim.densities.record import Density, registered
from stochsim.errors import ParameterError

__all__ = ["Gaussian"]

LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, eq=False)
class DenseGaussian:
    """Formulas with a precision matrix: one matrix product a batch."""

    mean: np.ndarray  # (d, 1)
    precision: np.ndarray  # (d, d), C⁻¹
    trace_precision: float
    log_normaliser: float

    def log_prob(self, x: Any) -> Any:
        return self.log_prob_and_score(x)[0]

    def score(self, x: Any) -> Any:
        return matvec(self.precision, self.mean - x)

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        score = self.score(x)
        return self.log_normaliser + 0.5 * dot(x - self.mean, score), score

    def hessian_vector(self, x: Any, v: Any) -> Any:
        return -matvec(self.precision, v)

    def laplacian(self, x: Any) -> Any:
        return 0.0 * total(x) - self.trace_precision


@dataclass(frozen=True, eq=False)
class DiagonalGaussian:
    """Formulas with independent components."""

    mean: np.ndarray  # (d, 1)
    precision: np.ndarray  # (d, 1)
    trace_precision: float
    log_normaliser: float

    def log_prob(self, x: Any) -> Any:
        return self.log_normaliser + 0.5 * dot(x - self.mean, self.score(x))

    def score(self, x: Any) -> Any:
        return self.precision * (self.mean - x)

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        return self.log_prob(x), self.score(x)

    def hessian_vector(self, x: Any, v: Any) -> Any:
        return -self.precision * v

    def laplacian(self, x: Any) -> Any:
        return 0.0 * total(x) - self.trace_precision


@registered(
    lambda: Gaussian(0.5, 2.0), lambda: Gaussian([1.0, -1.0, 0.0], [[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 0.5]])
)
class Gaussian(Density):
    """The normal law N(mean, covariance).

    Parameters
    ----------
    mean : array_like, shape (d,), or float
    covariance : array_like
        A variance for all components, variances (d,), or a matrix (d, d). Formulas are of the cheap diagonal form
        unless a matrix is given.

    Raises
    ------
    ModelError
        If the covariance is not symmetric positive definite; the smallest eigenvalue is named.
    ParameterError
        If shapes do not fit.
    """

    def __init__(self, mean: Any, covariance: Any = 1.0) -> None:
        self._mean = vector("mean", mean)
        self.d = d = len(self._mean)
        given = finite("covariance", np.asarray(covariance, dtype=float))
        if given.shape not in ((), (d,), (d, d)):
            raise ParameterError(
                f"covariance has shape {given.shape} and mean ({d},); give a number, ({d},) or ({d}, {d})"
            )
        self.diagonal = given.ndim < 2
        self._covariance = np.diag(np.broadcast_to(given, d)) if self.diagonal else given
        self._eigenvalues, self._eigenvectors = self._spectrum(given)
        self.target = self._formulas()

    def _spectrum(self, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not self.diagonal:
            return positive_definite("covariance", given)
        if given.min() <= 0.0:
            raise not_positive("covariance", float(given.min()))
        return np.broadcast_to(given, self.d).copy(), np.eye(self.d)

    def _formulas(self) -> DenseGaussian | DiagonalGaussian:
        mean, precision = self._mean[:, None], 1.0 / self._eigenvalues
        trace = float(precision.sum())
        normaliser = -0.5 * float(np.log(self._eigenvalues).sum() + self.d * LOG_2PI)
        if self.diagonal:
            return DiagonalGaussian(mean, precision[:, None], trace, normaliser)
        return DenseGaussian(mean, (self._eigenvectors * precision) @ self._eigenvectors.T, trace, normaliser)

    @property
    def mean(self) -> np.ndarray:
        """The mean, shape (d,)."""
        return self._mean

    @property
    def covariance(self) -> np.ndarray:
        """The covariance matrix, shape (d, d)."""
        return self._covariance

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Exact draws, shape (n, d)."""
        z = generator(seed).standard_normal((n, self.d))
        return np.asarray(self._mean + (z * np.sqrt(self._eigenvalues)) @ self._eigenvectors.T)

    def _same_form(self, mean: np.ndarray, covariance: np.ndarray) -> Gaussian:
        return Gaussian(mean, np.diag(covariance) if self.diagonal else covariance)

    def noised(self, alpha: float, sigma: float) -> Gaussian:
        """The law of alpha x + sigma z with z standard normal."""
        alpha, sigma = noise_levels(alpha, sigma)
        return self._same_form(alpha * self._mean, alpha**2 * self._covariance + sigma**2 * np.eye(self.d))

    def tempered(self, beta: float) -> Gaussian:
        """The law proportional to p^beta: the covariance divided by beta > 0."""
        return self._same_form(self._mean, self._covariance / positive("beta", beta))

    def marginal(self, components: Sequence[int]) -> Gaussian:
        """The law of some components, in the order given."""
        index = selection(components, self.d)
        return self._same_form(self._mean[index], self._covariance[np.ix_(index, index)])

    def posterior(self, A: Any, y: Any, noise: Any) -> Gaussian:
        """The law of x given y = A x + e, e ~ N(0, noise).

        Parameters
        ----------
        A : array_like, shape (m, d)
        y : array_like, shape (m,)
        noise : array_like
            Covariance of e: a number, (m,) or (m, m).
        """
        mean, covariance = condition(self._mean, self._covariance, A, y, noise)[:2]
        return Gaussian(mean, covariance)

    def product(self, other: Gaussian) -> Gaussian:
        """The law proportional to the product of both densities."""
        same_dimension(self, other)
        mean, covariance = condition(self._mean, self._covariance, np.eye(self.d), other.mean, other.covariance)[:2]
        return Gaussian(mean, covariance)


def same_dimension(one: Density, other: Density) -> None:
    """Nothing, if both have as many components.

    Raises
    ------
    ParameterError
        If not.
    """
    if one.d != other.d:
        raise ParameterError(f"a density of {one.d} components was multiplied by one of {other.d}; give equal numbers")


def condition(
    mean: np.ndarray, covariance: np.ndarray, A: Any, y: Any, noise: Any
) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean and covariance of x ~ N(mean, covariance) given y = A x + e, and log p(y).

    Raises
    ------
    ParameterError
        If shapes do not fit.
    """
    A, y = np.atleast_2d(np.asarray(A, dtype=float)), np.atleast_1d(np.asarray(y, dtype=float))
    if A.shape != (len(y), len(mean)):
        raise ParameterError(f"A has shape {A.shape}; give ({len(y)}, {len(mean)}), as y has {len(y)} entries")
    noise = finite("noise", np.asarray(noise, dtype=float))
    if noise.shape not in ((), (len(y),), (len(y), len(y))):
        raise ParameterError(
            f"noise has shape {noise.shape} and y {y.shape}; give a number, ({len(y)},) or ({len(y)}, {len(y)})"
        )
    R = noise if noise.ndim == 2 else np.diag(np.broadcast_to(noise, len(y)))
    S = A @ covariance @ A.T + R
    values, vectors = positive_definite("the covariance of y", S)
    whitening = vectors.T / np.sqrt(values)[:, None]
    gain, residual = covariance @ A.T @ whitening.T, whitening @ (y - A @ mean)
    joseph = np.eye(len(mean)) - gain @ whitening @ A  # keeps the result positive definite
    posterior = joseph @ covariance @ joseph.T + gain @ whitening @ R @ whitening.T @ gain.T
    log_evidence = -0.5 * float(residual @ residual + np.log(values).sum() + len(y) * LOG_2PI)
    return mean + gain @ residual, (posterior + posterior.T) / 2.0, log_evidence
