"""Euclidean metrics of the momenta: unit, diagonal or dense mass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.columns.ops import dot, matvec, matvec_transposed, squared_norm
from stochsim.densities.checks import finite, positive_definite
from stochsim.errors import ParameterError

__all__ = ["EuclideanMetric", "euclidean"]


@dataclass(frozen=True, eq=False)
class UnitMetric:
    """Mass 1."""

    def momentum(self, z: Any) -> Any:
        return z

    def velocity(self, p: Any) -> Any:
        return p

    def kinetic(self, p: Any) -> Any:
        return 0.5 * squared_norm(p)


@dataclass(frozen=True, eq=False)
class DiagonalMetric:
    """A mass for each component."""

    inverse_mass: np.ndarray  # (d, 1)
    root_mass: np.ndarray  # (d, 1)

    def momentum(self, z: Any) -> Any:
        return self.root_mass * z

    def velocity(self, p: Any) -> Any:
        return self.inverse_mass * p

    def kinetic(self, p: Any) -> Any:
        return 0.5 * dot(p, self.inverse_mass * p)


@dataclass(frozen=True, eq=False)
class DenseMetric:
    """A mass matrix M = S⁻¹ for the covariance S = R Rᵀ: momenta R⁻ᵀ z."""

    inverse_mass: np.ndarray  # (d, d), S
    inverse_root: np.ndarray  # (d, d), R⁻¹
    root: np.ndarray  # (d, d), R

    def momentum(self, z: Any) -> Any:
        return matvec_transposed(self.inverse_root, z)

    def velocity(self, p: Any) -> Any:
        return matvec(self.inverse_mass, p)

    def kinetic(self, p: Any) -> Any:
        return 0.5 * squared_norm(matvec_transposed(self.root, p))


EuclideanMetric = UnitMetric | DiagonalMetric | DenseMetric


def euclidean(inverse_mass: Any) -> EuclideanMetric:
    """The metric of an inverse mass: None, positive numbers (d,), or a symmetric positive definite matrix (d, d).

    A metric is returned as it is.

    Raises
    ------
    ModelError
        If it is not positive definite.
    ParameterError
        If it has another shape, or holds numbers that are not finite.
    """
    if isinstance(inverse_mass, UnitMetric | DiagonalMetric | DenseMetric):
        return inverse_mass
    if inverse_mass is None:
        return UnitMetric()
    given = finite("inverse_mass", np.asarray(inverse_mass, dtype=float))
    if given.ndim == 1:
        positive_definite("inverse_mass", np.diag([given.min(), given.max()]))
        return DiagonalMetric(given[:, None].copy(), 1.0 / np.sqrt(given)[:, None])
    if given.ndim != 2 or given.shape[0] != given.shape[1]:
        raise ParameterError(f"inverse_mass has shape {given.shape}; give (d,) or (d, d)")
    positive_definite("inverse_mass", given)
    root = np.linalg.cholesky(given)
    return DenseMetric(given.copy(), np.linalg.inv(root), root)
