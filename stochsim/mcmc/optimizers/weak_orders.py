"""How well an equation models an optimizer: weak orders without Monte Carlo, local and global."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stochsim.mcmc.optimizers.descent import FloatArray, Optimizer, StochasticLoss

if TYPE_CHECKING:
    from stochsim.orders.richardson import SlopeFit
    from stochsim.orders.step_maps import StepFunction
    from stochsim.sde import SDE
    from stochsim.steps import ArrayStep

__all__ = ["EquationOrder", "local_order", "moments_order", "quadrature_order"]


@dataclass(frozen=True, eq=False)
class EquationOrder:
    """Differences between an optimizer and its equation, and their order.

    Attributes
    ----------
    step_sizes : ndarray, shape (k,)
        Time steps h of the equation.
    errors : ndarray, shape (k, f)
        E f of the iterate minus E f of the equation's solution, for each functional.
    names : tuple of str
        Of the functionals.
    fits : tuple of SlopeFit
        The order of each.
    """

    step_sizes: FloatArray
    errors: FloatArray
    names: tuple[str, ...]
    fits: tuple[SlopeFit, ...]

    @property
    def order(self) -> float:
        """The smallest order; functionals without error do not count."""
        return float(min(fit.order for fit in self.fits))


def _fitted(h: FloatArray, errors: FloatArray, floor: FloatArray, names: Sequence[str]) -> EquationOrder:
    from stochsim.orders.richardson import fit_order

    fits = tuple(fit_order(h, e, f) for e, f in zip(errors.T, floor.T, strict=True))
    return EquationOrder(h, errors, tuple(names), fits)


def _step(optimizer: Optimizer, loss: StochasticLoss, size: int) -> StepFunction:
    from stochsim.orders.step_maps import StepFunction

    return StepFunction(lambda s, t, h, xi: optimizer.iterate(loss, s, h, xi), size, loss.kinds)


def local_order(optimizer: Optimizer, loss: StochasticLoss, state: Any, step_sizes: Sequence[float]) -> EquationOrder:
    """Order of the moments of one iteration against h times the equation's generator, at a state.

    E Δ - h a, E ΔΔᵀ - h b bᵀ and E Δ_i Δ_j Δ_k of the increments of one iteration: all of order h² or more make the
    equation of weak order 1 (Milstein 1986; Li, Tai & E 2019, theorem 3), for smooth coefficients.

    Parameters
    ----------
    optimizer : Optimizer
    loss : StochasticLoss
    state : array_like, shape (m,)
        Where: a state of the optimizer.
    step_sizes : sequence of float
        h, decreasing with a constant ratio.

    Returns
    -------
    EquationOrder
        ``order`` is one more than the weak order that follows.
    """
    s, (atoms, weights) = np.asarray(state, dtype=float), loss.atoms
    h = np.asarray(step_sizes, dtype=float)
    rows, floors, m = [], [], len(s)
    for step in h:
        ends = optimizer.iterate(loss, np.repeat(s[:, None], len(weights), axis=1), float(step), atoms)
        moves = ends - s[:, None]
        a, b = _coefficients(optimizer, loss, s, float(step))
        first, second = moves @ weights - step * a, (moves * weights) @ moves.T - step * b @ b.T
        third = np.einsum("iq,jq,kq,q->ijk", moves, moves, moves, weights)
        rows.append(np.concatenate([first, second.reshape(-1), third.reshape(-1)]))
        floors.append(np.full(len(rows[-1]), 1e-15 * float(1.0 + np.abs(s).max())))
    names = [f"E Δ{i}" for i in range(m)] + [f"E Δ{i}Δ{j}" for i in range(m) for j in range(m)]
    names += [f"E Δ{i}Δ{j}Δ{k}" for i in range(m) for j in range(m) for k in range(m)]
    return _fitted(h, np.array(rows), np.array(floors), names)


def _coefficients(optimizer: Optimizer, loss: StochasticLoss, s: FloatArray, h: float) -> tuple[FloatArray, FloatArray]:
    """Drift (m,) and diffusion (m, q) of the equation at a state, read off an Euler step of length 1."""
    sde = optimizer.sde(loss, s[: _dimension(optimizer, s)], h)
    euler = _euler(sde)
    noises = len(euler.primitives)
    xi = np.hstack([np.zeros((noises, 1)), np.eye(noises)])
    ends = euler(np.repeat(s[:, None], noises + 1, axis=1), 0.0, 1.0, xi)
    return ends[:, 0] - s, ends[:, 1:] - ends[:, :1]


def _euler(sde: SDE) -> ArrayStep:
    from stochsim import schemes
    from stochsim.steps import ArrayStep

    return ArrayStep(sde, schemes.euler_maruyama)


def _dimension(optimizer: Optimizer, s: FloatArray) -> int:
    return next(d for d in range(1, len(s) + 1) if len(optimizer.start(np.ones(d))) == len(s))


def moments_order(
    optimizer: Optimizer, loss: StochasticLoss, x0: Any, t_end: float, n_steps: Sequence[int]
) -> EquationOrder:
    """Weak order of the equation on first and second moments, exactly, where iteration and equation are linear.

    Parameters
    ----------
    optimizer : Optimizer
    loss : StochasticLoss
        Quadratic, with γ entering linearly.
    x0 : array_like, shape (d,)
    t_end : float
        In the time of the equation.
    n_steps : sequence of int
        Iterations, each twice the one before.

    Returns
    -------
    EquationOrder

    Raises
    ------
    ModelError
        If the equation is not linear.
    SchemeError
        If the iteration is not.
    """
    from stochsim.orders.exact_moments import linear_or_refuse
    from stochsim.orders.step_maps import affine_maps

    start = optimizer.start(np.atleast_1d(np.asarray(x0, dtype=float)))
    atoms, weights = loss.atoms
    z = np.append(1.0, start)
    h, rows, floors = t_end / np.asarray(n_steps, dtype=float), [], []
    for step, n in zip(h, n_steps, strict=True):
        maps = affine_maps(_step(optimizer, loss, len(start)), float(step), atoms)
        iterated = np.linalg.matrix_power(sum(w * np.kron(R, R) for w, R in zip(weights, maps, strict=True)), n)
        flow = linear_or_refuse(optimizer.sde(loss, x0, float(step))).second_moment_flow(t_end)
        rows.append(((iterated - flow) @ np.kron(z, z))[1:])
        floors.append(np.full(len(rows[-1]), 1e-15 * n * float(z @ z)))
    size = len(z)
    names = [f"E z{i} z{j}" for i in range(size) for j in range(size)][1:]
    return _fitted(h, np.array(rows), np.array(floors), names)


def quadrature_order(
    optimizer: Optimizer,
    loss: StochasticLoss,
    x0: float,
    t_end: float,
    n_steps: Sequence[int],
    functionals: Mapping[str, Callable[[FloatArray], FloatArray]],
) -> EquationOrder:
    """Weak order of the equation for a loss in one dimension, by quadrature of both laws.

    The iteration's expectations come from its Markov operator on a grid; the equation's, for each h, from the limit of
    Euler steps on the same grid by Romberg extrapolation.

    Parameters
    ----------
    optimizer : Optimizer
        With the state x alone.
    loss : StochasticLoss
        Smooth, one component.
    x0 : float
    t_end : float
        In the time of the equation.
    n_steps : sequence of int
        Iterations, each twice the one before.
    functionals : mapping of str to callable
        Smooth functions of x (n,).

    Returns
    -------
    EquationOrder
        The floor of each error is the numerical uncertainty of both laws.
    """
    from stochsim.orders.grids import place_grid
    from stochsim.orders.quadrature import expectations, reference_values, weak_quadrature
    from stochsim.orders.richardson import Extrapolation

    step, f = _step(optimizer, loss, 1), list(functionals.values())
    rows, floors = [], []
    for n in n_steps:
        h = t_end / n
        euler = _euler(optimizer.sde(loss, x0, h))
        grid = place_grid(euler, x0, t_end)
        iterated = [expectations(_fixed(step, h), f, x0, t_end, [n], g)[0][0] for g in (grid, grid.finer())]
        result = weak_quadrature(euler, x0, t_end, functionals, grid=grid, n_steps=[2**k for k in range(4, 10)])
        found = reference_values(result, exponents=(1.0, 2.0, 3.0, 4.0, 5.0))
        limits = {name: value for name, value in found.items() if isinstance(value, Extrapolation)}
        rows.append([iterated[1][j] - limits[name].value for j, name in enumerate(functionals)])
        gaps = np.abs(iterated[1] - iterated[0])
        floors.append([gaps[j] + limits[name].uncertainty for j, name in enumerate(functionals)])
    return _fitted(t_end / np.asarray(n_steps, dtype=float), np.array(rows), np.array(floors), list(functionals))


def _fixed(step: StepFunction, h: float) -> StepFunction:
    """The step whose coefficients belong to h, whatever the length it is asked for."""
    from stochsim.orders.step_maps import StepFunction

    return StepFunction(lambda s, t, _, xi: step(s, t, h, xi), step.d, step.primitives)
