"""Tables of noise-free orders: several functionals of one scheme on one problem, and their verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stochsim.errors import ParameterError
from stochsim.orders.richardson import LimitDefect, SlopeFit, fit_order, limit_defect, smallest_order

__all__ = ["OrderTable", "order_table", "table_from_values"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OrderTable:
    """Orders of several functionals of one scheme on one problem, without Monte Carlo noise.

    Attributes
    ----------
    h : (n_levels,)
        Steps, decreasing.
    names : tuple of str
        Names of the functionals.
    errors : (n_levels, n_functionals)
        Signed errors, root mean squares, or successive differences (see `against`).
    floor : (n_levels, n_functionals)
        Absolute numerical uncertainty of the errors.
    fits : tuple of SlopeFit
        One for each functional.
    defects : tuple of LimitDefect
        One for each functional; empty when there was no exact value to compare with.
    order, uncertainty : float
        The smallest settled order (see `smallest_order`).
    against : str
        What the errors were measured against.
    reason : str
        Why there is no order, or empty.
    """

    h: FloatArray
    names: tuple[str, ...]
    errors: FloatArray
    floor: FloatArray
    fits: tuple[SlopeFit, ...]
    defects: tuple[LimitDefect, ...]
    order: float
    uncertainty: float
    against: str
    reason: str = ""

    @property
    def wrong_limit(self) -> bool:
        """Whether the extrapolated error of any functional differs from zero."""
        return any(defect.detected for defect in self.defects)

    def __str__(self) -> str:
        lines = [f"order {self.order:.4f} +- {self.uncertainty:.1g} ({self.against}) {self.reason}".rstrip()]
        lines += [f"  {name}: {_describe(fit)}" for name, fit in zip(self.names, self.fits, strict=True)]
        if self.wrong_limit:
            lines.append("  wrong limit: the error does not vanish as h -> 0")
        return "\n".join(lines)


def check_step_counts(n_steps: Sequence[int]) -> None:
    """Refuse numbers of steps that no order can be read from.

    Parameters
    ----------
    n_steps : sequence of int
        Numbers of steps of the levels.

    Raises
    ------
    ParameterError
        Unless there are at least three positive whole numbers, growing by a constant factor.
    """
    n = np.asarray(n_steps)
    fine = n.ndim == 1 and n.size >= 3 and np.issubdtype(n.dtype, np.integer) and bool(np.all(n > 0))
    if not (fine and n[1] > n[0] and np.array_equal(n[1:] * n[0], n[:-1] * n[1])):
        msg = f"n_steps={n.tolist()} was given; "
        raise ParameterError(msg + "give at least 3 whole numbers growing by a constant factor, as 8, 16, 32.")


def order_table(
    h: npt.ArrayLike,
    errors: npt.ArrayLike,
    floor: npt.ArrayLike,
    names: Sequence[str],
    against: str,
    *,
    exponents: Sequence[float] | None = None,
    judge_limit: bool = True,
    tolerance: float = 0.02,
) -> OrderTable:
    """Fit every functional, test every limit, and judge by the smallest order.

    Parameters
    ----------
    h : (n_levels,)
        Steps, strictly decreasing with a constant ratio.
    errors : (n_levels, n_functionals)
        Signed errors.
    floor : float or (n_levels, n_functionals)
        Absolute numerical uncertainty of the errors.
    names : sequence of str
        Names of the functionals.
    against : str
        What the errors were measured against.
    exponents : sequence of float, optional
        Powers of h in the errors; default as in `extrapolate`.
    judge_limit : bool
        False for successive differences, which vanish whatever the limit is.
    tolerance : float
        Largest uncertainty of an order that is accepted.

    Returns
    -------
    OrderTable

    Raises
    ------
    ParameterError
        As in `extrapolate`.
    """
    steps, e = np.asarray(h, float), np.asarray(errors, float)
    bound = np.broadcast_to(np.asarray(floor, float), e.shape).copy()
    columns = range(e.shape[1])
    fits = tuple(fit_order(steps, e[:, j], bound[:, j], exponents) for j in columns)
    defects = tuple(limit_defect(steps, e[:, j], bound[:, j], exponents) for j in columns if judge_limit)
    order, uncertainty, reason = smallest_order(fits, tolerance)
    return OrderTable(steps, tuple(names), e, bound, fits, defects, order, uncertainty, against, reason)


def _describe(fit: SlopeFit) -> str:
    if fit.status == "determined":
        return f"{fit.order:.4f} +- {fit.uncertainty:.1g}"
    return f"{fit.status}, {fit.reason}"


def table_from_values(
    h: npt.ArrayLike,
    values: npt.ArrayLike,
    floor: npt.ArrayLike,
    names: Sequence[str],
    exact: Mapping[str, float],
    tolerance: float = 0.02,
) -> OrderTable:
    """Orders from the values of functionals at several levels.

    With an exact value for every functional the errors are judged, and the limit. Otherwise all
    functionals are judged by their successive differences V_{h/2} - V_h, which have the same exponent
    and need no reference, but vanish whatever the limit is.

    Parameters
    ----------
    h : (n_levels,)
        Steps, strictly decreasing with a constant ratio.
    values : (n_levels, n_functionals)
        Values; nan at levels that must not be used.
    floor : (n_levels, n_functionals)
        Absolute numerical uncertainty of the values (and of the exact values).
    names : sequence of str
        Names of the functionals.
    exact : mapping of str to float
        Exact values by name; empty, or one for each name.
    tolerance : float
        Largest uncertainty of an order that is accepted.

    Returns
    -------
    OrderTable

    Raises
    ------
    ParameterError
        If some functionals have an exact value and others have not.
    """
    steps, v, bound = np.asarray(h, float), np.asarray(values, float), np.asarray(floor, float)
    if not exact:
        differences, bound = np.diff(v, axis=0), bound[1:] + bound[:-1]
        against = "successive differences (blind to the limit)"
        return order_table(steps[:-1], differences, bound, names, against, judge_limit=False, tolerance=tolerance)
    if missing := [name for name in names if name not in exact]:
        msg = f"Exact values were given for {sorted(exact)} but not for {missing}; "
        raise ParameterError(msg + "give one for every functional, or none.")
    errors = v - np.array([exact[name] for name in names])
    return order_table(steps, errors, bound, names, "exact values", tolerance=tolerance)
