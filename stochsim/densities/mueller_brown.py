"""The Müller-Brown surface: three wells in the plane, joined by crooked valleys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.columns.ops import exp, row, stack, total
from stochsim.densities.checks import positive
from stochsim.densities.numerical import Numerical
from stochsim.densities.record import registered

__all__ = ["MuellerBrown"]


def _column(*numbers: float) -> np.ndarray:
    return np.array(numbers)[:, None]


@dataclass(frozen=True, eq=False)
class MuellerBrownTarget:
    """Formulas of U = Σ_k A_k exp(a_k dx² + b_k dx dy + c_k dy²); columns (4, 1) hold one number a term."""

    beta: float  # 1 / temperature
    A: np.ndarray
    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    x: np.ndarray
    y: np.ndarray

    def _terms(self, z: Any) -> tuple[Any, Any, Any]:
        """The terms of -U / T and the gradients of their exponents."""
        dx, dy = row(z, 0) - self.x, row(z, 1) - self.y
        terms = -self.beta * self.A * exp(self.a * (dx * dx) + self.b * (dx * dy) + self.c * (dy * dy))
        return terms, 2.0 * self.a * dx + self.b * dy, self.b * dx + 2.0 * self.c * dy

    def log_prob(self, x: Any) -> Any:
        return total(self._terms(x)[0])

    def score(self, x: Any) -> Any:
        return self.log_prob_and_score(x)[1]

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        e, gx, gy = self._terms(x)
        return total(e), stack(total(e * gx), total(e * gy))

    def hessian_vector(self, x: Any, v: Any) -> Any:
        e, gx, gy = self._terms(x)
        v0, v1 = row(v, 0), row(v, 1)
        along = gx * v0 + gy * v1
        first = total(e * (gx * along + 2.0 * self.a * v0 + self.b * v1))
        return stack(first, total(e * (gy * along + self.b * v0 + 2.0 * self.c * v1)))

    def laplacian(self, x: Any) -> Any:
        e, gx, gy = self._terms(x)
        return total(e * (gx * gx + gy * gy + 2.0 * (self.a + self.c)))


@registered(lambda: MuellerBrown(), lambda: MuellerBrown(temperature=100.0))
class MuellerBrown(Numerical):
    """p(x) ∝ exp(-U(x) / temperature), U of Müller and Brown (1979), table 1.

    Not normalised; normaliser, moments and draws come by quadrature.

    Parameters
    ----------
    temperature : float
        In units of U, whose barriers are about 106 (out of the deep well) and 26 high.

    Raises
    ------
    ParameterError
        If temperature is not positive.
    """

    d = 2
    normalised = False
    domain = ((-6.0, 5.0), (-4.0, 6.0))

    def __init__(self, temperature: float = 20.0) -> None:
        self.temperature = positive("temperature", temperature)
        self.target = MuellerBrownTarget(
            1.0 / self.temperature,
            _column(-200.0, -100.0, -170.0, 15.0),
            _column(-1.0, -1.0, -6.5, 0.7),
            _column(0.0, 0.0, 11.0, 0.6),
            _column(-10.0, -10.0, -6.5, 0.7),
            _column(1.0, 0.0, -0.5, -1.0),
            _column(0.0, 0.5, 1.5, 1.0),
        )
