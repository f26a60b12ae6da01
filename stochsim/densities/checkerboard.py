"""The checkerboard: the dark squares of a board of four by four, blurred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.columns.ops import (
    absolute,
    dot,
    exp,
    expm1,
    join,
    log,
    logsumexp,
    matvec,
    matvec_transposed,
    repeat,
    rows,
    segment_sums,
    softmax,
    total,
    where,
)
from stochsim.densities.checks import generator, noise_levels, positive
from stochsim.densities.normal_tail import erfcx
from stochsim.densities.record import Density, registered

__all__ = ["Checkerboard"]

SQUARES = np.array([(i, j) for i in range(4) for j in range(4) if (i + j) % 2 == 0])  # column, row of dark squares
PICK = np.eye(4)[SQUARES]  # (8, 2, 4)
INVERSE_ROOT_PI = float(1.0 / np.sqrt(np.pi))


@dataclass(frozen=True, eq=False)
class CheckerboardTarget:
    """Formulas: blurred stripes D = Φ((x - low) / σ) - Φ((x - high) / σ), four a component; products are squares.

    With k = 1 / (σ √2), u the distance to the middle of a stripe and h its half width: D has its edges at
    a = k (u - h) and b = k (u + h), and b² - a² = 4 k² u h. The stripes of both components stand in eight rows.
    """

    middles: np.ndarray  # (8, 1)
    half: float
    k: float
    log_normaliser: float
    pick: np.ndarray  # (8, 8), which two stripes make which square
    pick_x: np.ndarray  # (8, 4)
    pick_y: np.ndarray  # (8, 4)

    def _edges(self, x: Any) -> tuple[Any, Any, Any, Any]:
        offset = repeat(x, 4) - self.middles
        u = absolute(offset)
        a, b = self.k * (u - self.half), self.k * (u + self.half)
        return offset, a, b, -4.0 * self.k**2 * self.half * u

    def _log_stripes(self, edges: tuple[Any, Any, Any, Any]) -> Any:
        """The logarithms of all D, (8, n)."""
        _, a, b, gap = edges
        tails = erfcx(join(absolute(a), b))
        near, far = 0.5 * rows(tails, 0, 8), 0.5 * exp(gap) * rows(tails, 8, 16)
        outside, square = a > 0.0, a * a
        return log(where(outside, near - far, 1.0 - exp(-square) * (near + far))) - where(outside, square, 0.0)

    def _height(self, edges: tuple[Any, Any, Any, Any], log_stripes: Any) -> Any:
        """The number k e^(-a²) / (√π D) of each stripe, (8, n)."""
        return self.k * INVERSE_ROOT_PI * exp(-(edges[1] * edges[1]) - log_stripes)

    def _slopes(self, edges: tuple[Any, Any, Any, Any], height: Any) -> Any:
        """D' / D, (8, n)."""
        return height * expm1(edges[3]) * where(edges[0] < 0.0, -1.0, 1.0)

    def _bends(self, edges: tuple[Any, Any, Any, Any], height: Any) -> Any:
        """D'' / D, (8, n)."""
        _, a, b, gap = edges
        return 2.0 * self.k * height * (a - b * exp(gap))

    def _both(self, stripes: Any, shares: Any) -> Any:
        """Sums over the stripes of each component, with the weights of the squares: (8, n), (8, n) -> (2, n)."""
        return segment_sums(matvec_transposed(self.pick, shares) * stripes, 4)

    def log_prob(self, x: Any) -> Any:
        return self.log_normaliser + logsumexp(matvec(self.pick, self._log_stripes(self._edges(x))))

    def score(self, x: Any) -> Any:
        return self.log_prob_and_score(x)[1]

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        edges = self._edges(x)
        log_stripes = self._log_stripes(edges)
        shares, log_mass = softmax(matvec(self.pick, log_stripes))
        slopes = self._slopes(edges, self._height(edges, log_stripes))
        return self.log_normaliser + log_mass, self._both(slopes, shares)

    def _second(self, x: Any) -> tuple[Any, Any, Any]:
        """The score, ∂²p/p along each component, and across."""
        edges = self._edges(x)
        log_stripes = self._log_stripes(edges)
        shares = softmax(matvec(self.pick, log_stripes))[0]
        height = self._height(edges, log_stripes)
        slopes = self._slopes(edges, height)
        products = matvec(self.pick_x, rows(slopes, 0, 4)) * matvec(self.pick_y, rows(slopes, 4, 8))
        along = self._both(self._bends(edges, height), shares)
        return self._both(slopes, shares), along, total(shares * products)

    def hessian_vector(self, x: Any, v: Any) -> Any:
        score, along, across = self._second(x)
        return along * v + across * join(rows(v, 1, 2), rows(v, 0, 1)) - score * dot(score, v)

    def laplacian(self, x: Any) -> Any:
        score, along, _ = self._second(x)
        return total(along) - dot(score, score)


@registered(lambda: Checkerboard(noise=0.1), lambda: Checkerboard(noise=1.5, width=0.7))
class Checkerboard(Density):
    """Uniform on the eight dark squares of a 4 × 4 board around the origin, plus N(0, noise² I).

    The sharp board has no score; the blurred one has, in closed form, and is closed under scaling and noise.

    Parameters
    ----------
    noise : float
        Standard deviation of the blur.
    width : float
        Side of a square.

    Raises
    ------
    ParameterError
        If noise or width is not positive.
    """

    d = 2

    def __init__(self, noise: float = 0.05, width: float = 1.0) -> None:
        self.noise, self.width = positive("noise", noise), positive("width", width)
        self._middles = self.width * np.array([-1.5, -0.5, 0.5, 1.5])
        log_normaliser = -float(np.log(8.0) + 2.0 * np.log(self.width))
        k = 1.0 / (self.noise * np.sqrt(2.0))
        pick_x, pick_y = PICK[:, 0].copy(), PICK[:, 1].copy()
        self.target = CheckerboardTarget(
            np.tile(self._middles, 2)[:, None],
            self.width / 2.0,
            float(k),
            log_normaliser,
            np.concatenate([pick_x, pick_y], axis=1),
            pick_x,
            pick_y,
        )

    @property
    def mean(self) -> np.ndarray:
        """E x = 0, shape (2,)."""
        return np.zeros(2)

    @property
    def covariance(self) -> np.ndarray:
        """Cov x, shape (2, 2): variances 4/3 width² + noise², covariance 1/4 width²."""
        return self.width**2 * np.array([[4 / 3, 0.25], [0.25, 4 / 3]]) + self.noise**2 * np.eye(2)

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Exact draws, shape (n, 2)."""
        rng = generator(seed)
        corner = self._middles[SQUARES[rng.integers(8, size=n)]]
        within = self.width * (rng.random((n, 2)) - 0.5)
        return np.asarray(corner + within + self.noise * rng.standard_normal((n, 2)))

    def noised(self, alpha: float, sigma: float) -> Checkerboard:
        """The law of alpha x + sigma z with z standard normal: a board of other sizes.

        Parameters
        ----------
        alpha : float
            Not 0; the board is symmetric, so the sign does not matter.
        sigma : float
        """
        alpha, sigma = noise_levels(alpha, sigma)
        return Checkerboard(float(np.hypot(alpha * self.noise, sigma)), abs(alpha) * self.width)
