"""One step of a scheme as a function of its primitive draws, and exact expectations over the draws.

A weak or mean-square property of a scheme is an expectation over finitely many standardised draws per
step. Normals are integrated by Gauss-Hermite nodes, two- and three-point variables by their atoms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stochsim.errors import ParameterError, SchemeError

__all__ = ["StepFunction", "StepMap", "affine_maps", "is_affine", "is_autonomous", "land", "noise_rule"]

FloatArray = npt.NDArray[np.float64]

MAX_NODES = 2_000_000
AFFINE = 1e-9  # relative distance from an affine map that rounding explains


class StepMap(Protocol):
    """One step of a scheme as a function of its standardised primitive draws.

    Attributes
    ----------
    d : int
        Number of components.
    primitives : tuple of str
        Kinds of the K draws: ``"normal"``, ``"two_point"`` (+-1), ``"three_point"`` (+-sqrt 3 with
        probability 1/6 each, 0 with 2/3).
    """

    @property
    def d(self) -> int:
        """Number of components."""
        ...

    @property
    def primitives(self) -> tuple[str, ...]:
        """Kinds of the K draws."""
        ...

    def __call__(self, x: FloatArray, t: float, h: float, xi: FloatArray, /) -> FloatArray:
        """Map x (d, n) at time t to time t + h with draws xi (K, n); returns (d, n)."""
        ...


@dataclass(frozen=True)
class StepFunction:
    """A step map made from a plain function (x, t, h, xi) -> (d, n); attributes as in `StepMap`."""

    function: Callable[[FloatArray, float, float, FloatArray], FloatArray]
    d: int = 1
    primitives: tuple[str, ...] = ("normal",)

    def __call__(self, x: FloatArray, t: float, h: float, xi: FloatArray) -> FloatArray:
        """Call the function."""
        return self.function(x, t, h, xi)


def noise_rule(primitives: Sequence[str], gauss_nodes: int = 6) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights for expectations over independent primitive draws.

    Parameters
    ----------
    primitives : sequence of str
        Kinds of the K draws (see `StepMap`).
    gauss_nodes : int
        Gauss-Hermite nodes of each normal: exact for polynomials of degree 2 gauss_nodes - 1 in it.

    Returns
    -------
    nodes : (K, Q)
        Tensor product of the one-dimensional nodes.
    weights : (Q,)
        Their probabilities, of sum 1.

    Raises
    ------
    ParameterError
        For an unknown kind, fewer than 2 nodes, or a product of more than 2e6 nodes.
    """
    rules = [_one_draw(kind, gauss_nodes) for kind in primitives]
    size = int(np.prod([float(w.size) for _, w in rules]))
    if size > MAX_NODES:
        msg = f"{len(primitives)} draws with {gauss_nodes} nodes for each normal need {size:.2g} nodes, "
        raise ParameterError(msg + f"more than {MAX_NODES}; lower gauss_nodes or use Monte Carlo.")
    nodes = np.array(list(product(*(x for x, _ in rules))), float).reshape(size, len(rules)).T
    weights = np.array([1.0])
    for _, w in rules:
        weights = np.multiply.outer(weights, w).ravel()
    return np.ascontiguousarray(nodes), weights


@cache
def _one_draw(kind: str, gauss_nodes: int) -> tuple[FloatArray, FloatArray]:
    if kind == "two_point":
        return np.array([-1.0, 1.0]), np.array([0.5, 0.5])
    if kind == "three_point":
        return np.sqrt(3.0) * np.array([-1.0, 0.0, 1.0]), np.array([1.0, 4.0, 1.0]) / 6.0
    if kind != "normal":
        raise ParameterError(f"The primitive {kind!r} was given; use 'normal', 'two_point' or 'three_point'.")
    if gauss_nodes < 2:
        raise ParameterError(f"gauss_nodes={gauss_nodes} was given; use at least 2.")
    x, w = np.polynomial.hermite_e.hermegauss(gauss_nodes)
    return x, w / w.sum()


def land(step: StepMap, x: FloatArray, t: float, h: float, xi: FloatArray) -> FloatArray:
    """Landing points of every point for every draw.

    Parameters
    ----------
    step : StepMap
        The scheme.
    x : (d, n)
        Points.
    t, h : float
        Time and length of the step.
    xi : (K, Q)
        Draws.

    Returns
    -------
    (d, n * Q) array
        The Q landing points of a point are neighbours.

    Raises
    ------
    SchemeError
        If a landing point is NaN.
    """
    n, q = x.shape[1], xi.shape[1]
    # far out an explicit step may overflow; an infinite landing point is clamped, NaN is refused below
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        landed = step(np.repeat(x, q, axis=1), t, h, np.tile(xi, (1, n)))
    if np.isnan(landed).any():
        bad = x[:, int(np.flatnonzero(np.isnan(landed).any(axis=0))[0]) // q]
        msg = f"A step of length {h:g} from x={bad.tolist()} is NaN; "
        raise SchemeError(msg + "restrict the state space with domain=(low, high) or give a grid.")
    return landed


def is_autonomous(step: StepMap, x: FloatArray, t0: float, t_end: float, h: float) -> bool:
    """Whether the step gives the same bits at three times of [t0, t_end].

    Parameters
    ----------
    step : StepMap
        The scheme.
    x : (d, n)
        Points to try.
    t0, t_end, h : float
        Time interval and step length.

    Returns
    -------
    bool
    """
    xi = np.full((len(step.primitives), 1), 0.8)
    at = [land(step, x, t0 + share * (t_end - t0), h, xi) for share in (0.0, 0.3711, 0.8293)]
    return bool(np.array_equal(at[0], at[1]) and np.array_equal(at[0], at[2]))


def affine_maps(step: StepMap, h: float, xi: FloatArray, t: float = 0.0) -> FloatArray:
    """Extract the affine map z -> R(xi) z, z = (1, x), of one step for many draws.

    Parameters
    ----------
    step : StepMap
        A scheme on a linear SDE.
    h : float
        Step length.
    xi : (K, n)
        Draws.
    t : float
        Time of the step.

    Returns
    -------
    (n, d + 1, d + 1) array

    Raises
    ------
    SchemeError
        If the step is not affine in x, or not finite.
    """
    maps, gap = _linearised(step, h, xi, t)
    if not np.isfinite(gap):
        raise SchemeError(f"The step of length {h:g} is not finite at the unit vectors; check the scheme.")
    if gap > AFFINE:
        msg = f"The step of length {h:g} departs from an affine map of x by {gap:.1e} (relative); "
        raise SchemeError(msg + "exact moments need a linear SDE and a scheme that keeps it linear.")
    return maps


def is_affine(step: StepMap, h: float) -> bool:
    """Whether one step is finite and affine in x, as `affine_maps` needs it: a tamed or limited scheme is not.

    Parameters
    ----------
    step : StepMap
        A scheme on a linear SDE.
    h : float
        Step length; at the largest of several a taming shows best.

    Returns
    -------
    bool
    """
    return _linearised(step, h, noise_rule(step.primitives)[0], 0.0)[1] <= AFFINE


def _linearised(step: StepMap, h: float, xi: FloatArray, t: float) -> tuple[FloatArray, float]:
    """The affine maps through the images of 0 and the unit vectors, and how far the image of a probe is from them."""
    d, n = step.d, xi.shape[1]
    probe = 2.3 * np.cos(1.0 + np.arange(d))
    points = np.column_stack([np.zeros(d), np.eye(d), probe])
    with np.errstate(all="ignore"):
        images = step(np.repeat(points, n, axis=1), t, h, np.tile(xi, (1, d + 2))).reshape(d, d + 2, n)
        maps = np.zeros((n, d + 1, d + 1))
        maps[:, 0, 0] = 1.0
        maps[:, 1:, 0] = images[:, 0].T
        maps[:, 1:, 1:] = np.transpose(images[:, 1 : d + 1] - images[:, :1], (2, 0, 1))
        predicted, image = (maps @ np.append(1.0, probe))[:, 1:], images[:, -1].T
        gap = float(np.max(np.abs(predicted - image) / (1.0 + np.abs(image))))
    return maps, gap if np.isfinite(images).all() else np.inf
