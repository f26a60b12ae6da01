"""Samplers that know the Gaussian prior of their target: π(x) ∝ exp(-Φ(x)) N(x; m, C).

They propose moves that leave the prior invariant, so only the likelihood decides, in any dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from stochsim.columns.noise import Noise
from stochsim.columns.ops import cos, log, loop, sin, sqrt, where
from stochsim.densities.record import Target
from stochsim.errors import ParameterError
from stochsim.mcmc.langevin.overdamped import Acceptance, metropolis
from stochsim.mcmc.metropolis.proposals import Weighed
from stochsim.mcmc.metropolis.reference import gaussian_reference
from stochsim.mcmc.record import Claims, Sampler, sampler

__all__ = ["EllipticalSlice", "PreconditionedCrankNicolson"]

TWO_PI = float(2.0 * np.pi)


class Slice(NamedTuple):
    """How the search on the ellipse went: whether a point was found, and how many were tried."""

    accepted: Any
    n_tried: Any


@sampler(
    Claims(
        "Cotter, Roberts, Stuart & White 2013, eq. (4.2)", bias_order=float("inf"), exact_gaussian=("position",),
        gradients=0,
    )
)  # fmt: skip
@dataclass(frozen=True)
class PreconditionedCrankNicolson(Sampler):
    """pCN: an autoregressive move of the prior, accepted with the ratio of likelihoods.

    Parameters
    ----------
    beta : float
        Size β in (0, 1] of the move; 1 proposes from the prior.
    prior : Gaussian
        The prior; the target is the posterior, its density taken relative to the prior.
    """

    beta: float
    prior: Any

    def __post_init__(self) -> None:
        if not 0.0 < self.beta <= 1.0:
            raise ParameterError(f"beta is {self.beta!r}; give a number in (0, 1]")
        object.__setattr__(self, "prior", gaussian_reference("prior", self.prior))

    def init(self, target: Target, x: Any) -> Weighed:
        """The place with its log-density."""
        return Weighed(x, target.log_prob(x))

    def step(self, target: Target, state: Weighed, noise: Noise) -> tuple[Weighed, Acceptance]:
        """Y = m + √(1 - β²) (x - m) + β C^(1/2) ξ; accept with exp(Φ(x) - Φ(y))."""
        prior, beta = self.prior, self.beta
        y = prior.mean + sqrt(1.0 - beta * beta) * (state.x - prior.mean) + beta * prior.spread(noise.normal(state.x))
        proposal = Weighed(y, target.log_prob(y))
        log_ratio = proposal.log_prob - prior.log_shape(y) - (state.log_prob - prior.log_shape(state.x))
        return metropolis(log_ratio, proposal, state, noise.uniform(y))


@sampler(
    Claims("Murray, Adams & MacKay 2010, figure 2", bias_order=float("inf"), exact_gaussian=("position",), gradients=0)
)
@dataclass(frozen=True)
class EllipticalSlice(Sampler):
    """A point of the ellipse through x and a draw of the prior, above a random level of the likelihood.

    The bracket of angles shrinks at most ``n_tries`` times, all chains together; a chain that found no point by then
    stays, which keeps the move reversible: from there the same brackets lead back.

    Parameters
    ----------
    prior : Gaussian
        The prior; the target is the posterior.
    n_tries : int
        Points that are tried, one evaluation of the target each.
    """

    prior: Any
    n_tries: int = 12

    def __post_init__(self) -> None:
        if not isinstance(self.n_tries, int | np.integer) or self.n_tries < 1:
            raise ParameterError(f"n_tries is {self.n_tries!r}; give a whole number of at least 1")
        object.__setattr__(self, "prior", gaussian_reference("prior", self.prior))

    def init(self, target: Target, x: Any) -> Weighed:
        """The place with its log-density."""
        return Weighed(x, target.log_prob(x))

    def step(self, target: Target, state: Weighed, noise: Noise) -> tuple[Weighed, Slice]:
        """Y(θ) = m + (x - m) cos θ + ν sin θ with log-likelihood above log L(x) + log u."""
        prior, x = self.prior, state.x
        nu = prior.spread(noise.normal(x))
        level = state.log_prob - prior.log_shape(x) + log(noise.uniform(x))
        turn = TWO_PI * noise.uniform(x)

        def shrink(
            low: Any, high: Any, angle: Any, found: Any, tried: Any, y: Any, log_prob: Any
        ) -> tuple[Any, Any, Any, Any, Any, Any, Any]:
            new = prior.mean + cos(angle) * (x - prior.mean) + sin(angle) * nu
            new_log_prob = target.log_prob(new)
            searching = found == 0.0
            inside = searching & (new_log_prob - prior.log_shape(new) > level)
            low, high = where(angle < 0.0, angle, low), where(angle < 0.0, high, angle)
            tried = tried + where(searching, 1.0, 0.0)
            y, log_prob = where(inside, new, y), where(inside, new_log_prob, log_prob)
            found = where(inside, 1.0, found)
            return low, high, low + (high - low) * noise.uniform(angle), found, tried, y, log_prob

        none = 0.0 * state.log_prob
        begin = (turn - TWO_PI, turn, turn, none, none, x, state.log_prob)
        *_, found, tried, y, log_prob = loop(self.n_tries, shrink, *begin)
        return Weighed(y, log_prob), Slice(found, tried)
