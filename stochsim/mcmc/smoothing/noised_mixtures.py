"""Gaussian mixtures with noise added, y = x + σz, a σ for every chain: exact densities, scores and posteriors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stochsim.columns.noise import Noise
from stochsim.columns.ops import (
    distances,
    join,
    log,
    matvec,
    matvec_transposed,
    maximum,
    repeat,
    segment_sums,
    softmax,
    sqrt,
    total,
    where,
)
from stochsim.densities.mixture import DenseMixture, IsotropicMixture
from stochsim.densities.record import Target
from stochsim.errors import ModelError
from stochsim.mcmc.populations.stacks import height

__all__ = ["NoisedMixture", "noised_mixture"]


class NoisedMixture(Protocol):
    """Formulas over columns y (d, n) with standard deviations σ (n,) of the noise, or one for all."""

    def logits(self, y: Any, sigma: Any) -> Any:
        """The logarithms of w_k N(y; μ_k, C_k + σ²), (K, n)."""

    def pull(self, y: Any, sigma: Any, weights: Any) -> Any:
        """Σ_k weights_k ∇log N(y; μ_k, C_k + σ²), (d, n)."""

    def scatter(self, y: Any, sigma: Any, chosen: Any, noise: Noise) -> Any:
        """A draw of N(0, Cov[x | y, k]) for the Gaussian k that is chosen: ``chosen`` (K, n) is 1 there, else 0."""


@dataclass(frozen=True, eq=False)
class NoisedIsotropic:
    """Of components N(μ_k, v_k I)."""

    target: Any

    def _shrunk(self, sigma: Any) -> Any:
        """1 + σ²/v_k, (K, n)."""
        return 1.0 + (sigma * sigma) * self.target.precisions

    def logits(self, y: Any, sigma: Any) -> Any:
        """The logarithms of w_k N(y; μ_k, (v_k + σ²) I)."""
        t, shrunk = self.target, self._shrunk(sigma)
        squares = distances(y, t.means, t.precisions)
        return t.log_weights - 0.5 * (squares / shrunk + t.dimension * log(shrunk))

    def pull(self, y: Any, sigma: Any, weights: Any) -> Any:
        """Σ_k weights_k (μ_k - y)/(v_k + σ²)."""
        weights = weights * (self.target.precisions / self._shrunk(sigma))
        return matvec_transposed(self.target.means, weights) - y * total(weights)

    def scatter(self, y: Any, sigma: Any, chosen: Any, noise: Noise) -> Any:
        """√(σ²v/(v + σ²)) ξ."""
        return total(chosen / sqrt(self._shrunk(sigma))) * sigma * noise.normal(y)


@dataclass(frozen=True, eq=False)
class NoisedDense:
    """Of full covariances, in whitened coordinates W_k (y - μ_k) of variances 1 + σ²/λ."""

    target: Any

    def _whitened(self, y: Any, sigma: Any) -> tuple[Any, Any]:
        t = self.target
        shrunk = 1.0 + (sigma * sigma) * t.eigenprecisions
        return matvec(t.whitening, y) - t.offsets, shrunk

    def logits(self, y: Any, sigma: Any) -> Any:
        """The logarithms of w_k N(y; μ_k, C_k + σ² I)."""
        z, shrunk = self._whitened(y, sigma)
        return self.target.log_weights - 0.5 * segment_sums(z * z / shrunk + log(shrunk), self.target.size[0])

    def pull(self, y: Any, sigma: Any, weights: Any) -> Any:
        """-Σ_k weights_k W_kᵀ (1 + σ²/λ)⁻¹ W_k (y - μ_k)."""
        z, shrunk = self._whitened(y, sigma)
        return -matvec_transposed(self.target.whitening, repeat(weights, self.target.size[0]) * z / shrunk)

    def scatter(self, y: Any, sigma: Any, chosen: Any, noise: Noise) -> Any:
        """Q_k √(σ²λ/(λ + σ²)) ξ, as Q_k = W_kᵀ √λ."""
        t = self.target
        _, shrunk = self._whitened(y, sigma)
        xi = noise.normal(y)
        every = join(*(xi,) * t.log_weights.shape[0])
        spread = sigma / sqrt(t.eigenprecisions * shrunk)
        return matvec_transposed(t.whitening, repeat(chosen, t.size[0]) * spread * every)


def noised_mixture(target: Target) -> NoisedMixture:
    """The noised family of a mixture's formulas.

    Raises
    ------
    ModelError
        If the target is no Gaussian mixture of isotropic or full covariances.
    """
    if isinstance(target, IsotropicMixture):
        return NoisedIsotropic(target)
    if isinstance(target, DenseMixture):
        return NoisedDense(target)
    raise ModelError(
        f"{type(target).__name__} has no exact noised law here; give a GaussianMixture whose covariances are (K,) or "
        "(K, d, d), also for a single Gaussian"
    )


def log_noised(family: NoisedMixture, y: Any, sigma: Any) -> Any:
    """The log-density of y, (n,)."""
    return softmax(family.logits(y, sigma))[1]


def noised_score(family: NoisedMixture, y: Any, sigma: Any) -> Any:
    """∇log p_σ(y), (d, n)."""
    return family.pull(y, sigma, softmax(family.logits(y, sigma))[0])


def posterior_draw(family: NoisedMixture, y: Any, sigma: Any, noise: Noise) -> Any:
    """A draw of x given y = x + σz: a Gaussian k by its responsibility, then x from N(E[x|y, k], Cov[x|y, k])."""
    chosen = one_hot(softmax(family.logits(y, sigma))[0], noise.uniform(y))
    mean = y + (sigma * sigma) * family.pull(y, sigma, chosen)  # Tweedie's formula for the Gaussian chosen
    return mean + family.scatter(y, sigma, chosen, noise)


def one_hot(weights: Any, u: Any) -> Any:
    """1 in a row drawn with the probabilities ``weights`` (K, n), else 0, by inversion of one uniform number."""
    size = height(weights)
    sums = matvec(np.tril(np.ones((size, size))), weights)
    # 0 .. 0 1 .. 1 with the first 1 at the row drawn; the last row is 1 even if rounding made the sums too small
    above = maximum(where(u * total(weights) < sums, 1.0, 0.0), np.eye(size)[:, -1:])
    return matvec(np.eye(size) - np.eye(size, k=-1), above)
