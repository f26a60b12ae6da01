"""Metropolis samplers without a Langevin drift: random walk, Barker's proposal, independent proposals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from stochsim.columns.noise import Noise
from stochsim.columns.ops import absolute, erf, exp, log1p, maximum, tanh, total, where
from stochsim.densities.record import Target
from stochsim.mcmc.hamiltonian.metrics import euclidean
from stochsim.mcmc.langevin.overdamped import Acceptance, Evaluated, metropolis
from stochsim.mcmc.metropolis.reference import GaussianReference, gaussian_reference
from stochsim.mcmc.record import Claims, Sampler, StepSize, require_step_size, sampler

__all__ = ["Barker", "IndependenceMetropolis", "RandomWalkMetropolis"]

ROOT_HALF = float(np.sqrt(0.5))


class Weighed(NamedTuple):
    """A place with its log-density."""

    x: Any
    log_prob: Any


@sampler(Claims("Metropolis et al. 1953", bias_order=float("inf"), exact_gaussian=("position",), gradients=0))
@dataclass(frozen=True)
class RandomWalkMetropolis(Sampler):
    """A normal step in any direction, accepted with the ratio of densities.

    On N(0, 1) the stationary acceptance is (2/π) atan(2/s).

    Parameters
    ----------
    step_size : float or None
        Standard deviation s of the proposals.
    metric : array_like, optional
        Their covariance is s² times this, (d,) or (d, d); default 1.
    """

    step_size: StepSize
    metric: Any = None

    optimal_acceptance: ClassVar[float] = 0.234

    def __post_init__(self) -> None:
        require_step_size(self.step_size)
        object.__setattr__(self, "metric", euclidean(self.metric))

    def init(self, target: Target, x: Any) -> Weighed:
        """The place with its log-density."""
        return Weighed(x, target.log_prob(x))

    def step(self, target: Target, state: Weighed, noise: Noise) -> tuple[Weighed, Acceptance]:
        """Y = x + s P^(1/2) ξ; accept with π(y)/π(x)."""
        metric = self.metric
        y = state.x + self.step_size * metric.velocity(metric.momentum(noise.normal(state.x)))
        proposal = Weighed(y, target.log_prob(y))
        return metropolis(proposal.log_prob - state.log_prob, proposal, state, noise.uniform(y))


@sampler(Claims("Livingstone & Zanella 2022, algorithm 1", bias_order=float("inf"), exact_gaussian=("position",)))
@dataclass(frozen=True)
class Barker(Sampler):
    """Barker's proposal: a normal step in every component, its sign drawn to point uphill more often.

    Robust against a step size that is too large, where MALA stands still.

    Parameters
    ----------
    step_size : float or None
        Standard deviation of the steps.
    """

    step_size: StepSize

    optimal_acceptance: ClassVar[float] = 0.574

    def __post_init__(self) -> None:
        require_step_size(self.step_size)

    def init(self, target: Target, x: Any) -> Evaluated:
        """The place with its log-density and score."""
        return Evaluated(x, *target.log_prob_and_score(x))

    def step(self, target: Target, state: Evaluated, noise: Noise) -> tuple[Evaluated, Acceptance]:
        """Component i moves by +z with probability 1/(1 + exp(-z ∂ᵢlog π)), else by -z."""
        z = self.step_size * noise.normal(state.x)
        sign = erf(ROOT_HALF * noise.normal(z))  # uniform on (-1, 1)
        move = where(sign < tanh(0.5 * z * state.score), z, -z)
        y = state.x + move
        proposal = Evaluated(y, *target.log_prob_and_score(y))
        skew = total(softplus(-move * state.score) - softplus(move * proposal.score))
        return metropolis(proposal.log_prob - state.log_prob + skew, proposal, state, noise.uniform(y))


def softplus(x: Any) -> Any:
    """log(1 + exp x) without overflow."""
    return maximum(x, 0.0) + log1p(exp(-absolute(x)))


@sampler(Claims("Tierney 1994, section 2.3.3", bias_order=float("inf"), exact_gaussian=("position",), gradients=0))
@dataclass(frozen=True)
class IndependenceMetropolis(Sampler):
    """Proposals drawn from a Gaussian wherever the chain stands, accepted with the ratio of importance weights.

    Uniformly ergodic exactly if the weight π/q is bounded (Mengersen & Tweedie 1996): choose a law wider than the
    target.

    Parameters
    ----------
    proposal : Gaussian
        The law q of the proposals.
    """

    proposal: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "proposal", gaussian_reference("proposal", self.proposal))

    def init(self, target: Target, x: Any) -> Weighed:
        """The place with its log-density."""
        return Weighed(x, target.log_prob(x))

    def step(self, target: Target, state: Weighed, noise: Noise) -> tuple[Weighed, Acceptance]:
        """Accept with π(y) q(x) / (π(x) q(y))."""
        q: GaussianReference = self.proposal
        y = q.mean + q.spread(noise.normal(state.x))
        proposal = Weighed(y, target.log_prob(y))
        log_ratio = proposal.log_prob - q.log_shape(y) - (state.log_prob - q.log_shape(state.x))
        return metropolis(log_ratio, proposal, state, noise.uniform(y))
