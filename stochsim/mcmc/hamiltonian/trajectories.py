"""Hamiltonian Monte Carlo with palindromic splitting integrators: adjusted, with jittered steps, and unadjusted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from stochsim.columns.noise import Noise
from stochsim.columns.ops import exp, log, loop, minimum, where
from stochsim.densities.record import Target
from stochsim.errors import ParameterError
from stochsim.mcmc.hamiltonian.integrators import LEAPFROG, Integrator
from stochsim.mcmc.hamiltonian.metrics import EuclideanMetric, euclidean
from stochsim.mcmc.record import Claims, NoInfo, Sampler, StepSize, require_positive, require_step_size, sampler

__all__ = ["HMC", "JitteredHMC", "UnadjustedHMC"]


class Evaluated(NamedTuple):
    """A place with its log-density and score."""

    x: Any
    log_prob: Any
    score: Any


class Scored(NamedTuple):
    """A place with its score."""

    x: Any
    score: Any


class Trajectory(NamedTuple):
    """How a trajectory went.

    ``energy`` is H at its end, ``energy_error`` the change of H along it (without the heat of friction, where there is
    any); ``diverging`` is 1 where the change exceeds 1000 or is not a number.
    """

    accept_prob: Any
    accepted: Any
    energy: Any
    energy_error: Any
    diverging: Any


def require_count(name: str, value: Any) -> None:
    """Refuse what is no whole number of at least 1.

    Raises
    ------
    ParameterError
        With the name and the value.
    """
    if isinstance(value, bool) or not (isinstance(value, int | np.integer) and value >= 1):
        raise ParameterError(f"{name} is {value!r}; give a whole number of at least 1")


def judged(error: Any, energy: Any, u: Any) -> tuple[Any, Trajectory]:
    """Where log u < -error the trajectory is accepted; an error that is NaN refuses."""
    accept = log(u) < -error
    fine = error == error
    probability = where(fine, exp(minimum(-error, 0.0)), 0.0)
    diverging = where(fine & (error < 1000.0), 0.0, 1.0)
    return accept, Trajectory(probability, where(accept, 1.0, 0.0), energy, error, diverging)


def chosen(accept: Any, new: Any, old: Any) -> Any:
    """The new state where accepted, else the old one."""
    return type(old)(*(where(accept, a, b) for a, b in zip(new, old, strict=True)))


def integrate(
    target: Target, metric: EuclideanMetric, integrator: Integrator, h: Any, n_leapfrog: Any, x: Any, p: Any, score: Any
) -> tuple[Any, Any, Any]:
    """Place, momentum and score after steps of the integrator."""

    def advance(x: Any, p: Any, score: Any) -> tuple[Any, ...]:
        return integrator.step(target.score, metric.velocity, x, p, score, h)

    x, p, score = loop(n_leapfrog, advance, x, p, score)
    return x, p, score


@dataclass(frozen=True)
class _Hamiltonian(Sampler):
    """The fields of the samplers below."""

    step_size: StepSize
    n_leapfrog: int
    metric: Any = None
    integrator: Integrator = LEAPFROG

    def __post_init__(self) -> None:
        require_step_size(self.step_size)
        require_count("n_leapfrog", self.n_leapfrog)
        object.__setattr__(self, "metric", euclidean(self.metric))


@dataclass(frozen=True)
class _Adjusted(_Hamiltonian):
    """Fresh momenta, a trajectory, accepted or refused."""

    def init(self, target: Target, x: Any) -> Evaluated:
        """Chains at x."""
        return Evaluated(x, *target.log_prob_and_score(x))

    def _trajectory(self, target: Target, state: Any, noise: Noise, p: Any, h: Any) -> tuple[Any, Trajectory]:
        x, end, score = integrate(
            target, self.metric, self.integrator, h, self.n_leapfrog, state.x, p, state.score
        )  # fmt: skip
        log_prob = target.log_prob(x)
        energy = self.metric.kinetic(end) - log_prob
        error = energy - (self.metric.kinetic(p) - state.log_prob)
        accept, info = judged(error, energy, noise.uniform(x))
        return chosen(accept, (x, log_prob, score), state), info


@sampler(Claims("Duane et al. 1987; Neal 2011, section 5.3.2.1", bias_order=float("inf")))
@dataclass(frozen=True)
class HMC(_Adjusted):
    """Hamiltonian Monte Carlo: fresh momenta, a trajectory of fixed length, accepted or refused.

    Parameters
    ----------
    step_size : float or None
        None asks for a warm-up to find it.
    n_leapfrog : int
        Steps of the integrator in a trajectory.
    metric : array_like, optional
        Inverse mass, (d,) or (d, d): best close to the covariance of the target; default 1.
    integrator : Integrator
        One of ``ss.mcmc.integrators``.
    """

    step_size: StepSize
    n_leapfrog: int
    metric: Any = None
    integrator: Integrator = LEAPFROG

    def step(self, target: Target, state: Any, noise: Noise) -> tuple[Any, Trajectory]:
        """One trajectory."""
        p = self.metric.momentum(noise.normal(state.x))
        return self._trajectory(target, state, noise, p, self.step_size)


@sampler(Claims("Neal 2011, section 5.4.2: random step sizes", bias_order=float("inf")))
@dataclass(frozen=True)
class JitteredHMC(_Adjusted):
    """Hamiltonian Monte Carlo whose step size is drawn anew for every chain and trajectory.

    Trajectories of one length come back to where they began on directions of the resonant frequency, and never mix
    there; random lengths do.

    Parameters
    ----------
    step_size : float or None
        None asks for a warm-up to find it.
        The mean one: it is uniform between step_size (1 - jitter) and step_size (1 + jitter).
    n_leapfrog : int
        Steps of the integrator in a trajectory.
    metric : array_like, optional
        Inverse mass, (d,) or (d, d); default 1.
    integrator : Integrator
        One of ``ss.mcmc.integrators``.
    jitter : float
        Between 0 and 1.
    """

    step_size: StepSize
    n_leapfrog: int
    metric: Any = None
    integrator: Integrator = LEAPFROG
    jitter: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.jitter <= 1.0:
            raise ParameterError(f"jitter is {self.jitter!r}; give a fraction of the step size, between 0 and 1")

    def step(self, target: Target, state: Any, noise: Noise) -> tuple[Any, Trajectory]:
        """One trajectory."""
        p = self.metric.momentum(noise.normal(state.x))
        h = self.step_size * (1.0 + self.jitter * (2.0 * noise.uniform(state.x) - 1.0))
        return self._trajectory(target, state, noise, p, h)


@sampler(Claims("Duane et al. 1987, without the Metropolis step; Bou-Rabee & Schuh 2023", bias_order=2))
@dataclass(frozen=True)
class UnadjustedHMC(_Hamiltonian):
    """Hamiltonian Monte Carlo without the Metropolis step.

    With the leapfrog, on Gaussians of curvature ω², position variances are too wide by 1/(1 - (ωh)²/4), whatever the
    length of the trajectory; in general the bias is of the order of the integrator.

    Parameters
    ----------
    step_size : float
    n_leapfrog : int
        Steps of the integrator in a trajectory.
    metric : array_like, optional
        Inverse mass, (d,) or (d, d); default 1.
    integrator : Integrator
        One of ``ss.mcmc.integrators``.
    """

    step_size: float
    n_leapfrog: int
    metric: Any = None
    integrator: Integrator = LEAPFROG

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("step_size", self.step_size)
        object.__setattr__(self, "claims", replace(type(self).claims, bias_order=float(self.integrator.order)))

    def init(self, target: Target, x: Any) -> Scored:
        """Chains at x."""
        return Scored(x, target.score(x))

    def step(self, target: Target, state: Any, noise: Noise) -> tuple[Scored, NoInfo]:
        """One trajectory."""
        p = self.metric.momentum(noise.normal(state.x))
        x, _, score = integrate(
            target, self.metric, self.integrator, self.step_size, self.n_leapfrog, state.x, p, state.score
        )  # fmt: skip
        return Scored(x, score), NoInfo()
