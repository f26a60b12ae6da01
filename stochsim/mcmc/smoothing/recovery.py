"""Recovery likelihoods: descend levels of noise, at each one a chain on the density of y given its noisier version."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from stochsim._request import count
from stochsim.columns.noise import PhiloxNoise
from stochsim.columns.ops import squared_norm
from stochsim.densities.checks import vector
from stochsim.densities.record import Density, Target
from stochsim.errors import ParameterError
from stochsim.mcmc.populations._moves import by_arrays
from stochsim.mcmc.record import Sampler
from stochsim.mcmc.smoothing.smoothed_measurements import noised_law
from stochsim.noise.seeds import seed_key

__all__ = ["RecoveryConditional", "recovery_chain"]


@dataclass(frozen=True, eq=False)
class RecoveryConditional:
    """The law of u where y = x + √v u has the density p and x is y with noise of variance v, over columns.

    log p(u | x) = log p(x + √v u) - |u|²/2 + const: in units of the noise its curvature is 1 and v times that of p, a
    sampler keeps its step size at every level (Gao et al. 2021, eq. (4)). For arrays: every column has an x of its own.

    Parameters
    ----------
    marginal : Target
        Formulas of p.
    noisy : ndarray, shape (d, n)
        x.
    scale : float
        √v.
    """

    marginal: Target
    noisy: np.ndarray
    scale: float

    def place(self, u: Any) -> Any:
        """The point x + √v u."""
        return self.noisy + self.scale * u

    def log_prob(self, u: Any) -> Any:
        """Without its normaliser."""
        return self.marginal.log_prob(self.place(u)) - 0.5 * squared_norm(u)

    def score(self, u: Any) -> Any:
        """√v ∇log p(x + √v u) - u."""
        return self.scale * self.marginal.score(self.place(u)) - u

    def log_prob_and_score(self, u: Any) -> tuple[Any, Any]:
        """Both."""
        log_prob, score = self.marginal.log_prob_and_score(self.place(u))
        return log_prob - 0.5 * squared_norm(u), self.scale * score - u

    def hessian_vector(self, u: Any, v: Any) -> Any:
        """The Hessian v ∇²log p - 1 on a vector."""
        return self.scale**2 * self.marginal.hessian_vector(self.place(u), v) - v

    def laplacian(self, u: Any) -> Any:
        """The trace v Δ log p - d."""
        return self.scale**2 * self.marginal.laplacian(self.place(u)) - len(u)


def recovery_chain(
    density: Density, sampler: Sampler, *, sigmas: Any, n_chains: int, n_steps: int,
    seed: int | np.random.SeedSequence | None = None,
) -> np.ndarray:  # fmt: skip
    """Draws of a density by sampling p(x_k | x_{k+1}) down a ladder of noise levels.

    Source: Gao, Song, Poole, Wu & Kingma 2021, algorithm 2, with exact marginals p_σ in place of learnt energies. If
    chains of each level reach their law, so do the draws on any ladder, but for the start.

    Parameters
    ----------
    density : Density
        With ``noised``.
    sampler : Sampler
        Makes ``n_steps`` steps at every level, begun at the noisier point, in units of the noise between the levels.
    sigmas : array_like, shape (K,)
        Standard deviations of the noise, decreasing, the last one 0; chains start at N(0, σ₁²).
    n_chains, n_steps : int
    seed : int or SeedSequence, optional

    Returns
    -------
    ndarray, shape (n_chains, d)

    Raises
    ------
    ParameterError
        If the levels do not decrease to 0.
    ModelError
        If the density has no exact noised law.
    """
    levels, n, n_steps = vector("sigmas", sigmas), count("n_chains", n_chains), count("n_steps", n_steps)
    if len(levels) < 2 or levels[-1] != 0.0 or not np.all(np.diff(levels) < 0.0):
        raise ParameterError(f"sigmas are {levels}; give two or more levels that decrease to 0")
    k0, k1, _ = seed_key(seed)
    x = levels[0] * PhiloxNoise((k0, k1), 0, n_steps * len(levels)).normal(np.empty((density.d, n)))
    for k, (noisier, level) in enumerate(pairwise(levels)):
        marginal = density if level == 0.0 else noised_law(density, float(level))
        target = RecoveryConditional(marginal.target, x, float(np.sqrt(noisier**2 - level**2)))
        start = sampler.init(target, 0.0 * x)
        state, _ = by_arrays(sampler, target, start, (k0, k1), begin=k * n_steps, n_steps=n_steps)
        x = target.place(state.x)
    return np.ascontiguousarray(x.T)
