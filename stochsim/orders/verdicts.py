"""What a measurement says about a declared order: seven verdicts, decided in a fixed order.

1. ``exact``: every error is below 1e-10 sd X_T.
2. ``wrong limit``: the projection test says so.
   An L2 order of errors with heavy tails is ``inconclusive`` from here on.
3. ``lower than declared``: the 1 - 1e-4 interval, stretched to reach the order of a second estimator, is
   wholly below declared - delta.
4. ``pre-asymptotic``, when the curve does not fit and the order would be higher than declared: at such steps
   the leading term of the error is not yet the largest.
5. ``higher than declared``: that interval lies wholly above declared + delta.
6. ``pre-asymptotic``: the curve does not fit, or the estimators disagree.
7. ``confirmed``: the total 95 % interval lies inside declared +- delta.
8. ``inconclusive`` otherwise.

A scheme without a declared order is ``measured`` in place of 3, 5, 7 and 8.
"""

from __future__ import annotations

from dataclasses import dataclass

from stochsim.errors import ParameterError
from stochsim.orders.estimators import Fit, disagreement, normal_quantile
from stochsim.orders.limits import LimitResult

__all__ = ["DELTA", "LEVEL", "Verdict", "decide"]

DELTA = 0.05
"""Margin around the declared order."""
LEVEL = 1e-4
"""False-alarm level of everything that raises a flag."""
HEAVIEST_L2 = 50.0
"""Kurtosis E e^4 / (E e^2)^2 up to which the interval of an L2 order holds: coverage .93-.97 below, .6-.9 above."""


@dataclass(frozen=True)
class Verdict:
    """A verdict and its reason.

    Parameters
    ----------
    name : str
        "exact", "wrong limit", "lower than declared", "higher than declared", "pre-asymptotic", "confirmed",
        "inconclusive" or "measured".
    explanation : str
        One sentence with the numbers that decided.
    """

    name: str
    explanation: str

    @property
    def contradicts(self) -> bool:
        """Whether the claim is refuted; a declared order is a lower bound, so "higher" does not."""
        return self.name in ("wrong limit", "lower than declared")

    def __str__(self) -> str:
        return f"{self.name}: {self.explanation}"


def decide(
    fit: Fit | None,
    cross: Fit | None = None,
    *,
    declared: float | None,
    limit: LimitResult | None = None,
    exact: bool = False,
    delta: float = DELTA,
    level: float = LEVEL,
) -> Verdict:
    """Verdict on a declared order.

    Parameters
    ----------
    fit : Fit or None
        The estimate that is reported; None only when ``exact``.
    cross : Fit, optional
        A fit of the same sums in another basis.
    declared : float or None
        The order that the scheme claims.
    limit : LimitResult, optional
        The wrong-limit test on the same paths.
    exact : bool
        Whether all errors are at rounding (``is_exact``).
    delta : float
        Margin around the declared order.
    level : float
        False-alarm level of the flags.

    Raises
    ------
    ParameterError
        There is no fit although the scheme is not exact.
    """
    if exact:
        return Verdict("exact", "every error is below 1e-10 standard deviations of X_T")
    if limit is not None and limit.wrong:
        return Verdict("wrong limit", str(limit))
    if fit is None:
        raise ParameterError("no fit was given for a scheme that is not exact; give the fit to judge")
    heaviest = fit.kurtosis[list(fit.used)].max()
    if fit.metric == "l2" and heaviest > HEAVIEST_L2:
        return Verdict(
            "inconclusive", f"a kurtosis of {heaviest:.0f} is too large for an L2 order; ask for the L1 order"
        )
    doubt = _doubt(fit, cross, level)
    flag = None if declared is None else _flag(fit, cross, declared, delta, level)
    if flag is not None and (flag.contradicts or not fit.fit_p < level):
        return flag
    if doubt:
        return Verdict("pre-asymptotic", doubt)
    return _compare(fit, declared, delta)


def _flag(fit: Fit, cross: Fit | None, declared: float, delta: float, level: float) -> Verdict | None:
    """Lower or higher than declared, by the wide interval; None when it is neither."""
    noise = normal_quantile(level) * fit.se + fit.model
    orders = [fit.order] if cross is None else [fit.order, cross.order]
    low, high = min(orders) - noise, max(orders) + noise
    if low <= declared + delta and high >= declared - delta:
        return None
    side = "higher" if low > declared else "lower"
    return Verdict(
        f"{side} than declared",
        f"order {fit.order:.3f}, from {low:.3f} to {high:.3f} at level {level:g}; {declared:g} is declared",
    )


def _doubt(fit: Fit, cross: Fit | None, level: float) -> str:
    """Why the estimate is not to be believed; empty when nothing speaks against it."""
    if fit.fit_p < level:
        return f"the errors do not follow the fitted curve (p = {fit.fit_p:.1e}); use smaller steps"
    if cross is None:
        return ""
    gap = disagreement(fit, cross)
    if abs(gap.difference) <= normal_quantile(level) * gap.se + gap.model:
        return ""
    return (
        f"two estimators disagree, {fit.order:.3f} by {fit.basis.name} and {cross.order:.3f} by "
        f"{cross.basis.name}; use smaller steps"
    )


def _compare(fit: Fit, declared: float | None, delta: float) -> Verdict:
    measured = f"order {fit.order:.3f} ± {fit.half_width:.3f}"
    if declared is None:
        return Verdict("measured", f"{measured}, none declared")
    inside = abs(fit.order - declared) + fit.half_width <= delta
    where = "inside" if inside else "not inside"
    return Verdict("confirmed" if inside else "inconclusive", f"{measured} is {where} {declared:g} ± {delta:g}")
