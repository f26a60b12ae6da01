"""Sums over paths from which orders are fitted: a million paths pass through, none is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from stochsim.errors import ParameterError

__all__ = ["ErrorSums", "Metric", "checked_steps"]

FloatArray = npt.NDArray[np.float64]
Metric = Literal["l1", "l2", "mean"]
FEWEST_LEVELS = 4


@dataclass(frozen=True, eq=False)
class ErrorSums:
    """Sums of the errors of coupled levels and of their products; chunks of paths are added with ``+``.

    Parameters
    ----------
    h : (n_levels,) array
        Step sizes, strictly decreasing.
    n_paths : int
        Paths summed so far.
    first : (n_levels,) array
        Sum of e_l.
    second : (n_levels, n_levels) array
        Sum of e_l e_k.
    fourth : (n_levels, n_levels) array
        Sum of e_l^2 e_k^2.
    signed : bool
        Whether a negative value was seen; then only the metric "mean" makes sense.
    """

    h: FloatArray
    n_paths: int
    first: FloatArray
    second: FloatArray
    fourth: FloatArray
    signed: bool

    @classmethod
    def of(cls, h: npt.ArrayLike, errors: npt.ArrayLike) -> ErrorSums:
        """Sums of one chunk of paths.

        Parameters
        ----------
        h : (n_levels,) array
            Step sizes, strictly decreasing, four or more.
        errors : (n_levels, n_paths) array
            Error norm of each path at each level, all levels on the same paths; or signed differences of a
            functional, for a weak order. NaN and infinities spoil their own level only.

        Raises
        ------
        ParameterError
            The shapes do not fit, or the step sizes do not decrease.
        """
        steps, e = checked_steps(h), np.asarray(errors, dtype=np.float64)
        if e.ndim != 2 or e.shape[0] != len(steps) or e.shape[1] == 0:
            raise ParameterError(
                f"errors of shape {e.shape} were given for {len(steps)} step sizes; "
                "give one row per step size and one column per path"
            )
        with np.errstate(over="ignore", invalid="ignore"):
            # einsum and not a matrix product: the same bits for any number of BLAS threads
            second = np.einsum("ln,kn->lk", e, e)
            squares = e * e
            fourth = np.einsum("ln,kn->lk", squares, squares)
            return cls(steps, e.shape[1], e.sum(axis=1), second, fourth, bool((e < 0).any()))

    def __add__(self, other: ErrorSums) -> ErrorSums:
        if not np.array_equal(self.h, other.h):
            raise ParameterError("error sums of different step sizes were added; use the same levels in all chunks")
        with np.errstate(over="ignore", invalid="ignore"):
            return ErrorSums(
                self.h,
                self.n_paths + other.n_paths,
                self.first + other.first,
                self.second + other.second,
                self.fourth + other.fourth,
                self.signed or other.signed,
            )

    def moments(self, metric: Metric = "l1") -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mean of S, covariance of that mean across levels, and relative second moment E S^2 / (E S)^2.

        Parameters
        ----------
        metric : {"l1", "l2", "mean"}
            S = e for "l1" and "mean", S = e^2 for "l2".

        Returns
        -------
        mean : (n_levels,) array
        covariance : (n_levels, n_levels) array
        kurtosis : (n_levels,) array

        Raises
        ------
        ParameterError
            "l1" is asked of values of both signs.
        """
        if metric == "l1" and self.signed:
            raise ParameterError(
                "the L1 order was asked of errors of both signs; give their absolute values, "
                "or ask for metric='mean', the order of a signed weak error"
            )
        l2 = metric == "l2"
        total, products = (np.diagonal(self.second), self.fourth) if l2 else (self.first, self.second)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            mean, square = total / self.n_paths, products / self.n_paths
            covariance = (square - np.outer(mean, mean)) / self.n_paths
            return mean, covariance, np.diagonal(square) / mean**2


def checked_steps(h: npt.ArrayLike) -> FloatArray:
    """Step sizes as an array, or a ParameterError.

    Parameters
    ----------
    h : (n_levels,) array
        Four or more finite positive step sizes, strictly decreasing.

    Raises
    ------
    ParameterError
        They are not.
    """
    steps = np.array(h, dtype=np.float64)
    good = steps.ndim == 1 and np.isfinite(steps).all() and (steps > 0).all() and (np.diff(steps) < 0).all()
    if not good:
        raise ParameterError(f"step sizes {h!r} were given; give positive ones from coarse to fine")
    if len(steps) < FEWEST_LEVELS:
        raise ParameterError(f"{len(steps)} step sizes were given; an order needs {FEWEST_LEVELS} levels or more")
    return steps
