"""The states of a sampler under test: positions of a density, alone or with standard normal momenta."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.metrics._arrays import FloatArray, fresh_seed, samples
from stochsim.metrics._mixtures import components

Cdf = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class States:
    """The law of x, or of (x, p) with p standard normal and independent of x."""

    density: Any
    momenta: bool

    def draws(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Exact independent states."""
        x = samples(self.density.sample(n, seed=fresh_seed(rng)), "the draws of the density")
        return np.hstack([x, rng.standard_normal(x.shape)]) if self.momenta else x

    def split(self, state: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Positions and momenta; of positions alone the momenta have no columns."""
        d = state.shape[1] // 2 if self.momenta else state.shape[1]
        return state[:, :d], state[:, d:]

    def log_prob(self, state: FloatArray) -> FloatArray:
        """The log-density, up to a constant."""
        x, p = self.split(state)
        return np.asarray(self.density.log_prob(x) - 0.5 * (p * p).sum(axis=1), dtype=np.float64)

    def names(self, state: FloatArray) -> list[str]:
        """A name for each column."""
        x, p = self.split(state)
        return [f"x[{i}]" for i in range(x.shape[1])] + [f"p[{i}]" for i in range(p.shape[1])]

    def power(self, state: FloatArray) -> dict[str, FloatArray]:
        """∇log p · momentum, the statistic by which a momentum of a wrong sign shows first."""
        x, p = self.split(state)
        return {"score·p": (self.density.score(x) * p).sum(axis=1)} if self.momenta else {}

    def marginals(self, state: FloatArray) -> list[Cdf | None]:
        """Exact distribution functions of the columns; None where there is none in closed form."""
        from scipy.special import ndtr

        x, p = self.split(state)
        law = components(self.density)
        exact = [law.projected(axis).cdf if law else None for axis in np.eye(x.shape[1])]
        return [*exact, *[ndtr] * p.shape[1]]
