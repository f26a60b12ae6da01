"""Gaussians and Gaussian mixtures as one thing: weights, means, covariances, and their exact projections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.errors import ModelError
from stochsim.metrics._arrays import FloatArray


@dataclass(frozen=True, eq=False)
class Components:
    """A Gaussian mixture: weights (K,), means (K, d), covariances (K, d, d)."""

    weights: FloatArray
    means: FloatArray
    covariances: FloatArray

    @property
    def d(self) -> int:
        """Number of components of a sample."""
        return int(self.means.shape[1])

    @property
    def mean(self) -> FloatArray:
        """Mean (d,) of the mixture."""
        return self.weights @ self.means

    @property
    def covariance(self) -> FloatArray:
        """Covariance (d, d) of the mixture."""
        spread = self.means - self.mean
        inner = np.einsum("k,kij->ij", self.weights, self.covariances)
        return np.asarray(inner + (spread * self.weights[:, None]).T @ spread)

    def projected(self, direction: FloatArray) -> Marginal:
        """The exact law of direction·x."""
        variances = np.einsum("i,kij,j->k", direction, self.covariances, direction)
        return Marginal(self.weights, self.means @ direction, np.sqrt(variances))

    def pairs(self) -> Iterator[tuple[float, FloatArray, FloatArray]]:
        """The law of Y - Y' of independent draws, component by component: weight, mean (d,), covariance (d, d)."""
        for w, m, c in zip(self.weights, self.means, self.covariances, strict=True):
            for v, l, e in zip(self.weights, self.means, self.covariances, strict=True):
                yield float(w * v), m - l, c + e


@dataclass(frozen=True, eq=False)
class Marginal:
    """A Gaussian mixture on the line: weights, means and standard deviations (K,)."""

    weights: FloatArray
    means: FloatArray
    scales: FloatArray

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(Y <= x), for an array of any shape."""
        from scipy.special import ndtr

        return np.asarray(ndtr((x[..., None] - self.means) / self.scales) @ self.weights)

    def pdf(self, x: FloatArray) -> FloatArray:
        """Density, for an array of any shape."""
        return np.asarray(_normal_pdf((x[..., None] - self.means) / self.scales) @ (self.weights / self.scales))

    def partial_mean(self, x: FloatArray) -> FloatArray:
        """E[Y; Y <= x], of an array that may hold infinities."""
        from scipy.special import ndtr

        z = (x[..., None] - self.means) / self.scales
        return np.asarray((ndtr(z) * self.means - self.scales * _normal_pdf(z)) @ self.weights)

    @property
    def mean(self) -> float:
        """E Y."""
        return float(self.weights @ self.means)

    @property
    def variance(self) -> float:
        """Var Y."""
        return float(self.weights @ (self.scales**2 + (self.means - self.mean) ** 2))

    def quantile(self, u: FloatArray) -> FloatArray:
        """Solve cdf(y) = u for probabilities strictly inside (0, 1), by Newton's method kept in a bracket."""
        from scipy.special import ndtri

        z = ndtri(u)
        if len(self.weights) == 1 or u.size == 0:
            return np.asarray(self.means[0] + self.scales[0] * z)
        # a quantile of the mixture lies between the smallest and the largest quantile of its components
        ends = self.means + self.scales * z[..., None]
        low, high = ends.min(axis=-1), ends.max(axis=-1)
        grid = np.linspace(low.min(), high.max(), 4096)
        cell = np.clip(np.searchsorted(self.cdf(grid), u), 1, len(grid) - 1)
        low, high = np.maximum(low, grid[cell - 1]), np.minimum(high, grid[cell])
        return self._refined(u, low, high)

    def _refined(self, u: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
        y = (low + high) / 2
        for _ in range(60):
            excess = self.cdf(y) - u
            low, high = np.where(excess < 0, y, low), np.where(excess > 0, y, high)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                newton = y - excess / self.pdf(y)
            inside = (newton > low) & (newton < high)
            new = np.where(inside, newton, (low + high) / 2)
            settled = (np.abs(new - y) <= 1e-15 * np.abs(y).max()) | (np.abs(excess) <= 1e-15 * u)
            y = new
            if settled.all():
                break
        return y


def _normal_pdf(z: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))


def components(density: Any) -> Components | None:
    """The components of a Gaussian or a Gaussian mixture; None for any other density."""
    from stochsim.densities import Gaussian, GaussianMixture

    if isinstance(density, Gaussian):
        mean = np.atleast_1d(np.asarray(density.mean, dtype=np.float64))
        return _checked(np.ones(1), mean[None], np.asarray(density.covariance)[None])
    if isinstance(density, GaussianMixture):
        return _checked(density.weights, density.means, density.covariances)
    return None


def required_components(density: Any, what: str) -> Components:
    """The components of a density, or one sentence on what the exact form needs."""
    found = components(density)
    if found is None:
        known = f"{what} is known in closed form for Gaussian and GaussianMixture only"
        raise ModelError(f"{known}, and {type(density).__name__} was given; give samples of it instead")
    return found


def _checked(weights: Any, means: Any, covariances: Any) -> Components:
    w, m, c = (np.asarray(a, dtype=np.float64) for a in (weights, means, covariances))
    return Components(w, m, np.broadcast_to(c, (len(w), m.shape[1], m.shape[1])))
