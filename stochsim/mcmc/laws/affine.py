"""Samplers that are affine maps on Gaussian targets: their maps, and their exact laws by linear algebra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stochsim.errors import ParameterError, SchemeError
from stochsim.mcmc.record import Sampler

__all__ = ["AffineLaw", "AffineMap", "GivenNoise", "affine_law", "affine_map", "affine_start", "stability_limit"]

FloatArray = npt.NDArray[np.floating[Any]]
_DERIVED = ("log_prob",)  # a function of x that is not affine on Gaussians: left out, and made anew before a step
_NODES = 16  # Gauss-Legendre points a uniform: steps are analytic in it


class AffineMap(NamedTuple):
    """A step of the flattened state, s' = A s + b + B ξ with standard normals ξ.

    The state is flattened field by field in the order of the sampler's NamedTuple, ``log_prob`` left out; its first d
    entries are x.

    Attributes
    ----------
    A : ndarray, shape (m, m)
    b : ndarray, shape (m,)
    B : ndarray, shape (m, r)
    """

    A: FloatArray
    b: FloatArray
    B: FloatArray


@dataclass
class GivenNoise:
    """Random numbers given beforehand, handed out in the order of the calls.

    Parameters
    ----------
    normals : ndarray, shape (r, n)
        A row for each component of each normal draw.
    uniforms : ndarray, shape (k, n)
        A row for each uniform draw.

    Raises
    ------
    ParameterError
        If a step asks for more of them.
    """

    normals: FloatArray
    uniforms: FloatArray
    _taken: list[int] = field(default_factory=lambda: [0, 0], init=False)

    def normal(self, x: Any) -> FloatArray:
        """The next normals, of the shape of x."""
        rows = 1 if np.ndim(x) == 1 else len(x)
        values = self._take(0, self.normals, rows, "normals")
        return np.asarray(values[0] if np.ndim(x) == 1 else values)

    def uniform(self, x: Any) -> FloatArray:
        """The next uniform of each column."""
        return np.asarray(self._take(1, self.uniforms, 1, "uniforms")[0])

    def _take(self, kind: int, table: FloatArray, rows: int, name: str) -> FloatArray:
        begin = self._taken[kind]
        if begin + rows > len(table):
            raise ParameterError(f"the step asks for more than the {len(table)} {name} given; give as many as it draws")
        self._taken[kind] += rows
        return table[begin : begin + rows]


@dataclass
class _CountingNoise:
    """Zeros for normals, halves for uniforms; it counts them."""

    normals: int = 0
    uniforms: int = 0

    def normal(self, x: Any) -> FloatArray:
        self.normals += 1 if np.ndim(x) == 1 else len(x)
        return np.zeros_like(x)

    def uniform(self, x: Any) -> FloatArray:
        self.uniforms += 1
        return np.full(x.shape[-1], 0.5)


def noise_counts(sampler: Sampler, target: Any, d: int) -> tuple[int, int]:
    """How many normals and uniforms a step of one chain draws."""
    noise = _CountingNoise()
    sampler.step(target, sampler.init(target, np.zeros((d, 1))), noise)
    return noise.normals, noise.uniforms


def flat(state: Any) -> FloatArray:
    """A state as one array (m, n), without what is derived."""
    parts = [np.asarray(v, dtype=float) for n, v in zip(state._fields, state, strict=True) if n not in _DERIVED]
    width = max(p.shape[-1] for p in parts)
    return np.vstack([np.broadcast_to(np.atleast_2d(p), (p.shape[0] if p.ndim == 2 else 1, width)) for p in parts])


def unflat(like: Any, columns: FloatArray, target: Any) -> Any:
    """The inverse of `flat`."""
    values: dict[str, FloatArray] = {}
    first = 0
    for name, value in zip(like._fields, like, strict=True):
        if name in _DERIVED:
            continue
        size = 1 if np.ndim(value) == 1 else len(value)
        part = columns[first : first + size]
        values[name] = part[0] if np.ndim(value) == 1 else part
        first += size
    if "log_prob" in like._fields:
        values["log_prob"] = target.log_prob(values["x"])
    return type(like)(**values)


def affine_map(sampler: Sampler, target: Any, d: int, uniforms: Sequence[float] = ()) -> AffineMap:
    """The affine map that a step is on a Gaussian target.

    All unit vectors of the state and of the noise are columns of one call of the sampler's own formula.

    Parameters
    ----------
    sampler : Sampler
    target : Target
        ``density.target`` of a Gaussian.
    d : int
        Components of x.
    uniforms : sequence of float
        The uniforms of the step, if it draws any.

    Raises
    ------
    SchemeError
        If the step is not affine in state and normals: an adjusted sampler, or a target that is not Gaussian.
    ParameterError
        If the step draws more uniforms than are given.
    """
    n_normals, _ = noise_counts(sampler, target, d)
    like = sampler.init(target, np.zeros((d, 1)))
    m = len(flat(like))
    probes = np.random.default_rng(0).standard_normal((m + n_normals, 12)) * np.repeat([0.3, 3.0, 30.0], 4)
    columns = np.hstack([np.zeros((m + n_normals, 1)), np.eye(m + n_normals), probes])
    given = np.repeat(np.asarray(uniforms, dtype=float)[:, None], columns.shape[1], axis=1)
    noise = GivenNoise(columns[m:], given)
    out = flat(sampler.step(target, unflat(like, columns[:m], target), noise)[0])
    b, AB = out[:, 0], out[:, 1 : 1 + m + n_normals] - out[:, :1]
    expected, got = AB @ probes + b[:, None], out[:, 1 + m + n_normals :]
    scale = np.abs(AB) @ np.abs(probes) + np.abs(b)[:, None] + 1.0
    # a comparison with NaN fails too
    if not np.all(np.abs(expected - got) <= 1e-9 * scale):
        raise SchemeError(
            f"a step of {sampler.name} is not affine on {type(target).__name__}; exact laws need a Gaussian target and "
            "a sampler whose step is affine there"
        )
    return AffineMap(AB[:, :m], b, AB[:, m:])


def affine_start(sampler: Sampler, target: Any, d: int) -> tuple[FloatArray, FloatArray]:
    """The flattened state of chains that stand at x: J x + j, with J (m, d) and j (m,)."""
    out = flat(sampler.init(target, np.hstack([np.zeros((d, 1)), np.eye(d)])))
    return out[:, 1:] - out[:, :1], out[:, 0]


@dataclass(frozen=True, eq=False)
class AffineLaw:
    """The exact law of a chain whose step is affine: mean and covariance, no Monte Carlo.

    Where the step draws uniforms it is an average of affine maps: mean and covariance are still exact, the law is then
    no longer Gaussian.

    Parameters
    ----------
    maps : tuple of AffineMap
    weights : ndarray, shape (k,)
        Of the maps; (1,) unless the step draws uniforms.
    start : tuple of ndarray
        J (m, d) and j (m,): the state of chains at x is J x + j.
    """

    maps: tuple[AffineMap, ...]
    weights: FloatArray
    start: tuple[FloatArray, FloatArray]

    @property
    def d(self) -> int:
        """Components of x."""
        return int(self.start[0].shape[1])

    @cached_property
    def matrix(self) -> FloatArray:
        """The mean of A, (m, m): the propagator of means."""
        return np.asarray(sum(w * f.A for w, f in zip(self.weights, self.maps, strict=True)))

    @cached_property
    def shift(self) -> FloatArray:
        """The mean of b, (m,)."""
        return np.asarray(sum(w * f.b for w, f in zip(self.weights, self.maps, strict=True)))

    @cached_property
    def spectral_radius(self) -> float:
        """Of the propagator of means, or the root of that of second moments where maps are random."""
        if len(self.maps) == 1:
            return float(np.abs(np.linalg.eigvals(self.matrix)).max())
        return float(np.sqrt(np.abs(np.linalg.eigvals(self._second_moments)).max()))

    @property
    def stable(self) -> bool:
        """Whether a stationary law exists."""
        return self.spectral_radius < 1.0

    @cached_property
    def _second_moments(self) -> FloatArray:
        """The mean of A ⊗ A, (m², m²)."""
        return np.asarray(sum(w * np.kron(f.A, f.A) for w, f in zip(self.weights, self.maps, strict=True)))

    def after(self, n_steps: int, x0: Any, covariance: Any = None) -> tuple[FloatArray, FloatArray]:
        """Mean and covariance of the whole state after steps from x ~ (x0, covariance).

        Parameters
        ----------
        n_steps : int
        x0 : array_like, shape (d,)
        covariance : array_like, shape (d, d), optional
            Default 0: all chains start at x0.

        Returns
        -------
        mean : ndarray, shape (m,)
        covariance : ndarray, shape (m, m)
        """
        J, j = self.start
        mean = J @ np.atleast_1d(np.asarray(x0, dtype=float)) + j
        cov = np.zeros((len(j), len(j))) if covariance is None else J @ np.atleast_2d(covariance) @ J.T
        for _ in range(n_steps):
            mean, cov = self._one_step(mean, cov)
        return mean, cov

    def _one_step(self, mean: FloatArray, cov: FloatArray) -> tuple[FloatArray, FloatArray]:
        new = self.matrix @ mean + self.shift
        total = np.zeros_like(cov)
        for w, f in zip(self.weights, self.maps, strict=True):
            gap = f.A @ mean + f.b - new
            total += w * (f.A @ cov @ f.A.T + f.B @ f.B.T + np.outer(gap, gap))
        return new, (total + total.T) / 2.0

    @cached_property
    def stationary(self) -> tuple[FloatArray, FloatArray]:
        """Mean (m,) and covariance (m, m) of the whole state in the stationary law.

        Raises
        ------
        SchemeError
            If there is none: the spectral radius is told.
        """
        if not self.stable:
            raise SchemeError(
                f"the chain has no stationary law: its spectral radius is {self.spectral_radius:.6g}; give a smaller "
                "step size, or friction"
            )
        mean = np.linalg.solve(np.eye(len(self.shift)) - self.matrix, self.shift)
        noise = self._one_step(mean, np.zeros_like(self.matrix))[1]
        m = len(mean)
        if len(self.maps) == 1:
            cov = _lyapunov(self.matrix, noise)
        else:
            cov = np.linalg.solve(np.eye(m * m) - self._second_moments, noise.reshape(-1)).reshape((m, m))
        return mean, (cov + cov.T) / 2.0

    @property
    def mean(self) -> FloatArray:
        """E x in the stationary law, (d,)."""
        return self.stationary[0][: self.d]

    @property
    def covariance(self) -> FloatArray:
        """Cov x in the stationary law, (d, d)."""
        return self.stationary[1][: self.d, : self.d]

    def autocorrelation(self, lag: int, direction: Any = None) -> float:
        """Stationary autocorrelation of cᵀx after some steps.

        Parameters
        ----------
        lag : int
        direction : array_like, shape (d,), optional
            c; default the first component.
        """
        c, cov = self._direction(direction), self.stationary[1]
        return float(c @ np.linalg.matrix_power(self.matrix, lag) @ cov @ c / (c @ cov @ c))

    def autocorrelation_time(self, direction: Any = None) -> float:
        """1 + 2 Σ of the autocorrelations of cᵀx, in steps: the variance of an average of N is this times Var/N.

        Parameters
        ----------
        direction : array_like, shape (d,), optional
            c; default the first component.
        """
        c, cov = self._direction(direction), self.stationary[1]
        later = np.linalg.solve(np.eye(len(c)) - self.matrix, self.matrix @ (cov @ c))
        return float(1.0 + 2.0 * c @ later / (c @ cov @ c))

    def _direction(self, direction: Any) -> FloatArray:
        c = np.zeros(len(self.shift))
        c[: self.d] = np.eye(self.d)[0] if direction is None else np.asarray(direction, dtype=float)
        return c


def affine_law(sampler: Sampler, target: Any, d: int) -> AffineLaw:
    """The exact law of a sampler on a Gaussian target.

    Parameters
    ----------
    sampler : Sampler
    target : Target
        ``density.target`` of a Gaussian.
    d : int
        Components of x.

    Raises
    ------
    SchemeError
        If the step is not affine in state and normals.
    """
    n_uniforms = noise_counts(sampler, target, d)[1]
    if n_uniforms > 3:
        raise SchemeError(f"a step of {sampler.name} draws {n_uniforms} uniforms; exact laws integrate over at most 3")
    points, weights = np.polynomial.legendre.leggauss(_NODES)
    nodes = list(product(zip((points + 1.0) / 2.0, weights / 2.0, strict=True), repeat=n_uniforms))
    maps = tuple(affine_map(sampler, target, d, [u for u, _ in node]) for node in nodes)
    mass = np.array([np.prod([w for _, w in node]) for node in nodes])
    return AffineLaw(maps, mass, affine_start(sampler, target, d))


def stability_limit(sampler: Any, target: Any, d: int, *, largest: float = 64.0, tolerance: float = 1e-9) -> float:
    """The step size at which the chain first loses stability on a Gaussian target.

    It is bracketed on a grid of ratio 1.07 and then bisected; narrower windows of instability are not seen.

    Parameters
    ----------
    sampler : Sampler
        With a ``step_size``; its value does not matter.
    target : Target
    d : int
    largest : float
        Where the search ends; returned if all step sizes below are stable.
    tolerance : float
        Relative accuracy of the answer; spectral radii up to 1 + tolerance count as stable.

    Returns
    -------
    float
    """

    def stable(h: float) -> bool:
        return affine_law(replace(sampler, step_size=h), target, d).spectral_radius <= 1.0 + tolerance

    grid = np.geomspace(largest / 4096.0, largest, 121)
    above = next((h for h in grid if not stable(float(h))), None)
    if above is None:
        return largest
    low, high = float(above * grid[0] / grid[1]), float(above)
    while high - low > tolerance * high:
        middle = (low + high) / 2.0
        low, high = (middle, high) if stable(middle) else (low, middle)
    return float(low)


def _lyapunov(A: FloatArray, Q: FloatArray) -> FloatArray:
    """The solution S of S = A S Aᵀ + Q by doubling: the sum of Aᵏ Q Aᵏᵀ; every term is positive semidefinite."""
    S = Q
    while np.abs(A).max() > 1e-160:
        step = A @ S @ A.T
        S = S + step
        if np.abs(step).max() <= 1e-18 * np.abs(S).max():
            break
        A = A @ A
    return S
