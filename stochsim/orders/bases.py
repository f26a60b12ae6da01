"""Generalised least squares of log-errors on [1, log h, h^q, ...], with the part that no noise explains.

The weights minimise the variance under the covariance of the levels *plus* that of a half-power term
bounded in size; the interval then adds the worst bias within the bound (a bias-aware interval) to the
allowance of the basis.

References
----------
T. B. Armstrong and M. Kolesár (2018), Econometrica 86, 655 (intervals that carry a bounded bias).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from stochsim.errors import ParameterError
from stochsim.orders.least_squares import least_squares

__all__ = ["BASES", "Basis", "Solution", "named_basis", "solve"]

FloatArray = npt.NDArray[np.float64]

NUGGET = 1e-3
"""Misfit of log m_l that the expansion is allowed beside the noise; it matters beyond 10^5 paths only."""


@dataclass(frozen=True)
class Basis:
    """Columns of the regression, the levels they are used on, and what they leave out.

    Parameters
    ----------
    name : str
        One letter.
    powers : tuple of float
        Exponents q of the correction columns h^q.
    n_levels : int
        How many of the finest usable levels are used.
    half_power : float
        Bound on the relative half-power term of the error at the coarsest level given.
    allowance : float
        Model part of the half-width beside the bias of the half-power term.
    """

    name: str
    powers: tuple[float, ...]
    n_levels: int
    half_power: float
    allowance: float


BASES = {
    "A": Basis("A", (0.5, 1.0), 9, 0.0, 0.010),
    "C": Basis("C", (1.0,), 6, 0.0, 0.003),
    "H": Basis("H", (1.0,), 7, 0.18, 0.005),
}


class Solution(NamedTuple):
    """A regression solved: the order is linear in the log-errors, order = weights @ y."""

    order: float
    se: float
    model: float
    fit_p: float
    weights: FloatArray
    residuals: FloatArray


def named_basis(basis: str | Basis) -> Basis:
    """The basis of that name; a Basis passes through.

    Parameters
    ----------
    basis : str or Basis
        "A", "C" or "H".

    Raises
    ------
    ParameterError
        There is no such basis.
    """
    if isinstance(basis, Basis):
        return basis
    if basis not in BASES:
        raise ParameterError(f"basis {basis!r} is unknown; use one of {', '.join(BASES)} or give a Basis")
    return BASES[basis]


def solve(h: FloatArray, y: FloatArray, g: FloatArray, basis: Basis, coarsest: float) -> Solution:
    """Order, standard error, model half-width and lack of fit of log-errors y with covariance g.

    Parameters
    ----------
    h : (n,) array
        Step sizes of the levels used.
    y : (n,) array
        Their log-errors.
    g : (n, n) array
        Covariance of y.
    basis : Basis
        Its trailing powers are left out when they would leave no degree of freedom.
    coarsest : float
        Step size at which the half-power bound of the basis is stated.
    """
    u = h / coarsest
    columns = np.stack([np.ones_like(u), np.log(u), *(u**q for q in basis.powers[: len(u) - 3])], axis=1)
    half = basis.half_power * np.sqrt(u)
    covariance = g + NUGGET**2 * np.eye(len(u)) + np.outer(half, half)
    coefficients, operator, chi_square = least_squares(columns, y, covariance)
    weights, freedom = operator[1], len(u) - columns.shape[1]
    return Solution(
        order=float(coefficients[1]),
        se=math.sqrt(max(float(weights @ g @ weights), 0.0)),
        model=basis.allowance + abs(float(weights @ half)),
        fit_p=float(special.chdtrc(freedom, chi_square)) if freedom else math.nan,
        weights=weights,
        residuals=y - columns @ coefficients,
    )
