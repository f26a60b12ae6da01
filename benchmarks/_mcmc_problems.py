"""The targets of the benchmark of Markov chains, as numbers: exact draws, covariances, and settings of the samplers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CONDITION = 100.0
BEND, WIDTH = 0.3, 2.0  # of the banana: x₁ + b (x₀² - s²) is standard normal, x₀ has standard deviation s
NECK = 3.0  # standard deviation of the funnel's first component


@dataclass(frozen=True)
class Problem:
    """A target and how it is sampled.

    Attributes
    ----------
    name : str
        "diagonal" or "dense" (Gaussians with covariances of condition 100), "funnel" or "banana".
    d : int
    step_size : float
    n_leapfrog : int
        0 for NUTS.
    """

    name: str
    d: int
    step_size: float
    n_leapfrog: int = 0

    def covariance(self) -> np.ndarray:
        """Of the Gaussians: eigenvalues from 1/10 to 10, turned by a fixed rotation if dense."""
        values = np.geomspace(CONDITION**-0.5, CONDITION**0.5, self.d)
        if self.name == "diagonal":
            return np.diag(values)
        turn = np.linalg.qr(np.random.default_rng(0).normal(size=(self.d, self.d)))[0]
        return np.asarray((turn * values) @ turn.T)

    def exact(self, n: int, seed: int) -> np.ndarray:
        """Exact draws (n, d)."""
        z = np.random.default_rng(seed).normal(size=(n, self.d))
        if self.name == "funnel":
            v = NECK * z[:, :1]
            return np.hstack([v, np.exp(v / 2.0) * z[:, 1:]])
        if self.name == "banana":
            first = WIDTH * z[:, 0]
            return np.stack([first, z[:, 1] - BEND * (first**2 - WIDTH**2)], axis=1)
        return np.asarray(z @ np.linalg.cholesky(self.covariance()).T)

    def standardised(self, x: np.ndarray) -> np.ndarray:
        """Draws (..., d) turned into standard normals."""
        if self.name == "funnel":
            return np.concatenate([x[..., :1] / NECK, x[..., 1:] * np.exp(-x[..., :1] / 2.0)], axis=-1)
        if self.name == "banana":
            second = x[..., 1] + BEND * (x[..., 0] ** 2 - WIDTH**2)
            return np.stack([x[..., 0] / WIDTH, second], axis=-1)
        return np.asarray(
            np.linalg.solve(np.linalg.cholesky(self.covariance()), x.reshape(-1, self.d).T).T.reshape(x.shape)
        )


PROBLEMS = {
    "hmc diagonal": Problem("diagonal", 50, 0.2, 10),
    "hmc dense": Problem("dense", 50, 0.2, 10),
    "nuts gaussian": Problem("diagonal", 50, 0.25),
    "nuts dense": Problem("dense", 50, 0.25),
    "nuts funnel": Problem("funnel", 10, 0.1),
    "nuts banana": Problem("banana", 2, 0.4),
}
