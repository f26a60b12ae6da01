"""Samplers that go through noised states and come back by exact posteriors: Gaussian mixtures only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from stochsim.columns.noise import Noise
from stochsim.columns.ops import absolute, exp, log, log1p, loop, maximum, row, sqrt, where
from stochsim.densities.checks import vector
from stochsim.densities.record import Target
from stochsim.errors import ParameterError
from stochsim.mcmc.langevin.overdamped import Position
from stochsim.mcmc.populations.stacks import turned
from stochsim.mcmc.record import Claims, NoInfo, Sampler, require_positive, sampler
from stochsim.mcmc.smoothing.noised_mixtures import (
    NoisedMixture,
    log_noised,
    noised_mixture,
    noised_score,
    posterior_draw,
)

__all__ = ["DenoisingAutoencoder", "DenoisingGibbs"]


class NoisyState(NamedTuple):
    """A noisy place and the standard deviation of its noise."""

    x: Any
    sigma: Any


class Denoised(NamedTuple):
    """The level of the noise."""

    sigma: Any


@sampler(
    Claims(
        "Bengio, Yao, Alain & Vincent 2013, eq. (1)", bias_order=float("inf"), exact_gaussian=("position",), gradients=0
    )
)  # fmt: skip
@dataclass(frozen=True)
class DenoisingAutoencoder(Sampler):
    """The generalised denoising autoencoder with its exact posterior: add noise, draw a clean point.

    Invariant for the density at every size of the noise. On a Gaussian of variance v the chain is autoregressive with
    the correlation v/(v + σ²).

    Parameters
    ----------
    sigma : float
        Standard deviation of the noise.
    """

    sigma: float

    def __post_init__(self) -> None:
        require_positive("sigma", self.sigma)

    def init(self, target: Target, x: Any) -> Position:
        """The place alone."""
        return Position(x)

    def step(self, target: Target, state: Position, noise: Noise) -> tuple[Position, NoInfo]:
        """Y = x + σξ, then x' from p(x | y)."""
        y = state.x + self.sigma * noise.normal(state.x)
        return Position(posterior_draw(noised_mixture(target), y, self.sigma, noise)), NoInfo()


@sampler(Claims("Kim & Ye 2022, section 3.1, Denoising Langevin Gibbs", bias_order=1))
@dataclass(frozen=True)
class DenoisingGibbs(Sampler):
    """Denoising MCMC: Langevin steps in x at the chain's own noise level, then the level from its exact law given x.

    The joint law p(x, σ) ∝ p_σ(x) π(σ) on the levels is kept up to the bias of the Langevin step; chains cross between
    modes at high levels and come back to low ones.

    Parameters
    ----------
    step_size : float
        η of x + (η/2) σ² ∇log p_σ + √η σξ.
    sigmas : array_like, shape (K,)
        Levels of the noise, positive.
    weights : array_like, shape (K,), optional
        π, positive, in any scale; default equal ones.
    """

    step_size: float
    sigmas: Any
    weights: Any = None

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        sigmas = vector("sigmas", self.sigmas)
        weights = np.ones(len(sigmas)) if self.weights is None else vector("weights", self.weights, len(sigmas))
        for name, values in (("sigmas", sigmas), ("weights", weights)):
            if not np.all(values > 0.0):
                raise ParameterError(f"the smallest of {name} is {values.min():g}; give positive numbers")
        object.__setattr__(self, "sigmas", sigmas[:, None].copy())
        object.__setattr__(self, "weights", weights[:, None].copy())

    def init(self, target: Target, x: Any) -> NoisyState:
        """The place at the first level of the list."""
        return NoisyState(x, row(_every(self.sigmas, x), 0))

    def step(self, target: Target, state: NoisyState, noise: Noise) -> tuple[NoisyState, Denoised]:
        """X' by Langevin at the level σ, then σ' from p(σ | x')."""
        family, x, h = noised_mixture(target), state.x, self.step_size
        sigma = state.sigma
        x = x + (0.5 * h * sigma * sigma) * noised_score(family, x, sigma) + sqrt(h) * sigma * noise.normal(x)
        sigma = self._level(family, x, noise)
        return NoisyState(x, sigma), Denoised(sigma)

    def _level(self, family: NoisedMixture, x: Any, noise: Noise) -> Any:
        """A level drawn with the probability p_σ(x) π(σ): one passes them all and keeps each by its share so far."""

        def consider(levels: Any, weights: Any, sigma: Any, log_sum: Any) -> tuple[Any, Any, Any, Any]:
            candidate = row(levels, 0)
            log_share = log_noised(family, x, candidate) + log(row(weights, 0))
            log_sum = log_add(log_sum, log_share)
            keep = log(noise.uniform(x)) < log_share - log_sum
            return turned(levels, 1), turned(weights, 1), where(keep, candidate, sigma), log_sum

        none = 0.0 * row(x, 0)
        begin = (_every(self.sigmas, x), _every(self.weights, x), none, none - 1e300)
        return loop(self.sigmas.shape[0], consider, *begin)[2]


def _every(column: Any, x: Any) -> Any:
    """A parameter (K, 1) as a vector of every chain."""
    return 0.0 * row(x, 0) + column


def log_add(x: Any, y: Any) -> Any:
    """log(eˣ + eʸ)."""
    return maximum(x, y) + log1p(exp(-absolute(x - y)))
