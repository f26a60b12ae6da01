"""Weak and strong orders on linear SDEs from exact moments, without Monte Carlo.

On dX = (A x + a) dt + sum_k (B_k x + b_k) dW_k (Itô, constant coefficients) one step of a scheme is
affine in x: with z = (1, x) it is z -> R(xi) z. Expectations over the primitive draws xi are exact
(Gauss-Hermite nodes for normals, the atoms for two- and three-point variables), so that

    E[z_N (x) z_N] = M^N z_0 (x) z_0,    M = E[R (x) R],

against the exact exp(G t_end) z_0 (x) z_0 with G = A^ (x) I + I (x) A^ + sum_k B^_k (x) B^_k.

The strong error needs the joint law of two processes on the same noise. The recursion runs on
(z, e), the reference and the *difference*, so that E[e e'] is a sum of small terms and keeps its
relative accuracy down to errors of about 1e-13; a difference of two second moments would lose them.
The reference is the next level (`strong_moments`), an exact flow that is a function of the same draws
(`strong_moments_against`), or, for schemes whose only draws are the Brownian increments, the exact
solution of any linear SDE, commuting or not (`strong_moments_exact`).

What moments cannot see: a missing Lévy area in a weak sense (it is uncorrelated with the increments),
and, in E[x] under linear drift, anything but the deterministic order.

References
----------
L. Arnold (1974), Stochastic Differential Equations, section 8.5 (moment equations of linear SDEs);
P. E. Kloeden and E. Platen (1992), sections 9.3 and 9.7 (strong and weak convergence).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from stochsim.errors import ParameterError, SchemeError
from stochsim.orders.linear_sde import LinearSDE, conditional_flow
from stochsim.orders.richardson import HALF_POWERS, LimitDefect, limit_defect
from stochsim.orders.step_maps import StepMap, affine_maps, noise_rule
from stochsim.orders.tables import OrderTable, check_step_counts, order_table
from stochsim.orders.unresolved import unresolved_moments

__all__ = [
    "Aggregate",
    "strong_moments",
    "strong_moments_against",
    "strong_moments_exact",
    "weak_moments",
]

FloatArray = npt.NDArray[np.float64]

Aggregate = Callable[[float, FloatArray, FloatArray], FloatArray]
"""(h, xi1, xi2) -> xi of the step 2h, where xi1, xi2 (K, n) drive the two steps of length h.

Standardised in and out: for a Brownian increment (xi1 + xi2) / sqrt(2).
"""

LevelMaps = Callable[[float, FloatArray], FloatArray]

LEVELS: tuple[int, ...] = tuple(2**k for k in range(3, 13))
"""Default numbers of steps: ten levels."""

CHUNK = 50_000
EPS = float(np.finfo(float).eps)


def weak_moments(
    step: StepMap,
    sde: LinearSDE,
    x0: npt.ArrayLike,
    t_end: float,
    *,
    n_steps: Sequence[int] = LEVELS,
    gauss_nodes: int = 6,
) -> OrderTable:
    """Weak order from the exact first and second moments of a scheme on a linear SDE.

    Parameters
    ----------
    step : StepMap
        The scheme on `sde`; it must not depend on time.
    sde : LinearSDE
        The problem.
    x0 : (d,)
        Initial value.
    t_end : float
        Length of the time interval, which starts at 0.
    n_steps : sequence of int
        Numbers of steps, each a fixed multiple of the one before.
    gauss_nodes : int
        Nodes for each normal; 6 is exact when the step has degree 5 or less in it.

    Returns
    -------
    OrderTable
        The functionals are x_i and x_i x_j; errors are signed, in their units. The limit is tested.

    Raises
    ------
    SchemeError
        If the step is not affine in x, not finite, or depends on time.
    ParameterError
        If shapes do not fit, or the nodes do not integrate the second moments of the step.
    """
    z0 = _start(x0, step.d)
    _check_dimension(step, sde)
    w0 = np.kron(z0, z0)
    exact = sde.second_moment_flow(t_end) @ w0
    h = _step_lengths(t_end, n_steps)
    _check_autonomous(step, h[0])
    m = _chain_moments(partial(affine_maps, step), step.primitives, h, gauss_nodes)
    got = np.array([np.linalg.matrix_power(mat, n) @ w0 for mat, n in zip(m, n_steps, strict=True)])
    index, names = _functionals(step.d)
    floor = 4.0 * EPS * np.outer(n_steps, np.full(index.size, np.abs(exact).max()))
    return order_table(h, (got - exact)[:, index], floor, names, "exact moments")


def strong_moments(
    step: StepMap,
    x0: npt.ArrayLike,
    t_end: float,
    aggregate: Aggregate,
    *,
    n_steps: Sequence[int] = LEVELS,
    gauss_nodes: int = 4,
) -> OrderTable:
    """Strong order from the exact E|X_h - X_{h/2}|^2 of a scheme on a linear SDE.

    Both levels use the same noise; no solution is needed, and none is seen: a scheme that converges
    to the wrong process keeps its order here.

    Parameters
    ----------
    step : StepMap
        The scheme on a linear SDE; it must not depend on time.
    x0 : (d,)
        Initial value.
    t_end : float
        Length of the time interval, which starts at 0.
    aggregate : Aggregate
        Makes the draws of a step 2h from those of its two halves, exactly.
    n_steps : sequence of int
        Coarse numbers of steps; each level is compared with twice as many.
    gauss_nodes : int
        Nodes for each normal; 4 is exact for steps of total degree 3 or less in the draws.

    Returns
    -------
    OrderTable
        Root mean squares sqrt(E e_i^2) of each component, in the units of x.

    Raises
    ------
    SchemeError, ParameterError
        As in `weak_moments`.
    """
    h = _step_lengths(t_end, n_steps)

    def pair(h: float, xi: FloatArray) -> FloatArray:
        return _pair_of_levels(step, aggregate, 0.5 * h, xi)

    moments = _chain_moments(pair, step.primitives * 2, h, gauss_nodes)
    return _strong(step, x0, h, n_steps, moments, "successive differences (blind to the limit)", np.zeros_like(h))


def strong_moments_against(
    step: StepMap,
    exact_step: StepMap,
    x0: npt.ArrayLike,
    t_end: float,
    *,
    n_steps: Sequence[int] = LEVELS,
    gauss_nodes: int = 20,
) -> OrderTable:
    """Strong order from the exact E|X_h - X|^2, when the exact flow is a function of the same draws.

    Parameters
    ----------
    step, exact_step : StepMap
        The scheme and the exact solution over one step, with the same primitives, both affine in x.
    x0 : (d,)
        Initial value.
    t_end : float
        Length of the time interval, which starts at 0.
    n_steps : sequence of int
        Numbers of steps.
    gauss_nodes : int
        Nodes for each normal; the exact flow is no polynomial, hence the larger default.

    Returns
    -------
    OrderTable
        Root mean squares sqrt(E e_i^2) of each component, in the units of x. The limit is tested.

    Raises
    ------
    SchemeError, ParameterError
        As in `weak_moments`, and when the two primitives differ.
    """
    if (exact_step.d, exact_step.primitives) != (step.d, step.primitives):
        msg = f"The exact flow has d={exact_step.d} and draws {exact_step.primitives}, the scheme "
        raise ParameterError(msg + f"d={step.d} and {step.primitives}; both must use the same draws.")
    h = _step_lengths(t_end, n_steps)
    _check_autonomous(exact_step, h[0])

    def pair(h: float, xi: FloatArray) -> FloatArray:
        return _reference_and_difference(affine_maps(exact_step, h, xi), affine_maps(step, h, xi))

    moments = _chain_moments(pair, step.primitives, h, gauss_nodes)
    return _strong(step, x0, h, n_steps, moments, "exact flow", np.zeros_like(h))


def strong_moments_exact(
    step: StepMap,
    sde: LinearSDE,
    x0: npt.ArrayLike,
    t_end: float,
    *,
    n_steps: Sequence[int] = LEVELS,
    gauss_nodes: int = 6,
) -> OrderTable:
    """Strong order from the exact E|X_h - X|^2 against the solution of any linear SDE.

    The flow Phi of one step is split into its projection on polynomials of the increments
    (`conditional_flow`) and a rest, which is uncorrelated with the scheme and whose second moments
    are known (`unresolved_moments`).

    Parameters
    ----------
    step : StepMap
        The scheme on `sde`; draw k is W_k increment / sqrt(h), k = 1..m, and there are no others.
    sde : LinearSDE
        The problem.
    x0 : (d,)
        Initial value.
    t_end : float
        Length of the time interval, which starts at 0.
    n_steps : sequence of int
        Numbers of steps.
    gauss_nodes : int
        Nodes for each normal; 6 is exact for steps of total degree 5 or less in the increments.

    Returns
    -------
    OrderTable
        Root mean squares sqrt(E e_i^2) of each component, in the units of x. The limit is tested.

    Raises
    ------
    SchemeError, ParameterError
        As in `weak_moments`, and when the draws are not one normal for each noise.
    """
    _check_dimension(step, sde)
    if step.primitives != ("normal",) * len(sde.B):
        msg = f"The draws {step.primitives} were given; the exact joint law needs one normal for each of "
        raise ParameterError(msg + f"the {len(sde.B)} noises; use strong_moments for other schemes.")
    h = _step_lengths(t_end, n_steps)

    def flow(h: float, xi: FloatArray) -> FloatArray:
        return conditional_flow(sde, h, xi, gauss_nodes - 1)

    def pair(h: float, xi: FloatArray) -> FloatArray:
        return _reference_and_difference(flow(h, xi), affine_maps(step, h, xi))

    moments = _chain_moments(pair, step.primitives, h, gauss_nodes)
    rest, rounding = unresolved_moments(sde, h, gauss_nodes - 1)
    moments = [joint + _rest_of_flow(part, step.d) for joint, part in zip(moments, rest, strict=True)]
    return _strong(step, x0, h, n_steps, moments, "exact solution", 4.0 * EPS * rounding)


def _rest_of_flow(rest: FloatArray, d: int) -> FloatArray:
    """E[K (x) K] of the map K of (z, e) that adds the unresolved rest to z and takes it from e."""
    size = d + 1
    spread = np.vstack([np.eye(size), -np.eye(size)[1:]])
    select = np.eye(size, size + d)
    return np.asarray(np.kron(spread, spread) @ rest @ np.kron(select, select), float)


def _strong(
    step: StepMap,
    x0: npt.ArrayLike,
    h: FloatArray,
    n_steps: Sequence[int],
    moments: list[FloatArray],
    against: str,
    moment_rounding: FloatArray,
) -> OrderTable:
    """Root mean square differences from E[J (x) J] of the joint maps J of (z, e)."""
    d = step.d
    _check_autonomous(step, h[0])
    s0 = np.append(_start(x0, d), np.zeros(d))
    ends = [np.linalg.matrix_power(m, n) @ np.kron(s0, s0) for m, n in zip(moments, n_steps, strict=True)]
    second = np.abs(np.array(ends).reshape(h.size, s0.size, s0.size).diagonal(axis1=1, axis2=2))
    rms = np.sqrt(second[:, d + 1 :])
    n, square = np.asarray(n_steps, float)[:, None], second[:, : d + 1].max(axis=1, keepdims=True)
    floor = 4.0 * EPS * n * np.sqrt(square) + moment_rounding[:, None] * n * square / np.maximum(rms, EPS)
    names = [f"x{i + 1}" for i in range(d)]
    table = order_table(h, rms, floor, names, against, exponents=HALF_POWERS, judge_limit=False)
    if "blind" in against:
        return table
    squares, bounds = second[:, d + 1 :], 2.0 * floor * rms + floor**2
    return replace(table, defects=tuple(map(partial(_square_defect, h), squares.T, bounds.T)))


def _square_defect(h: FloatArray, square: FloatArray, bound: FloatArray) -> LimitDefect:
    """Limit defect of a root mean square: E e^2 = B + A h + ... has an expansion, its root has none."""
    defect = limit_defect(h, square, bound, HALF_POWERS)
    value, uncertainty = np.sqrt(max(defect.value, 0.0)), np.sqrt(defect.uncertainty)
    return LimitDefect(float(value), float(uncertainty), defect.detected)


def _pair_of_levels(step: StepMap, aggregate: Aggregate, h: float, xi: FloatArray) -> FloatArray:
    """Two steps h of the fine process, and its difference from one step 2h on aggregated draws."""
    k = len(step.primitives)
    first, second = xi[:k], xi[k:]
    fine = affine_maps(step, h, second) @ affine_maps(step, h, first)
    return _reference_and_difference(fine, affine_maps(step, 2.0 * h, aggregate(h, first, second)))


def _reference_and_difference(reference: FloatArray, approximation: FloatArray) -> FloatArray:
    """Maps of (z, e), where e = approximation - reference: e -> L e + (R - R_reference) z."""
    n, size, _ = reference.shape
    d = size - 1
    out = np.zeros((n, size + d, size + d))
    out[:, :size, :size] = reference
    out[:, size:, :size] = (approximation - reference)[:, 1:]
    out[:, size:, size:] = approximation[:, 1:, 1:]
    return out


def _chain_moments(maps: LevelMaps, primitives: tuple[str, ...], h: FloatArray, gauss_nodes: int) -> list[FloatArray]:
    """E[J (x) J] at every level; the coarsest, where quadrature is hardest, is checked."""
    rule = noise_rule(primitives, gauss_nodes)
    result = [_kron_mean(partial(maps, length), *rule) for length in h]
    if "normal" in primitives:
        finer = _kron_mean(partial(maps, h[0]), *noise_rule(primitives, gauss_nodes + 1))
        _check_nodes(result[0], finer, gauss_nodes)
    return result


def _check_nodes(result: FloatArray, finer: FloatArray, gauss_nodes: int) -> None:
    excess = np.abs(finer - result) - 1e-9 * np.abs(finer)
    if float(excess.max()) > 1e-13 * float(np.abs(finer).max()):
        msg = f"{gauss_nodes} Gauss nodes do not integrate the second moments of the step (they change by "
        raise ParameterError(msg + f"{np.abs(finer - result).max():.1e} with one more); raise gauss_nodes.")


def _kron_mean(maps: Callable[[FloatArray], FloatArray], nodes: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum of w_q J_q (x) J_q in chunks, as a Gram matrix of the flattened J_q."""
    gram, size = np.zeros((1, 1)), 0
    for start in range(0, weights.size, CHUNK):
        part = slice(start, start + CHUNK)
        j = maps(nodes[:, part])
        size = j.shape[1]
        flat = j.reshape(j.shape[0], size * size)
        gram = gram + flat.T @ (weights[part, None] * flat)
    return gram.reshape(size, size, size, size).transpose(0, 2, 1, 3).reshape(size**2, size**2)


def _step_lengths(t_end: float, n_steps: Sequence[int]) -> FloatArray:
    check_step_counts(n_steps)
    return t_end / np.asarray(n_steps, float)


def _start(x0: npt.ArrayLike, d: int) -> FloatArray:
    x = np.atleast_1d(np.asarray(x0, float))
    if x.shape != (d,) or not np.isfinite(x).all():
        raise ParameterError(f"x0={x0!r} was given; give {d} finite numbers.")
    return np.append(1.0, x)


def _check_dimension(step: StepMap, sde: LinearSDE) -> None:
    if sde.a.size != step.d:
        raise ParameterError(f"The step has d={step.d}, the linear SDE d={sde.a.size}; give one problem.")


def _check_autonomous(step: StepMap, h: float) -> None:
    xi = np.full((len(step.primitives), 1), 0.8)
    if not np.array_equal(affine_maps(step, h, xi, 0.0), affine_maps(step, h, xi, 0.3711)):
        raise SchemeError("The step depends on time; exact moments need coefficients constant in time.")


def _functionals(d: int) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Positions in z (x) z of x_i and of x_i x_j (i <= j), and their names."""
    pairs = [(0, i) for i in range(1, d + 1)] + [(i, j) for i in range(1, d + 1) for j in range(i, d + 1)]
    names = [f"x{j}" if i == 0 else f"x{i} x{j}" for i, j in pairs]
    return np.array([i * (d + 1) + j for i, j in pairs]), names
