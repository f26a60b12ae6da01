"""The banana: a Gaussian bent along a parabola."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.columns.ops import join, row, rows, squared_norm, stack
from stochsim.densities.checks import dimension, generator, number, positive
from stochsim.densities.gaussian import LOG_2PI
from stochsim.densities.record import Density, registered

__all__ = ["Banana"]


@dataclass(frozen=True, eq=False)
class BananaTarget:
    """Formulas; c = x₁ + b (x₀² - s²) is standard normal and independent of x₀."""

    bend: float
    variance: float  # of x₀
    log_normaliser: float
    size: tuple[int]  # (d,): a tuple, so that it is part of the text

    def _straight(self, x: Any) -> tuple[Any, Any]:
        x0 = row(x, 0)
        return x0, row(x, 1) + self.bend * (x0 * x0 - self.variance)

    def _joined(self, first: Any, second: Any, others: Any) -> Any:
        """Numbers of the first two rows above those rows of a vector that come after them, with their sign changed."""
        top = stack(first, second)
        return join(top, -rows(others, 2, self.size[0])) if self.size[0] > 2 else top

    def log_prob(self, x: Any) -> Any:
        x0, c = self._straight(x)
        square = x0 * x0 / self.variance + c * c
        if self.size[0] > 2:
            square = square + squared_norm(rows(x, 2, self.size[0]))
        return self.log_normaliser - 0.5 * square

    def score(self, x: Any) -> Any:
        x0, c = self._straight(x)
        return self._joined(-x0 / self.variance - 2.0 * self.bend * (x0 * c), -c, x)

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        return self.log_prob(x), self.score(x)

    def hessian_vector(self, x: Any, v: Any) -> Any:
        x0, c = self._straight(x)
        v0 = row(v, 0)
        along = row(v, 1) + 2.0 * self.bend * (x0 * v0)  # derivative of c
        return self._joined(-v0 / self.variance - 2.0 * self.bend * (c * v0 + x0 * along), -along, v)

    def laplacian(self, x: Any) -> Any:
        x0, c = self._straight(x)
        constant = 1.0 / self.variance + (self.size[0] - 1)
        return -constant - 2.0 * self.bend * c - 4.0 * self.bend**2 * (x0 * x0)


@registered(lambda: Banana(bend=0.5, spread=1.2), lambda: Banana(d=4))
class Banana(Density):
    """The twisted Gaussian of Haario, Saksman and Tamminen (1999), centred.

    x₀ ~ N(0, spread²), x₁ = e₁ - bend (x₀² - spread²), and the other components standard normal. The map has
    Jacobian 1, so the density, its moments and its draws are exact in any dimension.

    Parameters
    ----------
    bend : float
        Curvature; 0.03 with spread 10 is the paper's moderate case, 0.1 the strong one.
    spread : float
        Standard deviation of the first component.
    d : int
        Number of components, at least 2.

    Raises
    ------
    ParameterError
        If spread is not positive, or d below 2.
    """

    def __init__(self, bend: float = 0.03, spread: float = 10.0, d: int = 2) -> None:
        self.bend, self.spread, self.d = number("bend", bend), positive("spread", spread), dimension(d, at_least=2)
        log_normaliser = -float(np.log(self.spread)) - 0.5 * self.d * LOG_2PI
        self.target = BananaTarget(self.bend, self.spread**2, log_normaliser, (self.d,))

    @property
    def mean(self) -> np.ndarray:
        """E x = 0, shape (d,)."""
        return np.zeros(self.d)

    @property
    def covariance(self) -> np.ndarray:
        """Cov x, shape (d, d): spread², then 1 + 2 bend² spread⁴, then ones."""
        variances = np.ones(self.d)
        variances[:2] = self.spread**2, 1.0 + 2.0 * self.bend**2 * self.spread**4
        return np.diag(variances)

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Exact draws, shape (n, d)."""
        x = generator(seed).standard_normal((n, self.d))
        x[:, 0] *= self.spread
        x[:, 1] -= self.bend * (x[:, 0] ** 2 - self.spread**2)
        return x
