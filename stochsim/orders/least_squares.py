"""Generalised least squares with a few dependent observations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["LeastSquares", "least_squares"]

FloatArray = npt.NDArray[np.float64]


class LeastSquares(NamedTuple):
    """A solved regression.

    ``coefficients`` (k,) = ``operator`` (k, n) @ y, and ``chi_square``, the squared length of the whitened
    residual, which has n - k degrees of freedom.
    """

    coefficients: FloatArray
    operator: FloatArray
    chi_square: float


def least_squares(columns: FloatArray, y: FloatArray, covariance: FloatArray) -> LeastSquares:
    """Aitken's estimate b = (A' G^-1 A)^-1 A' G^-1 y, by whitening and a QR decomposition.

    Parameters
    ----------
    columns : (n, k) array
        The design A, of full rank.
    y : (n,) array
        Observations.
    covariance : (n, n) array
        Their covariance G, positive definite.

    References
    ----------
    A. C. Aitken (1935), Proc. R. Soc. Edinburgh 55, 42.
    """
    root = np.linalg.cholesky(covariance)
    # general solves: for matrices this small a threaded triangular solve takes a hundred times longer
    white = np.linalg.solve(root, np.column_stack([columns, y]))
    q, r = np.linalg.qr(white[:, :-1])
    operator = np.linalg.solve(r, np.linalg.solve(root.T, q).T)
    coefficients = operator @ y
    misfit = white[:, -1] - white[:, :-1] @ coefficients
    return LeastSquares(coefficients, operator, float(misfit @ misfit))
