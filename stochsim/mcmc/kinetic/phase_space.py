"""What kinetic samplers share: phases (x, p), and the exact flows of the Ornstein–Uhlenbeck process and its integral.

The kinetic Langevin equation at friction γ, temperature T and inverse mass W,

    dx = W p dt,    dp = ∇log π dt - γ p dt + √(2γT) W^(-1/2) dB,

has the invariant law π^(1/T)(x) N(p; 0, T W⁻¹).
"""

from __future__ import annotations

from math import factorial
from typing import Any, NamedTuple

from stochsim.columns.noise import Noise
from stochsim.columns.ops import exp, expm1, maximum, sqrt, tanh, where
from stochsim.densities.record import Target
from stochsim.errors import ParameterError
from stochsim.mcmc.hamiltonian.metrics import EuclideanMetric, euclidean
from stochsim.mcmc.record import Sampler, require_positive

__all__ = ["EvaluatedPhase", "FreeFlow", "Phase", "ScoredPhase", "forced_reach", "free_flow", "refreshed"]


class Phase(NamedTuple):
    """Place and momentum, with the log-density there."""

    x: Any
    p: Any
    log_prob: Any


class ScoredPhase(NamedTuple):
    """Place and momentum, with the score there."""

    x: Any
    p: Any
    score: Any


class EvaluatedPhase(NamedTuple):
    """Place and momentum, with log-density and score there."""

    x: Any
    p: Any
    log_prob: Any
    score: Any


class KineticSampler(Sampler):
    """What kinetic samplers with numbers step_size, friction, temperature and a metric have in common."""

    step_size: float
    friction: float
    temperature: float
    metric: Any

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        require_friction(self.friction)
        require_positive("temperature", self.temperature)
        object.__setattr__(self, "metric", euclidean(self.metric))

    def refresh(self, state: Any, noise: Noise) -> Any:
        """The state with momenta drawn from their law N(0, T W⁻¹); `init` begins them at zero."""
        return refreshed(state, self.metric, self.temperature, noise)


class FreeFlow(NamedTuple):
    """The exact flow of dx = W p dt, dp = -γ p dt + √(2γT) W^(-1/2) dB over a time t, for γ ≥ 0.

    p' = decay p + √T W^(-1/2) (momentum ξ₁),  x' = x + reach W p + √T W^(1/2) (along ξ₁ + across ξ₂).
    """

    decay: Any
    reach: Any
    momentum: Any
    along: Any
    across: Any

    def __call__(self, metric: EuclideanMetric, temperature: Any, x: Any, p: Any, noise: Noise) -> tuple[Any, Any]:
        """The state after the flow."""
        first, second = metric.momentum(noise.normal(x)), metric.momentum(noise.normal(x))
        root = sqrt(temperature)
        wander = (root * self.along) * first + (root * self.across) * second
        return (
            x + metric.velocity(self.reach * p + wander),
            self.decay * p + (root * self.momentum) * first,
        )


def free_flow(friction: Any, t: Any) -> FreeFlow:
    """Coefficients of `FreeFlow`, accurate for all g = γt ≥ 0.

    The joint covariance of (∫e^(-γ(t-s))dB, ∫(1-e^(-γ(t-s)))/γ dB) √(2γ) is 1-η², (1-η)²/γ, (2g-3+4η-η²)/γ² with
    η = e^(-g); its Cholesky factor simplifies to the hyperbolic tangents below (Skeel & Izaguirre 2002 has the
    covariance).
    """
    g = friction * t
    reach, half = t * _mean_decay(g), tanh(0.5 * g)
    return FreeFlow(
        exp(-g), reach, sqrt(-expm1(-2.0 * g)), reach * sqrt(half), t * sqrt(0.5 * g * _tangent_gap(0.5 * g))
    )


def forced_reach(friction: Any, t: Any) -> Any:
    """∫₀ᵗ (1 - e^(-γ(t-s)))/γ ds, where a constant force moves a particle at rest."""
    g = friction * t
    small = 0.0
    for k in range(8, 0, -1):
        small = -g * (1.0 / factorial(k + 2) + small)
    v = maximum(g, 0.1)
    return t * t * where(g < 0.1, 0.5 + small, (v + expm1(-v)) / (v * v))


def _mean_decay(g: Any) -> Any:
    """(1 - e^(-g)) / g."""
    return where(g < 1e-4, 1.0 - g * (0.5 - g * (1.0 / 6.0 - g / 24.0)), -expm1(-g) / maximum(g, 1e-4))


def _tangent_gap(u: Any) -> Any:
    """(1 - tanh(u)/u) / u² for u ≥ 0: 1/3 at 0."""
    s = u * u
    inner = 62.0 / 2835.0 - s * (1382.0 / 155925.0 - s * (21844.0 / 6081075.0))
    small = 1.0 / 3.0 - s * (2.0 / 15.0 - s * (17.0 / 315.0 - s * inner))
    v = maximum(u, 0.06)
    return where(u < 0.06, small, (1.0 - tanh(v) / v) / (v * v))


def refreshed(state: Any, metric: EuclideanMetric, temperature: Any, noise: Noise) -> Any:
    """The state with momenta drawn from N(0, T W⁻¹)."""
    return state._replace(p=sqrt(temperature) * metric.momentum(noise.normal(state.x)))


def at_rest(x: Any) -> Any:
    """Momenta zero."""
    return 0.0 * x


def require_friction(value: float) -> None:
    """Refuse a friction that is negative or not finite.

    Raises
    ------
    ParameterError
        With the value.
    """
    if not 0.0 <= value < float("inf"):
        raise ParameterError(f"friction is {value!r}; give a rate that is not negative")


def evaluated_at_rest(target: Target, x: Any) -> EvaluatedPhase:
    """The phase at x with momentum zero."""
    return EvaluatedPhase(x, at_rest(x), *target.log_prob_and_score(x))
