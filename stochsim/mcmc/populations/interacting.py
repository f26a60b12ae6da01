"""Populations of particles that see one another: mean-field Langevin and entropic fictitious play."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim._request import count
from stochsim.columns.evaluate import Evaluator
from stochsim.columns.noise import PhiloxNoise
from stochsim.densities.checks import number
from stochsim.densities.record import Density, Target
from stochsim.errors import DivergenceError, ParameterError
from stochsim.mcmc.record import require_positive
from stochsim.noise.seeds import seed_key

__all__ = ["MeanFieldLangevin", "entropic_fictitious_play"]


@dataclass(frozen=True)
class MeanFieldLangevin:
    """dX_i = ∇log π(X_i) dt - b (X_i - mean of X) dt + √2 dW_i: particles drawn to the mean of their ensemble.

    For N particles and -log π = a x²/2 the stationary variance of a particle is
    1/(N a (1 - ah/2)) + (1 - 1/N)/((a + b) (1 - (a + b) h/2)) for the Euler step h, its mean decays by 1 - ah a step.
    Source: Suzuki, Wu & Nitanda 2023, eq. (5), with the energy b/4 ∬ |x - y|² μ(dx) μ(dy).

    Parameters
    ----------
    step_size : float
        h, in time.
    coupling : float
        b; negative ones repel.
    """

    step_size: float
    coupling: float

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        number("coupling", self.coupling)

    def step(self, score: Callable[[np.ndarray], np.ndarray], x: np.ndarray, xi: np.ndarray) -> np.ndarray:
        """One step of ensembles x (d, M, N) with standard normals ``xi`` of that shape; ``score`` takes (d, M N)."""
        h = self.step_size
        force = np.asarray(score(x.reshape(len(x), -1))).reshape(x.shape)
        moved: np.ndarray = (
            x + h * (force - self.coupling * (x - x.mean(axis=2, keepdims=True))) + np.sqrt(2.0 * h) * xi
        )
        return moved

    def run(
        self, density: Density, x0: Any, n_steps: int, *, seed: int | np.random.SeedSequence | None = None
    ) -> np.ndarray:
        """Run independent ensembles.

        Parameters
        ----------
        density : Density
            π.
        x0 : array_like, shape (M, N, d)
            M ensembles of N particles.
        n_steps : int
        seed : int or SeedSequence, optional
            A particle's noise depends on seed, step and its number in the run alone.

        Returns
        -------
        ndarray, shape (M, N, d)

        Raises
        ------
        ParameterError
            If x0 has another shape.
        DivergenceError
            If particles leave the finite numbers.
        """
        start = np.asarray(x0, dtype=float)
        if start.ndim != 3 or start.shape[2] != density.d:
            raise ParameterError(f"x0 has shape {start.shape}; give (ensembles, particles, {density.d})")
        x, score = np.ascontiguousarray(start.transpose(2, 0, 1)), _score(density.target)
        k0, k1, _ = seed_key(seed)
        for k in range(count("n_steps", n_steps)):
            xi = PhiloxNoise((k0, k1), 0, k).normal(x.reshape(len(x), -1)).reshape(x.shape)
            x = self.step(score, x, xi)
        lost = int((~np.isfinite(x)).any(axis=0).sum())
        if lost:
            raise DivergenceError(
                f"{lost} of {x[0].size} particles left the finite numbers; take smaller steps", lost, float("nan")
            )
        return np.ascontiguousarray(x.transpose(1, 2, 0))


def _score(target: Target) -> Callable[[np.ndarray], np.ndarray]:
    return Evaluator(target, "score")


def entropic_fictitious_play(
    gibbs: Callable[[np.ndarray], Density],
    x0: Any,
    *,
    gamma: float,
    n_steps: int,
    seed: int | np.random.SeedSequence | None = None,
) -> np.ndarray:
    """μ' = (1 - γ) μ + γ μ̂(μ) with particles: every step draws a fraction γ of them anew.

    μ̂(μ) ∝ exp(-δF/δμ(μ)/λ) is the proximal Gibbs law of the objective F + λ entropy (Chen, Ren & Wang 2022; Nitanda
    et al. 2023, eq. (6)).

    Parameters
    ----------
    gibbs : callable
        Takes particles (N, d), returns the Density μ̂ of their empirical law.
    x0 : array_like, shape (N, d)
    gamma : float
        In (0, 1].
    n_steps : int
    seed : int or SeedSequence, optional

    Returns
    -------
    ndarray, shape (N, d)
    """
    x = np.array(x0, dtype=float)
    if x.ndim != 2:
        raise ParameterError(f"x0 has shape {x.shape}; give (particles, components)")
    if not 0.0 < gamma <= 1.0:
        raise ParameterError(f"gamma is {gamma!r}; give a number in (0, 1]")
    k0, k1, _ = seed_key(seed)
    rng = np.random.default_rng([k0, k1])
    for _ in range(count("n_steps", n_steps)):
        renewed = rng.random(len(x)) < gamma
        x[renewed] = gibbs(x).sample(int(renewed.sum()), seed=rng)
    return x
