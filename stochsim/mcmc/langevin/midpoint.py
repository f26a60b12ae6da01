"""Randomised midpoint methods: the drift at a random time of the step is an unbiased mean of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from stochsim.columns.noise import Noise
from stochsim.columns.ops import exp, expm1, sqrt, where
from stochsim.densities.record import Target
from stochsim.mcmc.langevin.overdamped import Position
from stochsim.mcmc.record import Claims, NoInfo, Sampler, require_positive, sampler

__all__ = ["KineticRandomizedMidpoint", "RandomizedMidpoint"]

SERIES = 24  # terms of the tail of a logarithm: below 1e-17 for arguments up to 1/4


class PhaseState(NamedTuple):
    """Place and velocity."""

    x: Any
    v: Any


@sampler(
    Claims(
        "He, Balasubramanian & Erdogdu 2020, eq. (4), after Shen & Lee 2019", bias_order=2, strong_order=1, gradients=2
    )
)
@dataclass(frozen=True)
class RandomizedMidpoint(Sampler):
    """Overdamped Langevin with the drift taken at a random time of the step.

    On N(0, 1) the second moment is 1/(1 - h³/(3 (2 - 2h + h²))): the bias h³/6 is of order 3 on Gaussians.

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
        """Y = x + αh ∇log π(x) + √2 W(αh), then x' = x + h ∇log π(y) + √2 W(h), with α uniform."""
        x, h = state.x, self.step_size
        t = h * noise.uniform(x)
        early, late = sqrt(2.0 * t) * noise.normal(x), sqrt(2.0 * (h - t)) * noise.normal(x)
        y = x + t * target.score(x) + early
        return Position(x + h * target.score(y) + early + late), NoInfo()


@sampler(Claims("Shen & Lee 2019, algorithm 1", bias_order=3, strong_order=1.5, gradients=2))
@dataclass(frozen=True)
class KineticRandomizedMidpoint(Sampler):
    """Kinetic Langevin, dX = V dt, dV = (∇log π - γV) dt + √(2γ) dW, with the force at a random time of the step.

    The velocity is 0 at the start of a chain; its law settles over the time 1/γ. The bias is of order 3 on Gaussians
    and on a quartic well (local slopes 3.5, 3.2 of E x² for h = 0.4, 0.2, 0.1, by quadrature).

    Parameters
    ----------
    step_size : float
        h, the time of a step.
    friction : float
        γ; Shen and Lee take 2.
    """

    step_size: float
    friction: float = 2.0

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        require_positive("friction", self.friction)

    def init(self, target: Target, x: Any) -> PhaseState:
        """The place, at rest."""
        return PhaseState(x, 0.0 * x)

    def step(self, target: Target, state: PhaseState, noise: Noise) -> tuple[PhaseState, NoInfo]:
        """The free flow with its noise to αh and on to h; impulses of the forces there and there."""
        x, v, g, h = state.x, state.v, self.friction, self.step_size
        t = h * noise.uniform(x)
        drift, decay = free_flow(g, t)
        x_noise, v_noise = free_noise(g, t, noise.normal(x), noise.normal(x))
        y = x + drift * v + ((t - drift) / g) * target.score(x) + x_noise

        late_drift, late_decay = free_flow(g, h - t)
        x_late, v_late = free_noise(g, h - t, noise.normal(x), noise.normal(x))
        force = h * target.score(y)
        x_new = x + (drift + late_drift * decay) * v + late_drift * (force + v_noise) + x_noise + x_late
        return PhaseState(x_new, late_decay * (decay * v + force + v_noise) + v_late), NoInfo()


def free_flow(friction: Any, t: Any) -> tuple[Any, Any]:
    """How far a velocity carries in time t, (1 - e^(-γt))/γ, and what is left of it, e^(-γt)."""
    return -expm1(-friction * t) / friction, exp(-friction * t)


def free_noise(friction: Any, t: Any, z1: Any, z2: Any) -> tuple[Any, Any]:
    """Noise of place and velocity after the time t of dX = V dt, dV = -γV dt + √(2γ) dW, from two normals.

    With a = 1 - e^(-γt): Var V = a (2 - a), Cov = a²/γ, and Var X given V = (2 (-log(1-a) - a - a²/2) - a³/(2-a))/γ².
    """
    a = -expm1(-friction * t)
    spread = sqrt(a * (2.0 - a))
    own = (2.0 * log_tail(a, friction * t) - a * a * a / (2.0 - a)) / (friction * friction)
    along = where(a > 0.0, a * a / (friction * where(a > 0.0, spread, 1.0)), 0.0)
    return along * z1 + sqrt(own) * z2, spread * z1


def log_tail(a: Any, minus_log: Any) -> Any:
    """-log(1 - a) - a - a²/2 without cancellation, given -log(1 - a): the series a³/3 + a⁴/4 + ... where a < 1/4."""
    series = 0.0 * a + 1.0 / (SERIES + 2.0)
    for k in range(SERIES + 1, 2, -1):
        series = series * a + 1.0 / k
    return where(a < 0.25, a * a * a * series, minus_log - a - 0.5 * a * a)
