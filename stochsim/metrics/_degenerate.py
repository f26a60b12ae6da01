"""The null law of degenerate U- and V-statistics: weighted sums of chi-squares, and their tails.

If E h(x, Y) = 0 for every x, then (1/(n-1)) sum_{i != j} h(x_i, x_j) tends to sum_k λ_k (Z_k² - 1), where λ_k are the
eigenvalues of h under the law of the samples (Serfling 1980, section 5.5.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stochsim.errors import ParameterError
from stochsim.metrics._arrays import FloatArray, probability
from stochsim.metrics.check import Check

__all__ = ["KernelDiscrepancy"]

BLOCK = 512  # rows of a kernel matrix held at once
SPECTRUM = 256  # points whose kernel matrix stands for the operator


@dataclass(frozen=True, kw_only=True, repr=False)
class KernelDiscrepancy:
    """A squared kernel discrepancy with its law under the hypothesis that samples and target agree.

    Parameters
    ----------
    name : str
        Which discrepancy.
    squared : float
        The statistic in squared form; the U-statistic may be negative.
    null_mean, null_sd : float
        Its mean and standard deviation under the hypothesis.
    check : Check
        The test of the hypothesis.
    """

    name: str
    squared: float
    null_mean: float
    null_sd: float
    check: Check

    @property
    def value(self) -> float:
        """The discrepancy itself: the root of the squared form, zero if that is negative."""
        return float(np.sqrt(max(0.0, self.squared)))

    def __repr__(self) -> str:
        null = f"{self.name}² = {self.squared:.4g}, expected {self.null_mean:.3g} ± {self.null_sd:.2g}"
        return f"{null}\n{self.check!r}"


def form(statistic: str) -> str:
    """Refuse what is neither the U- nor the V-statistic."""
    if statistic not in ("u", "v"):
        raise ParameterError(f"statistic={statistic!r}; give 'u' (unbiased) or 'v' (never negative)")
    return statistic


def one_sample(
    name: str,
    statistic: str,
    pair_mean: float,
    diagonal: tuple[float, float, float],
    eigenvalues: FloatArray,
    n: int,
    false_alarm: float,
) -> KernelDiscrepancy:
    """The result from the mean of h over pairs i != j and over the diagonal.

    ``diagonal`` holds the observed mean of h(x_i, x_i), and its mean and variance under the hypothesis. The variance
    of the U-statistic is 2 sum λ²/(n (n-1)); the diagonal is uncorrelated with it.
    """
    variance = 2 * float(eigenvalues @ eigenvalues) / (n * (n - 1))
    if statistic == "u":
        return verdict(name, pair_mean, 0.0, float(np.sqrt(variance)), n, eigenvalues, n, false_alarm)
    observed, null_mean, null_variance = diagonal
    shrink = (n - 1) / n
    sd = np.sqrt(shrink**2 * variance + null_variance / n**3)
    squared = shrink * pair_mean + observed / n
    return verdict(name, squared, null_mean / n, float(sd), n / shrink, eigenvalues, n, false_alarm)


def verdict(
    name: str,
    squared: float,
    mean: float,
    sd: float,
    size: float,
    eigenvalues: FloatArray,
    n: int,
    false_alarm: float,
) -> KernelDiscrepancy:
    """Judge a statistic for which size (squared - mean) has the law of sum λ (Z² - 1)."""
    rate = probability(false_alarm, "false_alarm")
    check = Check(
        name=name,
        statistic=squared,
        threshold=mean + tail_point(eigenvalues, rate) / size,
        p_value=tail(eigenvalues, (squared - mean) * size),
        false_alarm=rate,
        n=n,
    )
    return KernelDiscrepancy(name=name, squared=squared, null_mean=mean, null_sd=sd, check=check)


def spectrum(gram: FloatArray) -> FloatArray:
    """Eigenvalues of the operator of which this is the kernel matrix of m points."""
    values = np.linalg.eigvalsh(gram) / len(gram)
    return np.asarray(values[values > 1e-12 * values[-1]])


def tail(eigenvalues: FloatArray, q: float) -> float:
    """P(sum λ (Z² - 1) > q), by the saddle point of Lugannani & Rice (1980), relative error of a few percent."""
    from scipy.special import ndtr

    total, variance = float(eigenvalues.sum()), 2 * float(eigenvalues @ eigenvalues)
    if q <= -total:
        return 1.0
    s = _saddle_point(eigenvalues, q)
    if abs(s) * np.sqrt(variance) < 1e-4:  # the formula is 0/0 at the mean; its limit holds the skewness
        return float(0.5 - 8 * (eigenvalues**3).sum() / (6 * np.sqrt(2 * np.pi) * variance**1.5))
    weight = 1 - 2 * eigenvalues * s
    cumulant = -0.5 * np.log(weight).sum() - s * total
    w = np.sign(s) * np.sqrt(max(0.0, 2 * (s * q - cumulant)))
    u = s * np.sqrt(2 * ((eigenvalues / weight) ** 2).sum())
    density = np.exp(-w * w / 2) / np.sqrt(2 * np.pi)
    return float(np.clip(ndtr(-w) + density * (1 / u - 1 / w), 0.0, 1.0))


def tail_point(eigenvalues: FloatArray, p: float) -> float:
    """The q with P(sum λ (Z² - 1) > q) = p."""
    from scipy.optimize import brentq

    low, high = -float(eigenvalues.sum()), 2 * float(eigenvalues.max())
    while tail(eigenvalues, high) > p:
        high *= 2
    return float(brentq(lambda q: tail(eigenvalues, q) - p, low, high, xtol=1e-12 * high))


def _saddle_point(eigenvalues: FloatArray, q: float) -> float:
    """The root s of K'(s) = sum λ/(1 - 2 λ s) - sum λ = q, below the pole at 1/(2 max λ)."""
    from scipy.optimize import brentq

    largest = float(eigenvalues.max())

    def slope(s: float) -> float:
        return float((2 * eigenvalues**2 * s / (1 - 2 * eigenvalues * s)).sum() - q)

    # at the right end the term of the largest eigenvalue alone exceeds q
    right = (1 - 1 / (2 + max(q, 0.0) / largest)) / (2 * largest)
    left = -1.0 / largest
    while slope(left) > 0:
        left *= 2
    while slope(right) < 0:
        right = (right + 0.5 / largest) / 2
    return float(brentq(slope, left, right, xtol=1e-14 / largest))
