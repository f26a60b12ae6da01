"""Wasserstein distances of samples: exact on the line, sliced in any dimension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stochsim.errors import ParameterError
from stochsim.metrics._arrays import FloatArray, Seed, count, generator, same_width, samples
from stochsim.metrics._mixtures import Marginal, required_components

__all__ = ["sliced_wasserstein2", "wasserstein1d"]


def wasserstein1d(x: Any, target: Any, order: float = 2.0) -> float:
    r"""Wasserstein distance on the line between samples and samples, or samples and an exact density.

    Parameters
    ----------
    x : (n,) or (n, 1) array
        Samples.
    target : (m,) or (m, 1) array, Gaussian or GaussianMixture of one component
        What they are compared with; sample sizes may differ. A density is used exactly, not sampled.
    order : float, default 2
        The exponent p >= 1; a density needs p = 2.

    Returns
    -------
    float
        :math:`(\int_0^1 |F_n^{-1}(u) - G^{-1}(u)|^p \, du)^{1/p}` (Villani 2003, theorem 2.18). It is positive even
        for exact draws: against N(0, 1), E W_2^2 is about (log log n)/n (Bobkov & Ledoux 2019).

    Raises
    ------
    ParameterError
        More than one component, an order below one, or a density with an order other than two.
    ModelError
        A density without closed-form quantile integrals.
    """
    a = np.sort(_line(samples(x)))
    if not np.isfinite(order) or order < 1:
        raise ParameterError(f"order={order}; the Wasserstein distance needs an order of at least 1")
    if not hasattr(target, "log_prob"):
        b = np.sort(_line(samples(target, "target")))
        return float(_Coupling.monotone(len(a), len(b)).cost(a, b, order) ** (1 / order))
    if order != 2:
        raise ParameterError(f"order={order} with a density; only order 2 is exact there, or give samples of it")
    law = required_components(target, "the Wasserstein distance")
    same_width(a[:, None], law.d)
    return float(np.sqrt(_to_marginal(a, law.projected(np.ones(1)))))


def sliced_wasserstein2(x: Any, target: Any, n_projections: int = 128, seed: Seed = 0) -> float:
    r"""Sliced Wasserstein-2 distance: the root mean square over directions of the distance of the projections.

    Parameters
    ----------
    x : (n, d) array
        Samples.
    target : (m, d) array, Gaussian or GaussianMixture
        What they are compared with; of a density the projected marginals are exact Gaussian mixtures.
    n_projections : int, default 128
        Directions, drawn in orthonormal blocks of d, which are uniform on the sphere and less noisy than independent
        ones. One component needs no directions.
    seed : int, SeedSequence or None, default 0
        Seed of the directions.

    Returns
    -------
    float
        :math:`(E_\theta W_2^2(\theta\cdot x, \theta\cdot y))^{1/2}` (Rabin, Peyré, Delon & Bernot 2011).

    Raises
    ------
    ParameterError
        Numbers of components that differ, or fewer than one direction.
    ModelError
        A density that is not a Gaussian or a Gaussian mixture.
    """
    a = samples(x)
    theta = _directions(a.shape[1], count(n_projections, "n_projections"), seed)
    if hasattr(target, "log_prob"):
        law = required_components(target, "the sliced Wasserstein distance")
        same_width(a, law.d)
        squares = [_to_marginal(np.sort(a @ t), law.projected(t)) for t in theta]
    else:
        b = samples(target, "target")
        same_width(a, b.shape[1])
        coupling = _Coupling.monotone(len(a), len(b))
        squares = [coupling.cost(np.sort(a @ t), np.sort(b @ t), 2.0) for t in theta]
    return float(np.sqrt(np.mean(squares)))


def _line(x: FloatArray) -> FloatArray:
    same_width(x, 1, "the line")
    return x[:, 0]


def _directions(d: int, n: int, seed: Seed) -> FloatArray:
    """Unit vectors (n, d), in orthonormal blocks."""
    if d == 1:
        return np.ones((1, 1))
    rng, _ = generator(seed)
    blocks = [np.linalg.qr(rng.standard_normal((d, d)))[0].T for _ in range(-(-n // d))]
    return np.concatenate(blocks)[:n]


@dataclass(frozen=True, eq=False)
class _Coupling:
    """Which quantiles of two sorted samples meet, and how much of the mass."""

    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]
    mass: FloatArray

    @classmethod
    def monotone(cls, n: int, m: int) -> _Coupling:
        if n == m:
            return cls(np.arange(n), np.arange(n), np.full(n, 1 / n))
        # integer positions: i/n and j/m coincide exactly where they should
        cuts = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
        return cls((cuts - 1) // m, (cuts - 1) // n, np.diff(cuts, prepend=0) / (n * m))

    def cost(self, a: FloatArray, b: FloatArray, order: float) -> float:
        """The integral over u of |F^-1 - G^-1|^order."""
        return float(np.abs(a[self.first] - b[self.second]) ** order @ self.mass)


def _to_marginal(a: FloatArray, law: Marginal) -> float:
    """W2 squared of a sorted sample to an exact law.

    Between two quantiles i/n and (i+1)/n the law has the mean t_i, so W2² = sum (x_i - t_i)²/n + Var Y - sum t_i²/n,
    with everything measured from the mean of the law.
    """
    n, centre = len(a), law.mean
    moved = Marginal(law.weights, law.means - centre, law.scales)
    edges = np.concatenate([[-np.inf], moved.quantile(np.arange(1, n) / n), [np.inf]])
    t = n * np.diff(moved.partial_mean(edges))
    return float(np.mean((a - centre - t) ** 2) + max(0.0, law.variance - float(np.mean(t * t))))
