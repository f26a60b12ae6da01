"""Convergence orders from the errors of coupled levels: generalised least squares with an honest interval.

The errors of one Brownian path at step sizes h_1 > ... > h_L are strongly dependent, and the logarithm of a
mean error is not a straight line in log h. Both are modelled here. With m_l the mean error of level l,

    y_l = log m_l + G_ll / 2,      G_lk = Cov(e_l, e_k) / (n m_l m_k)

(delta method; G_ll / 2 is the bias of the logarithm), and

    y = A b + noise,               A = [1, log h, h^q, ...],      order = b_2,

is solved by generalised least squares with the full G. An interval is *statistical plus model*:
1.96 standard errors plus what the truncated expansion of log m_l can shift the order by.

Three bases, their levels and their model allowances:

* ``C`` [1, log h, h], the six finest levels, allowance .003. For schemes written with derivatives, whose
  odd-parity terms vanish, so that the relative correction of the error is O(h).
* ``H`` [1, log h, h], the seven finest levels, and a half-power term h^(1/2) of *bounded* size: the bound
  enters the weights as a covariance and the interval as the worst bias within the bound (a bias-aware
  interval). For schemes with support values x + b sqrt(h), for unknown ones, and for errors in the sup norm
  over the grid of each level, whose discretised maximum brings a half power.
* ``A`` [1, log h, h^(1/2), h], nine levels, a free half-power term, allowance .01. Wider than ``H``, and
  biased by .06 on a problem whose coarse levels are far from the limit.

References
----------
A. C. Aitken (1935), Proc. R. Soc. Edinburgh 55, 42 (generalised least squares); T. B. Armstrong and
M. Kolesár (2018), Econometrica 86, 655 (intervals that carry a bounded bias).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from stochsim.errors import ParameterError
from stochsim.orders.bases import BASES, Basis, named_basis, solve
from stochsim.orders.error_sums import FEWEST_LEVELS, ErrorSums, Metric, checked_steps
from stochsim.orders.levels import LevelMeans, usable_levels

__all__ = [
    "BASES",
    "Basis",
    "Disagreement",
    "ErrorSums",
    "Fit",
    "disagreement",
    "fit_means",
    "fit_order",
    "is_exact",
    "normal_quantile",
    "paths_needed",
]

FloatArray = npt.NDArray[np.float64]

SMALLEST_HALF_WIDTH = 0.005
"""No total half-width below this is ever claimed."""
EXACT = 1e-10
"""Errors below this many standard deviations of X_T at every level mean an exact scheme."""
ROUNDING = 1e-13
"""An error below this many sd X_T sqrt(h_1 / h_l) measures rounding, not the scheme."""
HEAVY_TAILS = 15.0
"""A relative second moment above this doubles the planned number of paths."""


@dataclass(frozen=True, eq=False)
class Fit:
    """An order estimated in one basis.

    Parameters
    ----------
    basis : Basis
        Columns and levels of the regression.
    metric : str
        "l1", "l2" or "mean".
    order : float
        The estimated order.
    se : float
        Its standard error under the estimated covariance of the levels.
    model : float
        Half-width that accounts for the truncated expansion.
    fit_p : float
        p-value of the lack-of-fit chi-square; nan when no degree of freedom is left.
    h : (n_levels,) array
        All step sizes.
    used : tuple of int
        Levels in the regression.
    dropped : tuple of (int, str)
        Levels that the fixed rules excluded, each with its reason.
    weights : (n_levels,) array
        order = weights @ log_errors over the used levels; zero elsewhere.
    residuals : (n_used,) array
        log_errors minus the fitted curve on the used levels.
    log_errors : (n_levels,) array
        y_l; nan where the error has no logarithm.
    log_cov : (n_levels, n_levels) array
        Their covariance G.
    errors : (n_levels,) array
        Mean errors; root mean square errors for "l2".
    kurtosis : (n_levels,) array
        Relative second moment of what is averaged: intervals deserve doubt above 15 ("l1") or 20 ("l2").
    n_paths : int
        Paths behind the means.
    """

    basis: Basis
    metric: str
    order: float
    se: float
    model: float
    fit_p: float
    h: FloatArray
    used: tuple[int, ...]
    dropped: tuple[tuple[int, str], ...]
    weights: FloatArray
    residuals: FloatArray
    log_errors: FloatArray
    log_cov: FloatArray
    errors: FloatArray
    kurtosis: FloatArray
    n_paths: int

    @property
    def usable(self) -> tuple[int, ...]:
        """Levels that no rule dropped, whether or not this basis uses them."""
        out = {level for level, _ in self.dropped}
        return tuple(level for level in range(len(self.h)) if level not in out)

    @property
    def statistical(self) -> float:
        """1.96 standard errors."""
        return normal_quantile(0.05) * self.se

    @property
    def half_width(self) -> float:
        """Statistical plus model half-width at 95 %, never below .005."""
        return max(self.statistical + self.model, SMALLEST_HALF_WIDTH)

    @property
    def ci(self) -> tuple[float, float]:
        """Total 95 % interval."""
        return self.order - self.half_width, self.order + self.half_width

    @property
    def errors_se(self) -> FloatArray:
        """(n_levels,) standard errors of ``errors``."""
        return np.asarray(np.abs(self.errors) * np.sqrt(np.diagonal(self.log_cov)))

    @property
    def local_orders(self) -> FloatArray:
        """(n_levels - 1,) slopes between neighbouring levels; nan where a level has no logarithm."""
        return np.asarray(np.diff(self.log_errors) / np.diff(np.log(self.h)))

    @property
    def local_orders_se(self) -> FloatArray:
        """(n_levels - 1,) standard errors of ``local_orders``, with the covariance between neighbours."""
        variance, cov = np.diagonal(self.log_cov), np.diagonal(self.log_cov, 1)
        spread = np.sqrt(np.maximum(variance[1:] + variance[:-1] - 2 * cov, 0.0))
        return np.asarray(spread / np.abs(np.diff(np.log(self.h))))


def fit_order(sums: ErrorSums, basis: str | Basis = "C", *, metric: Metric = "l1", scale: float | None = None) -> Fit:
    """Order of convergence of the mean error of coupled levels.

    Parameters
    ----------
    sums : ErrorSums
        Sums over paths.
    basis : {"C", "H", "A"} or Basis
        Regression columns; see the top of this module.
    metric : {"l1", "l2", "mean"}
        E|e|, (E e^2)^(1/2), or |E e| of signed values (a weak error).
    scale : float, optional
        Standard deviation of X_T: levels at its rounding floor are dropped. Without it only exact zeros are.

    Raises
    ------
    ParameterError
        The basis is unknown, or fewer than four levels are usable.
    """
    mean, covariance, kurtosis = sums.moments(metric)
    floor = ROUNDING * (scale or 0.0) * np.sqrt(sums.h[0] / sums.h)
    means = LevelMeans(
        sums.h,
        mean,
        covariance,
        None if metric == "mean" else sums.moments("l1")[2],
        floor**2 if metric == "l2" else floor,
        metric == "mean",
    )
    return _fit(means, named_basis(basis), metric, kurtosis, sums.n_paths)


def fit_means(
    h: npt.ArrayLike,
    mean: npt.ArrayLike,
    covariance: npt.ArrayLike,
    basis: str | Basis = "C",
    *,
    n_paths: int = 1,
) -> Fit:
    """Order of |m_l| from signed means and their covariance: weak errors of levels, coupled or independent.

    Parameters
    ----------
    h : (n_levels,) array
        Step sizes, strictly decreasing.
    mean : (n_levels,) array
        Estimated weak errors; those below four standard errors are not used.
    covariance : (n_levels, n_levels) array
        Covariance of these estimates.
    basis : {"C", "H", "A"} or Basis
        Regression columns.
    n_paths : int
        Paths behind the means; recorded, and the base of ``paths_needed``.

    Raises
    ------
    ParameterError
        The basis is unknown, the shapes do not fit, or fewer than four levels are usable.
    """
    steps, m, cov = checked_steps(h), np.asarray(mean, float), np.asarray(covariance, float)
    if m.shape != steps.shape or cov.shape != (len(steps), len(steps)):
        raise ParameterError(
            f"means of shape {m.shape} and a covariance of shape {cov.shape} were given for {len(steps)} "
            "step sizes; give one mean per step size and their full covariance"
        )
    means = LevelMeans(steps, m, cov, None, np.zeros_like(steps), True)
    return _fit(means, named_basis(basis), "mean", np.full_like(steps, np.nan), n_paths)


def normal_quantile(level: float) -> float:
    """Two-sided standard normal quantile z: P(|Z| > z) = level.

    Parameters
    ----------
    level : float
        Between 0 and 1.
    """
    return float(-special.ndtri(level / 2))


def is_exact(sums: ErrorSums, scale: float) -> bool:
    """Whether every mean error is below 1e-10 of the solution's standard deviation.

    Parameters
    ----------
    sums : ErrorSums
        Sums of error norms.
    scale : float
        Standard deviation of X_T, in the units of the errors.
    """
    return bool(np.all(np.abs(sums.first) < EXACT * scale * sums.n_paths))


class Disagreement(NamedTuple):
    """How two fits of the same paths differ.

    ``difference`` of the orders, ``se`` of that difference, and ``model``: what the bounded half power and the
    allowances of the two bases explain of it.
    """

    difference: float
    se: float
    model: float


def disagreement(fit: Fit, other: Fit) -> Disagreement:
    """Difference of two orders fitted to the same sums, with its standard error and its model part.

    Parameters
    ----------
    fit, other : Fit
        Fits of the same paths in two bases.

    Raises
    ------
    ParameterError
        The fits are of different paths or metrics.
    """
    if fit.metric != other.metric or not np.array_equal(fit.log_errors, other.log_errors, equal_nan=True):
        raise ParameterError("two fits of different paths were compared; fit both bases to the same sums")
    weights = fit.weights - other.weights
    both = sorted({*fit.used, *other.used})
    variance = weights[both] @ fit.log_cov[np.ix_(both, both)] @ weights[both]
    half = max(fit.basis.half_power, other.basis.half_power) * np.sqrt(fit.h / fit.h[0])
    model = fit.basis.allowance + other.basis.allowance + abs(float(weights @ half))
    return Disagreement(fit.order - other.order, math.sqrt(max(float(variance), 0.0)), model)


def paths_needed(pilot: Fit, target: float, *, block: int = 256) -> int:
    """Paths for a total half-width, planned from a pilot: the standard error falls as n^(-1/2).

    Doubled for error norms whose relative second moment exceeds 15 at a used level.

    Parameters
    ----------
    pilot : Fit
        Fit of the pilot run.
    target : float
        Wanted total half-width.
    block : int
        The answer is a multiple of this.

    Raises
    ------
    ParameterError
        The target is below .005 or within the model part of the half-width, which no path count reduces.
    """
    least = max(_planned(pilot, 1e12), SMALLEST_HALF_WIDTH)
    if target <= least:
        raise ParameterError(
            f"a total half-width of {target:g} was asked of basis {pilot.basis.name}, whose model part "
            f"leaves {least:.3g} at any number of paths; ask for a wider interval"
        )
    low, high = 1.0, 2.0
    while _planned(pilot, high) > target:
        low, high = high, 2 * high
    while high - low > block / 4:
        middle = (low + high) / 2
        low, high = (middle, high) if _planned(pilot, middle) > target else (low, middle)
    heavy = pilot.metric != "mean" and pilot.kurtosis[list(pilot.used)].max() > HEAVY_TAILS
    return block * math.ceil((2 if heavy else 1) * high / block)


def _fit(means: LevelMeans, basis: Basis, metric: Metric, kurtosis: FloatArray, n_paths: int) -> Fit:
    usable, dropped = usable_levels(means)
    if len(usable) < FEWEST_LEVELS:
        reasons = "; ".join(f"h = {means.h[level]:.3g}: {reason}" for level, reason in dropped)
        raise ParameterError(
            f"only {len(usable)} of {len(means.h)} levels can be used ({reasons}); an order needs "
            f"{FEWEST_LEVELS}: use steps at which the scheme is stable and its error above rounding and noise"
        )
    y, g = _logarithms(means, 0.5 if metric == "l2" else 1.0)
    used = usable[-basis.n_levels :]
    index = np.ix_(used, used)
    solution = solve(means.h[list(used)], y[list(used)], g[index], basis, means.h[0])
    weights = np.zeros_like(y)
    weights[list(used)] = solution.weights
    return Fit(
        basis=basis,
        metric=metric,
        order=solution.order,
        se=solution.se,
        model=solution.model,
        fit_p=solution.fit_p,
        h=means.h,
        used=used,
        dropped=dropped,
        weights=weights,
        residuals=solution.residuals,
        log_errors=y,
        log_cov=g,
        errors=np.sqrt(means.mean) if metric == "l2" else means.mean,
        kurtosis=kurtosis,
        n_paths=n_paths,
    )


def _logarithms(means: LevelMeans, exponent: float) -> tuple[FloatArray, FloatArray]:
    """Log of mean^exponent, corrected for the bias of the logarithm, and its covariance."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        y = exponent * np.log(np.abs(means.mean))
        relative = means.covariance / np.outer(means.mean, means.mean)
        return y + exponent * np.diagonal(relative) / 2, exponent**2 * relative


def _planned(pilot: Fit, n_paths: float) -> float:
    """Total half-width that n_paths would give."""
    used = list(pilot.used)
    g = pilot.log_cov[np.ix_(used, used)] * (pilot.n_paths / n_paths)
    at_n = solve(pilot.h[used], pilot.log_errors[used], g, pilot.basis, pilot.h[0])
    return normal_quantile(0.05) * at_n.se + at_n.model
