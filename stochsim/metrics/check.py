"""The result of a statistical check: the statistic, the threshold, the p-value, the verdict, the false-alarm rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stochsim.metrics._arrays import FloatArray

__all__ = ["Check"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Check:
    """One statistical check and its verdict.

    Parameters
    ----------
    name : str
        What was checked.
    statistic : float
        The statistic; large values speak against the hypothesis.
    threshold : float
        The statistic at which the check fails.
    p_value : float
        Probability of a statistic at least as large if the hypothesis holds.
    false_alarm : float
        Probability that the check fails though the hypothesis holds.
    n : int
        Number of independent samples behind it.
    parts : tuple of Check
        The single checks of a joint one, each at the rate false_alarm / len(parts) (Bonferroni).
    seed : str
        The record of the seed, where the check draws random numbers.
    """

    name: str
    statistic: float
    threshold: float
    p_value: float
    false_alarm: float
    n: int
    parts: tuple[Check, ...] = ()
    seed: str = ""

    @property
    def passed(self) -> bool:
        """True unless the p-value lies below the false-alarm rate."""
        return bool(self.p_value >= self.false_alarm)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The parts that fail, the smallest p-value first."""
        return tuple(sorted((c for c in self.parts if not c.passed), key=lambda c: c.p_value))

    def __repr__(self) -> str:
        verdict = "passed" if self.passed else "FAILED"
        said = f"{self.name}: {verdict} (statistic {self.statistic:.4g}, threshold {self.threshold:.4g}, "
        said += f"p = {self.p_value:.3g}, false-alarm rate {self.false_alarm:.2g}, n = {self.n})"
        if not self.parts:
            return said
        shown = self.failures[:5]
        lines = [f"  {c.name}: {c.statistic:.4g} beyond {c.threshold:.4g}, p = {c.p_value:.3g}" for c in shown]
        more = len(self.failures) - len(shown)
        head = f"{said[:-1]}, {len(self.parts)} statistics)"
        return "\n".join([head, *lines, *([f"  and {more} more"] if more else [])])


def joint(name: str, parts: Sequence[Check], false_alarm: float, n: int, seed: str = "") -> Check:
    """One verdict of several checks by Bonferroni; each part was made at the rate false_alarm / len(parts)."""
    worst = min(parts, key=lambda c: c.p_value)
    return Check(
        name=name,
        statistic=worst.statistic,
        threshold=worst.threshold,
        p_value=min(1.0, len(parts) * worst.p_value),
        false_alarm=false_alarm,
        n=n,
        parts=tuple(parts),
        seed=seed,
    )


def t_check(name: str, estimate: float, error: float, dof: float, false_alarm: float, n: int) -> Check:
    """Is the estimate zero, given its standard error with that many degrees of freedom? Two-sided t-test."""
    from scipy.special import stdtr, stdtrit

    # a statistic that did not move at all agrees with zero; one that moved without any scatter does not
    t = abs(estimate) / error if error > 0 else (0.0 if estimate == 0 else np.inf)
    return Check(
        name=name,
        statistic=float(t),
        threshold=float(-stdtrit(dof, false_alarm / 2)),
        p_value=float(2 * stdtr(dof, -t)),
        false_alarm=false_alarm,
        n=n,
    )


def mean_check(name: str, values: FloatArray, false_alarm: float) -> Check:
    """Is the mean of these independent values zero? Student's t-test."""
    n = len(values)
    return t_check(name, float(values.mean()), float(values.std(ddof=1) / np.sqrt(n)), n - 1, false_alarm, n)
