"""Microcanonical Langevin Monte Carlo: particles of constant speed, turned by the score.

    dx = u dt,    du = (1 - u uᵀ) (∇log π / (d - 1) dt + η dW),    |u| = 1,

has the invariant law π(x) times the uniform one of directions, for d > 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from stochsim.columns.graph import Column
from stochsim.columns.noise import Noise
from stochsim.columns.ops import dot, exp, expm1, log, loop, maximum, sqrt, squared_norm
from stochsim.densities.record import Target
from stochsim.errors import ParameterError
from stochsim.mcmc.hamiltonian.integrators import LEAPFROG, MINIMAL_NORM, Integrator
from stochsim.mcmc.hamiltonian.trajectories import Evaluated, Trajectory, chosen, judged, require_count
from stochsim.mcmc.record import Claims, Sampler, StepSize, require_positive, require_step_size, sampler

__all__ = ["MAMS", "MCLMC"]

LOG_2 = 0.6931471805599453


class Direction(NamedTuple):
    """A place and a direction of motion, with log-density and score there."""

    x: Any
    u: Any
    log_prob: Any
    score: Any


class EnergyError(NamedTuple):
    """The change of the energy -log π + (d-1) log of the speed over a step, which the exact flow would not have."""

    energy_error: Any


def isokinetic_kick(u: Any, score: Any, t: Any, d: int) -> tuple[Any, Any]:
    """The flow of du = (1 - u uᵀ) score / (d - 1) dt over t, and the kinetic energy it gains.

    With δ = t |score| / (d - 1) and the direction e of the score the new u is
    (u + e (sinh δ + (e·u)(cosh δ - 1))) / r with r = cosh δ + (e·u) sinh δ, and the gain (d - 1) log r: minus the
    logarithm of the Jacobian on the sphere (Ver Steeg & Galstyan 2021; Robnik et al. 2023). All
    is divided by e^δ, so that nothing overflows.
    """
    norm = sqrt(maximum(squared_norm(score), 1e-290))
    e = score / norm
    along, delta = dot(u, e), t * norm / (d - 1.0)
    fade = exp(-delta)
    lost = -expm1(-delta)
    turned = (2.0 * fade) * u + (lost * (1.0 + fade + along * lost)) * e
    r = 1.0 + along + (1.0 - along) * fade * fade
    # at a right turn back r underflows together with the new direction; the length is that of the vector itself
    length = sqrt(maximum(squared_norm(turned), 1e-290))
    return turned / length, (d - 1.0) * (delta - LOG_2 + log(maximum(r, 1e-290)))


def isokinetic_step(
    target: Target, integrator: Integrator, h: Any, d: int, x: Any, u: Any, score: Any, gained: Any
) -> tuple[Any, Any, Any, Any]:
    """One step of a palindromic composition; the gain of kinetic energy is added to ``gained``."""
    for i, kick in enumerate(integrator.kicks):
        if i:
            x = x + (integrator.drifts[i - 1] * h) * u
            score = target.score(x)
        u, gain = isokinetic_kick(u, score, kick * h, d)
        gained = gained + gain
    return x, u, score, gained


def unit(v: Any) -> Any:
    """The vector divided by its length."""
    return v / sqrt(squared_norm(v))


def dimension(x: Any) -> int:
    """Components of columns.

    Raises
    ------
    ParameterError
        If there is only one: a direction cannot turn there.
    """
    d = int(x.rows or 1) if isinstance(x, Column) else len(x)
    if d < 2:
        raise ParameterError("microcanonical samplers need at least 2 components, and the density has 1; use HMC")
    return d


@sampler(Claims("Robnik, De Luca, Silverstein & Seljak 2023; Robnik & Seljak 2024", bias_order=2, gradients=2))
@dataclass(frozen=True)
class MCLMC(Sampler):
    """Microcanonical Langevin: the direction is partly refreshed, then a step of the isokinetic flow; not adjusted.

    The refreshment is u = (u + ν ξ) / |u + ν ξ| with ν² = (e^(2h/L) - 1) / d, which keeps the uniform law exactly.
    ``init`` begins with u = 0, which the first refreshment turns into a uniform direction.

    Parameters
    ----------
    step_size : float
        h, a length: the speed is 1.
    length : float
        L, over which the direction is forgotten; about the square root of the trace of the covariance.
    integrator : Integrator
        One of ``ss.mcmc.integrators``.
    """

    step_size: float
    length: float
    integrator: Integrator = MINIMAL_NORM

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        require_positive("length", self.length)

    def init(self, target: Target, x: Any) -> Direction:
        """Chains at x that do not move yet."""
        dimension(x)
        return Direction(x, 0.0 * x, *target.log_prob_and_score(x))

    def step(self, target: Target, state: Direction, noise: Noise) -> tuple[Direction, EnergyError]:
        """A refreshment and a step."""
        d, h = dimension(state.x), self.step_size
        nu = sqrt(expm1(2.0 * h / self.length) / d)
        u = unit(state.u + nu * noise.normal(state.u))
        zero = 0.0 * state.log_prob
        x, u, score, gained = isokinetic_step(target, self.integrator, h, d, state.x, u, state.score, zero)
        log_prob = target.log_prob(x)
        return Direction(x, u, log_prob, score), EnergyError(gained - (log_prob - state.log_prob))


@sampler(Claims("Robnik, Cohn-Gordon & Seljak 2025", bias_order=float("inf")))
@dataclass(frozen=True)
class MAMS(Sampler):
    """Metropolis-adjusted microcanonical sampler: a fresh direction, an isokinetic trajectory, accepted or refused.

    Parameters
    ----------
    step_size : float or None
        h, a length: the speed is 1.
    n_leapfrog : int
        Steps of the integrator in a trajectory.
    integrator : Integrator
        One of ``ss.mcmc.integrators``.
    """

    step_size: StepSize
    n_leapfrog: int
    integrator: Integrator = LEAPFROG

    def __post_init__(self) -> None:
        require_step_size(self.step_size)
        require_count("n_leapfrog", self.n_leapfrog)

    def init(self, target: Target, x: Any) -> Evaluated:
        """Chains at x."""
        dimension(x)
        return Evaluated(x, *target.log_prob_and_score(x))

    def step(self, target: Target, state: Evaluated, noise: Noise) -> tuple[Evaluated, Trajectory]:
        """One trajectory."""
        d = dimension(state.x)

        def advance(x: Any, u: Any, score: Any, gained: Any) -> tuple[Any, ...]:
            return isokinetic_step(target, self.integrator, self.step_size, d, x, u, score, gained)

        u, zero = unit(noise.normal(state.x)), 0.0 * state.log_prob
        x, _, score, gained = loop(self.n_leapfrog, advance, state.x, u, state.score, zero)
        log_prob = target.log_prob(x)
        accept, info = judged(gained - (log_prob - state.log_prob), gained - log_prob, noise.uniform(x))
        return chosen(accept, (x, log_prob, score), state), info
