"""Samplers from the overdamped Langevin equation dX = ∇log π dt + √2 dW."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from stochsim.columns.noise import Noise
from stochsim.columns.ops import exp, log, minimum, sqrt, where
from stochsim.densities.record import Target
from stochsim.mcmc.hamiltonian.metrics import euclidean
from stochsim.mcmc.record import Claims, NoInfo, Sampler, StepSize, require_positive, require_step_size, sampler

__all__ = ["MALA", "ULA", "LeimkuhlerMatthews", "PreconditionedULA", "StochasticHeun"]


class Position(NamedTuple):
    """The state of a sampler that needs no more than the place."""

    x: Any


class Evaluated(NamedTuple):
    """A place with its log-density and score."""

    x: Any
    log_prob: Any
    score: Any


class Shared(NamedTuple):
    """A place with the normal numbers that the next step uses once more."""

    x: Any
    xi: Any


class Acceptance(NamedTuple):
    """How a proposal went: min(1, ratio), and whether it was taken."""

    accept_prob: Any
    accepted: Any


@sampler(Claims("Roberts & Tweedie 1996, section 1.4.1", bias_order=1, strong_order=1))
@dataclass(frozen=True)
class ULA(Sampler):
    """Unadjusted Langevin algorithm: an Euler–Maruyama step.

    On N(m, C) the stationary covariance is C (1 - h C⁻¹/2)⁻¹, for h below twice the smallest variance.

    Parameters
    ----------
    step_size : float
        h of dX = ∇log π dt + √2 dW.
    """

    step_size: float

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)

    def init(self, target: Target, x: Any) -> Position:
        """The place alone."""
        return Position(x)

    def step(self, target: Target, state: Position, noise: Noise) -> tuple[Position, NoInfo]:
        """X' = x + h ∇log π(x) + √(2h) ξ."""
        x, h = state.x, self.step_size
        return Position(x + h * target.score(x) + sqrt(2.0 * h) * noise.normal(x)), NoInfo()


@sampler(Claims("Girolami & Calderhead 2011, eq. (8), constant metric", bias_order=1, strong_order=1))
@dataclass(frozen=True)
class PreconditionedULA(Sampler):
    """ULA of dX = P ∇log π dt + √(2P) dW.

    With P the covariance of a Gaussian target the stationary covariance is P/(1 - h/2): the condition number has no
    effect.

    Parameters
    ----------
    step_size : float
        h, below 2 for P the covariance of a Gaussian.
    metric : array_like, optional
        P, (d,) or (d, d): best close to the covariance of the target; default 1.
    """

    step_size: float
    metric: Any = None

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        object.__setattr__(self, "metric", euclidean(self.metric))

    def init(self, target: Target, x: Any) -> Position:
        """The place alone."""
        return Position(x)

    def step(self, target: Target, state: Position, noise: Noise) -> tuple[Position, NoInfo]:
        """X' = x + P (h ∇log π(x) + √(2h) P^(-1/2) ξ)."""
        x, h, metric = state.x, self.step_size, self.metric
        kick = h * target.score(x) + sqrt(2.0 * h) * metric.momentum(noise.normal(x))
        return Position(x + metric.velocity(kick)), NoInfo()


@sampler(Claims("Leimkuhler & Matthews 2013, eq. (1.5)", bias_order=2, exact_gaussian=("position",)))
@dataclass(frozen=True)
class LeimkuhlerMatthews(Sampler):
    """The high-friction limit of BAOAB: Euler's step with the mean of two successive noises.

    The first noise of a chain is 0, so its first step is made with half of a noise; the law settles from there.

    Parameters
    ----------
    step_size : float
        h of dX = ∇log π dt + √2 dW; below 2 over the largest curvature.
    """

    step_size: float

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)

    def init(self, target: Target, x: Any) -> Shared:
        """The place, and no noise yet."""
        return Shared(x, 0.0 * x)

    def step(self, target: Target, state: Shared, noise: Noise) -> tuple[Shared, NoInfo]:
        """X' = x + h ∇log π(x) + √(2h) (ξ + ξ')/2."""
        x, h, xi = state.x, self.step_size, noise.normal(state.x)
        return Shared(x + h * target.score(x) + sqrt(0.5 * h) * (state.xi + xi), xi), NoInfo()


@sampler(Claims("Kloeden & Platen 1992, section 15.1, eq. (1.3)", bias_order=2, strong_order=1, gradients=2))
@dataclass(frozen=True)
class StochasticHeun(Sampler):
    """Heun's step: the mean of the drifts at the start and at Euler's end, one noise.

    Parameters
    ----------
    step_size : float
        h of dX = ∇log π dt + √2 dW.
    """

    step_size: float

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)

    def init(self, target: Target, x: Any) -> Position:
        """The place alone."""
        return Position(x)

    def step(self, target: Target, state: Position, noise: Noise) -> tuple[Position, NoInfo]:
        """Euler's y = x + h ∇log π(x) + √(2h) ξ, then x' = x + h (∇log π(x) + ∇log π(y))/2 + √(2h) ξ."""
        x, h = state.x, self.step_size
        force, kick = target.score(x), sqrt(2.0 * h) * noise.normal(x)
        y = x + h * force + kick
        return Position(x + (0.5 * h) * (force + target.score(y)) + kick), NoInfo()


@sampler(Claims("Roberts & Tweedie 1996, section 1.4.2", bias_order=float("inf"), exact_gaussian=("position",)))
@dataclass(frozen=True)
class MALA(Sampler):
    """Metropolis-adjusted Langevin algorithm: a (preconditioned) ULA proposal, accepted or refused.

    Parameters
    ----------
    step_size : float or None
        h of the proposal x + h P ∇log π + √(2h) P^(1/2) ξ.
    metric : array_like, optional
        P, (d,) or (d, d): best close to the covariance of the target; default 1.
    """

    step_size: StepSize
    metric: Any = None

    optimal_acceptance: ClassVar[float] = 0.574

    def __post_init__(self) -> None:
        require_step_size(self.step_size)
        object.__setattr__(self, "metric", euclidean(self.metric))

    def init(self, target: Target, x: Any) -> Evaluated:
        """The place with its log-density and score."""
        return Evaluated(x, *target.log_prob_and_score(x))

    def step(self, target: Target, state: Evaluated, noise: Noise) -> tuple[Evaluated, Acceptance]:
        """Accept with the ratio of π(y) q(x|y) to π(x) q(y|x), where q is the normal law of the proposal."""
        h, metric = self.step_size, self.metric
        p = metric.momentum(noise.normal(state.x))
        kick = h * state.score + sqrt(2.0 * h) * p
        y = state.x + metric.velocity(kick)
        proposal = Evaluated(y, *target.log_prob_and_score(y))
        backward = metric.kinetic(kick + h * proposal.score) / (2.0 * h)  # -log q(x|y), as x - y = -P kick
        log_ratio = proposal.log_prob - state.log_prob + metric.kinetic(p) - backward
        return metropolis(log_ratio, proposal, state, noise.uniform(y))


def metropolis(log_ratio: Any, proposal: Any, state: Any, u: Any) -> tuple[Any, Acceptance]:
    """The proposal where log u < log ratio, else the old state; a ratio that is NaN refuses."""
    accept = log(u) < log_ratio
    chosen = type(state)(*(where(accept, new, old) for new, old in zip(proposal, state, strict=True)))
    probability = where(log_ratio == log_ratio, exp(minimum(log_ratio, 0.0)), 0.0)
    return chosen, Acceptance(probability, where(accept, 1.0, 0.0))
