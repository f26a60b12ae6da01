"""Sampling through noisy measurements y = x + σn: walk-jump, and chains of log-concave conditionals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim._request import count
from stochsim.columns.noise import PhiloxNoise
from stochsim.columns.ops import squared_norm
from stochsim.densities.checks import positive
from stochsim.densities.record import Density, Target
from stochsim.errors import ModelError
from stochsim.mcmc.populations._moves import by_arrays, moved
from stochsim.mcmc.record import Sampler
from stochsim.noise.seeds import seed_key

__all__ = ["ConditionalMeasurement", "Jumped", "log_concave_chain", "walk_jump"]


@dataclass(frozen=True, eq=False)
class Jumped:
    """Noisy points and the clean ones that they lead to.

    Attributes
    ----------
    y : ndarray, shape (n, d)
        Measurements, or means of measurements.
    sigma : float
        Standard deviation of their noise.
    x : ndarray, shape (n, d)
        E[x | y] = y + σ² ∇log p_σ(y).
    """

    y: np.ndarray
    sigma: float
    x: np.ndarray


def noised_law(density: Density, sigma: float) -> Density:
    """The law of x + σz.

    Raises
    ------
    ModelError
        If it is not known exactly.
    """
    try:
        law = density.noised(1.0, sigma)  # type: ignore[attr-defined]
    except AttributeError:
        raise ModelError(f"{density.name} has no exact noised law; give a Gaussian or a GaussianMixture") from None
    return law  # type: ignore[no-any-return]


def _jump(density: Density, y: np.ndarray, sigma: float) -> Jumped:
    return Jumped(y, sigma, y + sigma**2 * noised_law(density, sigma).score(y))


def walk_jump(
    density: Density, sampler: Sampler, *, sigma: float, n_chains: int, n_steps: int,
    seed: int | np.random.SeedSequence | None = None,
) -> Jumped:  # fmt: skip
    """Walk by a sampler on the smoothed density p_σ, then jump to E[x | y].

    Source: Saremi & Hyvärinen 2019, algorithm 1.

    Parameters
    ----------
    density : Density
        With ``noised``.
    sampler : Sampler
        Walks on p_σ from N(0, σ² I).
    sigma : float
        Standard deviation of the noise; modes merge where it exceeds their distance.
    n_chains, n_steps : int
    seed : int or SeedSequence, optional
    """
    sigma, n = positive("sigma", sigma), count("n_chains", n_chains)
    k0, k1, _ = seed_key(seed)
    n_steps = count("n_steps", n_steps)
    start = sigma * PhiloxNoise((k0, k1), 0, n_steps).normal(np.empty((density.d, n)))
    y, _ = moved(sampler, noised_law(density, sigma).target, start, (k0, k1), begin=0, n_steps=n_steps)
    return _jump(density, y.T.copy(), sigma)


@dataclass(frozen=True, eq=False)
class ConditionalMeasurement:
    """The law of the m-th measurement given those before it, over columns; their mean is all that counts.

    p(y_m | y_1 .. y_{m-1}) ∝ exp(-(m-1)/(2mσ²) |y_m - ȳ_{m-1}|²) p_{σ/√m}(ȳ_m) is log-concave as soon as σ exceeds the
    radius of the support of the density (Saremi, Park & Bach 2023, theorem 1). For arrays: every column has a past of
    its own.

    Parameters
    ----------
    smoothed : Target
        Formulas of p_{σ/√m}.
    past : ndarray, shape (d, n)
        ȳ_{m-1}; anything for m = 1.
    m : int
    sigma : float
    """

    smoothed: Target
    past: np.ndarray
    m: int
    sigma: float

    def mean(self, y: Any) -> Any:
        """ȳ_m = ȳ_{m-1} + (y - ȳ_{m-1})/m."""
        return self.past + (y - self.past) / self.m

    def _pull(self) -> float:
        return (self.m - 1) / (self.m * self.sigma**2)

    def log_prob(self, y: Any) -> Any:
        """Without its normaliser."""
        return self.smoothed.log_prob(self.mean(y)) - 0.5 * self._pull() * squared_norm(y - self.past)

    def score(self, y: Any) -> Any:
        """(E[x | ȳ_m] - y)/σ²."""
        return self.smoothed.score(self.mean(y)) / self.m - self._pull() * (y - self.past)

    def log_prob_and_score(self, y: Any) -> tuple[Any, Any]:
        """Both."""
        log_prob, score = self.smoothed.log_prob_and_score(self.mean(y))
        away = y - self.past
        return log_prob - 0.5 * self._pull() * squared_norm(away), score / self.m - self._pull() * away

    def hessian_vector(self, y: Any, v: Any) -> Any:
        """∇²log p v."""
        return self.smoothed.hessian_vector(self.mean(y), v) / self.m**2 - self._pull() * v

    def laplacian(self, y: Any) -> Any:
        """Δ log p."""
        return self.smoothed.laplacian(self.mean(y)) / self.m**2 - self._pull() * len(y)


def log_concave_chain(
    density: Density, sampler: Sampler, *, sigma: float, n_measurements: int, n_chains: int, n_steps: int,
    seed: int | np.random.SeedSequence | None = None,
) -> Jumped:  # fmt: skip
    """Measure again and again, each time given the mean of the measurements before, then jump to E[x | ȳ].

    Source: Saremi, Park & Bach 2023, algorithm 1. The mean of M measurements has the noise σ/√M.

    Parameters
    ----------
    density : Density
        With ``noised``.
    sampler : Sampler
        Draws every measurement from its conditional law, in ``n_steps`` steps.
    sigma : float
        Standard deviation of the noise of one measurement.
    n_measurements, n_chains, n_steps : int
    seed : int or SeedSequence, optional

    Returns
    -------
    Jumped
        With the means of the measurements.
    """
    sigma, n, M = positive("sigma", sigma), count("n_chains", n_chains), count("n_measurements", n_measurements)
    k0, k1, _ = seed_key(seed)
    n_steps, mean = count("n_steps", n_steps), np.zeros((density.d, n))
    for m in range(1, M + 1):
        smoothed = noised_law(density, sigma / np.sqrt(m)).target
        target = ConditionalMeasurement(smoothed, mean, m, sigma)
        begin = (m - 1) * (n_steps + 1)
        start = mean + sigma * PhiloxNoise((k0, k1), 0, begin + n_steps).normal(mean)
        state, _ = by_arrays(sampler, target, sampler.init(target, start), (k0, k1), begin=begin, n_steps=n_steps)
        mean = target.mean(state.x)
    return _jump(density, mean.T.copy(), sigma / float(np.sqrt(M)))
