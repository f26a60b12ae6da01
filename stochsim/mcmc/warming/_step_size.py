"""Step sizes found by their acceptance: dual averaging, and the first guess that it begins with."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

SHRINKAGE, DELAY, DECAY = 0.05, 10.0, 0.75  # γ, t0, κ of Hoffman & Gelman 2014, section 3.2.1
MOST_TRIALS = 60


@dataclass(frozen=True)
class DualAveraging:
    """Nesterov's dual averaging of log ε (Hoffman & Gelman 2014, section 3.2, algorithm 5).

    Parameters
    ----------
    target : float
        Acceptance to be reached on average.
    centre : float
        μ, towards which log ε is drawn.
    log_step, log_average : float
        log ε of the next step, and its weighted average so far.
    error : float
        Averaged target - acceptance.
    count : int
        Steps so far.
    """

    target: float
    centre: float
    log_step: float
    log_average: float = 0.0
    error: float = 0.0
    count: int = 0

    @staticmethod
    def begin(step_size: float, target: float) -> DualAveraging:
        """From a step size; larger ones are tried first, since a step too large is soon refused."""
        return DualAveraging(target, math.log(10.0 * step_size), math.log(step_size))

    def update(self, acceptance: float) -> DualAveraging:
        """After a step with this acceptance, in [0, 1]."""
        m = self.count + 1
        share, weight = 1.0 / (m + DELAY), m**-DECAY
        error = (1.0 - share) * self.error + share * (self.target - acceptance)
        log_step = self.centre - math.sqrt(m) / SHRINKAGE * error
        average = weight * log_step + (1.0 - weight) * self.log_average
        return replace(self, log_step=log_step, log_average=average, error=error, count=m)

    @property
    def step_size(self) -> float:
        """ε of the next step."""
        return math.exp(self.log_step)

    @property
    def average(self) -> float:
        """ε to be used when the adaptation is over."""
        return math.exp(self.log_average) if self.count else self.step_size


def first_step_size(acceptance: Callable[[float], float], guess: float, target: float) -> float:
    """Double or halve a guess until the acceptance of a step crosses the target (Hoffman & Gelman 2014, alg. 4)."""
    growing = acceptance(guess) > target
    for _ in range(MOST_TRIALS):
        guess *= 2.0 if growing else 0.5
        if (acceptance(guess) > target) != growing:
            break
    return guess
