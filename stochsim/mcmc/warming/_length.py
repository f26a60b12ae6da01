"""ChEES, the length of trajectories that changes squared distances most (Hoffman, Radul & Sountsov 2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from stochsim.columns.noise import Noise
from stochsim.columns.ops import where
from stochsim.densities.record import Target
from stochsim.mcmc.hamiltonian.integrators import LEAPFROG, Integrator
from stochsim.mcmc.hamiltonian.trajectories import chosen, integrate, judged
from stochsim.mcmc.record import Sampler

TARGET = 0.651  # of the harmonic mean acceptance, section 3.3
RATE, FORGETTING, SMALL = 0.025, 0.95, 1e-8  # of Adam, without momentum
LARGEST_CHANGE = 0.35  # of log T, in a step
MOST_LEAPFROGS = 1000


class Probed(NamedTuple):
    """A place, and where the last trajectory ended, accepted or not: with the velocity there."""

    x: Any
    log_prob: Any
    score: Any
    proposal: Any
    velocity: Any


class Told(NamedTuple):
    """How a trajectory went."""

    accept_prob: Any
    diverging: Any


@dataclass(frozen=True)
class Probe(Sampler):
    """Hamiltonian Monte Carlo that keeps the ends of its trajectories."""

    step_size: float
    n_leapfrog: int
    metric: Any
    integrator: Integrator = LEAPFROG

    def init(self, target: Target, x: Any) -> Probed:
        """Chains at x."""
        log_prob, score = target.log_prob_and_score(x)
        return Probed(x, log_prob, score, x, 0.0 * x)

    def step(self, target: Target, state: Probed, noise: Noise) -> tuple[Probed, Told]:
        """One trajectory."""
        p = self.metric.momentum(noise.normal(state.x))
        x, end, score = integrate(
            target, self.metric, self.integrator, self.step_size, self.n_leapfrog, state.x, p, state.score
        )  # fmt: skip
        log_prob = target.log_prob(x)
        energy = self.metric.kinetic(end) - log_prob
        accept, info = judged(energy - (self.metric.kinetic(p) - state.log_prob), energy, noise.uniform(x))
        kept = chosen(accept, (x, log_prob, score), Kept(state.x, state.log_prob, state.score))
        sane = info.accept_prob > 0.0
        proposal, velocity = where(sane, x, state.x), where(sane, self.metric.velocity(end), 0.0 * x)
        return Probed(kept.x, kept.log_prob, kept.score, proposal, velocity), Told(info.accept_prob, info.diverging)


class Kept(NamedTuple):
    """The part of the state that is accepted or not."""

    x: Any
    log_prob: Any
    score: Any


def halton(k: int) -> float:
    """Element k = 0, 1, ... of the sequence of base 2: 1/2, 1/4, 3/4, 1/8 ... (van der Corput 1935)."""
    value, share, rest = 0.0, 0.5, k + 1
    while rest:
        value += share * (rest & 1)
        rest, share = rest >> 1, share / 2.0
    return value


def slope(before: np.ndarray, after: np.ndarray, velocity: np.ndarray, accept: np.ndarray, time: float) -> float:
    """The derivative of the criterion with respect to log T (section 3.2), for chains (d, n).

    The criterion is ¼ E (|q' - E q'|² - |q - E q|²)²; proposals count by the probability that they are accepted.
    """
    total = accept.sum()
    if not total > 0.0:
        return 0.0
    old = before - before.mean(axis=1, keepdims=True)
    new = after - (after @ accept / total)[:, None]
    change = (new * new).sum(axis=0) - (old * old).sum(axis=0)
    return float(accept @ (change * (new * velocity).sum(axis=0)) / total) * time


@dataclass(frozen=True)
class Length:
    """The longest trajectory T, in time; its logarithm is moved by Adam along the slope.

    Parameters
    ----------
    log_length, log_average : float
    square : float
        Averaged square of the slopes.
    count : int
    """

    log_length: float
    log_average: float
    square: float = 0.0
    count: int = 0

    @staticmethod
    def begin(length: float) -> Length:
        """From a length."""
        return Length(math.log(length), math.log(length))

    def update(self, gradient: float) -> Length:
        """After a step with this slope."""
        if not math.isfinite(gradient):
            return self
        m = self.count + 1
        square = FORGETTING * self.square + (1.0 - FORGETTING) * gradient * gradient
        change = RATE * gradient / (math.sqrt(square / (1.0 - FORGETTING**m)) + SMALL)
        log_length = self.log_length + max(-LARGEST_CHANGE, min(LARGEST_CHANGE, change))
        weight = m**-0.5
        return replace(
            self, log_length=log_length, square=square, count=m,
            log_average=weight * log_length + (1.0 - weight) * self.log_average,
        )  # fmt: skip

    @property
    def length(self) -> float:
        """T of the next step."""
        return math.exp(self.log_length)

    @property
    def average(self) -> float:
        """T to be used when the adaptation is over."""
        return math.exp(self.log_average)


def leapfrogs(time: float, step_size: float) -> int:
    """Steps that make a trajectory of a length."""
    return max(1, min(MOST_LEAPFROGS, math.ceil(time / step_size)))
