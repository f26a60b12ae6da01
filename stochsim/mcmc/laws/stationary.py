"""Stationary laws of chains on one-dimensional targets by quadrature of their Markov operator: no Monte Carlo.

A function f on the states is held by its values at the nodes of a Chebyshev grid. One step maps it to
(P f)(s) = E f(step(s, ξ)), a matrix: the noise by Gauss rules, f between the nodes by barycentric interpolation. The
stationary expectation is the left null vector of 1 - P. For analytic steps the error falls faster than any power of the
number of nodes, so biases of 1e-9 are seen, and with them their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stochsim.errors import ModelError, ParameterError
from stochsim.mcmc.laws.affine import GivenNoise, noise_counts
from stochsim.mcmc.record import Sampler

if TYPE_CHECKING:
    from stochsim.orders.richardson import SlopeFit

__all__ = ["StationaryBias", "StationaryLaw", "stationary_bias", "stationary_law"]

FloatArray = npt.NDArray[np.floating[Any]]
TAIL = 28.0  # the box of x ends where the log-density has fallen by this much
REACH = 7.0  # the box of momenta and of stored noise, in standard deviations
_MEMORY = 4_000_000  # columns of one call of the sampler


@dataclass(frozen=True, eq=False)
class StationaryLaw:
    """The stationary law of a chain, as a quadrature rule on its states.

    Attributes
    ----------
    points : ndarray, shape (m, n)
        States: x, then what the sampler keeps besides it (a momentum, stored noise).
    weights : ndarray, shape (n,)
        Of the points; they sum to 1. They are no probabilities: single ones may be negative.
    residual : float
        Largest entry of w P - w: of the order of rounding where the rule resolves the law.
    """

    points: FloatArray
    weights: FloatArray
    residual: float

    def expectation(self, f: Callable[[FloatArray], Any]) -> float:
        """E f(x) for a function of x (n,).

        Parameters
        ----------
        f : callable
            Smooth, not growing faster than a polynomial.
        """
        return float(np.asarray(f(self.points[0])) @ self.weights)


@dataclass(frozen=True, eq=False)
class StationaryBias:
    """Bias of a stationary expectation against the step size, and its order.

    Attributes
    ----------
    step_sizes : ndarray, shape (k,)
    values : ndarray, shape (k,)
        E f(x) in the stationary law of each chain.
    exact : float
        E f(x) under the target.
    floor : float
        Numerical uncertainty of the values: the change under a finer rule at the largest and smallest step size.
    fit : SlopeFit
        The order with its uncertainty, by Richardson's tableau of the local slopes.
    """

    step_sizes: FloatArray
    values: FloatArray
    exact: float
    floor: float
    fit: SlopeFit

    @property
    def bias(self) -> FloatArray:
        """Values minus the exact one, (k,)."""
        return self.values - self.exact

    @property
    def order(self) -> float:
        """Power of the step size; infinite where every bias lies within the floor."""
        return self.fit.order


def stationary_law(
    sampler: Sampler, density: Any, *, nodes: Sequence[int] = (), noise_nodes: int | None = None
) -> StationaryLaw:
    """The stationary law of a sampler on a one-dimensional target.

    Parameters
    ----------
    sampler : Sampler
        Any whose step is an analytic function of state, normals and uniforms; Metropolised ones are not.
    density : Density
        One component.
    nodes : sequence of int
        Of x, and of what the sampler keeps besides it; default 96 for x alone, else 44 for each.
    noise_nodes : int, optional
        Gauss points for each random number of a step; default 16 for one, 10 for two, 8 for three, 6 for more.

    Returns
    -------
    StationaryLaw
        Of the chain that is put back to the edge of a box whenever it leaves it: x where the log-density lies within
        28 of its maximum, momenta within 7 standard deviations. So a law is found too where the chain itself would
        escape from a steep well after an exponentially long time.

    Raises
    ------
    ParameterError
        If the density has more than one component.
    ModelError
        If steps are not finite within the box.
    """
    if density.d != 1:
        raise ParameterError(f"{density.name} has {density.d} components; the Markov operator is integrated for one")
    axes = node_axes(sampler, density, nodes)
    points = tensor_points(axes)
    operator = markov_operator(sampler, density.target, axes, points, noise_nodes or noise_rule(sampler, density))
    n = points.shape[1]
    # w (1 - P) = 0 and Σ w = 1 give w (1 - P + 1 uᵀ) = uᵀ for every u, and that matrix is regular
    u = np.full(n, 1.0 / n)
    weights = np.linalg.solve((np.eye(n) - operator + u).T, u)
    return StationaryLaw(points, weights, float(np.abs(weights @ operator - weights).max()))


def stationary_bias(
    sampler: Any,
    density: Any,
    f: Callable[[FloatArray], Any],
    step_sizes: Sequence[float],
    *,
    nodes: Sequence[int] = (),
    noise_nodes: int | None = None,
) -> StationaryBias:
    """The bias of E f(x) at several step sizes, and its order.

    Parameters
    ----------
    sampler : Sampler
        With a ``step_size``, which is replaced.
    density : Density
        One component.
    f : callable
        Of x (n,); smooth.
    step_sizes : sequence of float
        Decreasing with a constant ratio, at least four for an order.
    nodes : sequence of int
        As in `stationary_law`.
    noise_nodes : int, optional
        As in `stationary_law`.

    Returns
    -------
    StationaryBias
    """
    from stochsim.orders.richardson import fit_order

    random = noise_nodes or noise_rule(sampler, density)

    def value(h: float, finer: int = 0) -> float:
        rule = [k + 4 * finer for k in nodes or _default_nodes(sampler, density)]
        law = stationary_law(replace(sampler, step_size=h), density, nodes=rule, noise_nodes=random + finer)
        return law.expectation(f)

    h = np.asarray(step_sizes, dtype=float)
    values = np.array([value(float(step)) for step in h])
    changes = [abs(value(float(h[i]), finer=1) - values[i]) for i in (0, -1)]
    floor = max(*changes, 1e-13 * float(np.abs(values).max()))
    exact = _exact(density, f)
    return StationaryBias(h, values, exact, floor, fit_order(h, values - exact, floor))


def _default_nodes(sampler: Sampler, density: Any) -> tuple[int, ...]:
    size = len(_coordinates(sampler.init(density.target, np.zeros((1, 1)))))
    return (96,) if size == 1 else (44,) * size


def noise_rule(sampler: Sampler, density: Any) -> int:
    return {0: 1, 1: 16, 2: 10, 3: 8}.get(sum(noise_counts(sampler, density.target, 1)), 6)


def _exact(density: Any, f: Callable[[FloatArray], Any]) -> float:
    """E f by the trapezoidal rule, which converges exponentially for what vanishes at both ends."""
    low, high = _box(density, 2.0 * TAIL)
    x = np.linspace(low, high, 4001)
    log_prob = np.asarray(density.log_prob(x[:, None]))
    p = np.exp(log_prob - log_prob.max())
    return float(np.asarray(f(x)) @ p / p.sum())


def _box(density: Any, tail: float) -> tuple[float, float]:
    """Where the log-density lies within ``tail`` of its maximum."""
    x = np.concatenate([-np.geomspace(1e-3, 1e3, 20001)[::-1], [0.0], np.geomspace(1e-3, 1e3, 20001)])
    with np.errstate(over="ignore", invalid="ignore"):
        log_prob = np.asarray(density.log_prob(x[:, None]))
    inside = x[log_prob >= np.nanmax(log_prob) - tail]
    return float(inside[0]), float(inside[-1])


_FUNCTIONS_OF_X = ("log_prob", "score")


def _coordinates(state: Any) -> list[str]:
    """Fields of a state that are not functions of x."""
    return [name for name in state._fields if name not in _FUNCTIONS_OF_X]


def node_axes(sampler: Sampler, density: Any, nodes: Sequence[int]) -> list[FloatArray]:
    """Chebyshev points of the second kind for each coordinate of the state."""
    sizes = tuple(nodes) or _default_nodes(sampler, density)
    spread = np.sqrt(getattr(sampler, "temperature", 1.0))
    momentum = float(spread * np.ravel(_root_mass(sampler))[0])
    low, high = _box(density, TAIL * getattr(sampler, "temperature", 1.0))
    boxes = [(low, high)] + [(-REACH * momentum, REACH * momentum)] * (len(sizes) - 1)
    angles = [np.pi * np.arange(k) / (k - 1) for k in sizes]
    return [(a + b) / 2.0 - (b - a) / 2.0 * np.cos(t) for (a, b), t in zip(boxes, angles, strict=True)]


def _root_mass(sampler: Any) -> Any:
    metric = getattr(sampler, "metric", None)
    return 1.0 if metric is None else metric.momentum(np.ones((1, 1)))


def tensor_points(axes: Sequence[FloatArray]) -> FloatArray:
    return np.stack([g.reshape(-1) for g in np.meshgrid(*axes, indexing="ij")])


def _noise_rule(normals: int, uniforms: int, nodes: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Points (normals, k), (uniforms, k) and weights (k,) of the product of Gauss rules."""
    z, wz = np.polynomial.hermite_e.hermegauss(nodes)
    u, wu = np.polynomial.legendre.leggauss(nodes)
    rules = [(z, wz / wz.sum())] * normals + [((u + 1.0) / 2.0, wu / 2.0)] * uniforms
    table = np.array(list(product(*(r[0] for r in rules)))).reshape(-1, len(rules)).T
    mass = np.array([np.prod(w) for w in product(*(r[1] for r in rules))])
    return table[:normals], table[normals:], mass


def markov_operator(
    sampler: Sampler, target: Any, axes: Sequence[FloatArray], points: FloatArray, nodes: int
) -> FloatArray:
    """The matrix of P: row i holds the weights of the values at the nodes in E f(step(point i))."""
    normals, uniforms, mass = _noise_rule(*noise_counts(sampler, target, 1), nodes)
    n, k = points.shape[1], len(mass)
    batch = max(1, _MEMORY // (k * sum(map(len, axes))))
    rows = []
    for begin in range(0, n, batch):
        part = points[:, begin : begin + batch]
        m = part.shape[1]
        noise = GivenNoise(np.tile(normals, (1, m)), np.tile(uniforms, (1, m)))
        ends = _coordinates_after(sampler, target, np.repeat(part, k, axis=1), noise)
        rows.append(_interpolation(axes, ends, np.tile(mass, m), m))
    return np.asarray(np.concatenate(rows))


def _coordinates_after(sampler: Sampler, target: Any, columns: FloatArray, noise: GivenNoise) -> FloatArray:
    state = sampler.init(target, columns[:1])
    free = _coordinates(state)[1:]
    state = state._replace(**{name: columns[i : i + 1] for i, name in enumerate(free, start=1)})
    new = sampler.step(target, state, noise)[0]
    ends = np.vstack([getattr(new, name) for name in ["x", *free]])
    if not np.all(np.isfinite(ends)):
        raise ModelError(
            f"steps of {sampler.name} are not finite within the box of the target; give a smaller step size"
        )
    return ends


def _interpolation(axes: Sequence[FloatArray], ends: FloatArray, mass: FloatArray, m: int) -> FloatArray:
    """Weights of the nodes, averaged over the noise: (m, number of nodes)."""
    factors = [_barycentric(axis, end).reshape(m, -1, len(axis)) for axis, end in zip(axes, ends, strict=True)]
    first = factors[0] * mass.reshape(m, -1, 1)
    if len(factors) == 1:
        return np.asarray(first.sum(axis=1))
    if len(factors) == 2:
        return np.asarray(np.matmul(first.transpose(0, 2, 1), factors[1]).reshape(m, -1))
    raise ModelError("the state has more than two coordinates; the Markov operator is integrated for two")


def _barycentric(nodes: FloatArray, x: FloatArray) -> FloatArray:
    """Values at x, put back into the box, of the Lagrange polynomials of Chebyshev points (Berrut & Trefethen 2004)."""
    signs = (-1.0) ** np.arange(len(nodes))
    signs[[0, -1]] *= 0.5
    gaps = np.clip(x, nodes[0], nodes[-1])[:, None] - nodes
    hit = gaps == 0.0
    values = signs / np.where(hit, 1.0, gaps)
    values /= values.sum(axis=1, keepdims=True)
    on_node = hit.any(axis=1)
    values[on_node] = hit[on_node]
    return values
