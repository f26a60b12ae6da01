"""Feynman–Kac correctors: weighted particles whose law is ∝ Π p_{i,t}^{w_i} at every t (Skreta et al. 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from stochsim.columns.ops import squared_norm
from stochsim.diffusion.guidance.composed import Composed
from stochsim.errors import ParameterError

__all__ = ["Weighted", "corrected", "log_weight_rate"]


def log_weight_rate(model: Composed, x: Any, t: float) -> tuple[Any, Any]:
    """The score s̄ = Σ w_i s_i and the rate of the logarithm of the weight, back in time.

    Parameters
    ----------
    model : Composed
        With constant weights.
    x : array, shape (d, n)
    t : float

    Returns
    -------
    score : array, shape (d, n)
    rate : array, shape (n,)
        φ = (Σ w_i - 1) f d + ½ g² (|s̄|² - Σ w_i |s_i|²).

    Notes
    -----
    For particles dx = (-f x + ½(1 + η²) g² s̄) dτ + η g dW, whatever η: every Laplacian cancels. With one part of
    weight β it is (β - 1) f d + ½ β (β - 1) g² |s|², with γ and 1 - γ it is ½ γ (γ - 1) g² |s_c - s_u|² (Skreta et
    al. 2025, propositions on annealing and on guidance).
    """
    process = model.process
    f, g2 = float(process.f(t)), float(process.g2(t))
    weights = model.weights_at(t)
    scores = [part.score(x, t) for part in model.parts]
    mean = sum(w * s for w, s in zip(weights[1:], scores[1:], strict=True)) + weights[0] * scores[0]
    spread = sum(w * squared_norm(s) for w, s in zip(weights, scores, strict=True))
    return mean, (sum(weights) - 1.0) * f * len(x) + (0.5 * g2) * (squared_norm(mean) - spread)


@dataclass(frozen=True, eq=False)
class Weighted:
    """Particles with weights.

    Attributes
    ----------
    x : ndarray, shape (d, n)
    log_weights : ndarray, shape (n,)
        Since the last resampling.
    log_normaliser : float
        Estimate of log Z_end/Z_start, of Z = ∫ Π p_i^{w_i}.
    n_resampled : int
    """

    x: np.ndarray
    log_weights: np.ndarray
    log_normaliser: float
    n_resampled: int

    @property
    def weights(self) -> np.ndarray:
        """Normalised weights, shape (n,)."""
        w = np.exp(self.log_weights - self.log_weights.max())
        return np.asarray(w / w.sum())

    @property
    def ess(self) -> float:
        """Effective number of particles, 1/Σ w²."""
        return float(1.0 / (self.weights**2).sum())

    @property
    def mean(self) -> np.ndarray:
        """Weighted mean, shape (d,)."""
        return np.asarray(self.x @ self.weights)

    @property
    def covariance(self) -> np.ndarray:
        """Weighted covariance, shape (d, d)."""
        apart = self.x - self.mean[:, None]
        return np.asarray((apart * self.weights) @ apart.T)


def corrected(
    model: Composed, x: Any, grid: Any, noise: Any, *, uniforms: Any, eta: float = 1.0, resample_below: float = 0.5
) -> Weighted:
    """Particles of the law ∝ Π p_{i,0}^{w_i}: Euler–Maruyama, weights by the trapezoidal rule, systematic resampling.

    Parameters
    ----------
    model : Composed
        Guidance, a product, or one model with a weight β (annealing); weights must be constants.
    x : ndarray, shape (d, n)
        Draws of the law ∝ Π p_i^{w_i} at the first time.
    grid : array_like
        Falling times.
    noise : callable
        ``noise(k, shape)``: standard normals.
    uniforms : array_like, shape (n_steps,)
        A number in (0, 1) for each step, used where particles are resampled.
    eta : float
        Share of the noise amplitude; the weighted law does not depend on it.
    resample_below : float
        Resample when the effective number falls below this share; 0 never does.

    Raises
    ------
    ParameterError
        If a weight is a function, or the grid rises.
    """
    if any(callable(weight) for weight in model.weights):
        raise ParameterError("Feynman-Kac weights are known for constant exponents; give numbers as weights")
    times = model.process.check_grid(grid)
    if times[-1] > times[0]:
        raise ParameterError("the grid rises; correctors run from noise to data, give falling times")
    state = Weighted(np.asarray(x, dtype=float), np.zeros(np.shape(x)[1]), 0.0, 0)
    score, rate = log_weight_rate(model, state.x, float(times[0]))
    for i, (t, after) in enumerate(zip(times[:-1].tolist(), times[1:].tolist(), strict=True)):
        h, f, g2 = t - after, float(model.process.f(t)), float(model.process.g2(t))
        moved = (1.0 - h * f) * state.x + (0.5 * (1.0 + eta**2) * h * g2) * score
        if eta > 0.0:
            moved = moved + (eta * sqrt(h * g2)) * noise(i, moved.shape)
        score, then = log_weight_rate(model, moved, after)
        state = Weighted(moved, state.log_weights + (0.5 * h) * (rate + then), state.log_normaliser, state.n_resampled)
        rate = then
        if state.ess < resample_below * len(rate):
            state, kept = _resampled(state, float(uniforms[i]))
            score, rate = score[:, kept], rate[kept]
    return Weighted(state.x, state.log_weights, state.log_normaliser + _log_mean(state.log_weights), state.n_resampled)


def _log_mean(logs: np.ndarray) -> float:
    most = float(logs.max())
    return most + float(np.log(np.exp(logs - most).mean()))


def _resampled(state: Weighted, u: float) -> tuple[Weighted, np.ndarray]:
    """Systematic resampling (Kitagawa 1996): particle j is kept about n w_j times."""
    n = len(state.log_weights)
    heights = np.cumsum(state.weights)
    kept = np.searchsorted(heights / heights[-1], (np.arange(n) + u) / n, side="right").clip(max=n - 1)
    level = state.log_normaliser + _log_mean(state.log_weights)
    return Weighted(np.ascontiguousarray(state.x[:, kept]), np.zeros(n), level, state.n_resampled + 1), kept
