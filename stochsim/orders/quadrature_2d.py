"""Weak orders in two dimensions without Monte Carlo: the one-step operator on a tensor grid.

As in one dimension (see `stochsim.orders.quadrature`), with the tensor product of two local Lagrange
interpolants at every landing point. One row of the operator is the sum over the noise nodes of outer
products of two sparse rows, a small matrix product; the rows are kept in a sparse matrix that is
applied once for each step. A step that depends on time costs one such matrix for each step.

The noise must reach both components: on a component without noise of its own the grid has no natural
range, and smoothness in the coarse direction is not restored by the noise.

References
----------
As in `stochsim.orders.quadrature`; D. Talay and L. Tubaro (1990), Stoch. Anal. Appl. 8, 483.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from stochsim.errors import ParameterError
from stochsim.orders.grids import Domain, Grid1D, place_grids
from stochsim.orders.quadrature import (
    CLAMPED_LIMIT,
    Exact,
    Functional,
    QuadratureOrder,
    finish,
    terminal_values,
)
from stochsim.orders.step_maps import StepMap, is_autonomous, land, noise_rule
from stochsim.orders.tables import check_step_counts

__all__ = ["expectations_2d", "weak_quadrature_2d"]

FloatArray = npt.NDArray[np.float64]
Grid2D = tuple[Grid1D, Grid1D]

LEVELS: tuple[int, ...] = (8, 16, 32, 64, 128)
"""Default numbers of steps."""

MAX_LANDINGS = 20_000_000
CHUNK = 40_000


def nodes_2d(grid: Grid2D) -> FloatArray:
    """All nodes (2, M1 * M2) of a tensor grid, the second axis fastest."""
    return np.array([x.ravel() for x in np.meshgrid(grid[0].x, grid[1].x, indexing="ij")])


def one_step_operator_2d(step: StepMap, grid: Grid2D, t: float, h: float, gauss_nodes: int) -> tuple[Any, FloatArray]:
    """Sparse matrix (M, M) of one step, M = M1 M2, and the probability (M,) of landing outside.

    Raises
    ------
    ParameterError
        If nodes times noise nodes exceed 2e7.
    """
    from scipy.sparse import csr_array

    xi, w = noise_rule(step.primitives, gauss_nodes)
    x = nodes_2d(grid)
    m = x.shape[1]
    if m * w.size > MAX_LANDINGS:
        msg = f"{m} grid nodes and {w.size} noise nodes were asked for; "
        raise ParameterError(msg + "lower gauss_nodes or n_nodes, or use a scheme with fewer draws.")
    values, columns, counts, clamped, rows = [], [], [], [], max(1, CHUNK // w.size)
    for start in range(0, m, rows):
        landed = land(step, x[:, start : start + rows], t, h, xi)
        first, out_first = _dense_rows(grid[0], landed[0], w.size)
        second, out_second = _dense_rows(grid[1], landed[1], w.size)
        block = np.matmul((first * w[:, None]).transpose(0, 2, 1), second).reshape(-1)
        filled = np.flatnonzero(block)
        values.append(block[filled])
        columns.append((filled % m).astype(np.int32))
        counts.append(np.bincount(filled // m, minlength=block.size // m))
        clamped.append((out_first | out_second) @ w)
    ends = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int32)
    operator = csr_array((np.concatenate(values), np.concatenate(columns), ends), shape=(m, m))
    return operator, np.concatenate(clamped)


def _dense_rows(grid: Grid1D, x: FloatArray, q: int) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Interpolation rows (n, Q, M_axis) of the landing points x (n Q,), and whether clamped (n, Q)."""
    first, weights, clamped = grid.interpolation(x)
    rows = np.zeros(x.size * grid.n_nodes)
    base = first + grid.n_nodes * np.arange(x.size)
    for j in range(grid.stencil):
        rows[base + j] = weights[j]
    return rows.reshape(-1, q, grid.n_nodes), clamped.reshape(-1, q)


def expectations_2d(
    step: StepMap,
    functionals: Sequence[Functional],
    x0: FloatArray,
    t_end: float,
    n_steps: Sequence[int],
    grid: Grid2D,
    *,
    t0: float = 0.0,
    gauss_nodes: int = 6,
) -> tuple[FloatArray, FloatArray]:
    """E f(X_N) of a two-dimensional scheme for several functionals and step counts.

    Parameters
    ----------
    step : StepMap
        The scheme, d = 2.
    functionals : sequence of callable
        Each maps x (2, n) to f(x) (n,).
    x0 : (2,)
        Initial value.
    t_end : float
        End time.
    n_steps : sequence of int
        Numbers N of equal steps.
    grid : pair of Grid1D
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
        If x0 lies outside the central zone of the grid, the step has d != 2, or there are too many
        nodes.
    """
    if step.d != 2 or np.shape(x0) != (2,):
        msg = f"A step with d={step.d} and x0={x0!r} were given; "
        raise ParameterError(msg + "two-dimensional quadrature needs d=2 and two numbers.")
    at_start = [_dense_rows(g, np.array([float(x)]), 1) for g, x in zip(grid, x0, strict=True)]
    if any(out[0, 0] for _, out in at_start):
        raise ParameterError(f"x0={x0!r} lies outside the central zone of the grid; give a wider grid.")
    read = np.outer(at_start[0][0], at_start[1][0]).ravel()
    x = nodes_2d(grid)
    terminal = terminal_values(functionals, x)
    same = is_autonomous(step, x, t0, t_end, (t_end - t0) / n_steps[0])
    ends = [read @ _iterate(step, grid, terminal, t0, t_end, n, gauss_nodes, same) for n in n_steps]
    return np.array(ends)[:, :-1], np.array(ends)[:, -1]


def _iterate(
    step: StepMap,
    grid: Grid2D,
    u: FloatArray,
    t0: float,
    t_end: float,
    n: int,
    gauss_nodes: int,
    same: bool,
) -> FloatArray:
    h = (t_end - t0) / n
    operator, clamped = one_step_operator_2d(step, grid, t_end - h, h, gauss_nodes)
    for k in reversed(range(n)):
        if not same and k < n - 1:
            operator, clamped = one_step_operator_2d(step, grid, t0 + k * h, h, gauss_nodes)
        u = operator @ u
        u[:, -1] += clamped
    return u


def weak_quadrature_2d(
    step: StepMap,
    x0: npt.ArrayLike,
    t_end: float,
    functionals: Mapping[str, Functional] | None = None,
    *,
    exact: Exact | None = None,
    n_steps: Sequence[int] | None = None,
    t0: float = 0.0,
    grid: Grid2D | None = None,
    domains: Sequence[Domain | None] = (),
    gauss_nodes: int = 6,
) -> QuadratureOrder:
    """Weak order of a scheme on a two-dimensional SDE, without Monte Carlo.

    Parameters
    ----------
    step : StepMap
        The scheme, d = 2.
    x0 : (2,)
        Initial value.
    t_end : float
        End time.
    functionals : mapping of str to callable, optional
        Each maps x (2, n) to f(x) (n,). Default: x1, x2, x1^2, x1 x2, x2^2, and arctan(z1 + z2), where
        z is x - x0 on the scale of the law.
    exact : mapping of str to number, callable or Extrapolation, optional
        E f(X) at t_end for every functional (see `Exact`). Without it the successive differences are
        judged, and the limit is not.
    n_steps : sequence of int, optional
        Numbers of steps; default 2^3..2^7, and 2^2..2^5 when the step depends on time (about a minute).
    t0 : float
        Start time.
    grid : pair of Grid1D, optional
        Default: 60 nodes and 8-point stencils an axis, placed by `place_grids`; 80 nodes on a range 1.5
        times as wide if landing points are clamped.
    domains : sequence of (low, high) or None
        State space of each component, for `place_grids`.
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
        As in `expectations_2d`, `place_grids` and `table_from_values`.
    """
    start = np.asarray(x0, float)
    if step.d != 2 or start.shape != (2,):
        msg = f"A step with d={step.d} and x0={x0!r} were given; "
        raise ParameterError(msg + "two-dimensional quadrature needs d=2 and two numbers.")
    chosen = grid if grid is not None else _placed(step, start, t0, t_end, domains, 7.5, 60)
    if n_steps is None:
        same = is_autonomous(step, nodes_2d(chosen), t0, t_end, (t_end - t0) / LEVELS[0])
        n_steps = LEVELS if same else (4, 8, 16, 32)
    check_step_counts(n_steps)
    named = functionals if functionals is not None else default_functionals_2d(chosen, start)
    run = partial(expectations_2d, step, list(named.values()), start, t_end, n_steps, t0=t0)
    values, clamped = run(_finer(chosen), gauss_nodes=gauss_nodes + 2)
    if grid is None and clamped[-1] > CLAMPED_LIMIT:
        chosen = _placed(step, start, t0, t_end, domains, 11.0, 80)
        values, clamped = run(_finer(chosen), gauss_nodes=gauss_nodes + 2)
    coarse, _ = run(chosen, gauss_nodes=gauss_nodes)
    words = " x ".join(map(str, _finer(chosen)))
    return finish(values, coarse, clamped, n_steps, t0, t_end, list(named), exact, words, tolerance=0.05)


def _placed(
    step: StepMap,
    x0: FloatArray,
    t0: float,
    t_end: float,
    domains: Sequence[Domain | None],
    width: float,
    n_nodes: int,
) -> Grid2D:
    first, second = place_grids(step, x0, t_end, t0=t0, domains=domains, width=width, n_nodes=n_nodes, stencil=8)
    return first, second


def _finer(grid: Grid2D) -> Grid2D:
    return grid[0].finer(), grid[1].finer()


def default_functionals_2d(grid: Grid2D, x0: FloatArray) -> dict[str, Functional]:
    """First and second moments, and one bounded function on the scale of the law."""
    s1, s2 = (g.scale_at(x, 15.0) for g, x in zip(grid, x0, strict=True))
    return {
        "x1": lambda x: x[0],
        "x2": lambda x: x[1],
        "x1^2": lambda x: x[0] ** 2,
        "x1 x2": lambda x: x[0] * x[1],
        "x2^2": lambda x: x[1] ** 2,
        "arctan(z1 + z2)": lambda x: np.arctan((x[0] - x0[0]) / s1 + (x[1] - x0[1]) / s2),
    }
