"""Thermostats: a friction that adapts until the kinetic temperature is right, whatever the noise of the gradients.

The adaptive Langevin equation, for friction A, temperature T, inverse mass W and thermal mass μ for each component,

    dx = W p dt,  dp = ∇log π dt - ζ p dt + √(2AT) W^(-1/2) dB,  dζ = (pᵀW p/d - T)/μ dt,

has the invariant law π^(1/T)(x) N(p; 0, T W⁻¹) N(ζ; A, T/(μd)). Gradient noise of covariance proportional to W⁻¹ only
shifts the mean of ζ (Jones & Leimkuhler 2011). The average of pᵀW p/d over n steps differs from T by the change of ζ
divided by n h/μ alone: no statistical error of order n^(-1/2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from stochsim.columns.noise import Noise
from stochsim.columns.ops import absolute, exp, expm1, sqrt, where
from stochsim.mcmc.hamiltonian.metrics import euclidean
from stochsim.mcmc.kinetic.phase_space import at_rest, require_friction
from stochsim.mcmc.populations.stacks import height
from stochsim.mcmc.record import Claims, require_positive, sampler
from stochsim.mcmc.stochastic_gradients.gradients import StochasticGradientSampler

__all__ = ["BADODAB", "SGNHT"]


class Thermostat(NamedTuple):
    """Place, momentum and friction, and where the chain stands in its data."""

    x: Any
    p: Any
    zeta: Any
    order: Any
    turn: Any


class ForcedThermostat(NamedTuple):
    """`Thermostat` with the last gradient."""

    x: Any
    p: Any
    zeta: Any
    score: Any
    order: Any
    turn: Any


class Heat(NamedTuple):
    """pᵀW p/d where it drives the thermostat, and the friction ζ after the step."""

    kinetic_temperature: Any
    friction: Any


@dataclass(frozen=True)
class _Thermostat(StochasticGradientSampler):
    """The fields of the thermostats below."""

    friction: float = 1.0
    temperature: float = 1.0
    thermal_mass: float = 1.0
    metric: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_friction(self.friction)
        require_positive("temperature", self.temperature)
        require_positive("thermal_mass", self.thermal_mass)
        object.__setattr__(self, "metric", euclidean(self.metric))

    def refresh(self, state: Any, noise: Noise) -> Any:
        """The state with momenta drawn from N(0, T W⁻¹); ζ stays at its mean without gradient noise."""
        return state._replace(p=sqrt(self.temperature) * self.metric.momentum(noise.normal(state.x)))

    def kinetic_temperature(self, p: Any) -> Any:
        """|W^(1/2) p|²/d: the *squared* length, whose mean is T."""
        return 2.0 * self.metric.kinetic(p) / float(height(p))

    def _friction_at_rest(self, x: Any) -> Any:
        return 0.0 * self.metric.kinetic(x) + self.friction


@sampler(Claims("Ding, Fang, Babbush, Chen, Skeel & Neven 2014, section 3", bias_order=1))
class SGNHT(_Thermostat):
    """Stochastic gradient Nosé–Hoover thermostat: an Euler step of the adaptive Langevin equation.

    p' = p + h (g_b(x) - ζ p) + √(2ATh) W^(-1/2) ξ, x' = x + h W p', ζ' = ζ + h (p'ᵀW p'/d - T)/μ.

    Parameters
    ----------
    step_size : float
    batches : Batches
        INDEPENDENT, RESHUFFLED or SYMMETRIC of ``ss.mcmc.stochastic_gradient_batches``.
    control : object, optional
        A control variate, of `stochastic_gradient_targets.control_variate`.
    friction : float
        A, the friction that belongs to the injected noise; ζ begins there.
    temperature : float
        T: the law sampled is π^(1/T).
    thermal_mass : float
        μ, of each component; small follows quickly.
    metric : array_like, optional
        Inverse mass W, (d,) or (d, d); default 1.
    """

    def init(self, target: Any, x: Any) -> Thermostat:
        """Chains at x with momentum zero and friction A, before the first visit: `refresh` draws the momentum."""
        return Thermostat(x, at_rest(x), self._friction_at_rest(x), *self.begin(target, x))

    def step(self, target: Any, state: Thermostat, noise: Noise) -> tuple[Thermostat, Heat]:
        """One step."""
        h, metric, x, zeta = self.step_size, self.metric, state.x, state.zeta
        score, visit = self.next_score(target, state, noise)
        spread = sqrt(2.0 * self.friction * self.temperature * h)
        p = state.p + h * (score(x) - zeta * state.p) + spread * metric.momentum(noise.normal(x))
        heat = self.kinetic_temperature(p)
        zeta = zeta + (h / self.thermal_mass) * (heat - self.temperature)
        return Thermostat(x + h * metric.velocity(p), p, zeta, *visit), Heat(heat, zeta)


@sampler(Claims("Leimkuhler & Shang 2016 (BADODAB)", bias_order=2))
class BADODAB(_Thermostat):
    """Adaptive Langevin by a symmetric splitting: kick, drift, thermostat, friction with noise, and back.

    The last kick's gradient is the first one's of the next step: one block of data a step. Order 2 with exact
    gradients; with independent batches their noise shifts ζ by h V/(2T) to leading order.

    Parameters
    ----------
    step_size : float
    batches : Batches
        INDEPENDENT, RESHUFFLED or SYMMETRIC of ``ss.mcmc.stochastic_gradient_batches``.
    control : object, optional
        A control variate, of `stochastic_gradient_targets.control_variate`.
    friction : float
        A, the friction that belongs to the injected noise; ζ begins there.
    temperature : float
        T: the law sampled is π^(1/T).
    thermal_mass : float
        μ, of each component; small follows quickly.
    metric : array_like, optional
        Inverse mass W, (d,) or (d, d); default 1.
    """

    def init(self, target: Any, x: Any) -> ForcedThermostat:
        """Chains at x with momentum zero and friction A; the first kick takes the whole gradient."""
        return ForcedThermostat(
            x, at_rest(x), self._friction_at_rest(x), target.score(x), *self.begin(target, x)
        )  # fmt: skip

    def step(self, target: Any, state: ForcedThermostat, noise: Noise) -> tuple[ForcedThermostat, Heat]:
        """One step."""
        h, half, metric = self.step_size, 0.5 * self.step_size, self.metric
        score, visit = self.next_score(target, state, noise)
        p = state.p + half * state.score
        x = state.x + half * metric.velocity(p)
        before = self.kinetic_temperature(p)
        zeta = state.zeta + (half / self.thermal_mass) * (before - self.temperature)
        p = self._thermalised(p, zeta, h, noise)
        after = self.kinetic_temperature(p)
        zeta = zeta + (half / self.thermal_mass) * (after - self.temperature)
        x = x + half * metric.velocity(p)
        force = score(x)
        return ForcedThermostat(x, p + half * force, zeta, force, *visit), Heat(0.5 * (before + after), zeta)

    def _thermalised(self, p: Any, zeta: Any, h: Any, noise: Noise) -> Any:
        """e^(-ζh) p + √(AT (1 - e^(-2ζh))/ζ) W^(-1/2) ξ, for ζ of either sign."""
        g = 2.0 * zeta * h
        tiny = absolute(g) < 1e-7
        mean_decay = where(tiny, 1.0 - 0.5 * g, -expm1(-g) / where(tiny, 1.0, g))
        spread = sqrt(2.0 * self.friction * self.temperature * h * mean_decay)
        return exp(-zeta * h) * p + spread * self.metric.momentum(noise.normal(p))
