"""Energy distance, between samples or to the exact law of a Gaussian mixture."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.metrics._arrays import FloatArray, same_width, samples
from stochsim.metrics._mixtures import Components, required_components

__all__ = ["energy_distance"]

BLOCK = 512  # rows of a distance matrix held at once
STEP = 0.25  # of the trapezoidal rule: error below exp(-π²/STEP) = 1e-17 relative


def energy_distance(x: Any, target: Any) -> float:
    r"""Energy distance :math:`(2 E|X-Y| - E|X-X'| - E|Y-Y'|)^{1/2}`.

    Parameters
    ----------
    x : (n, d) array
        Samples.
    target : (m, d) array, Gaussian or GaussianMixture
        What they are compared with; the expectations of a density are exact to rounding.

    Returns
    -------
    float
        The distance, in the square root of the units of the samples, zero for equal laws only (Székely & Rizzo 2013).
        On the line it is :math:`(2 \int (F - G)^2)^{1/2}`, as `scipy.stats.energy_distance`. Of n exact draws the mean
        square is E|Y-Y'|/n.

    Raises
    ------
    ParameterError
        Numbers of components that differ.
    ModelError
        A density that is not a Gaussian or a Gaussian mixture.

    Notes
    -----
    The cost is n² distances.
    """
    a = samples(x)
    if hasattr(target, "log_prob"):
        law = required_components(target, "the energy distance")
        same_width(a, law.d)
        between, within = _to_law(a, law), sum(w * _mean_norm(m[None], c)[0] for w, m, c in law.pairs())
    else:
        b = samples(target, "target")
        same_width(a, b.shape[1])
        between, within = _mean_distance(a, b), _mean_distance(b, b)
    return float(np.sqrt(max(0.0, 2 * between - _mean_distance(a, a) - within)))


def _mean_distance(a: FloatArray, b: FloatArray) -> float:
    """The mean of |a_i - b_j| over all pairs."""
    if a.shape[1] == 1:
        return _mean_distance_on_the_line(a[:, 0], np.sort(b[:, 0]))
    centre = a.mean(axis=0)
    a, b = a - centre, b - centre
    total = 0.0
    for i in range(0, len(a), BLOCK):
        rows = a[i : i + BLOCK]
        square = (rows * rows).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * rows @ b.T
        total += float(np.sqrt(np.maximum(square, 0.0)).sum())
    return total / (len(a) * len(b))


def _mean_distance_on_the_line(a: FloatArray, b: FloatArray) -> float:
    """Mean |a_i - b_j| for sorted b: sums below and above each a."""
    below = np.searchsorted(b, a)
    sums = np.concatenate([[0.0], np.cumsum(b)])
    return float(np.mean(a * (2 * below - len(b)) - 2 * sums[below] + sums[-1]) / len(b))


def _to_law(a: FloatArray, law: Components) -> float:
    triples = zip(law.weights, law.means, law.covariances, strict=True)
    return float(sum(w * _mean_norm(a - m, c).mean() for w, m, c in triples))


def _mean_norm(shift: FloatArray, cov: FloatArray) -> FloatArray:
    r"""E|s + Z| for Z ~ N(0, cov), at each row s.

    From :math:`\sqrt q = (2\sqrt\pi)^{-1} \int_0^\infty (1 - e^{-tq}) t^{-3/2} dt` with q = |s + Z|², whose Laplace
    transform is a product over the eigenvalues v of cov. The difference to a Gamma variable of the same mean, whose
    root has a known mean, decays at both ends, so the trapezoidal rule in log t converges geometrically.
    """
    from scipy.special import poch

    values, vectors = np.linalg.eigh(cov)
    values = np.maximum(values, 0.0)
    square = (shift @ vectors) ** 2
    mean = square.sum(axis=1) + values.sum()
    unit = np.where(mean > 0, mean, 1.0)
    shape = len(values) / 2
    excess = np.zeros(len(shift))
    for u in np.arange(-24.0, 40.0, STEP):
        t = np.exp(u) / unit  # t in units of 1 / E q
        scaled = values * t[:, None]
        exponent = (square * t[:, None] / (1 + 2 * scaled)).sum(axis=1) + 0.5 * np.log1p(2 * scaled).sum(axis=1)
        # both less one: near t = 0 the weight would blow up what rounding leaves of their difference
        excess += (np.expm1(-shape * np.log1p(np.exp(u) / shape)) - np.expm1(-exponent)) * np.exp(-u / 2)
    return np.asarray(np.sqrt(mean) * (poch(shape, 0.5) / np.sqrt(shape) + STEP * excess / (2 * np.sqrt(np.pi))))
