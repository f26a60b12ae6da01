"""Exact laws of samplers with stochastic gradients on sums of quadratics: averages over all orders of the blocks.

For each block a step is an affine map with Gaussian noise, so E z zᵀ for z = (1, s), s the state, follows a linear
recursion whose matrix is an average over the orders of visits, taken exactly. No Monte Carlo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from stochsim.errors import ModelError
from stochsim.mcmc.laws.affine import AffineMap, FloatArray, affine_map
from stochsim.mcmc.stochastic_gradients.batches import INDEPENDENT, Batches

__all__ = ["BatchLaw", "batch_law", "block_maps"]


def block_maps(sampler: Any, target: Any, d: int) -> tuple[AffineMap, ...]:
    """The affine map that a step is for each block, without the memory of the order.

    Parameters
    ----------
    sampler : Sampler
        With a field ``batches``.
    target : SumTarget
        Of quadratics.
    d : int
        Components of x.

    Returns
    -------
    tuple of AffineMap
        Of the state without ``order`` and ``turn``; its first d entries are x.

    Raises
    ------
    SchemeError
        If a step is not affine.
    """
    single, K = replace(sampler, batches=INDEPENDENT), len(target.blocks)
    maps = (affine_map(single, target, d, [(b + 0.5) / K]) for b in range(K))
    return tuple(AffineMap(f.A[:-2, :-2], f.b[:-2], f.B[:-2]) for f in maps)


@dataclass(frozen=True, eq=False)
class BatchLaw:
    """The exact first two moments of a chain that visits blocks of data, at the ends of its epochs.

    An epoch is `Batches.period` steps: one with independent batches, K reshuffled, 2K symmetric.

    Parameters
    ----------
    maps : sequence of AffineMap
        One for each block.
    batches : Batches
    d : int
        Components of x.
    """

    maps: Sequence[AffineMap]
    batches: Batches
    d: int

    @property
    def period(self) -> int:
        """Steps of an epoch."""
        return self.batches.period(len(self.maps))

    @cached_property
    def operator(self) -> FloatArray:
        """The matrix of E z zᵀ (flattened) over an epoch, z = (1, s)."""
        return self.batches.averaged([_lifted(f) for f in self.maps])

    @property
    def _free(self) -> FloatArray:
        return self.operator[1:, 1:]

    @cached_property
    def spectral_radius(self) -> float:
        """Factor by which second moments shrink over an epoch, in the long run."""
        return float(np.abs(np.linalg.eigvals(self._free)).max())

    @cached_property
    def stationary(self) -> tuple[FloatArray, FloatArray]:
        """Mean (m,) and covariance (m, m) of the state in the stationary law, at the ends of epochs.

        Raises
        ------
        ModelError
            If there is none: the spectral radius is told.
        """
        if not self.spectral_radius < 1.0:
            raise ModelError(
                f"the chain has no stationary law: its second moments grow by {self.spectral_radius:.6g} an epoch; "
                "give a smaller step size"
            )
        moments = np.linalg.solve(np.eye(len(self._free)) - self._free, self.operator[1:, 0])
        return _split(np.append(1.0, moments))

    @property
    def mean(self) -> FloatArray:
        """E x in the stationary law, (d,)."""
        return self.stationary[0][: self.d]

    @property
    def covariance(self) -> FloatArray:
        """Cov x in the stationary law, (d, d)."""
        return self.stationary[1][: self.d, : self.d]

    def after(self, n_epochs: int, state: Any, covariance: Any = None) -> tuple[FloatArray, FloatArray]:
        """Mean (m,) and covariance (m, m) of the state after epochs from a state with this mean and covariance.

        Parameters
        ----------
        n_epochs : int
        state : array_like, shape (m,)
            Its mean.
        covariance : array_like, shape (m, m), optional
            Default 0.
        """
        z = np.append(1.0, np.asarray(state, dtype=float))
        moments = np.outer(z, z)
        if covariance is not None:
            moments[1:, 1:] += covariance
        return _split(np.linalg.matrix_power(self.operator, n_epochs) @ moments.reshape(-1))


def batch_law(sampler: Any, target: Any, d: int) -> BatchLaw:
    """The exact law of a sampler with stochastic gradients on a sum of quadratics.

    Parameters
    ----------
    sampler : Sampler
        SGLD, SGHMC, StochasticGradientSplitting; thermostats are not affine.
    target : SumTarget
        ``QuadraticSum(...).target``, or the blocks of a linear regression.
    d : int
        Components of x.

    Raises
    ------
    SchemeError
        If a step is not affine.
    """
    return BatchLaw(block_maps(sampler, target, d), sampler.batches, d)


def _lifted(f: AffineMap) -> FloatArray:
    """The matrix of E z zᵀ, flattened, for s' = A s + b + B ξ and z = (1, s)."""
    m = len(f.b)
    Z, spread = np.eye(m + 1), np.zeros((m + 1, m + 1))
    Z[1:, 0], Z[1:, 1:], spread[1:, 1:] = f.b, f.A, f.B @ f.B.T
    lifted = np.kron(Z, Z)
    lifted[:, 0] += spread.reshape(-1)
    return lifted


def _split(moments: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of s from the flattened E z zᵀ."""
    size = round(len(moments) ** 0.5)
    table = moments.reshape(size, size)
    mean, cov = table[0, 1:], table[1:, 1:] - np.outer(table[0, 1:], table[0, 1:])
    return mean, (cov + cov.T) / 2.0
