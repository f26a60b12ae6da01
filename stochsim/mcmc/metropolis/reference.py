"""The Gaussian laws that samplers draw proposals from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.columns.ops import matvec, squared_norm
from stochsim.densities.gaussian import Gaussian
from stochsim.errors import ParameterError

__all__ = ["GaussianReference", "gaussian_reference"]


@dataclass(frozen=True, eq=False)
class GaussianReference:
    """N(m, R Rᵀ) as formulas: draws, and the log-density up to its constant."""

    mean: np.ndarray  # (d, 1)
    root: np.ndarray  # (d, d), R, or (d, 1) of independent components
    inverse_root: np.ndarray  # of the same form

    def spread(self, z: Any) -> Any:
        """R z."""
        return _times(self.root, z)

    def log_shape(self, x: Any) -> Any:
        """-|R⁻¹ (x - m)|²/2."""
        return -0.5 * squared_norm(_times(self.inverse_root, x - self.mean))


def _times(A: Any, z: Any) -> Any:
    return A * z if A.shape[1] == 1 else matvec(A, z)


def gaussian_reference(name: str, law: Any) -> GaussianReference:
    """The formulas of a Gaussian density.

    Raises
    ------
    ParameterError
        If it is none.
    """
    if isinstance(law, GaussianReference):
        return law
    if not isinstance(law, Gaussian):
        raise ParameterError(f"{name} is {law!r}; give a Gaussian, such as ss.densities.Gaussian(mean, covariance)")
    if law.diagonal:
        root = np.sqrt(np.diag(law.covariance))[:, None]
        return GaussianReference(law.mean[:, None].copy(), root, 1.0 / root)
    root = np.linalg.cholesky(law.covariance)
    return GaussianReference(law.mean[:, None].copy(), root, np.linalg.inv(root))
