"""Gaussian mixtures in any dimension, with their exact noised, conditional and marginal laws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from stochsim.columns.ops import (
    distances,
    dot,
    logsumexp,
    matvec,
    matvec_transposed,
    repeat,
    segment_sums,
    softmax,
    total,
)
from stochsim.densities.checks import (
    finite,
    generator,
    mixing,
    noise_levels,
    not_positive,
    positive_definite,
    selection,
)
from stochsim.densities.gaussian import LOG_2PI, condition, same_dimension
from stochsim.densities.record import Density, registered
from stochsim.densities.tempered import Tempered
from stochsim.errors import ParameterError

__all__ = ["GaussianMixture"]


@dataclass(frozen=True, eq=False)
class IsotropicMixture:
    """Formulas for components N(μ_k, v_k I)."""

    log_weights: np.ndarray  # (K, 1), normalisers included
    means: np.ndarray  # (K, d)
    precisions: np.ndarray  # (K, 1)
    dimension: float

    def _logits(self, x: Any) -> Any:
        return self.log_weights - 0.5 * distances(x, self.means, self.precisions)

    def _pull(self, x: Any, weights: Any) -> Any:
        """Σ_k weights_k ∇ log p_k."""
        weights = weights * self.precisions
        return matvec_transposed(self.means, weights) - x * total(weights)

    def log_prob(self, x: Any) -> Any:
        return logsumexp(self._logits(x))

    def score(self, x: Any) -> Any:
        return self._pull(x, softmax(self._logits(x))[0])

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        r, log_p = softmax(self._logits(x))
        return log_p, self._pull(x, r)

    def responsibilities(self, x: Any) -> Any:
        return softmax(self._logits(x))[0]

    def hessian_vector(self, x: Any, v: Any) -> Any:
        r = self.responsibilities(x)
        s = self._pull(x, r)
        along = self.precisions * (matvec(self.means, v) - dot(x, v))  # s_k · v
        return self._pull(x, r * along) - v * total(r * self.precisions) - s * dot(s, v)

    def laplacian(self, x: Any) -> Any:
        r = self.responsibilities(x)
        s = self._pull(x, r)
        squares = self.precisions * distances(x, self.means, self.precisions)  # |s_k|²
        return total(r * (squares - self.dimension * self.precisions)) - dot(s, s)


@dataclass(frozen=True, eq=False)
class DiagonalMixture:
    """Formulas for components with diagonal covariances."""

    log_weights: np.ndarray  # (K, 1)
    means: np.ndarray  # (K, d)
    precisions: np.ndarray  # (K, d)
    weighted_means: np.ndarray  # (K, d), means times precisions
    squared_precisions: np.ndarray  # (K, d)
    trace_precisions: np.ndarray  # (K, 1)

    def _logits(self, x: Any) -> Any:
        return self.log_weights - 0.5 * distances(x, self.means, self.precisions)

    def _pull(self, x: Any, weights: Any) -> Any:
        return matvec_transposed(self.weighted_means, weights) - x * matvec_transposed(self.precisions, weights)

    def log_prob(self, x: Any) -> Any:
        return logsumexp(self._logits(x))

    def score(self, x: Any) -> Any:
        return self._pull(x, softmax(self._logits(x))[0])

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        r, log_p = softmax(self._logits(x))
        return log_p, self._pull(x, r)

    def responsibilities(self, x: Any) -> Any:
        return softmax(self._logits(x))[0]

    def hessian_vector(self, x: Any, v: Any) -> Any:
        r = self.responsibilities(x)
        s = self._pull(x, r)
        along = matvec(self.weighted_means, v) - matvec(self.precisions, x * v)
        return self._pull(x, r * along) - v * matvec_transposed(self.precisions, r) - s * dot(s, v)

    def laplacian(self, x: Any) -> Any:
        r = self.responsibilities(x)
        s = self._pull(x, r)
        squares = distances(x, self.means, self.squared_precisions)
        return total(r * (squares - self.trace_precisions)) - dot(s, s)


@dataclass(frozen=True, eq=False)
class DenseMixture:
    """Formulas for full covariances: all whitening matrices in one, so a batch is one matrix product.

    W_k = Λ_k^(-1/2) Q_kᵀ with the eigenvalues Λ_k and eigenvectors Q_k of C_k.
    """

    log_weights: np.ndarray  # (K, 1)
    whitening: np.ndarray  # (K d, d), W_kᵀ W_k = C_k⁻¹
    offsets: np.ndarray  # (K d, 1), W_k μ_k
    eigenprecisions: np.ndarray  # (K d, 1), Λ_k⁻¹
    trace_precisions: np.ndarray  # (K, 1)
    size: tuple[int]  # (d,): a tuple, so that it is part of the text

    def _whitened(self, x: Any) -> tuple[Any, Any]:
        z = matvec(self.whitening, x) - self.offsets
        return z, self.log_weights - 0.5 * segment_sums(z * z, self.size[0])

    def _pull(self, z: Any, weights: Any) -> Any:
        return -matvec_transposed(self.whitening, z * repeat(weights, self.size[0]))

    def log_prob(self, x: Any) -> Any:
        return logsumexp(self._whitened(x)[1])

    def score(self, x: Any) -> Any:
        z, logits = self._whitened(x)
        return self._pull(z, softmax(logits)[0])

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        z, logits = self._whitened(x)
        r, log_p = softmax(logits)
        return log_p, self._pull(z, r)

    def responsibilities(self, x: Any) -> Any:
        return softmax(self._whitened(x)[1])[0]

    def hessian_vector(self, x: Any, v: Any) -> Any:
        z, logits = self._whitened(x)
        r, u = softmax(logits)[0], matvec(self.whitening, v)
        s = self._pull(z, r)
        along = segment_sums(z * u, self.size[0])  # -s_k · v
        return self._pull(u, r) - self._pull(z, r * along) - s * dot(s, v)

    def laplacian(self, x: Any) -> Any:
        z, logits = self._whitened(x)
        r = softmax(logits)[0]
        s = self._pull(z, r)
        squares = segment_sums(z * z * self.eigenprecisions, self.size[0])  # |s_k|², as W Wᵀ is diagonal
        return total(r * (squares - self.trace_precisions)) - dot(s, s)


@registered(
    lambda: GaussianMixture([0.3, 0.7], [-1.0, 1.5], [0.2, 0.5]),
    lambda: GaussianMixture([0.3, 0.7], [[-1.0, 0.0, 1.0], [1.5, 0.0, 0.0]], 0.5),
    lambda: GaussianMixture([0.5, 0.5], [[-1.0, 0.0], [1.0, 2.0]], [[0.2, 1.0], [0.5, 0.1]]),
    lambda: GaussianMixture(
        [0.6, 0.4], [[-1.0, 0.0], [1.0, 2.0]], [[[1.0, 0.8], [0.8, 1.0]], [[0.2, 0.0], [0.0, 0.3]]]
    ),
)
class GaussianMixture(Density):
    """The mixture Σ_k w_k N(μ_k, C_k).

    Parameters
    ----------
    weights : array_like, shape (K,)
        Positive, summing to 1 within 1e-9.
    means : array_like, shape (K, d)
    covariances : array_like
        Isotropic: a variance for all, or (K,). Diagonal: (K, d). Full: (K, d, d). The form given is the form
        of the formulas; noising and tempering keep it.

    Raises
    ------
    ModelError
        If a covariance is not symmetric positive definite (the smallest eigenvalue is named), or the weights
        do not sum to 1 (the sum is named).
    ParameterError
        If shapes do not fit.
    """

    def __init__(self, weights: Any, means: Any, covariances: Any = 1.0) -> None:
        self.weights, self.means = mixing(weights, means)
        K, self.d = self.means.shape
        given = finite("covariances", np.asarray(covariances, dtype=float))
        if given.shape not in ((), (K,), (K, self.d), (K, self.d, self.d)):
            raise ParameterError(
                f"covariances have shape {given.shape}; give a number, ({K},), ({K}, {self.d}) or "
                f"({K}, {self.d}, {self.d})"
            )
        self._spectra(np.broadcast_to(given, K) if given.ndim == 0 else given)
        self.target = self._formulas()

    def _spectra(self, given: np.ndarray) -> None:
        """Eigenvalues (K,), (K, d) of covariances; eigenvectors (K, d, d) of full ones."""
        self._given = given
        if given.ndim == 3:
            self._eigenvalues, self._eigenvectors = positive_definite("a covariance", given)
        else:
            if given.min() <= 0.0:
                raise not_positive("a covariance", float(given.min()))
            self._eigenvalues = given

    def _alike(self, means: np.ndarray, eigenvalues: np.ndarray) -> GaussianMixture:
        """A mixture of the same weights, form and eigenvectors, without checks."""
        new = GaussianMixture.__new__(GaussianMixture)
        new.weights, new.means, new.d, new._eigenvalues = self.weights, means, self.d, eigenvalues
        if self._given.ndim == 3:
            new._eigenvectors = self._eigenvectors
            new._given = (self._eigenvectors * eigenvalues[:, None, :]) @ np.swapaxes(self._eigenvectors, 1, 2)
        else:
            new._given = eigenvalues
        new.target = new._formulas()
        return new

    def _formulas(self) -> IsotropicMixture | DiagonalMixture | DenseMixture:
        precisions, d, means = 1.0 / self._eigenvalues, self.d, self.means
        with np.errstate(divide="ignore"):
            logs = np.log(self.weights)
        if precisions.ndim == 1:
            logs = logs + 0.5 * d * (np.log(precisions) - LOG_2PI)
            return IsotropicMixture(logs[:, None], means, precisions[:, None], float(d))
        logs = (logs + 0.5 * (np.log(precisions).sum(axis=1) - d * LOG_2PI))[:, None]
        traces = precisions.sum(axis=1)[:, None]
        if self._given.ndim == 2:
            return DiagonalMixture(logs, means, precisions, means * precisions, precisions**2, traces)
        whitening = np.sqrt(precisions)[:, :, None] * np.swapaxes(self._eigenvectors, 1, 2)
        offsets = np.einsum("kij,kj->ki", whitening, means)
        flat = (whitening.reshape(-1, d), offsets.reshape(-1, 1), precisions.reshape(-1, 1))
        return DenseMixture(logs, *flat, traces, (d,))

    @property
    def n_components(self) -> int:
        """Number of Gaussians."""
        return len(self.weights)

    @cached_property
    def covariances(self) -> np.ndarray:
        """Covariance matrices of the Gaussians, shape (K, d, d)."""
        if self._given.ndim == 3:
            return self._given
        spread = self._given if self._given.ndim == 2 else np.repeat(self._given[:, None], self.d, axis=1)
        return spread[:, :, None] * np.eye(self.d)

    @property
    def mean(self) -> np.ndarray:
        """E x, shape (d,)."""
        return np.asarray(self.weights @ self.means)

    @property
    def covariance(self) -> np.ndarray:
        """Cov x, shape (d, d)."""
        centred = self.means - self.mean
        within = np.einsum("k,kij->ij", self.weights, self.covariances)
        return np.asarray(within + (centred.T * self.weights) @ centred)

    def responsibilities(self, x: Any) -> np.ndarray:
        """Probability of each Gaussian given x: (n, d) -> (n, K), (d,) -> (K,)."""
        return np.asarray(self._at("responsibilities", x))

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Exact draws, shape (n, d)."""
        rng = generator(seed)
        k = rng.choice(self.n_components, size=n, p=self.weights / self.weights.sum())
        z = rng.standard_normal((n, self.d))
        if self._given.ndim < 3:
            spread = np.sqrt(self._eigenvalues)[k]
            return np.asarray(self.means[k] + z * (spread[:, None] if spread.ndim == 1 else spread))
        scaled = z * np.sqrt(self._eigenvalues)[k]
        return np.asarray(self.means[k] + np.einsum("nij,nj->ni", self._eigenvectors[k], scaled))

    def noised(self, alpha: float, sigma: float) -> GaussianMixture:
        """The law of alpha x + sigma z with z standard normal."""
        alpha, sigma = noise_levels(alpha, sigma)
        return self._alike(alpha * self.means, alpha**2 * self._eigenvalues + sigma**2)

    def tempered(self, beta: float) -> Tempered:
        """The law proportional to p^beta: no mixture, so it is not normalised, and its facts come by quadrature."""
        return Tempered(self, beta)

    def marginal(self, components: Sequence[int]) -> GaussianMixture:
        """The law of some components, in the order given."""
        index = selection(components, self.d)
        if self._given.ndim == 3:
            return GaussianMixture(self.weights, self.means[:, index], self._given[:, index[:, None], index])
        given = self._given if self._given.ndim == 1 else self._given[:, index]
        return GaussianMixture(self.weights, self.means[:, index], given)

    def posterior(self, A: Any, y: Any, noise: Any) -> GaussianMixture:
        """The law of x given y = A x + e, e ~ N(0, noise): a mixture with full covariances.

        Parameters
        ----------
        A : array_like, shape (m, d)
        y : array_like, shape (m,)
        noise : array_like
            Covariance of e: a number, (m,) or (m, m).
        """
        parts = [condition(m, C, A, y, noise) for m, C in zip(self.means, self.covariances, strict=True)]
        return _reweighted(self.weights, parts)

    def product(self, other: GaussianMixture) -> GaussianMixture:
        """The law proportional to the product of both densities: a mixture of all pairs."""
        same_dimension(self, other)
        pairs = [(i, j) for i in range(self.n_components) for j in range(other.n_components)]
        one = np.eye(self.d)
        parts = [
            condition(self.means[i], self.covariances[i], one, other.means[j], other.covariances[j]) for i, j in pairs
        ]
        return _reweighted(np.array([self.weights[i] * other.weights[j] for i, j in pairs]), parts)


def _reweighted(weights: np.ndarray, parts: list[tuple[np.ndarray, np.ndarray, float]]) -> GaussianMixture:
    means, covariances, evidence = (np.array(column) for column in zip(*parts, strict=True))
    with np.errstate(divide="ignore"):
        logs = np.log(weights) + evidence
    weights = np.exp(logs - logs.max())
    return GaussianMixture(weights / weights.sum(), means, covariances)
