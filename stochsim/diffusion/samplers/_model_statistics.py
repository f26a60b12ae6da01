"""Statistics of an exact model along the probability flow: the coefficients l, s and b of DPM-Solver-v3.

With y = x/α the flow is dy/dλ = -e^-λ ε = -(l y + f), f = e^-λ ε - l y. The coefficients (each component has its own)
make f small and its change known: l is the mean of σ ∂ε/∂x, which leaves f the least gradient, and s, b are the
regression of df/dλ, along the flow, on f.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.diffusion._start import first_states
from stochsim.diffusion.samplers._coefficients import collocation, gauss_legendre

POINTS, PILOTS, KEY = 8, 64, (0, 0)
PANEL, NODES = 1.0, 16  # the statistics are tabulated on panels of λ, at Chebyshev's points
STEP, REACH = 0.01, 0.03  # of λ along the flow, and of x in units of σ; errors of the differences are their ^6/140
STENCIL = {-3: -1 / 60, -2: 3 / 20, -1: -3 / 4, 1: 3 / 4, 2: -3 / 20, 3: 1 / 60}


@dataclass(frozen=True, eq=False)
class Interval:
    """The coefficients on one interval of λ, at Gauss's points (k of them); arrays (k, d), or (d,) at the ends.

    Parameters
    ----------
    place : ndarray, shape (k,)
        λ of the points, from the start.
    weight : ndarray, shape (k, d)
        ∫ E(λ) p(λ) dλ is Σ_k weight_k p(place_k), E = exp ∫ (l + s).
    known : ndarray, shape (d,)
        ∫ E B dλ, B = ∫ exp(-∫ s) b.
    decay, turn, gain : ndarray, shape (d,)
        exp(-∫ l), exp(∫ s) and B over the whole interval.
    start, end : ndarray, shape (d,)
        l at the ends.
    """

    place: np.ndarray
    weight: np.ndarray
    known: np.ndarray
    decay: np.ndarray
    turn: np.ndarray
    gain: np.ndarray
    start: np.ndarray
    end: np.ndarray


def intervals(model: Any, lam: np.ndarray) -> list[Interval]:
    """The coefficients between neighbours of λ, from a fixed set of pilot points.

    Parameters
    ----------
    model : Model
        Of a Gaussian or a mixture; its count of evaluations does not change.
    lam : ndarray, shape (n + 1,)
    """
    nodes, gauss = gauss_legendre(POINTS)
    running = collocation(nodes.tolist())
    steps = np.diff(lam)
    table = _table(model.twin(), float(lam.min()), float(lam.max()))
    ends = _read(table, lam)[0]
    inner = [v.reshape(len(steps), POINTS, -1) for v in _read(table, (lam[:-1, None] + steps[:, None] * nodes).ravel())]
    return [_interval(h, nodes, gauss, running, ends[i : i + 2], *(v[i] for v in inner)) for i, h in enumerate(steps)]


def _table(model: Any, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the panels, and coefficients of the polynomials of l, s and b on them: (panels, nodes, 3 d)."""
    n = int(np.ceil((high - low) / PANEL))
    edges = np.linspace(low, high, n + 1)
    nodes = np.polynomial.chebyshev.chebpts1(NODES)
    places = 0.5 * (edges[:-1, None] + edges[1:, None]) + 0.5 * np.diff(edges)[:, None] * nodes
    values = np.concatenate(_statistics(model, places.ravel()), axis=1).reshape(n, NODES, -1)
    matrix = np.polynomial.chebyshev.chebvander(nodes, NODES - 1)
    return edges, np.linalg.solve(matrix, values)


def _read(table: tuple[np.ndarray, np.ndarray], lam: np.ndarray) -> list[np.ndarray]:
    """L, s and b at places inside the table, (places, d) each."""
    edges, coefficients = table
    panel = np.clip(np.searchsorted(edges, lam, side="right") - 1, 0, len(edges) - 2)
    inside = (2.0 * lam - edges[panel] - edges[panel + 1]) / (edges[panel + 1] - edges[panel])
    basis = np.polynomial.chebyshev.chebvander(inside, NODES - 1)
    return np.split(np.einsum("pk,pkj->pj", basis, coefficients[panel]), 3, axis=1)


def _interval(
    h: float, nodes: np.ndarray, gauss: np.ndarray, running: np.ndarray, ends: np.ndarray, l: Any, s: Any, b: Any
) -> Interval:
    growth = np.exp(h * (running @ (l + s)))
    fading = np.exp(-h * (running @ s))
    weight = h * gauss[:, None] * growth
    known = (weight * (h * (running @ (fading * b)))).sum(axis=0)
    return Interval(
        h * nodes, weight, known, np.exp(-h * (gauss @ l)), np.exp(h * (gauss @ s)), h * (gauss @ (fading * b)), *ends
    )


def _statistics(model: Any, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """L, s and b at each λ, (places, d), by differences of sixth order over pilots drawn from the law there."""
    x = np.stack([_pilots(model, float(t)) for t in np.asarray(model.process.t_of_lam(lam))], axis=1)  # (d, places, m)
    slope, values = np.zeros_like(x), {}
    for k in range(-3, 4):
        values[k] = _nonlinear(model, _flow(model, x, lam, k * STEP), lam + k * STEP)
    for k, w in STENCIL.items():
        slope = slope + (w / STEP) * values[k][1]
    l, f, size = values[0]
    gap, other = f - f.mean(axis=-1, keepdims=True), slope - slope.mean(axis=-1, keepdims=True)
    spread = (gap**2).mean(axis=-1)
    real = spread > 1e-14 * size  # f is constant for an isotropic Gaussian: nothing to regress on
    s = np.where(real, (gap * other).mean(axis=-1) / np.where(real, spread, 1.0), 0.0)
    return l.T, s.T, (slope.mean(axis=-1) - s * f.mean(axis=-1)).T


def _pilots(model: Any, t: float) -> np.ndarray:
    law = model.noised(t)
    return first_states(law, np.ones((law.d, 1)), "exact", KEY, 0, PILOTS)


def _nonlinear(model: Any, x: np.ndarray, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """L (d, places), f (d, places, m), and the mean square of e^-λ ε."""
    t = model.process.t_of_lam(lam)
    alpha, sigma = model.process.alpha(t)[:, None], model.process.sigma(t)[:, None]
    noise = _eps(model, x, lam)
    l = np.empty(x.shape[:2])
    for j in range(len(x)):
        shift = np.zeros((len(x), 1, 1))
        shift[j] = REACH
        ends = {k: _eps(model, x + (k * shift) * sigma, lam)[j] for k in STENCIL}
        l[j] = sum(w / REACH * ends[k] for k, w in STENCIL.items()).mean(axis=-1)
    scaled = sigma / alpha * noise
    return l, scaled - l[:, :, None] * x / alpha, (scaled**2).mean(axis=-1)


def _eps(model: Any, x: np.ndarray, lam: np.ndarray) -> np.ndarray:
    t = np.repeat(model.process.t_of_lam(lam), x.shape[-1])
    return np.asarray(model.eps(x.reshape(len(x), -1), t)).reshape(x.shape)


def _flow(model: Any, x: np.ndarray, lam: np.ndarray, h: float) -> np.ndarray:
    """The points x a little further along the flow, by the Runge–Kutta method of order 4 in ρ = e^-λ."""
    if h == 0.0:
        return x
    p = model.process
    alpha, end = (np.asarray(p.alpha(p.t_of_lam(place)))[:, None] for place in (lam, lam + h))
    rho, step = np.exp(-lam), np.expm1(-h) * np.exp(-lam)

    def rate(y: np.ndarray, c: float) -> np.ndarray:
        place = -np.log(rho + c * step)
        return _eps(model, np.asarray(p.alpha(p.t_of_lam(place)))[:, None] * y, place)

    y, dy = x / alpha, step[:, None]
    k1 = rate(y, 0.0)
    k2 = rate(y + 0.5 * dy * k1, 0.5)
    k3 = rate(y + 0.5 * dy * k2, 0.5)
    return np.asarray(end * (y + dy * (k1 + 2.0 * k2 + 2.0 * k3 + rate(y + dy * k3, 1.0)) / 6.0))
