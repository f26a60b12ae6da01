"""Windows of a warm-up, and the covariance that is gathered in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

FIRST, LAST, BASE = 75, 50, 25  # steps of Stan's first, last, and first slow window
FEWEST = 20  # steps below which no metric is gathered
PRIOR_COUNT, PRIOR_VARIANCE = 5.0, 1e-3


def slow_windows(n_warmup: int) -> list[tuple[int, int]]:
    """The windows (begin, end) in which a metric is gathered: each twice as long as the one before, as in Stan.

    Before them and after them only the step size moves (Stan Reference Manual, section on automatic parameter tuning).
    """
    if n_warmup < FEWEST:
        return []
    first, last, size = FIRST, LAST, BASE
    if first + last + size > n_warmup:
        first, last = int(0.15 * n_warmup), int(0.1 * n_warmup)
        size = n_warmup - first - last
    windows, begin = [], first
    while begin < n_warmup - last:
        end = begin + size
        if end + 2 * size > n_warmup - last:
            end = n_warmup - last
        windows.append((begin, end))
        begin, size = end, 2 * size
    return windows


@dataclass(frozen=True, eq=False)
class Spread:
    """Count, mean and co-moments of draws, pooled over chains (Welford 1962; Chan, Golub & LeVeque 1979).

    Parameters
    ----------
    count : int
    mean : ndarray, shape (d,)
    moments : ndarray
        Sums of squared deviations (d,), or of their products (d, d).
    """

    count: int
    mean: np.ndarray
    moments: np.ndarray

    @staticmethod
    def empty(d: int, *, dense: bool) -> Spread:
        """Of no draw."""
        return Spread(0, np.zeros(d), np.zeros((d, d) if dense else d))

    def add(self, x: np.ndarray) -> Spread:
        """With more draws, (d, n)."""
        n, mean = x.shape[1], x.mean(axis=1)
        centred, delta, total = x - mean[:, None], mean - self.mean, self.count + x.shape[1]
        dense = self.moments.ndim == 2
        own = centred @ centred.T if dense else (centred * centred).sum(axis=1)
        between = np.outer(delta, delta) if dense else delta * delta
        moments = self.moments + own + between * (self.count * n / total)
        return Spread(total, self.mean + delta * (n / total), moments)

    def regularised(self) -> Any:
        """The covariance, drawn towards 10⁻³ as by five draws more, as in Stan: variances (d,) or a matrix."""
        weight = self.count / (self.count + PRIOR_COUNT)
        prior = PRIOR_VARIANCE * (1.0 - weight)
        covariance = self.moments / max(self.count - 1, 1)
        return weight * covariance + (prior if covariance.ndim == 1 else prior * np.eye(len(covariance)))
