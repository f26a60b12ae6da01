"""Transitions for invariance tests: exact starts, momenta drawn from their law, many steps of a sampler on arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.mcmc import Sampler

Transition = Callable[[np.ndarray, int], np.ndarray]


@dataclass
class GeneratorNoise:
    """NumPy's random numbers; ``power`` bends the uniforms, u**power, which spoils every Metropolis ratio."""

    rng: np.random.Generator
    power: float = 1.0

    def normal(self, x: Any) -> np.ndarray:
        return self.rng.standard_normal(np.shape(x))

    def uniform(self, x: Any) -> np.ndarray:
        return self.rng.random(np.shape(x)[-1]) ** self.power


def transition(sampler: Sampler, target: Any, n_steps: int, *, power: float = 1.0) -> Transition:
    """States (n, d) after steps from states (n, d)."""

    def move(x: np.ndarray, seed: int) -> np.ndarray:
        noise = GeneratorNoise(np.random.default_rng(seed), power)
        state = sampler.init(target, np.ascontiguousarray(x.T))
        if hasattr(sampler, "refresh"):
            state = sampler.refresh(state, noise)
        for _ in range(n_steps):
            state, _ = sampler.step(target, state, noise)
        return np.ascontiguousarray(state.x.T)

    return move
