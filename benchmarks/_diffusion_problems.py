"""The targets of the benchmark of diffusion samplers, as numbers, and the laws that Euler–Maruyama gives.

Variance-preserving noise with the rate β(t) = 0.1 + 19.9 t, from t = 1 to 0.001 in equal steps:
x ← (1 + hβ/2) x + hβ ∇log p_t(x) + √(hβ) z, from z.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

LAST, SLOWEST, FASTEST = 1e-3, 0.1, 20.0


@dataclass(frozen=True)
class Problem:
    """A Gaussian mixture: weights (K,), means (K, d), and variances (K,) or covariances (K, d, d)."""

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    n_steps: int = 100

    @property
    def full(self) -> bool:
        """Whether the components have full covariances."""
        return self.covariances.ndim == 3

    @cached_property
    def grid(self) -> np.ndarray:
        """Times (n_steps + 1,), falling."""
        return np.linspace(1.0, LAST, self.n_steps + 1)

    @cached_property
    def rates(self) -> np.ndarray:
        """The h β of each step."""
        return -np.diff(self.grid) * (SLOWEST + (FASTEST - SLOWEST) * self.grid[:-1])

    def collapsed(self) -> Problem:
        """The mixture whose components all are the first one: a Gaussian that takes the same work."""
        means, covariances = np.empty_like(self.means), np.empty_like(self.covariances)
        means[:], covariances[:] = self.means[0], self.covariances[0]
        return replace(self, means=means, covariances=covariances)

    def noised(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and covariances at each of the times."""
        alpha = np.exp(-0.5 * (SLOWEST * t + 0.5 * (FASTEST - SLOWEST) * t**2))
        square = (alpha**2).reshape(-1, *[1] * self.covariances.ndim)
        noise = np.eye(self.means.shape[1]) if self.full else 1.0
        return alpha[:, None, None] * self.means, square * self.covariances + (1.0 - square) * noise

    def euler_law(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean (d,) and variances (d,) of what Euler–Maruyama gives for the first component alone."""
        means, covariances = self.noised(self.grid[:-1])
        d, one = self.means.shape[1], np.eye(self.means.shape[1])
        mean, covariance = np.zeros(d), one
        for rate, m, c in zip(self.rates, means[:, 0], covariances[:, 0], strict=True):
            precision = np.linalg.inv(c) if self.full else one / c
            step = (1.0 + 0.5 * rate) * one - rate * precision
            mean = step @ mean + rate * precision @ m
            covariance = step @ covariance @ step.T + rate * one
        return mean, np.diag(covariance)


def _ring() -> Problem:
    angle = 2.0 * np.pi * np.arange(8) / 8
    weights = np.arange(2.0, 10.0)
    return Problem(weights / weights.sum(), 2.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1), np.full(8, 0.05))


def _many(full: bool) -> Problem:
    rng = np.random.default_rng(0)
    weights, means = rng.dirichlet(np.full(25, 5.0)), 2.0 * rng.normal(size=(25, 16))
    if not full:
        return Problem(weights, means, rng.uniform(0.2, 1.0, 25))
    root = rng.normal(size=(25, 16, 16)) / 4.0
    return Problem(weights, means, root @ np.swapaxes(root, 1, 2) + 0.1 * np.eye(16))


PROBLEMS = {"ring": _ring(), "isotropic": _many(full=False), "full": _many(full=True)}
