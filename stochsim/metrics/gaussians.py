"""Distances between Gaussians, in closed form and without cancellation."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.errors import ParameterError
from stochsim.metrics._arrays import FloatArray, covariance_matrix, mean_vector

__all__ = ["kl_gaussian", "wasserstein2_gaussian"]


def wasserstein2_gaussian(mean1: Any, cov1: Any, mean2: Any, cov2: Any) -> float:
    r"""Wasserstein-2 distance of N(mean1, cov1) and N(mean2, cov2), both possibly singular.

    Parameters
    ----------
    mean1, cov1, mean2, cov2 : array or float
        Means (d,) or a number; covariances (d, d), variances (d,) or a number, symmetric and positive semi-definite.

    Returns
    -------
    float
        :math:`W_2` (not squared), in the units of the samples.

    Raises
    ------
    ParameterError
        Shapes that do not agree, or a covariance that is none.

    Notes
    -----
    :math:`W_2^2 = |m_1 - m_2|^2 + \min_U \|A^{1/2} - B^{1/2} U\|_F^2` over orthogonal U (Bhatia, Jain & Lim 2019,
    Expositiones Mathematicae 37, theorem 1), which equals the Bures form
    :math:`\operatorname{tr}(A + B - 2 (A^{1/2} B A^{1/2})^{1/2})` (Dowson & Landau 1982; Olkin & Pukelsheim 1982).
    The first form is a sum of squares: equal covariances give zero to rounding, where the trace form gives 1e-8.
    """
    m1, c1, m2, c2 = _pair(mean1, cov1, mean2, cov2)
    a, b = _square_root(c1), _square_root(c2)
    left, _, right = np.linalg.svd(b @ a)
    return float(np.hypot(np.linalg.norm(m1 - m2), np.linalg.norm(a - b @ (left @ right))))


def kl_gaussian(mean1: Any, cov1: Any, mean2: Any, cov2: Any) -> float:
    r"""Kullback-Leibler divergence KL(N(mean1, cov1) || N(mean2, cov2)), in nats.

    Parameters
    ----------
    mean1, cov1, mean2, cov2 : array or float
        Means (d,) or a number; covariances (d, d), variances (d,) or a number. cov2 is positive definite; a singular
        cov1 gives infinity.

    Returns
    -------
    float
        :math:`\frac12 \sum_i (\delta_i - \log(1 + \delta_i)) + \frac12 |L^{-1}(m_1 - m_2)|^2` with
        :math:`C_2 = L L^T` and :math:`\delta` the eigenvalues of :math:`L^{-1} (C_1 - C_2) L^{-T}`.

    Raises
    ------
    ParameterError
        Shapes that do not agree, or a cov2 that is not positive definite.
    """
    m1, c1, m2, c2 = _pair(mean1, cov1, mean2, cov2)
    values, vectors = np.linalg.eigh(c2)
    if values[0] <= len(m1) * np.finfo(float).eps * values[-1]:
        raise ParameterError(f"cov2 has the eigenvalue {values[0]:.3g}; the divergence needs it positive definite")
    whiten = vectors / np.sqrt(values)
    delta = np.linalg.eigvalsh(whiten.T @ (c1 - c2) @ whiten)
    if delta[0] <= -1 + len(m1) * np.finfo(float).eps:
        return float("inf")
    shift = whiten.T @ (m1 - m2)
    return float(((delta - np.log1p(delta)).sum() + shift @ shift) / 2)


def _square_root(cov: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(cov)
    # what is zero to rounding would become 1e-8 under the root
    values = np.where(values > len(values) * np.finfo(float).eps * values[-1], values, 0.0)
    return np.asarray((vectors * np.sqrt(values)) @ vectors.T)


def _pair(mean1: Any, cov1: Any, mean2: Any, cov2: Any) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    m1, m2 = mean_vector(mean1, "mean1"), mean_vector(mean2, "mean2")
    if m1.shape != m2.shape:
        raise ParameterError(f"mean1 has {len(m1)} components and mean2 has {len(m2)}; they must agree")
    return m1, covariance_matrix(cov1, len(m1), "cov1"), m2, covariance_matrix(cov2, len(m1), "cov2")
