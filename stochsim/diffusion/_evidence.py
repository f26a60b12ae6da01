"""Errors on doubling grids, and what they say about a claimed order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Evidence"]

TOLERANCE = 0.05  # of a confirmed order
STILL = 0.01  # change of slopes at which doubling ends
FLOOR = 2e-13  # error below which rounding shows in slopes


@dataclass(frozen=True)
class Evidence:
    """Errors of one sampler on one problem.

    Attributes
    ----------
    problem : str
    measure : {"path", "law", "weak", "terminal", "tolerance", "rounds"}
        Errors of states; W2 of the exact law of a Gaussian; of expectations of a mixture; of states on a grid that ends
        without noise; in evaluations, for adaptive samplers; to the own fixed point, by rounds.
    declared : float or None
        The claimed order.
    work : tuple of float
        Steps (evaluations, rounds) of each run.
    errors : tuple of float
    tolerance : float
        How far from the claim the order may lie.
    """

    problem: str
    measure: str
    declared: float | None
    work: tuple[float, ...]
    errors: tuple[float, ...]
    tolerance: float = TOLERANCE

    @property
    def slopes(self) -> np.ndarray:
        """Orders between neighbouring runs, above the rounding floor."""
        work, errors = np.array(self.work), np.array(self.errors)
        seen = errors > FLOOR
        count = len(seen) if seen.all() else int(np.argmin(seen))
        work, errors = work[:count], errors[:count]
        return np.asarray(-np.diff(np.log(errors)) / np.diff(np.log(work)))

    @property
    def order(self) -> float:
        """The limit of the slopes, by Richardson's extrapolation for as long as its corrections shrink."""
        s = self.slopes
        if len(s) < 3 or self.measure == "tolerance":
            return float(s[-1]) if len(s) else float("nan")
        ratio = self.work[-1] / self.work[-2]
        once = (ratio * s[1:] - s[:-1]) / (ratio - 1.0)  # a slope is off by the first power of the step
        twice = (ratio**2 * once[-1] - once[-2]) / (ratio**2 - 1.0)
        steps = [abs(s[-1] - s[-2]), abs(once[-1] - s[-1]), abs(twice - once[-1])]
        if steps[2] < steps[1] < 2.0 * steps[0]:
            return float(twice)
        return float(once[-1]) if abs(s[-1] - s[-2]) < 0.8 * abs(s[-2] - s[-3]) else float(s[-1])

    @property
    def verdict(self) -> str:
        """What the errors say of the claim.

        "confirmed", "lower", "higher", "pre-asymptotic" (slopes move too much to tell), "exact" (errors are rounding),
        "diverged", or "reported" (nothing was claimed).
        """
        if max(self.errors) <= FLOOR:
            return "exact"
        if not np.all(np.isfinite(self.errors)):
            return "diverged"
        if self.declared is None or self.measure == "rounds":
            return "reported"
        if abs(self.order - self.declared) <= self.tolerance:
            return "confirmed"
        s = self.slopes
        if len(s) < 2 or abs(s[-1] - s[-2]) > max(0.1, self.tolerance):
            return "pre-asymptotic"
        return "lower" if self.order < self.declared else "higher"

    @property
    def settled(self) -> bool:
        """Whether more work would say nothing new: slopes stand still, or the error is rounding."""
        s = self.slopes
        still = len(s) > 3 and max(abs(s[-1] - s[-2]), abs(s[-2] - s[-3])) < STILL
        return still or self.errors[-1] <= FLOOR or not np.isfinite(self.errors[-1])

    def __str__(self) -> str:
        claim = "-" if self.declared is None else f"{self.declared:g}"
        slopes = " ".join(f"{s:.2f}" for s in self.slopes[-5:])
        return (
            f"{self.measure:9s} {self.problem:18s} declared {claim:>4s}  measured {self.order:5.2f}  "
            f"{self.verdict:14s} slopes {slopes}  last error {self.errors[-1]:.1e}"
        )
