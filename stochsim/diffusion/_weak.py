"""Expectations of a Markov sampler's output on the line: backward, by quadrature over its noise, no Monte Carlo."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from stochsim.diffusion.model import Model
from stochsim.diffusion.record import Sampler

NODES = 161  # of the interpolated expectation, in the state
REACH = 9.0  # standard deviations of the mixture's components
POINTS = {0: 1, 1: 20, 2: 10}  # of Gauss-Hermite quadrature, by noises a step: errors are right to about 1e-6 of them


def observables(x: Any) -> np.ndarray:
    """The functions whose expectations are compared: x, x², sin 2x, cos 2x and exp(-x²), shape (5, n)."""
    return np.stack([x, x**2, np.sin(2.0 * x), np.cos(2.0 * x), np.exp(-(x**2))])


def is_markov(sampler: Sampler, model: Model, grid: np.ndarray) -> bool:
    """Whether running the steps one by one gives what running them all gives, and each draws at most two noises."""
    rng = np.random.default_rng(0)
    drawn: dict[int, np.ndarray] = {}
    calls: list[int] = []

    def noise(k: int, shape: tuple[int, ...]) -> np.ndarray:
        calls.append(k)
        return drawn.setdefault(k, rng.standard_normal(shape))

    x = rng.standard_normal((1, 5))
    states = sampler.trajectory(model, x, grid, noise)
    counts = np.array(calls)
    if len(counts) % (len(grid) - 1) or len(counts) > 2 * (len(grid) - 1):
        return False
    per_step = len(counts) // (len(grid) - 1)
    for i in range(len(grid) - 1):
        queue = [drawn[int(k)] for k in counts[i * per_step : (i + 1) * per_step]]
        alone = sampler(model, states[i], grid[i : i + 2], lambda k, shape, queue=queue: queue.pop(0))
        if not np.allclose(alone, states[i + 1], rtol=1e-9, atol=1e-9):
            return False
    return True


def weak_error(sampler: Sampler, target: Any, process: Any, grid: np.ndarray) -> float:
    """Root mean square error of the expectations of `observables` at the end of the grid.

    Parameters
    ----------
    sampler : Sampler
        Markov (see `is_markov`).
    target : GaussianMixture
        On the line.
    process : Process
    grid : ndarray

    Returns
    -------
    float
    """
    from scipy.interpolate import make_interp_spline

    model = Model(target, process)
    expected = observables
    for t, s in zip(grid[-2::-1], grid[:0:-1], strict=True):
        x = _nodes(model.noised(float(t)))
        values = _one_step(sampler, model, np.array([t, s]), x, expected)
        spline, low, high = make_interp_spline(x, values, k=7, axis=1), x[0], x[-1]
        expected = lambda y, spline=spline, low=low, high=high: spline(np.clip(y, low, high))  # type: ignore[misc]  # noqa: E731
    start = _expectation(model.noised(float(grid[0])), expected)
    return float(np.sqrt(np.mean((start - _expectation(model.noised(float(grid[-1])), observables)) ** 2)))


def _nodes(law: Any) -> np.ndarray:
    means, spreads = law.means[:, 0], np.sqrt(law.covariances[:, 0, 0])
    return np.linspace((means - REACH * spreads).min(), (means + REACH * spreads).max(), NODES)


def _one_step(sampler: Sampler, model: Model, pair: np.ndarray, x: np.ndarray, expected: Any) -> np.ndarray:
    """E expected(next state) at the nodes, shape (5, NODES)."""
    calls: list[int] = []

    def listen(k: int, shape: tuple[int, ...]) -> np.ndarray:
        calls.append(k)
        return np.zeros(shape)

    sampler(model, x[None, :1], pair, listen)
    z, weights = _hermite(POINTS[len(calls)])
    axes = np.array(list(product(range(len(z)), repeat=len(calls)))).reshape(-1, len(calls))
    shares = np.prod(weights[axes], axis=1)
    noises = {k: np.repeat(z[axes[:, i]], len(x))[None] for i, k in enumerate(calls)}
    after = sampler(model, np.tile(x, len(axes))[None], pair, lambda k, shape: noises[k])
    return np.asarray(np.einsum("q,fqn->fn", shares, expected(after[0]).reshape(-1, len(axes), len(x))))


def _expectation(law: Any, function: Any) -> np.ndarray:
    z, weights = _hermite(120)
    parts = [
        w * (function(m + np.sqrt(v) * z) @ weights)
        for w, m, v in zip(law.weights, law.means[:, 0], law.covariances[:, 0, 0], strict=True)
    ]
    return np.asarray(sum(parts))


@lru_cache
def _hermite(n: int) -> tuple[np.ndarray, np.ndarray]:
    points, weights = np.polynomial.hermite_e.hermegauss(n)
    return points, weights / weights.sum()
