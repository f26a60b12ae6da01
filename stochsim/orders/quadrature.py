"""Weak orders in one dimension without Monte Carlo: the one-step operator on a grid.

E f(X_N) is u_0(x_0) with u_N = f and the backward iteration

    u_k(x) = E[u_{k+1}(step(x, t_k, h, xi))].

On nodes uniform in a coordinate y (x = forward(y)) the expectation is a quadrature over the primitive
draws and u_{k+1} at a landing point is a local p-point Lagrange interpolant, so one step is a matrix
(squared a few times when the step does not depend on time). Three things keep the result honest:

* a landing point outside the zone of central stencils is clamped to it (one-sided stencils blow up),
  and the expected number of clampings, a bound on the probability of any, is carried along; levels
  where it exceeds 1e-10 are not used;
* everything is computed twice, the second time on a wider, finer grid with more nodes for the noise:
  the difference is the numerical floor of that level and functional;
* a functional that the grid does not resolve in the tails (cos x under a heavy-tailed law) shows as a
  large floor and is then not judged.

References
----------
E. Platen (1992), Math. Comput. Simulation 38, 69 and D. Talay (1990), Stoch. Stoch. Rep. 29, 13 (weak
schemes and their error expansion); J.-P. Berrut and L. N. Trefethen (2004), SIAM Rev. 46, 501
(Lagrange interpolation).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from stochsim.errors import ParameterError
from stochsim.orders.grids import Grid1D, place_grid
from stochsim.orders.richardson import Extrapolation, extrapolate
from stochsim.orders.step_maps import StepMap, is_autonomous, land, noise_rule
from stochsim.orders.tables import OrderTable, check_step_counts, table_from_values

__all__ = [
    "Exact",
    "Functional",
    "QuadratureOrder",
    "default_functionals",
    "expectations",
    "reference_values",
    "weak_quadrature",
]

FloatArray = npt.NDArray[np.float64]
Functional = Callable[[FloatArray], FloatArray]
Exact = Mapping[str, "float | Callable[[float], float] | Extrapolation"]
"""E f(X) at t_end by name: a number, a function of t_end, or a value with its uncertainty."""

LEVELS: tuple[int, ...] = tuple(2**k for k in range(3, 11))
"""Default numbers of steps: eight levels."""

CLAMPED_LIMIT = 1e-10
"""Expected number of clampings above which a level is not used."""

CHUNK = 200_000
EPS = float(np.finfo(float).eps)


def one_step_operator(
    step: StepMap, grid: Grid1D, t: float, h: float, gauss_nodes: int
) -> tuple[FloatArray, FloatArray]:
    """Matrix (M, M) of one step, and the probability (M,) that it lands outside the central zone."""
    xi, w = noise_rule(step.primitives, gauss_nodes)
    m, x = grid.n_nodes, grid.x
    matrix, clamped = np.empty((m, m)), np.empty(m)
    rows = max(1, CHUNK // w.size)
    for start in range(0, m, rows):
        part = x[start : start + rows]
        first, weights, out = grid.interpolation(land(step, part[None], t, h, xi)[0])
        row = np.repeat(np.arange(part.size), w.size)
        index = row * m + first + np.arange(grid.stencil)[:, None]
        values = weights * np.tile(w, part.size)
        dense = np.bincount(index.ravel(), values.ravel(), part.size * m)
        matrix[start : start + rows] = dense.reshape(part.size, m)
        clamped[start : start + rows] = out.reshape(part.size, w.size) @ w
    return matrix, clamped


def expectations(
    step: StepMap,
    functionals: Sequence[Functional],
    x0: float,
    t_end: float,
    n_steps: Sequence[int],
    grid: Grid1D,
    *,
    t0: float = 0.0,
    gauss_nodes: int = 12,
) -> tuple[FloatArray, FloatArray]:
    """E f(X_N) of a scheme for several functionals and step counts.

    Parameters
    ----------
    step : StepMap
        The scheme, d = 1.
    functionals : sequence of callable
        Each maps x (n,) to f(x) (n,).
    x0 : float
        Initial value.
    t_end : float
        End time.
    n_steps : sequence of int
        Numbers N of equal steps.
    grid : Grid1D
        Where the backward iteration runs.
    t0 : float
        Start time.
    gauss_nodes : int
        Nodes for each normal draw.

    Returns
    -------
    values : (n_levels, n_functionals)
        Expectations in the units of the functionals.
    clamped : (n_levels,)
        Expected number of clamped landing points on the way from x0.

    Raises
    ------
    SchemeError
        If a step from a node is NaN.
    ParameterError
        If x0 lies outside the central zone of the grid, or the step has d != 1.
    """
    first, weights, outside = grid.interpolation(np.array([float(x0)]))
    if step.d != 1 or outside[0]:
        msg = f"x0={x0} and a step with d={step.d} were given; "
        raise ParameterError(msg + "one-dimensional quadrature needs d=1 and x0 well inside the grid.")
    near = slice(int(first[0]), int(first[0]) + grid.stencil)
    terminal = terminal_values(functionals, grid.x)
    same = is_autonomous(step, grid.x[None], t0, t_end, (t_end - t0) / n_steps[0])
    iterate = _iterate_squared if same else _iterate_in_time
    rows = [weights[:, 0] @ iterate(step, grid, terminal, t0, t_end, n, gauss_nodes)[near] for n in n_steps]
    return np.array(rows)[:, :-1], np.array(rows)[:, -1]


def terminal_values(functionals: Sequence[Functional], x: FloatArray) -> FloatArray:
    """f(x) of every functional at the nodes x (..., n), and a column of zeros for the clampings."""
    n = x.shape[-1]
    columns = [np.asarray(f(x), float) for f in functionals]
    for values in columns:
        if values.shape != (n,) or np.isnan(values).any():
            msg = f"A functional returned shape {values.shape}{' with NaN' if np.isnan(values).any() else ''} "
            raise ParameterError(msg + f"for x of shape {x.shape}; return one number for each of {n} points.")
    return np.column_stack([*columns, np.zeros(n)])


def _iterate_squared(
    step: StepMap, grid: Grid1D, u: FloatArray, t0: float, t_end: float, n: int, gauss_nodes: int
) -> FloatArray:
    """Apply the affine map u -> P u + c n times; c counts the clampings.

    One squaring costs as much as about twenty applications, so it pays while more than 32 are left.
    """
    matrix, clamped = one_step_operator(step, grid, t0, (t_end - t0) / n, gauss_nodes)
    offset = np.zeros_like(u)
    offset[:, -1] = clamped
    left = n
    while left % 2 == 0 and left > 32:
        offset = matrix @ offset + offset
        matrix = matrix @ matrix
        left //= 2
    for _ in range(left):
        u = matrix @ u + offset
    return u


def _iterate_in_time(
    step: StepMap, grid: Grid1D, u: FloatArray, t0: float, t_end: float, n: int, gauss_nodes: int
) -> FloatArray:
    h = (t_end - t0) / n
    for k in reversed(range(n)):
        matrix, clamped = one_step_operator(step, grid, t0 + k * h, h, gauss_nodes)
        u = matrix @ u
        u[:, -1] += clamped
    return u


@dataclass(frozen=True)
class QuadratureOrder:
    """A weak order by quadrature.

    Attributes
    ----------
    table : OrderTable
        Orders, errors (or successive differences), and limit defects.
    values : (n_levels, n_functionals)
        E f(X_N); computed on the finer grid.
    floor : (n_levels, n_functionals)
        Difference between the two grids, plus rounding.
    clamped : (n_levels,)
        Expected number of clamped landing points; levels above 1e-10 are not used.
    n_steps : tuple of int
        Numbers of steps.
    grid : str
        The grid in words.
    """

    table: OrderTable
    values: FloatArray
    floor: FloatArray
    clamped: FloatArray
    n_steps: tuple[int, ...]
    grid: str

    @property
    def order(self) -> float:
        """The smallest settled order; nan when none may be stated."""
        return self.table.order


def weak_quadrature(
    step: StepMap,
    x0: float,
    t_end: float,
    functionals: Mapping[str, Functional] | None = None,
    *,
    exact: Exact | None = None,
    n_steps: Sequence[int] | None = None,
    t0: float = 0.0,
    grid: Grid1D | None = None,
    domain: tuple[float, float] | None = None,
    gauss_nodes: int = 12,
) -> QuadratureOrder:
    """Weak order of a scheme on a one-dimensional SDE, without Monte Carlo.

    Parameters
    ----------
    step : StepMap
        The scheme, d = 1.
    x0 : float
        Initial value.
    t_end : float
        End time.
    functionals : mapping of str to callable, optional
        Each maps x (n,) to f(x) (n,). Default: x, x^2, arctan z, 1 / (1 + z^2) with z = (x - x0) / s.
        Use functions that vary slowly far out (not cos x) under heavy tails.
    exact : mapping of str to number, callable or Extrapolation, optional
        E f(X) at t_end for every functional (see `Exact`). Without it the successive differences are
        judged, and the limit is not.
    n_steps : sequence of int, optional
        Numbers of steps; default 2^3..2^10, and 2^3..2^8 when the step depends on time.
    t0 : float
        Start time.
    grid : Grid1D, optional
        Default: `place_grid`, and once more 1.5 times as wide if landing points are clamped.
    domain : (low, high), optional
        State space, for `place_grid`.
    gauss_nodes : int
        Nodes for each normal draw.

    Returns
    -------
    QuadratureOrder

    Raises
    ------
    SchemeError
        If a step from a node is NaN.
    ParameterError
        As in `place_grid` and `table_from_values`.
    """
    chosen = grid if grid is not None else place_grid(step, x0, t_end, t0=t0, domain=domain)
    named = functionals if functionals is not None else default_functionals(chosen, x0)
    if n_steps is None:
        same = is_autonomous(step, chosen.x[None], t0, t_end, (t_end - t0) / 8)
        n_steps = LEVELS if same else LEVELS[:-2]
    check_step_counts(n_steps)
    f = list(named.values())
    run = partial(expectations, step, f, x0, t_end, n_steps, t0=t0)
    values, clamped = run(chosen.finer(), gauss_nodes=gauss_nodes + 4)
    if grid is None and clamped[-1] > CLAMPED_LIMIT:
        chosen = place_grid(step, x0, t_end, t0=t0, domain=domain, width=13.5)
        values, clamped = run(chosen.finer(), gauss_nodes=gauss_nodes + 4)
    coarse, _ = run(chosen, gauss_nodes=gauss_nodes)
    return finish(values, coarse, clamped, n_steps, t0, t_end, list(named), exact, str(chosen.finer()))


def finish(
    values: FloatArray,
    coarse: FloatArray,
    clamped: FloatArray,
    n_steps: Sequence[int],
    t0: float,
    t_end: float,
    names: Sequence[str],
    exact: Exact | None,
    grid: str,
    tolerance: float = 0.02,
) -> QuadratureOrder:
    """Orders from the values on two grids."""
    n = np.asarray(n_steps, float)
    gap = np.pad(np.abs(values - coarse), ((1, 1), (0, 0)))
    # two grids may agree by accident at one level, so its neighbours count too
    floor = np.maximum(np.maximum(gap[:-2], gap[2:]), gap[1:-1]) + 4.0 * EPS * n[:, None] * np.abs(values)
    table = _judge(values, floor, clamped, (t_end - t0) / n, names, exact, t_end, tolerance)
    return QuadratureOrder(table, values, floor, clamped, tuple(n_steps), grid)


def default_functionals(grid: Grid1D, x0: float) -> dict[str, Functional]:
    """Two moments and two bounded functions of z = (x - x0) / s, s the standard deviation of the law.

    Parameters
    ----------
    grid : Grid1D
        A grid from `place_grid`: one ninth of its half-width in y, carried to x at x0, is s.
    x0 : float
        Initial value.

    Returns
    -------
    dict of str to callable
        Each maps x (n,) to (n,).
    """
    s = grid.scale_at(x0, 18.0)
    return {
        "x": lambda x: x,
        "x^2": np.square,
        "arctan z": lambda x: np.arctan((x - x0) / s),
        "1/(1+z^2)": lambda x: 1.0 / (1.0 + ((x - x0) / s) ** 2),
    }


def _judge(
    values: FloatArray,
    floor: FloatArray,
    clamped: FloatArray,
    h: FloatArray,
    names: Sequence[str],
    exact: Exact | None,
    t_end: float,
    tolerance: float,
) -> OrderTable:
    """Blank the levels that were clamped too often, and fit the rest."""
    usable = np.where((np.abs(clamped) <= CLAMPED_LIMIT)[:, None], values, np.nan)
    known = {name: _with_uncertainty(value, t_end) for name, value in (exact or {}).items()}
    extra = np.array([known[name].uncertainty if name in known else 0.0 for name in names])
    numbers = {name: value.value for name, value in known.items()}
    table = table_from_values(h, usable, floor + extra, names, numbers, tolerance)
    if abs(clamped[-1]) <= CLAMPED_LIMIT:
        return table
    reason = f"{abs(clamped[-1]):.1e} clamped landing points are expected at the finest level, more than "
    return replace(table, order=np.nan, uncertainty=np.nan, reason=reason + f"{CLAMPED_LIMIT:g}")


def _with_uncertainty(value: float | Callable[[float], float] | Extrapolation, t_end: float) -> Extrapolation:
    if isinstance(value, Extrapolation):
        return value
    return Extrapolation(float(value(t_end)) if callable(value) else float(value), 0.0)


def reference_values(result: QuadratureOrder, exponents: Sequence[float] = (2.0, 3.0, 4.0, 5.0)) -> Exact:
    """Romberg limits of a certified scheme, to be used as `exact` for another.

    Parameters
    ----------
    result : QuadratureOrder
        A run (of either dimension) of a scheme of another family, best of weak order 2.
    exponents : sequence of float
        Powers of h in its error.

    Returns
    -------
    mapping of str to Extrapolation
        Limits by name of the functional, each with its uncertainty.
    """
    h = 1.0 / np.asarray(result.n_steps, float)
    keep = np.abs(result.clamped) <= CLAMPED_LIMIT
    start = int(np.flatnonzero(~keep)[-1]) + 1 if not keep.all() else 0
    return {
        name: extrapolate(h[start:], result.values[start:, j], result.floor[start:, j], exponents)
        for j, name in enumerate(result.table.names)
    }
