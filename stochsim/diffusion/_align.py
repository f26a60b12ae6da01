"""Align Your Steps: the grid that is best for a given target, computed from its exact denoising error."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from stochsim.densities import Gaussian
from stochsim.diffusion._components import components
from stochsim.diffusion._ends import ends, pinned
from stochsim.diffusion.forward import Process
from stochsim.errors import ParameterError

__all__ = ["DenoisingError", "align_your_steps"]

NODES = 200  # of Gauss-Hermite quadrature, on the line
DRAWS = 4096  # of a Sobol sequence, in more dimensions
KNOTS = 257
ROUNDS = 200


@dataclass(frozen=True, eq=False)
class DenoisingError:
    """mmse(s) = E|x_0 - E[x_0|x]|² for data seen with the signal-to-noise ratio s = (α/σ)².

    In closed form for a Gaussian, by quadrature for a mixture on the line, and by 4096 fixed points of a Sobol sequence
    for a mixture in more dimensions.

    Parameters
    ----------
    target : Gaussian or GaussianMixture
    """

    target: Any

    def __call__(self, snr: Any) -> Any:
        """The error at one or more ratios, of their shape."""
        snr = np.asarray(snr, dtype=float)
        if isinstance(self.target, Gaussian):
            values = np.linalg.eigvalsh(self.target.covariance)
            return (values / (1.0 + snr[..., None] * values)).sum(axis=-1)
        return np.array([self._at(float(s)) for s in snr.reshape(-1)]).reshape(snr.shape)

    def _at(self, snr: float) -> float:
        from stochsim.diffusion.exact import posterior_covariance

        (z, shares), (weights, means, covariances) = self._nodes, components(self.target)
        alpha, sigma = np.sqrt(snr / (1.0 + snr)), 1.0 / np.sqrt(1.0 + snr)
        d, total = self.target.d, 0.0
        for w, m, C in zip(weights, means, covariances, strict=True):
            root = np.linalg.cholesky(alpha**2 * C + sigma**2 * np.eye(d))
            x = alpha * m[:, None] + root @ z
            spread = np.trace(posterior_covariance(self.target, alpha, sigma, x))
            total += float(w * (spread @ shares))
        return total

    @cached_property
    def _nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Points (d, m) and weights (m,) for expectations under a standard normal."""
        d = self.target.d
        if d == 1:
            points, weights = np.polynomial.hermite_e.hermegauss(NODES)
            return points[None], weights / weights.sum()
        from scipy.special import ndtri
        from scipy.stats import qmc

        uniforms = qmc.Sobol(d, scramble=True, rng=0).random(DRAWS)
        return ndtri(uniforms).T, np.full(DRAWS, 1.0 / DRAWS)


def align_your_steps(
    target: Any, process: Process, n_steps: int, start: float | None = None, stop: float | None = None
) -> np.ndarray:
    """The grid with the least bound on the Kullback-Leibler divergence of a first-order stochastic sampler.

    Parameters
    ----------
    target : Gaussian or GaussianMixture
    process : Process
    n_steps : int
    start, stop : float, optional
        Both with data and noise left.

    Returns
    -------
    ndarray, shape (n_steps + 1,)

    Raises
    ------
    ParameterError
        If λ is infinite at an end.

    Notes
    -----
    Sabour, Fidler & Kreis 2024, theorem 3.1, bound the divergence by Σ_i ∫ E|D(x_t, t) - D(x_ti, ti)|² t^-3 dt over the
    steps, in the time t = σ/α. As D is a martingale backwards in time, E|D_t - D_ti|² = mmse(ti) - mmse(t); with
    s = t^-2 the bound is the left Riemann sum ½ Σ mmse(s_i) (s_(i+1) - s_i) less ½ ∫ mmse ds, so the best
    grid is that of the best Riemann sum. For N(m, c² I) it is geometric in 1 + c² s. For DDIM, which has no noise,
    the best grid there is `uniform_angle` instead.
    """
    first, last = ends(process, n_steps, start, stop)
    low, high = (float(np.exp(2.0 * process.lam(t))) for t in (first, last))
    if not (low > 0.0 and np.isfinite(high)):
        raise ParameterError(f"the signal-to-noise ratio runs from {low:g} to {high:g}; give ends with both left")
    snr = best_riemann(DenoisingError(target), low, high, n_steps)
    return pinned(process, process.t_of_lam(0.5 * np.log(snr)), first, last)


def best_riemann(error: DenoisingError, low: float, high: float, n: int) -> np.ndarray:
    """Points low = s_0 < ... < s_n = high with the least Σ mmse(s_i) (s_(i+1) - s_i).

    By Newton's method on the stationarity conditions in u = log s, from the points that are best as n grows.
    """
    from scipy.interpolate import make_interp_spline

    knots = np.linspace(np.log(low), np.log(high), KNOTS)
    curve = make_interp_spline(knots, np.log(error(np.exp(knots))), k=7)

    def mmse(u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The error and its first two derivatives by s."""
        value, slope, bend, s = np.exp(curve(u)), curve(u, 1), curve(u, 2), np.exp(u)
        return value, value * slope / s, value * (slope**2 + bend - slope) / s**2

    density = np.sqrt(np.maximum(-mmse(knots)[1], 0.0)) * np.exp(knots)  # points per u, as n grows
    heights = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(knots))])
    u = np.interp(np.linspace(0.0, heights[-1], n + 1), heights, knots)
    u[0], u[-1] = knots[0], knots[-1]
    for _ in range(ROUNDS if n > 1 else 0):
        s, change = np.exp(u), _newton_step(np.exp(u), *mmse(u))
        while (np.diff(s - change) <= 0.0).any():
            change = 0.5 * change
        new = np.log(s - change)
        settled = np.abs(new - u).max() < 1e-13 * max(1.0, np.abs(u).max())
        u = new
        if settled:
            break
    return np.asarray(np.exp(u))


def _newton_step(s: np.ndarray, m: np.ndarray, dm: np.ndarray, ddm: np.ndarray) -> np.ndarray:
    """Newton's step for the inner points s, from the error and its derivatives there; 0 at both ends."""
    from scipy.linalg import solve_banded

    slack = dm[1:-1] * (s[2:] - s[1:-1]) - m[1:-1] + m[:-2]  # the derivative of the sum by s_i
    bands = np.zeros((3, len(slack)))
    bands[0, 1:] = dm[1:-2]
    bands[1] = ddm[1:-1] * (s[2:] - s[1:-1]) - 2.0 * dm[1:-1]
    bands[2, :-1] = dm[1:-2]
    return np.concatenate([[0.0], solve_banded((1, 1), bands, slack), [0.0]])
