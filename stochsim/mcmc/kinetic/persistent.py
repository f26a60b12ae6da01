"""Hamiltonian Monte Carlo whose momenta are refreshed in part: between trajectories, or along them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stochsim.columns.noise import Noise
from stochsim.columns.ops import exp, expm1, loop, sqrt
from stochsim.densities.record import Target
from stochsim.errors import ParameterError
from stochsim.mcmc.hamiltonian.integrators import LEAPFROG, Integrator
from stochsim.mcmc.hamiltonian.metrics import euclidean
from stochsim.mcmc.hamiltonian.trajectories import Evaluated, Trajectory, chosen, integrate, judged, require_count
from stochsim.mcmc.kinetic.phase_space import EvaluatedPhase, evaluated_at_rest, refreshed, require_friction
from stochsim.mcmc.record import Claims, Sampler, StepSize, require_step_size, sampler

__all__ = ["GHMC", "MALT"]


@sampler(Claims("Horowitz 1991; Neal 2011, section 5.5.3", bias_order=float("inf")))
@dataclass(frozen=True)
class GHMC(Sampler):
    """Generalised HMC: p = α p + √(1 - α²) ξ, then a trajectory; one that is refused turns the momentum round.

    Without that turn the target would not be invariant. ``init`` begins momenta at zero; `refresh` draws them.

    Parameters
    ----------
    step_size : float or None
    persistence : float
        α, the part of the momentum that is kept: at least 0, below 1. α = 0 is HMC.
    n_leapfrog : int
        Steps of the integrator in a trajectory.
    metric : array_like, optional
        Inverse mass, (d,) or (d, d); default 1.
    integrator : Integrator
        One of ``ss.mcmc.integrators``.
    """

    step_size: StepSize
    persistence: float = 0.9
    n_leapfrog: int = 1
    metric: Any = None
    integrator: Integrator = LEAPFROG

    def __post_init__(self) -> None:
        require_step_size(self.step_size)
        require_count("n_leapfrog", self.n_leapfrog)
        if not 0.0 <= self.persistence < 1.0:
            raise ParameterError(f"persistence is {self.persistence!r}; give a number of at least 0 and below 1")
        object.__setattr__(self, "metric", euclidean(self.metric))

    def init(self, target: Target, x: Any) -> EvaluatedPhase:
        """Chains at x with momentum zero: `refresh` draws it."""
        return evaluated_at_rest(target, x)

    def refresh(self, state: EvaluatedPhase, noise: Noise) -> Any:
        """The state with momenta drawn from their law."""
        return refreshed(state, self.metric, 1.0, noise)

    def step(self, target: Target, state: EvaluatedPhase, noise: Noise) -> tuple[EvaluatedPhase, Trajectory]:
        """A refreshment and a trajectory."""
        metric, alpha = self.metric, self.persistence
        p = alpha * state.p + sqrt(1.0 - alpha * alpha) * metric.momentum(noise.normal(state.p))
        x, end, score = integrate(
            target, metric, self.integrator, self.step_size, self.n_leapfrog, state.x, p, state.score
        )  # fmt: skip
        log_prob = target.log_prob(x)
        energy = metric.kinetic(end) - log_prob
        error = energy - (metric.kinetic(p) - state.log_prob)
        accept, info = judged(error, energy, noise.uniform(x))
        refused = EvaluatedPhase(state.x, -p, state.log_prob, state.score)
        return chosen(accept, (x, end, log_prob, score), refused), info


@sampler(Claims("Riou-Durand & Vogrinc 2022", bias_order=float("inf")))
@dataclass(frozen=True)
class MALT(Sampler):
    """Metropolis-adjusted Langevin trajectories: fresh momenta, OBABO steps, accepted or refused as a whole.

    The Metropolis ratio is that of the energy errors of the leapfrogs alone, so friction costs no acceptance. The
    friction of neighbouring half steps is applied at once, which has the same law; that before the first step and
    after the last one has no effect, since momenta are fresh and then forgotten.

    Parameters
    ----------
    step_size : float or None
    n_leapfrog : int
        Steps in a trajectory.
    friction : float
        The rate γ; 0 is HMC.
    metric : array_like, optional
        Inverse mass, (d,) or (d, d); default 1.
    integrator : Integrator
        One of ``ss.mcmc.integrators``.
    """

    step_size: StepSize
    n_leapfrog: int
    friction: float
    metric: Any = None
    integrator: Integrator = LEAPFROG

    def __post_init__(self) -> None:
        require_step_size(self.step_size)
        require_count("n_leapfrog", self.n_leapfrog)
        require_friction(self.friction)
        object.__setattr__(self, "metric", euclidean(self.metric))

    def init(self, target: Target, x: Any) -> Evaluated:
        """Chains at x."""
        return Evaluated(x, *target.log_prob_and_score(x))

    def step(self, target: Target, state: Evaluated, noise: Noise) -> tuple[Evaluated, Trajectory]:
        """One trajectory."""
        metric, h = self.metric, self.step_size
        decay, spread = exp(-self.friction * h), sqrt(-expm1(-2.0 * self.friction * h))
        p = metric.momentum(noise.normal(state.x))

        def advance(x: Any, p: Any, score: Any, gained: Any, _: Any) -> tuple[Any, ...]:
            x, end, score = self.integrator.step(target.score, metric.velocity, x, p, score, h)
            kinetic = metric.kinetic(end)
            gained = gained + (kinetic - metric.kinetic(p))
            return x, decay * end + spread * metric.momentum(noise.normal(end)), score, gained, kinetic

        zero = 0.0 * state.log_prob
        x, _, score, gained, kinetic = loop(self.n_leapfrog, advance, state.x, p, state.score, zero, zero)
        log_prob = target.log_prob(x)
        error = gained - (log_prob - state.log_prob)
        accept, info = judged(error, kinetic - log_prob, noise.uniform(x))
        return chosen(accept, (x, log_prob, score), state), info
