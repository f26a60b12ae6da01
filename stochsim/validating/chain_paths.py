"""Strong orders of discretised Langevin diffusions on a Gaussian: moments of method and solution on one path.

Both are driven by the same Brownian motion, so a step maps (solution, method) affinely, with jointly Gaussian noise
whose covariance is a matrix exponential (Van Loan 1978). How a method turns its normals into Brownian increments, or
into the noise of free flows, is read off its step on a flat target. No Monte Carlo.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stochsim.densities import Gaussian
from stochsim.errors import ModelError
from stochsim.mcmc.laws.affine import affine_map, affine_start, noise_counts
from stochsim.orders.richardson import fit_order
from stochsim.report.rows import Row
from stochsim.validating.chain_cases import Case, find
from stochsim.validating.chain_laws import order_row
from stochsim.validating.task import Task

__all__ = ["strong"]

FloatArray = npt.NDArray[np.floating[Any]]
VARIANCE, T_END = 0.5, 1.0
COUNTS = (8, 16, 32, 64, 128)
FLOOR = 1e-15  # of a mean square error
UNIFORM_NODES = 12


class Piece(NamedTuple):
    """A stretch of a step with normals of its own, as matrices.

    ``flow`` takes the solution's noise to the end of the step, ``effect`` the driving noise to the method's state.
    """

    duration: float
    flow: FloatArray
    effect: FloatArray


class Drive(NamedTuple):
    """A linear diffusion dz = F z dt + G dW."""

    F: FloatArray
    G: FloatArray


def strong(task: Task) -> list[Row]:
    """The strong order of a sampler's path.

    Parameters
    ----------
    task : Task
    """
    case = find(task.scheme)
    h = [T_END / n for n in COUNTS]
    errors = np.array([root_mean_square_error(case, n) for n in COUNTS])
    fit = fit_order(h, errors, FLOOR / errors)
    return [order_row(task, h, errors, fit, case(0.1).claims.strong_order, "the diffusion on the same Brownian path")]


def root_mean_square_error(case: Case, n_steps: int) -> float:
    """√E |X - x|² of the place at time 1, from 1 and at rest.

    Parameters
    ----------
    case : Case
    n_steps : int
    """
    from scipy.linalg import expm

    h = T_END / n_steps
    sampler, target = case(h), Gaussian(0.0, VARIANCE).target
    solution, free = _solution(sampler), _free(sampler)
    q = len(solution.F)
    J, j = affine_start(sampler, target, 1)
    mean = np.concatenate([np.eye(q)[0], J[:, 0] + j])
    cov = np.zeros((len(mean), len(mean)))
    steps = []
    for weight, uniforms in _uniforms(sampler, target):
        method = affine_map(sampler, target, 1, uniforms)
        A = np.zeros_like(cov)
        A[:q, :q], A[q:, q:] = expm(solution.F * h), method.A
        joint = sum(_joint_noise(p, solution, _driver(free, p)) for p in _pieces(sampler, method.B, uniforms, h))
        steps.append((weight, A, joint))
    for _ in range(n_steps):
        second = sum(w * (A @ (cov + np.outer(mean, mean)) @ A.T + joint) for w, A, joint in steps)
        mean = sum(w * A @ mean for w, A, _ in steps)
        cov = second - np.outer(mean, mean)
    gap = np.zeros(len(mean))
    gap[0], gap[q] = 1.0, -1.0
    return float(np.sqrt(gap @ cov @ gap + (gap @ mean) ** 2))


def _kinetic(sampler: Any) -> bool:
    return hasattr(sampler, "friction")


def _solution(sampler: Any) -> Drive:
    rate = -1.0 / VARIANCE
    if not _kinetic(sampler):
        return Drive(np.array([[rate]]), np.array([[np.sqrt(2.0)]]))
    g = sampler.friction
    return Drive(np.array([[0.0, 1.0], [rate, -g]]), np.array([[0.0], [np.sqrt(2.0 * g)]]))


def _free(sampler: Any) -> Drive:
    if not _kinetic(sampler):
        return Drive(np.zeros((1, 1)), np.array([[np.sqrt(2.0)]]))
    g = sampler.friction
    return Drive(np.array([[0.0, 1.0], [0.0, -g]]), np.array([[0.0], [np.sqrt(2.0 * g)]]))


def _driver(free: Drive, piece: Piece) -> Drive:
    """The noise of a piece: of a free flow, or an increment where it takes one normal alone."""
    return free if piece.effect.shape[1] == len(free.F) else Drive(np.zeros((1, 1)), np.ones((1, 1)))


def _uniforms(sampler: Any, target: Any) -> list[tuple[float, list[float]]]:
    """(weight, uniforms) of the rule by which random midpoints are averaged."""
    count = noise_counts(sampler, target, 1)[1]
    if count > 1:
        raise ModelError(f"a step of {sampler.name} draws {count} uniforms; paths are compared for one at most")
    points, weights = np.polynomial.legendre.leggauss(UNIFORM_NODES)
    rule = [(float(w) / 2.0, [(float(u) + 1.0) / 2.0]) for u, w in zip(points, weights, strict=True)]
    return rule if count else [(1.0, [])]


def _pieces(sampler: Any, effects: FloatArray, uniforms: list[float], h: float) -> list[Piece]:
    """The stretches of a step: equal ones, or those before and after a random midpoint."""
    from scipy.linalg import expm

    solution, free = _solution(sampler), _free(sampler)
    per = len(free.F) if effects.shape[1] % len(free.F) == 0 else 1
    count = effects.shape[1] // per
    durations = [uniforms[0] * h, (1.0 - uniforms[0]) * h] if uniforms else [h / count] * count
    flat = affine_map(sampler, Gaussian(0.0, 1e18).target, 1, uniforms).B[: len(free.F)]
    pieces = []
    for i, t in enumerate(durations):
        rest, columns = float(sum(durations[i + 1 :])), slice(i * per, (i + 1) * per)
        # normals -> driving noise: an increment, or what a flat target leaves of the free flow
        normals = np.sqrt([[t]]) if per < len(free.F) else np.linalg.solve(expm(free.F * rest), flat[:, columns])
        pieces.append(Piece(t, expm(solution.F * rest), effects[:, columns] @ np.linalg.inv(normals)))
    return pieces


def _joint_noise(piece: Piece, solution: Drive, driver: Drive) -> FloatArray:
    """Covariance of (solution, method) that a piece adds."""
    from scipy.linalg import block_diag, expm

    F, G = block_diag(solution.F, driver.F), np.vstack([solution.G, driver.G])
    m = len(F)
    block = expm(np.block([[F, G @ G.T], [np.zeros((m, m)), -F.T]]) * piece.duration)
    L = block_diag(piece.flow, piece.effect)
    return np.asarray(L @ (block[:m, m:] @ block[:m, :m].T) @ L.T)
