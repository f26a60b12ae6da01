"""Maximum mean discrepancy with a Gaussian kernel, against samples or the exact kernel mean of a Gaussian mixture."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.metrics._arrays import FloatArray, positive, same_width, samples
from stochsim.metrics._degenerate import BLOCK, SPECTRUM, KernelDiscrepancy, form, one_sample, spectrum, verdict
from stochsim.metrics._mixtures import Components, required_components

__all__ = ["mmd"]

DRAWS = 128  # of the target, whose kernel matrix gives the shape of the null law


def mmd(
    x: Any, target: Any, lengthscale: float, *, statistic: str = "u", false_alarm: float = 1e-3
) -> KernelDiscrepancy:
    r"""Squared maximum mean discrepancy with the kernel :math:`k(x, y) = \exp(-|x - y|^2 / (2 l^2))`.

    Parameters
    ----------
    x : (n, d) array
        Independent samples.
    target : Gaussian, GaussianMixture, or (m, d) array
        The law they should have. Of a density the kernel mean is exact,
        :math:`\mu(x) = \sum_k w_k\, l^d (2\pi)^{d/2} N(x; m_k, C_k + l^2 I)`, and nothing is sampled for the statistic.
    lengthscale : float
        l, in the units of the samples.
    statistic : {"u", "v"}
        "u" leaves out the diagonal and is unbiased; "v" is the squared norm itself, with mean (1 - c)/n for n exact
        samples, c = E k(Y, Y').
    false_alarm : float, default 1e-3
        Rate of the test.

    Returns
    -------
    KernelDiscrepancy
        The statistic, its null mean and standard deviation, and the test. Against a density these two are exact at
        every n, by E h² = E k² - 2 E μ² + c² for h(x, y) = k - μ(x) - μ(y) + c; the tail is the limit law, a weighted
        sum of chi-squares (Gretton et al. 2012, theorem 12) with the spectrum of h at 128 draws of the target. Against
        samples the spectrum is that of the pooled ones (Gretton et al. 2009) and everything is asymptotic.

    Raises
    ------
    ParameterError
        Numbers of components that differ, a lengthscale that is not positive, fewer than two samples.
    ModelError
        A density that is not a Gaussian or a Gaussian mixture.

    Notes
    -----
    The cost is n² kernel values; ten thousand samples are plenty. Correlated samples (draws of one chain) make false
    alarms: take one draw of each chain, or thin.
    """
    a = samples(x, least=2)
    l, kind = positive(lengthscale, "lengthscale"), form(statistic)
    if hasattr(target, "log_prob"):
        law = required_components(target, "the kernel mean")
        same_width(a, law.d)
        return _against_law(a, law, l, kind, false_alarm)
    b = samples(target, "target", least=2)
    same_width(a, b.shape[1])
    return _against_samples(a, b, l, kind, false_alarm)


def _against_law(a: FloatArray, law: Components, l: float, kind: str, false_alarm: float) -> KernelDiscrepancy:
    n, mean_k = len(a), kernel_mean(law, a, l)
    c, square_k, square_mu = _null_moments(law, l)
    between = (_kernel_sum(a, a, l) - n) / (n * (n - 1))
    pair_mean = between - 2 * float(mean_k.mean()) + c
    diagonal = (1 - 2 * float(mean_k.mean()) + c, 1 - c, 4 * (square_mu - c * c))
    points = _draws(law, DRAWS)
    mu = kernel_mean(law, points, l)
    values = spectrum(_kernel(points, points, l) - mu[:, None] - mu + c)
    values *= np.sqrt((square_k - 2 * square_mu + c * c) / (values @ values))  # the exact second moment
    return one_sample("MMD", kind, pair_mean, diagonal, values, n, false_alarm)


def _against_samples(a: FloatArray, b: FloatArray, l: float, kind: str, false_alarm: float) -> KernelDiscrepancy:
    n, m = len(a), len(b)
    size = n * m / (n + m)  # the statistic behaves as one of so many samples against an exact law
    aa, bb, ab = _kernel_sum(a, a, l), _kernel_sum(b, b, l), _kernel_sum(a, b, l) / (n * m)
    unbiased = (aa - n) / (n * (n - 1)) + (bb - m) / (m * (m - 1)) - 2 * ab
    squared = unbiased if kind == "u" else aa / n**2 + bb / m**2 - 2 * ab
    pooled = np.concatenate([a[:: -(-2 * n // SPECTRUM)], b[:: -(-2 * m // SPECTRUM)]])
    gram = _kernel(pooled, pooled, l)
    values = spectrum(gram - gram.mean(axis=0) - gram.mean(axis=0)[:, None] + gram.mean())
    mean = float(values.sum()) / size if kind == "v" else 0.0
    sd = float(np.sqrt(2 * values @ values)) / size
    return verdict("MMD of two samples", squared, mean, sd, size, values, n + m, false_alarm)


def kernel_mean(law: Components, x: FloatArray, l: float) -> FloatArray:
    """E k(x, Y) at the rows of x, (n,)."""
    total = np.zeros(len(x))
    for w, m, c in zip(law.weights, law.means, law.covariances, strict=True):
        total += w * _bump(x - m, c, l)
    return total


def _bump(shift: FloatArray, cov: FloatArray, l: float) -> FloatArray:
    """E exp(-|s - Z|²/(2 l²)) for Z ~ N(0, cov): det(I + cov/l²)^(-1/2) exp(-s'(cov + l² I)^-1 s / 2)."""
    values, vectors = np.linalg.eigh(cov)
    along = shift @ vectors
    scale = np.prod(1 + values / l**2) ** -0.5
    return np.asarray(scale * np.exp(-0.5 * (along**2 / (values + l**2)).sum(axis=-1)))


def _null_moments(law: Components, l: float) -> tuple[float, float, float]:
    """E k(Y, Y'), E k(Y, Y')² and E μ(Y)²."""
    c = sum(w * float(_bump(m, cov, l)) for w, m, cov in law.pairs())
    square = sum(w * float(_bump(m, cov, l / np.sqrt(2))) for w, m, cov in law.pairs())
    return c, square, _mean_square(law, l)


def _mean_square(law: Components, l: float) -> float:
    """E μ(Y)²: a product of two of the bumps is a bump, and its mean over a component is one more."""
    total, eye = 0.0, l**2 * np.eye(law.d)
    triples = list(zip(law.weights, law.means, law.covariances, strict=True))
    for w, m, c in triples:
        for v, p, e in triples:
            gain = np.linalg.solve(c + e + 2 * eye, np.stack([m - p, *(c + eye)], axis=1))
            height = _height(c + eye, l) * _height(e + eye, l) * np.exp(-0.5 * (m - p) @ gain[:, 0])
            centre, spread = m - (c + eye) @ gain[:, 0], (e + eye) @ gain[:, 1:]
            for u, q, g in triples:
                inner = np.linalg.solve(spread + g, centre - q) @ (centre - q)
                ratio = np.linalg.det(spread) / np.linalg.det(spread + g)
                total += w * v * u * height * np.sqrt(ratio) * np.exp(-0.5 * inner)
    return float(total)


def _height(cov: FloatArray, l: float) -> float:
    """The height of the bump with this inner covariance."""
    return float(np.linalg.det(cov / l**2) ** -0.5)


def _kernel(a: FloatArray, b: FloatArray, l: float) -> FloatArray:
    square = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T
    return np.asarray(np.exp(-np.maximum(square, 0.0) / (2 * l**2)))


def _kernel_sum(a: FloatArray, b: FloatArray, l: float) -> float:
    centre = a.mean(axis=0)  # |a - b|² from inner products loses digits far from the origin
    return float(sum(_kernel(a[i : i + BLOCK] - centre, b - centre, l).sum() for i in range(0, len(a), BLOCK)))


def _draws(law: Components, n: int) -> FloatArray:
    """The same n draws for every call: the threshold is a property of the target."""
    rng = np.random.default_rng(20120313)
    chosen = rng.choice(len(law.weights), n, p=law.weights / law.weights.sum())
    values, vectors = np.linalg.eigh(law.covariances)
    roots = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    return np.asarray(law.means[chosen] + np.einsum("nij,nj->ni", roots[chosen], rng.standard_normal((n, law.d))))
