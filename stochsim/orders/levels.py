"""Which levels of a coupled run may enter a fit: rules fixed beforehand, the same for every scheme.

Fine levels are dropped where their error is at the floor of rounding (or, for signed means, of sampling);
coarse levels where the scheme blew up. What is dropped is said, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["LevelMeans", "usable_levels"]

FloatArray = npt.NDArray[np.float64]
Dropped = tuple[tuple[int, str], ...]

JUMP = 1.0
"""A local order further than this, and the noise, from the next finer one marks a level that blew up."""
OUTLIERS = 10.0
"""So does a relative second moment this many times that of the finest usable level: rare explosions."""
RESOLVED = 4.0
"""Standard errors that count: a signed mean is used, a jump is one, when it exceeds this many."""


@dataclass(frozen=True, eq=False)
class LevelMeans:
    """What the rules look at.

    Parameters
    ----------
    h : (n_levels,) array
        Step sizes, from coarse to fine.
    mean : (n_levels,) array
        Mean error of each level.
    covariance : (n_levels, n_levels) array
        Covariance of these means.
    kurtosis : (n_levels,) array, optional
        Relative second moment E e^2 / (E e)^2 of the error norms, whatever the metric; None when unknown.
    floor : (n_levels,) array
        Rounding level of the means.
    signed : bool
        Whether the means are of values of both signs.
    """

    h: FloatArray
    mean: FloatArray
    covariance: FloatArray
    kurtosis: FloatArray | None
    floor: FloatArray
    signed: bool

    def se(self, level: int) -> float:
        """Standard error of one mean.

        Parameters
        ----------
        level : int
            Index of the level.
        """
        return float(np.sqrt(max(self.covariance[level, level], 0.0)))

    def slope(self, level: int) -> float:
        """Local order between a level and the next finer one.

        Parameters
        ----------
        level : int
            Index of the coarser of the two.
        """
        coarse, fine = np.abs(self.mean[level : level + 2])
        return float(np.log(coarse / fine) / np.log(self.h[level] / self.h[level + 1]))

    def slope_noise(self, level: int) -> float:
        """Standard error of the change of slope at a level, levels taken as independent.

        Parameters
        ----------
        level : int
            Index of the coarsest of the three levels.
        """
        relative = [self.se(k) / abs(self.mean[k]) for k in range(level, level + 3)]
        step = float(np.log(self.h[level] / self.h[level + 1]))
        return float(np.linalg.norm([relative[0], 2 * relative[1], relative[2]])) / step


def usable_levels(means: LevelMeans) -> tuple[tuple[int, ...], Dropped]:
    """Unbroken run of usable levels, and the others with their reasons.

    Parameters
    ----------
    means : LevelMeans
        Means of all levels.

    Returns
    -------
    used : tuple of int
        Indices from coarse to fine; empty when no level is usable.
    dropped : tuple of (int, str)
        The rest.
    """
    bad = {level: reason for level in range(len(means.h)) if (reason := _no_logarithm(means, level))}
    first, finest = _longest_run([level not in bad for level in range(len(means.h))])
    coarsest = next((level + 1 for level in range(finest, first - 1, -1) if _blew_up(means, level, finest)), first)
    used = tuple(range(coarsest, finest + 1))
    if coarsest > first:
        bad[coarsest - 1] = _blew_up(means, coarsest - 1, finest)
    rest = (level for level in range(len(means.h)) if level not in used)
    return used, tuple((level, bad.get(level, "beyond a dropped level")) for level in rest)


def _longest_run(good: list[bool]) -> tuple[int, int]:
    """First and last index of the longest run of True; the later of equals. (0, -1) when there is none."""
    best, start = (0, -1), 0
    for i, flag in enumerate(good):
        start = start if flag else i + 1
        best = (start, i) if flag and i - start >= best[1] - best[0] else best
    return best


def _no_logarithm(means: LevelMeans, level: int) -> str:
    value, se = abs(means.mean[level]), means.se(level) if means.signed else 0.0
    if not np.isfinite([value, means.covariance[level, level]]).all():
        return "not finite"
    if value <= means.floor[level]:
        return "error at the rounding floor"
    return "mean not resolved from zero" if value <= RESOLVED * se else ""


def _blew_up(means: LevelMeans, level: int, finest: int) -> str:
    if means.mean[level] * means.mean[finest] < 0:
        return "the mean changes sign"
    if means.kurtosis is not None and means.kurtosis[level] > OUTLIERS * means.kurtosis[finest]:
        return "rare explosions"
    if level + 2 <= finest:
        change = abs(means.slope(level) - means.slope(level + 1))
        if change > JUMP + RESOLVED * means.slope_noise(level):
            return "the local order jumps"
    return ""
