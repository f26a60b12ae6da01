"""Grids for the backward operator iteration: coordinates, central Lagrange stencils, placement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stochsim.errors import ParameterError
from stochsim.orders.step_maps import StepMap, land, noise_rule

__all__ = ["Coordinate", "Domain", "Grid1D", "place_grid", "place_grids"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
FARTHEST = 600.0
"""No coordinate is followed beyond this: sinh and exp overflow at 710."""

Function = Callable[[FloatArray], FloatArray]

Domain = tuple[float, float]
"""Lower and upper bound of a component, possibly infinite."""


@dataclass(frozen=True)
class Coordinate:
    """A monotone map x = forward(y) under which the noise of the problem is nearly constant."""

    forward: Function
    inverse: Function
    name: str

    @classmethod
    def linear(cls) -> Coordinate:
        """Use x itself."""
        return cls(lambda y: y, lambda x: x, "x")

    @classmethod
    def arcsinh(cls, center: float, scale: float) -> Coordinate:
        """Use y = arcsinh((x - center) / scale): logarithmic far from `center`, on both sides of it."""
        name = f"arcsinh((x - {center:.3g}) / {scale:.3g})"
        return cls(lambda y: center + scale * np.sinh(y), lambda x: np.arcsinh((x - center) / scale), name)

    @classmethod
    def logarithm(cls, bound: float) -> Coordinate:
        """Use y = log(x - bound); points at or below the bound land at y = -708."""
        tiny = float(np.finfo(float).tiny)
        name = f"log(x - {bound:.3g})"
        return cls(lambda y: bound + np.exp(y), lambda x: np.log(np.maximum(x - bound, tiny)), name)

    @classmethod
    def logistic(cls, low: float, high: float) -> Coordinate:
        """Use y = log((x - low) / (high - x)); points outside land at y = -708 or 708."""
        tiny = float(np.finfo(float).tiny)
        name = f"log((x - {low:.3g}) / ({high:.3g} - x))"

        def inverse(x: FloatArray) -> FloatArray:
            above, below = np.maximum(x - low, tiny), np.maximum(high - x, tiny)
            return np.asarray(np.log(above) - np.log(below), float)

        return cls(lambda y: low + (high - low) / (1.0 + np.exp(-y)), inverse, name)


@dataclass(frozen=True)
class Grid1D:
    """Nodes uniform in y on [low, high], with central Lagrange stencils.

    Attributes
    ----------
    coordinate : Coordinate
        The map between x and y.
    low, high : float
        First and last node, in y.
    n_nodes : int
        Number of nodes.
    stencil : int
        Number p of points of a stencil, even.
    """

    coordinate: Coordinate
    low: float
    high: float
    n_nodes: int = 300
    stencil: int = 10

    def __post_init__(self) -> None:
        p, m = self.stencil, self.n_nodes
        if p < 2 or p % 2 or m < 2 * p or not -np.inf < self.low < self.high < np.inf:
            msg = f"A grid of {m} nodes on [{self.low}, {self.high}] with a {p}-point stencil was given; "
            raise ParameterError(msg + "give low < high, an even stencil and at least twice as many nodes.")

    @property
    def x(self) -> FloatArray:
        """The nodes in x, increasing; shape (n_nodes,)."""
        return self.coordinate.forward(np.linspace(self.low, self.high, self.n_nodes))

    def finer(self) -> Grid1D:
        """A grid 5 % wider with 20 % more nodes, for the numerical floor."""
        margin = 0.025 * (self.high - self.low)
        low, high = self.low - margin, self.high + margin
        return Grid1D(self.coordinate, low, high, (6 * self.n_nodes) // 5, self.stencil)

    def scale_at(self, x0: float, widths: float) -> float:
        """Length in x, around x0, of the share 1 / widths of the grid."""
        y0 = float(self.coordinate.inverse(np.array([float(x0)]))[0])
        half = (self.high - self.low) / (2.0 * widths)
        around = self.coordinate.forward(np.array([y0 - half, y0 + half]))
        return float(around[1] - around[0])

    def __str__(self) -> str:
        return f"{self.n_nodes} nodes of y = {self.coordinate.name} on [{self.low:.3g}, {self.high:.3g}]"

    def interpolation(self, x: FloatArray) -> tuple[IntArray, FloatArray, npt.NDArray[np.bool_]]:
        """Stencils of the points x (n,): first node (n,), weights (p, n), whether clamped (n,)."""
        position = (self.coordinate.inverse(x) - self.low) * ((self.n_nodes - 1) / (self.high - self.low))
        first_zone, last_zone = self.stencil / 2 - 1, self.n_nodes - self.stencil / 2
        clamped = (position < first_zone) | (position > last_zone)
        position = np.clip(position, first_zone, last_zone)
        first = np.floor(position).astype(np.int64) - (self.stencil // 2 - 1)
        first = np.minimum(first, self.n_nodes - self.stencil)
        return first, _lagrange_weights(position - first, self.stencil), clamped


def _lagrange_weights(offset: FloatArray, p: int) -> FloatArray:
    """Weights of the nodes 0..p-1 at the points `offset` (n,), by prefix and suffix products; (p, n)."""
    before, after = np.ones((p, offset.size)), np.ones((p, offset.size))
    for j in range(1, p):
        before[j] = before[j - 1] * (offset - (j - 1))
        after[p - 1 - j] = after[p - j] * (offset - (p - j))
    scale = [float(np.prod([j - i for i in range(p) if i != j])) for j in range(p)]
    return np.asarray(before * after / np.array(scale)[:, None], float)


def place_grid(
    step: StepMap,
    x0: float,
    t_end: float,
    *,
    t0: float = 0.0,
    domain: Domain | None = None,
    width: float = 9.0,
    n_nodes: int = 300,
    stencil: int = 10,
) -> Grid1D:
    """Choose a grid for a one-dimensional problem; see `place_grids`.

    Parameters
    ----------
    step : StepMap
        A scheme of the problem, d = 1.
    x0 : float
        Initial value.
    t_end : float
        End time.
    t0 : float
        Start time.
    domain : (low, high), optional
        State space.
    width : float
        Standard deviations on either side.
    n_nodes, stencil : int
        As in `Grid1D`.

    Returns
    -------
    Grid1D

    Raises
    ------
    ParameterError
        As in `place_grids`.
    """
    start = np.array([float(x0)])
    return place_grids(step, start, t_end, t0=t0, domains=(domain,), width=width, n_nodes=n_nodes, stencil=stencil)[0]


def place_grids(
    step: StepMap,
    x0: FloatArray,
    t_end: float,
    *,
    t0: float = 0.0,
    domains: Sequence[Domain | None] = (),
    width: float,
    n_nodes: int,
    stencil: int,
) -> tuple[Grid1D, ...]:
    """Choose for each axis a coordinate from the local noise, and a range from the spread of the law.

    The local variance of one short step is fitted by a quadratic k^2 (c^2 + (x - m)^2); where it grows,
    y = arcsinh((x - m) / c) makes the noise nearly constant. The range covers `width` standard
    deviations of a Gaussian closure of y over 64 steps.

    Parameters
    ----------
    step : StepMap
        A scheme of the problem.
    x0 : (d,)
        Initial value.
    t_end : float
        End time.
    t0 : float
        Start time.
    domains : sequence of (low, high) or None
        State space of each axis. With one finite bound the coordinate is the logarithm of the distance
        to it, with two the log-ratio of the distances; no node lies outside. A law that reaches a
        bound needs a grid of the caller's.
    width : float
        Standard deviations on either side.
    n_nodes, stencil : int
        As in `Grid1D`, for each axis.

    Returns
    -------
    tuple of Grid1D
        One for each axis.

    Raises
    ------
    ParameterError
        If the closure is not finite (an exploding scheme), x0 lies outside the domain, or the upper
        bound is finite and the lower is not.
    """
    bounds = [_bounds(x, domain) for x, domain in zip(x0, domains or (None,) * step.d, strict=True)]
    coordinates = [_coordinate(step, x0, i, low, high, t0, t_end) for i, (low, high) in enumerate(bounds)]
    lows, highs = _closure_range(step, coordinates, x0, t0, t_end, width)
    axes = zip(coordinates, lows.tolist(), highs.tolist(), strict=True)
    return tuple(Grid1D(coordinate, low, high, n_nodes, stencil) for coordinate, low, high in axes)


def _bounds(x0: float, domain: Domain | None) -> Domain:
    low, high = domain if domain is not None else (-np.inf, np.inf)
    if not low < x0 < high or (np.isinf(low) and np.isfinite(high)):
        msg = f"x0={x0} and domain=({low}, {high}) were given; x0 must lie inside, and a single finite "
        raise ParameterError(msg + "bound must be the lower one (reflect the problem otherwise).")
    return low, high


def _coordinate(
    step: StepMap, x0: FloatArray, axis: int, low: float, high: float, t0: float, t_end: float
) -> Coordinate:
    if np.isfinite(low):
        return Coordinate.logistic(low, high) if np.isfinite(high) else Coordinate.logarithm(low)
    h = 1e-4 * (t_end - t0)
    spread = float(np.sqrt(_local_variance(step, x0, axis, np.zeros(1), t0, h)[0] * (t_end - t0)))
    reach = spread if spread > 0.0 else max(abs(float(x0[axis])), 1.0)
    offset = reach * np.linspace(-2.0, 2.0, 9)
    variance = _local_variance(step, x0, axis, offset, t0, h)
    curvature, slope, level = np.polyfit(offset, variance, 2)
    if not curvature * reach**2 > 0.02 * variance.mean():
        return Coordinate.linear()
    center = -slope / (2.0 * curvature)
    smallest = 0.1 * max(abs(center), reach)
    scale = np.sqrt(max(level / curvature - center**2, smallest**2))
    return Coordinate.arcsinh(float(x0[axis] + center), float(scale))


def _local_variance(step: StepMap, x0: FloatArray, axis: int, offset: FloatArray, t: float, h: float) -> FloatArray:
    """Variance of component `axis` of one step per unit time, at x0 + offset (n,) along that axis."""
    x = np.repeat(x0[:, None], offset.size, axis=1)
    x[axis] += offset
    xi, w = noise_rule(step.primitives, 4)
    landed = land(step, x, t, h, xi)[axis].reshape(offset.size, w.size)
    return np.asarray((landed - (landed @ w)[:, None]) ** 2 @ w / h, float)


def _closure_range(
    step: StepMap, coordinates: list[Coordinate], x0: FloatArray, t0: float, t_end: float, width: float
) -> tuple[FloatArray, FloatArray]:
    """Range of each y covered by `width` standard deviations of a Gaussian closure at any of 64 steps."""
    z, w_state = noise_rule(("normal",) * step.d, 8 if step.d == 1 else 5)
    xi, w_noise = noise_rule(step.primitives, 4)
    weights = np.multiply.outer(w_state, w_noise).ravel()
    h, root = (t_end - t0) / 64, np.zeros((step.d, step.d))
    mean = np.array([c.inverse(x0[i : i + 1])[0] for i, c in enumerate(coordinates)])
    low, high = mean.copy(), mean.copy()
    for k in range(64):
        y = mean[:, None] + root @ z
        x = np.array([c.forward(row) for c, row in zip(coordinates, y, strict=True)])
        landed = land(step, x, t0 + k * h, h, xi)
        y = np.array([c.inverse(row) for c, row in zip(coordinates, landed, strict=True)])
        mean = y @ weights
        covariance = (weights * (y - mean[:, None])) @ (y - mean[:, None]).T
        reach = width * np.sqrt(np.diag(covariance))
        low, high = np.minimum(low, mean - reach), np.maximum(high, mean + reach)
        if not np.all(np.abs([low, high]) < FARTHEST):
            break
        root = _symmetric_root(covariance)
    if not np.all(np.abs([low, high]) < FARTHEST) or np.any(reach < 1e-9 * (1.0 + np.abs(mean))):
        names = ", ".join(c.name for c in coordinates)
        msg = f"From x0={x0.tolist()} the scheme spreads over {low.tolist()} to {high.tolist()} in {names}; "
        raise ParameterError(msg + "give a grid, a shorter t_end, or a problem with noise in every component.")
    return low, high


def _symmetric_root(covariance: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)), float)
