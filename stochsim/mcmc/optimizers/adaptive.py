"""Optimizers that divide by the root of a running second moment, in the regime where noise dominates the gradient.

With learning rate η the time step is h = η²; the draws' deviations from the mean gradient are multiplied by 1/η, and
1 - β = c η², ε = ε₀/η. In this scaling the equations are of weak order 1 in η², and batch sizes enter by the root of
their ratio (Malladi, Lyu, Panigrahi & Arora 2022). Without the corrections for the start of the running moments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.mcmc.optimizers.descent import FloatArray, Optimizer, StochasticLoss, started
from stochsim.mcmc.record import require_positive
from stochsim.sde import SDE
from stochsim.symbolic.tracing import as_sym

__all__ = ["Adam", "RMSprop"]


def amplified(loss: StochasticLoss, x: FloatArray, eta: float, gamma: FloatArray) -> FloatArray:
    """The gradient with its noise multiplied by 1/η."""
    mean = loss.mean(loss.gradients(x))
    return np.asarray(mean + (loss.gradient(x, gamma) - mean) / eta)


def _variances(root: list[list[Any]]) -> list[Any]:
    return [sum(v * v for v in row) for row in root]


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """x' = x - η g/(√u + ε), u' = β u + (1 - β) g².

    With U = η² u the equation is dX = -(∇f dt + Σ^(1/2) dW)/(√U + ε₀), dU = c (diag Σ - U) dt. The state is (x, U).

    Parameters
    ----------
    decay : float
        c = (1 - β)/η².
    epsilon : float
        ε₀ = η ε.
    second0 : float
        U of every component at the start, positive.
    """

    decay: float
    epsilon: float = 1e-3
    second0: float = 1.0

    def __post_init__(self) -> None:
        for name in ("decay", "epsilon", "second0"):
            require_positive(name, getattr(self, name))

    def start(self, x0: FloatArray) -> FloatArray:
        """(x0, second0)."""
        return np.concatenate([started(x0), np.full(len(started(x0)), self.second0)])

    def iterate(self, loss: StochasticLoss, s: FloatArray, h: float, gamma: FloatArray) -> FloatArray:
        """One iteration of (x, η² u), η = √h."""
        eta, (x, U) = float(np.sqrt(h)), np.split(s, 2)
        g = amplified(loss, x, eta, gamma)
        return np.concatenate([x - h * g / (np.sqrt(U) + self.epsilon), U + self.decay * h * (h * g * g - U)])

    def sde(self, loss: StochasticLoss, x0: Any, h: float) -> SDE:
        """The equation of (X, U); the same for all h."""
        d = len(started(x0))

        def drift(s: Any, t: Any, p: Any) -> Any:
            gradients = loss.gradients(s[:d])
            force, variance = as_sym(loss.mean(gradients)), _variances(loss.root(gradients))
            down = [-force[i] / (np.sqrt(s[d + i]) + self.epsilon) for i in range(d)]
            return [*down, *(self.decay * (variance[i] - s[d + i]) for i in range(d))]

        def diffusion(s: Any, t: Any, p: Any) -> Any:
            root = loss.root(loss.gradients(s[:d]))
            moved = [[v / (np.sqrt(s[d + i]) + self.epsilon) for v in row] for i, row in enumerate(root)]
            return [*moved, *([0.0] * len(root[0]) for _ in range(d))]

        return SDE(drift=drift, diffusion=diffusion, x0=self.start(x0), name="RMSprop equation")


@dataclass(frozen=True)
class Adam(Optimizer):
    """m' = β₁ m + (1 - β₁) g, u' = β₂ u + (1 - β₂) g², x' = x - η m'/(√u' + ε).

    With U = η² u the equation is dX = -m/(√U + ε₀) dt, dm = c₁ (∇f - m) dt + c₁ Σ^(1/2) dW, dU = c₂ (diag Σ - U) dt.
    The state is (x, m, U).

    Parameters
    ----------
    first_decay, second_decay : float
        c = (1 - β)/η².
    epsilon : float
        ε₀ = η ε.
    second0 : float
        U of every component at the start, positive; m starts at 0.
    """

    first_decay: float
    second_decay: float
    epsilon: float = 1e-3
    second0: float = 1.0

    def __post_init__(self) -> None:
        for name in ("first_decay", "second_decay", "epsilon", "second0"):
            require_positive(name, getattr(self, name))

    def start(self, x0: FloatArray) -> FloatArray:
        """(x0, 0, second0)."""
        x = started(x0)
        return np.concatenate([x, 0.0 * x, np.full(len(x), self.second0)])

    def iterate(self, loss: StochasticLoss, s: FloatArray, h: float, gamma: FloatArray) -> FloatArray:
        """One iteration of (x, m, η² u), η = √h."""
        x, m, U = np.split(s, 3)
        g = amplified(loss, x, float(np.sqrt(h)), gamma)
        m = m + self.first_decay * h * (g - m)
        U = U + self.second_decay * h * (h * g * g - U)
        return np.concatenate([x - h * m / (np.sqrt(U) + self.epsilon), m, U])

    def sde(self, loss: StochasticLoss, x0: Any, h: float) -> SDE:
        """The equation of (X, m, U); the same for all h."""
        d, c1, c2 = len(started(x0)), self.first_decay, self.second_decay

        def drift(s: Any, t: Any, p: Any) -> Any:
            gradients = loss.gradients(s[:d])
            force, variance = as_sym(loss.mean(gradients)), _variances(loss.root(gradients))
            down = [-s[d + i] / (np.sqrt(s[2 * d + i]) + self.epsilon) for i in range(d)]
            average = [c1 * (force[i] - s[d + i]) for i in range(d)]
            return [*down, *average, *(c2 * (variance[i] - s[2 * d + i]) for i in range(d))]

        def diffusion(s: Any, t: Any, p: Any) -> Any:
            root = loss.root(loss.gradients(s[:d]))
            still = [0.0] * len(root[0])
            return [*(still for _ in range(d)), *([c1 * v for v in row] for row in root), *(still for _ in range(d))]

        return SDE(drift=drift, diffusion=diffusion, x0=self.start(x0), name="Adam equation")
