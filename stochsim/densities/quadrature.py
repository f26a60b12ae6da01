"""Integrals and exact draws of densities of one and two components: panels on which a polynomial is the density.

An interval is cut until a Legendre polynomial of degree 15 has the density on every panel to rounding; integrals are
then Gauss sums, and distribution functions are the polynomials' own primitives, inverted by Newton's method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.polynomial import legendre

from stochsim.errors import ModelError

LogProb = Callable[[np.ndarray], Any]  # (n, d) -> (n,)
ORDER = 16
NODES, WEIGHTS = legendre.leggauss(ORDER)
TO_SERIES = (legendre.legvander(NODES, ORDER - 1) * WEIGHTS[:, None]).T * (np.arange(ORDER) + 0.5)[:, None]
EPS = float(np.finfo(float).eps)
NOISE = 1e-8  # roughness above it is never taken for rounding
MOST_POINTS = 8_000_000
NEGLIGIBLE = 45.0  # exp(-45): what is left out beside the largest value
FARTHEST = 60.0  # the search goes to exp(60) on either side
CHUNK = 5_000  # draws at a time


@dataclass(frozen=True)
class Panels:
    """Cuts of an interval, each panel with its Gauss nodes.

    Parameters
    ----------
    edges : ndarray, shape (P + 1,)
    """

    edges: np.ndarray

    @cached_property
    def nodes(self) -> np.ndarray:
        """Gauss nodes, shape (16 P,)."""
        middle, half = (self.edges[1:] + self.edges[:-1]) / 2.0, np.diff(self.edges) / 2.0
        return np.asarray((middle[:, None] + half[:, None] * NODES).ravel())

    @cached_property
    def weights(self) -> np.ndarray:
        """Gauss weights, shape (16 P,)."""
        return np.asarray((np.diff(self.edges)[:, None] / 2.0 * WEIGHTS).ravel())

    def cut(self, marked: np.ndarray) -> Panels:
        """The same with the marked panels halved."""
        middle = ((self.edges[1:] + self.edges[:-1]) / 2.0)[marked]
        return Panels(np.sort(np.concatenate([self.edges, middle])))

    def roughness(self, values: np.ndarray) -> np.ndarray:
        """How far a polynomial is from the function on each panel, (16 P, ...) -> (P,); 0 if it cannot be cut."""
        parts = values.reshape(len(self.edges) - 1, ORDER, -1)
        tails = np.abs(np.einsum("ck,pkm->pcm", TO_SERIES[-2:], parts)).max(axis=(1, 2))
        wide = np.diff(self.edges) > 1e-12 * (np.abs(self.edges).max() + 1e-300)
        return np.where(wide, tails, 0.0)

    def panel(self, x: np.ndarray) -> np.ndarray:
        """In which panel each point (n,) lies."""
        return np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, len(self.edges) - 2)

    def draw(self, density: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Points whose distribution function is ``u`` (n,), for a density (16 P,)."""
        parts = density.reshape(-1, ORDER)
        masses = (parts * self.weights.reshape(-1, ORDER)).sum(axis=1)[None]
        return self.draw_from(masses, lambda panel: parts[panel], u)

    def draw_from(self, masses: np.ndarray, values: Callable[[np.ndarray], np.ndarray], u: np.ndarray) -> np.ndarray:
        """Points whose distribution function is ``u`` (n,), for the masses of all panels, (n, P) or (1, P).

        ``values`` gives the densities at the nodes, (n, 16), of one panel for each of the n.
        """
        above = np.cumsum(masses, axis=1)
        share, each = u * above[:, -1], np.arange(len(u)) % len(masses)
        panel = np.minimum(_count(above, share), masses.shape[1] - 1)
        below = above[each, panel] - masses[each, panel]
        half = np.diff(self.edges)[panel] / 2.0
        t = _invert(values(panel) @ TO_SERIES.T, (share - below) / half)
        return np.asarray(self.edges[panel] + half * (t + 1.0))


def _count(above: np.ndarray, share: np.ndarray) -> np.ndarray:
    """How many entries of its row, (n, P) or (1, P), are at most the share (n,)."""
    if len(above) == 1:
        return np.searchsorted(above[0], share, side="right")
    return np.asarray((above <= share[:, None]).sum(axis=1))


def _invert(series: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The t in [-1, 1] with ∫_{-1}^t of the Legendre series (n, 16) equal to the share (n,)."""
    primitive, slope = legendre.legint(series, lbnd=-1, axis=1).T, series.T
    t, low, high = np.zeros(len(share)), -np.ones(len(share)), np.ones(len(share))
    active = np.arange(len(share))
    for _ in range(60):
        at = t[active]
        miss = legendre.legval(at, primitive[:, active], tensor=False) - share[active]
        low[active], high[active] = np.where(miss < 0.0, at, low[active]), np.where(miss < 0.0, high[active], at)
        with np.errstate(all="ignore"):
            new = at - miss / legendre.legval(at, slope[:, active], tensor=False)
        new = np.where((new > low[active]) & (new < high[active]), new, (low[active] + high[active]) / 2.0)
        t[active] = new
        active = active[np.abs(new - at) > 1e-14]
        if not len(active):
            break
    return t


@dataclass(frozen=True)
class Line:
    """A density of one component, tabulated.

    Parameters
    ----------
    panels : Panels
    density : ndarray, shape (16 P,)
        Normalised, at the nodes.
    log_normaliser : float
        log ∫ exp(log_prob).
    """

    panels: Panels
    density: np.ndarray
    log_normaliser: float

    def expectation(self, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """E f(x) for a function of points (n, 1), which returns (n,) or (n, k)."""
        values = function(self.panels.nodes[:, None])
        return np.asarray((self.panels.weights * self.density) @ values)

    @cached_property
    def variance(self) -> float:
        """Var x."""
        mean = self.expectation(lambda x: x)
        return float(self.expectation(lambda x: (x - mean) ** 2)[0])

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws (n, 1) by the inverse distribution function."""
        return self.panels.draw(self.density, rng.random(n))[:, None]


@dataclass(frozen=True)
class Plane:
    """A density of two components, tabulated.

    Parameters
    ----------
    first, second : Panels
        Of the two components.
    density : ndarray, shape (16 P, 16 Q)
        Normalised, at the nodes.
    log_normaliser : float
    """

    first: Panels
    second: Panels
    density: np.ndarray
    log_normaliser: float

    def expectation(self, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """E f(x) for a function of points (n, 2), which returns (n,) or (n, k)."""
        mass = self.first.weights[:, None] * self.density * self.second.weights
        return np.asarray(mass.ravel() @ function(_pairs(self.first.nodes, self.second.nodes)))

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draws (n, 2): the first from its marginal, the second from its law given the first.

        The law of the draws is that of the polynomials, which differs by some 1e-13 in total variation.
        """
        x, u = self.first.draw(self.density @ self.second.weights, rng.random(n)), rng.random(n)
        y = [self._second(x[i : i + CHUNK], u[i : i + CHUNK]) for i in range(0, n, CHUNK)]
        return np.stack([x, np.concatenate([np.zeros(0), *y])], axis=1)

    @cached_property
    def _blocks(self) -> tuple[np.ndarray, np.ndarray]:
        """The density by panels, (P, Q, 16, 16), and its masses along the second component, (P, 16, Q)."""
        sizes = (len(self.first.edges) - 1, ORDER, len(self.second.edges) - 1, ORDER)
        parts = self.density.reshape(sizes)
        masses = np.einsum("piqj,qj->piq", parts, self.second.weights.reshape(-1, ORDER))
        return parts.transpose(0, 2, 1, 3).copy(), masses

    def _second(self, x: np.ndarray, u: np.ndarray) -> np.ndarray:
        panel = self.first.panel(x)
        low, high = self.first.edges[panel], self.first.edges[panel + 1]
        lagrange = legendre.legvander((2.0 * x - low - high) / (high - low), ORDER - 1) @ TO_SERIES
        blocks, masses = self._blocks
        along = np.empty((len(x), masses.shape[2]))
        for p in np.unique(panel):
            along[panel == p] = np.maximum(lagrange[panel == p] @ masses[p], 0.0)
        return self.second.draw_from(along, lambda q: np.einsum("ni,nij->nj", lagrange, blocks[panel, q]), u)


def _pairs(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack(np.broadcast_arrays(x[:, None], y), axis=-1).reshape(-1, 2)


def _finite_or_none(logs: Any) -> np.ndarray:
    """Log-densities; what is not a number counts as no density."""
    logs = np.asarray(logs, dtype=float)
    return np.where(np.isnan(logs), -np.inf, logs)


def table(log_prob: LogProb, d: int, domain: Any = None) -> Line | Plane:
    """Tabulate exp(log_prob) over a domain, or over all of its mass.

    Parameters
    ----------
    log_prob : callable
        (n, d) -> (n,).
    d : int
        1 or 2.
    domain : (low, high) or ((low, high), (low, high)), optional
        Found by a search if not given: modes much narrower than their distance from the origin want it.

    Raises
    ------
    ModelError
        If there are more than two components, the mass does not end, or the density cannot be resolved.
    """
    if d > 2:
        raise ModelError(
            f"integrals and exact draws by quadrature are for one and two components, this density has {d}; "
            "give sampler= to the density, or draw by Markov chains"
        )
    if d == 1:
        return line(lambda x: log_prob(x[:, None]), domain)
    return _plane(log_prob, _support(log_prob, 2) if domain is None else _given(domain, 2))


def line(log_prob: LogProb, domain: Any = None) -> Line:
    """The same for one component, with log_prob from numbers (n,) to (n,)."""
    box = _support(lambda x: log_prob(x[:, 0]), 1) if domain is None else _given(domain, 1)
    return _line(log_prob, float(box[0, 0]), float(box[0, 1]))


def _given(domain: Any, d: int) -> np.ndarray:
    box = np.asarray(domain, dtype=float).reshape(-1, 2) if np.size(domain) == 2 * d else np.zeros((0, 2))
    if len(box) != d or not np.all(np.isfinite(box)) or not np.all(box[:, 0] < box[:, 1]):
        raise ModelError(f"domain is {domain!r}; give (low, high) with low < high for each of {d} components")
    return box


def _line(log_prob: LogProb, low: float, high: float) -> Line:
    panels, worst = Panels(np.linspace(low, high, 17)), np.inf
    while True:
        logs = _finite_or_none(log_prob(panels.nodes))
        top = _largest(logs)
        values = np.exp(logs - top)
        rough = panels.roughness(values)
        if _smooth(rough.max(), worst, top):
            break
        worst = rough.max()
        panels = _affordable(panels.cut(rough > _rounding(top)))
    mass = float(panels.weights @ values)
    return Line(panels, values / mass, top + float(np.log(mass)))


def _plane(log_prob: LogProb, box: np.ndarray) -> Plane:
    (first, second), worst = (Panels(np.linspace(low, high, 9)) for low, high in box), np.inf
    while True:
        logs = _finite_or_none(log_prob(_pairs(first.nodes, second.nodes))).reshape(len(first.nodes), -1)
        top = _largest(logs)
        values = np.exp(logs - top)
        rows, columns = first.roughness(values), second.roughness(values.T)
        rough = max(rows.max(), columns.max())
        if _smooth(rough, worst, top):
            break
        worst = rough
        first, second = first.cut(rows > _rounding(top)), second.cut(columns > _rounding(top))
        _affordable(first, len(second.nodes))
    mass = float(first.weights @ values @ second.weights)
    return Plane(first, second, values / mass, top + float(np.log(mass)))


def _smooth(rough: float, before: float, top: float) -> bool:
    """Whether what is left is rounding: small enough, or small and no smaller than with wider panels.

    Halving the panels takes 2¹⁶ off a smooth function's roughness, and half of a kink's.
    """
    return rough <= _rounding(top) or (rough < NOISE and rough > 0.75 * before)


def _rounding(top: float) -> float:
    """Coefficients that may be rounding errors of log-densities of this size."""
    return 5e-14 + 8.0 * EPS * abs(top)


def _largest(logs: np.ndarray) -> float:
    top = float(logs.max())
    if not np.isfinite(top):
        raise ModelError(f"the largest log-density found is {top}; give a log_prob that is finite inside its domain")
    return top


def _affordable(panels: Panels, others: int = 1) -> Panels:
    if len(panels.nodes) * others > MOST_POINTS:
        raise ModelError(
            "the density has too fine a structure for quadrature; give domain= closer to its mass, a smooth log_prob, "
            "or sampler="
        )
    return panels


def _support(log_prob: LogProb, d: int) -> np.ndarray:
    """A box (d, 2) that holds the mass and the second moments: first on a wide scale, then ever closer."""
    size = 4001 if d == 1 else 201
    wide = np.sinh(np.linspace(-FARTHEST, FARTHEST, size))
    inside = _above(log_prob, [wide] * d)
    if any(keep[0] or keep[-1] for keep in inside):
        raise ModelError(
            "the density does not fall fast enough to have a mass and second moments on the whole space; "
            "give domain=(low, high)"
        )
    box = np.array([_around(wide, keep) for keep in inside])
    for _ in range(100):
        sides = [np.linspace(low, high, size) for low, high in box]
        new = np.array([_around(s, keep) for s, keep in zip(sides, _above(log_prob, sides), strict=True)])
        if np.all(np.abs(new - box) <= 0.05 * (box[:, 1:] - box[:, :1])):
            break
        box = new
    return box


def _above(log_prob: LogProb, sides: list[np.ndarray]) -> list[np.ndarray]:
    """Which points of each axis are near mass that counts, in the second moments too."""
    points = sides[0][:, None] if len(sides) == 1 else _pairs(*sides)
    spreads = [np.log1p(np.abs(s)) for s in sides]
    logs = _finite_or_none(log_prob(points)).reshape([len(s) for s in sides])
    for axis, spread in enumerate(spreads):
        logs = logs + 3.0 * spread.reshape([-1 if k == axis else 1 for k in range(len(sides))])
    keep = np.asarray(logs > _largest(logs) - NEGLIGIBLE)
    return [keep] if len(sides) == 1 else [np.any(keep, axis=1), np.any(keep, axis=0)]


def _around(side: np.ndarray, keep: np.ndarray) -> tuple[float, float]:
    """The interval of what is kept; where that reaches an end, the interval grows (a coarse scan lost thin parts)."""
    index, wider = np.flatnonzero(keep), 0.3 * (side[-1] - side[0])
    low = side[0] - wider if keep[0] else side[index[0] - 1]
    return float(low), float(side[-1] + wider if keep[-1] else side[index[-1] + 1])
