"""The exact law of a chain on a Gaussian target, as `stochsim.exact_law` gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.laws import ExactLaw, finds_laws_of
from stochsim.mcmc.laws.affine import AffineLaw, affine_law
from stochsim.mcmc.record import Sampler

__all__ = ["ChainLaw", "chain_law"]


@dataclass(frozen=True, eq=False, repr=False)
class ChainLaw(ExactLaw):
    """The law of the positions of a chain, beside the target: after some steps, or the stationary one.

    Attributes
    ----------
    mean, cov, target_mean, target_cov : ndarray
        As in `stochsim.laws.ExactLaw`.
    state_mean, state_cov : ndarray, shapes (m,), (m, m)
        Of the whole state: positions, momenta and what else the sampler keeps.
    chain : AffineLaw
        The affine map itself.
    """

    state_mean: np.ndarray
    state_cov: np.ndarray
    chain: AffineLaw

    @property
    def bias(self) -> np.ndarray:
        """Covariance of the positions minus that of the target, (d, d)."""
        return np.asarray(self.cov - self.target_cov)

    @property
    def spectral_radius(self) -> float:
        """How fast the start is forgotten: its power n after n steps."""
        return self.chain.spectral_radius

    def autocorrelation(self, lag: int, direction: Any = None) -> float:
        """Correlation of stationary positions ``lag`` steps apart, along a direction (default: the first axis)."""
        return self.chain.autocorrelation(lag, direction)

    def autocorrelation_time(self, direction: Any = None) -> float:
        """1 + 2 Σ of the autocorrelations, in steps."""
        return self.chain.autocorrelation_time(direction)


@finds_laws_of(Sampler)
def chain_law(
    sampler: Sampler, target: Any, n_steps: int | None = None, *, x0: Any = None, covariance: Any = None
) -> ChainLaw:
    """The law of a sampler's chain on a Gaussian.

    Parameters
    ----------
    sampler : Sampler
    target : Gaussian
    n_steps : int, optional
        Default: the stationary law.
    x0 : array_like, shape (d,), optional
        Mean of the start; default 0.
    covariance : array_like, shape (d, d), optional
        Of the start; default: I if x0 is not given (as `stochsim.mcmc.sample` begins), else 0.

    Raises
    ------
    SchemeError
        If the sampler's step is not affine, or no stationary law exists (the step is too long).
    """
    d = target.d
    chain = affine_law(sampler, target.target, d)
    if n_steps is None:
        mean, cov = chain.stationary
    else:
        begun = np.eye(d) if x0 is None and covariance is None else covariance
        mean, cov = chain.after(n_steps, np.zeros(d) if x0 is None else x0, begun)
    return ChainLaw(mean[:d], cov[:d, :d], target.mean, target.covariance, mean, cov, chain)
