"""Kinetic Langevin samplers that are no splittings: Grønbech-Jensen–Farago, and two baselines of order 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stochsim.columns.noise import Noise
from stochsim.columns.ops import sqrt
from stochsim.densities.record import Target
from stochsim.mcmc.kinetic.phase_space import KineticSampler, ScoredPhase, at_rest, forced_reach, free_flow
from stochsim.mcmc.record import Claims, NoInfo, sampler

__all__ = ["GJF", "ExponentialEuler", "KineticEuler"]


@dataclass(frozen=True)
class _Scored(KineticSampler):
    """The fields and the start of the samplers below.

    Parameters
    ----------
    step_size : float
    friction : float
        The rate γ.
    temperature : float
        T: the law sampled is π^(1/T).
    metric : array_like, optional
        Inverse mass, (d,) or (d, d); default 1.
    """

    step_size: float
    friction: float
    temperature: float = 1.0
    metric: Any = None

    def init(self, target: Target, x: Any) -> ScoredPhase:
        """Chains at x with momentum zero: `refresh` draws it."""
        return ScoredPhase(x, at_rest(x), target.score(x))


@sampler(Claims("Grønbech-Jensen & Farago 2013, section 2", bias_order=2, exact_gaussian=("position",)))
@dataclass(frozen=True)
class GJF(_Scored):
    """Grønbech-Jensen and Farago: x += b h W p + b h²/2 W f + b h/2 W β, p = a p + h/2 (a f + f') + b β.

    Here a = (1 - γh/2) / (1 + γh/2), b = 1 / (1 + γh/2), and β has the variance 2γTh W⁻¹; f' is the score at the new
    place. On Gaussians positions are exact, momenta too cold by 1 - (ωh)²/4.
    """

    def step(self, target: Target, state: ScoredPhase, noise: Noise) -> tuple[ScoredPhase, NoInfo]:
        """One step."""
        h, half = self.step_size, 0.5 * self.friction * self.step_size
        b = 1.0 / (1.0 + half)
        a = (1.0 - half) * b
        beta = sqrt(2.0 * self.friction * self.temperature * h) * self.metric.momentum(noise.normal(state.x))
        x = state.x + (b * h) * self.metric.velocity(state.p + 0.5 * (h * state.score + beta))
        score = target.score(x)
        p = a * state.p + (0.5 * h) * (a * state.score + score) + b * beta
        return ScoredPhase(x, p, score), NoInfo()


@sampler(Claims("Cheng, Chatterji, Bartlett & Jordan 2018, section 2", bias_order=1, strong_order=1))
@dataclass(frozen=True)
class ExponentialEuler(_Scored):
    """The exact flow of the kinetic equation with the score frozen at the beginning of the step."""

    def step(self, target: Target, state: ScoredPhase, noise: Noise) -> tuple[ScoredPhase, NoInfo]:
        """One step."""
        h, flow = self.step_size, free_flow(self.friction, self.step_size)
        x, p = flow(self.metric, self.temperature, state.x, state.p, noise)
        x = x + forced_reach(self.friction, h) * self.metric.velocity(state.score)
        p = p + flow.reach * state.score
        return ScoredPhase(x, p, target.score(x)), NoInfo()


@sampler(Claims("Maruyama 1955; Kloeden & Platen 1992, section 10.2", bias_order=1, strong_order=1))
@dataclass(frozen=True)
class KineticEuler(_Scored):
    """Euler–Maruyama for the kinetic equation: the baseline that everything else improves on."""

    def step(self, target: Target, state: ScoredPhase, noise: Noise) -> tuple[ScoredPhase, NoInfo]:
        """One step."""
        h, gamma = self.step_size, self.friction
        spread = sqrt(2.0 * gamma * self.temperature * h)
        x = state.x + h * self.metric.velocity(state.p)
        p = state.p + h * (state.score - gamma * state.p) + spread * self.metric.momentum(noise.normal(state.x))
        return ScoredPhase(x, p, target.score(x)), NoInfo()
