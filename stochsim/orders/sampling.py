"""Collect errors over coupled paths: pilot, planned number of paths, sums that add up in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stochsim.levels import CoupledRun, Ends, Levels
from stochsim.orders.error_sums import ErrorSums
from stochsim.orders.limits import LimitSums

PILOT = 2048


@dataclass(frozen=True)
class Sample:
    """Sums over paths of error norms, of signed projected errors, and of the reference solution.

    ``ends`` are the first and second moments (d,) of the reference at the end time.
    """

    errors: ErrorSums
    limits: LimitSums | None
    n_paths: int
    first: np.ndarray
    second: np.ndarray

    @property
    def scale(self) -> np.ndarray:
        """Standard deviation of X_T by component; its magnitude where the solution is deterministic."""
        mean = self.first / self.n_paths
        sd = np.sqrt(np.maximum(self.second / self.n_paths - mean**2, 0.0))
        return np.where(sd > 1e-12 * np.abs(mean), sd, np.maximum(np.abs(mean), 1e-300))

    def __add__(self, other: Sample) -> Sample:
        limits = None if self.limits is None or other.limits is None else self.limits + other.limits
        return Sample(
            self.errors + other.errors,
            limits,
            self.n_paths + other.n_paths,
            self.first + other.first,
            self.second + other.second,
        )


class Source(Protocol):
    """Something that gives the ends of paths first .. first + n - 1, in chunks."""

    def __call__(self, n_paths: int, first: int) -> Iterator[Ends]:
        """Ends of paths first .. first + n_paths - 1."""


Reduce = Callable[[Ends], Sample]


def against_exact(levels: Levels, norm: str) -> Reduce:
    """Errors |X_h - X| with the exact solution of the same path."""
    span = np.sqrt(levels.t_end - levels.t0)

    def reduce(ends: Ends) -> Sample:
        assert ends.exact is not None
        signed = ends.x - ends.exact
        size = ends.sup if norm == "sup" and ends.sup is not None else _length(signed)
        return _sample(levels.h, size, levels.h, signed, ends.noise["dW"] / span, ends.exact)

    return reduce


def successive(levels: Levels) -> Reduce:
    """Differences |X_h - X_(h/2)| of neighbouring levels, which fall at the same order."""

    def reduce(ends: Ends) -> Sample:
        size = _length(ends.x[:-1] - ends.x[1:])
        return _sample(levels.h[:-1], size, levels.h, None, None, ends.x[-1])

    return reduce


def _length(difference: np.ndarray) -> np.ndarray:
    # (levels, d, n) -> (levels, n)
    if difference.shape[1] == 1:
        return np.asarray(np.abs(difference[:, 0]))
    return np.asarray(np.sqrt((difference**2).sum(axis=1)))


def _sample(h: Any, size: Any, h_limit: Any, signed: Any, z: Any, reference: Any) -> Sample:
    with np.errstate(over="ignore", invalid="ignore"):
        limits = None if signed is None else LimitSums.of(h_limit, signed, z)
        return Sample(
            ErrorSums.of(h, size),
            limits,
            size.shape[-1],
            reference.sum(axis=1),
            (reference**2).sum(axis=1),
        )


def collect(source: Source, reduce: Reduce, n_paths: int, first: int = 0) -> Sample:
    """The sum over a range of paths."""
    total: Sample | None = None
    for ends in source(n_paths, first):
        part = reduce(ends)
        total = part if total is None else total + part
    assert total is not None
    return total


def scheme_source(run: CoupledRun, threads: int) -> Source:
    """The source of a coupled run."""
    return lambda n_paths, first: run.chunks(n_paths, first, threads)
