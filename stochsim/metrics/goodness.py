"""Goodness of fit against exact laws: marginals by Kolmogorov-Smirnov, weights of modes by chi-square."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.errors import ParameterError
from stochsim.metrics._arrays import FloatArray, probability, same_width, samples
from stochsim.metrics._mixtures import required_components
from stochsim.metrics.check import Check, joint

__all__ = ["ModeWeights", "ks_test", "mode_weights"]

Cdf = Callable[[FloatArray], FloatArray]


def ks_test(x: Any, target: Any, directions: Any = None, false_alarm: float = 1e-3) -> Check:
    """Kolmogorov-Smirnov test of one-dimensional marginals against their exact distribution functions.

    Parameters
    ----------
    x : (n, d) array
        Independent samples.
    target : Gaussian, GaussianMixture, or callable
        The law; a callable is a continuous distribution function on the line, vectorised, for samples of one
        component.
    directions : (m, d) array, optional
        The marginals of directions·x are tested; default each component.
    false_alarm : float, default 1e-3
        Rate of the whole test; each marginal is judged at false_alarm / m (Bonferroni).

    Returns
    -------
    Check
        One part a marginal, with the exact law of the statistic at this n (Simard & L'Ecuyer 2011, in SciPy).

    Raises
    ------
    ParameterError
        Numbers of components that differ, or a target that is neither a density nor a function.
    ModelError
        A density that is not a Gaussian or a Gaussian mixture.
    """
    a = samples(x)
    rate = probability(false_alarm, "false_alarm")
    theta = np.eye(a.shape[1]) if directions is None else np.atleast_2d(np.asarray(directions, dtype=np.float64))
    same_width(a, theta.shape[1], "a direction")
    cdfs = _marginal_cdfs(a, target, theta)
    rows = enumerate(zip(theta, cdfs, strict=True))
    parts = [ks_one_sample(f"marginal {i}", a @ t, cdf, rate / len(theta)) for i, (t, cdf) in rows]
    return joint("ks_test", parts, rate, len(a))


def _marginal_cdfs(a: FloatArray, target: Any, theta: FloatArray) -> list[Cdf]:
    if hasattr(target, "log_prob"):
        law = required_components(target, "a marginal")
        same_width(a, law.d)
        return [law.projected(t).cdf for t in theta]
    if not callable(target) or theta.shape != (1, 1):
        raise ParameterError(
            "the target is a Gaussian, a GaussianMixture, or for one component a distribution function"
        )
    # the marginal of -x, should the one direction be negative, is read off x itself
    return [lambda y: np.asarray(target(y / theta[0, 0]))]


def ks_one_sample(name: str, y: FloatArray, cdf: Cdf, false_alarm: float) -> Check:
    """Have flat samples this distribution function? The exact law of the statistic."""
    from scipy.stats import kstwo

    n = len(y)
    u = np.asarray(cdf(np.sort(y)), dtype=np.float64)
    if not ((u >= 0) & (u <= 1)).all() or (np.diff(u) < -1e-12).any():
        raise ParameterError("the distribution function is not increasing within [0, 1]; give a cdf, not a density")
    above, below = np.arange(1, n + 1) / n - u, u - np.arange(n) / n
    statistic = float(max(above.max(), below.max()))
    return _ks_check(name, statistic, float(kstwo.sf(statistic, n)), float(kstwo.isf(false_alarm, n)), n, false_alarm)


def ks_two_samples(name: str, x: FloatArray, y: FloatArray, false_alarm: float) -> Check:
    """Do two independent flat samples have one law? The limit law of the statistic at the effective size."""
    from scipy.special import kolmogi, kolmogorov

    n, m = len(x), len(y)
    both = np.sort(np.concatenate([x, y]))
    gap = np.searchsorted(np.sort(x), both, "right") / n - np.searchsorted(np.sort(y), both, "right") / m
    statistic, root = float(np.abs(gap).max()), float(np.sqrt(n * m / (n + m)))
    p, threshold = float(kolmogorov(root * statistic)), float(kolmogi(false_alarm)) / root
    return _ks_check(name, statistic, p, threshold, n, false_alarm)


def _ks_check(name: str, statistic: float, p: float, threshold: float, n: int, false_alarm: float) -> Check:
    return Check(name=name, statistic=statistic, threshold=threshold, p_value=p, false_alarm=false_alarm, n=n)


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ModeWeights:
    """Weights of the modes of a mixture as samples show them.

    Parameters
    ----------
    weights : (K,) array
        Mean responsibilities.
    errors : (K,) array
        Their standard errors.
    expected : (K,) array
        The weights of the mixture.
    check : Check
        The chi-square test of all of them.
    """

    weights: FloatArray
    errors: FloatArray
    expected: FloatArray
    check: Check

    def __repr__(self) -> str:
        rows = zip(self.weights, self.errors, self.expected, strict=True)
        shown = [f"  mode {k}: {w:.4f} ± {e:.4f}, expected {x:.4f}" for k, (w, e, x) in enumerate(rows)]
        return "\n".join([repr(self.check), *shown[:12], *(["  ..."] if len(shown) > 12 else [])])


def mode_weights(x: Any, mixture: Any, false_alarm: float = 1e-3) -> ModeWeights:
    r"""Weights of the modes by mean responsibilities, and a chi-square test that all are right.

    Parameters
    ----------
    x : (n, d) array
        Independent samples; draws of one chain make false alarms.
    mixture : GaussianMixture
        The target.
    false_alarm : float, default 1e-3
        Rate of the test, an upper bound: see the notes.

    Returns
    -------
    ModeWeights
        Weights, errors and the test.

    Raises
    ------
    ParameterError
        Numbers of components that differ, fewer than two samples, or a mode that expects fewer than five.
    ModelError
        A target without responsibilities.

    Notes
    -----
    The responsibilities r(x) are the conditional expectations of the label of x, so by the law of total covariance
    their covariance is at most that of the label, diag(w) - w w'. Hence Pearson's
    :math:`n \sum_k (\bar r_k - w_k)^2 / w_k` is at most, and for modes far apart is, a chi-square of K - 1 degrees of
    freedom: overlapping modes make the test conservative, never liberal.
    """
    a = samples(x, least=2)
    law = required_components(mixture, "a responsibility")
    same_width(a, law.d)
    n, w = len(a), law.weights
    if len(w) > 1 and n * w.min() < 5:
        raise ParameterError(
            f"mode {w.argmin()} expects {n * w.min():.2g} of {n} samples; the chi-square test needs five"
        )
    r = np.asarray(mixture.responsibilities(a)) if len(w) > 1 else np.ones((n, 1))
    check = pearson("mode_weights", r.mean(axis=0), w, n, probability(false_alarm, "false_alarm"))
    return ModeWeights(weights=r.mean(axis=0), errors=r.std(axis=0, ddof=1) / np.sqrt(n), expected=w, check=check)


def pearson(name: str, observed: FloatArray, expected: FloatArray, n: int, false_alarm: float) -> Check:
    """Pearson's chi-square test of observed shares against expected ones, (K,), of n independent samples."""
    from scipy.special import chdtrc, chdtri

    statistic = float(n * ((observed - expected) ** 2 / expected).sum())
    dof = len(expected) - 1
    p, threshold = (float(chdtrc(dof, statistic)), float(chdtri(dof, false_alarm))) if dof else (1.0, 0.0)
    return Check(name=name, statistic=statistic, threshold=threshold, p_value=p, false_alarm=false_alarm, n=n)
