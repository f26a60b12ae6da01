"""A density to a power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stochsim.densities.checks import positive
from stochsim.densities.numerical import Numerical
from stochsim.densities.record import Density, Target

__all__ = ["Tempered"]


@dataclass(frozen=True, eq=False)
class TemperedTarget:
    """Formulas of β log p."""

    base: Target
    beta: float

    def log_prob(self, x: Any) -> Any:
        return self.beta * self.base.log_prob(x)

    def score(self, x: Any) -> Any:
        return self.beta * self.base.score(x)

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        log_p, score = self.base.log_prob_and_score(x)
        return self.beta * log_p, self.beta * score

    def hessian_vector(self, x: Any, v: Any) -> Any:
        return self.beta * self.base.hessian_vector(x, v)

    def laplacian(self, x: Any) -> Any:
        return self.beta * self.base.laplacian(x)


class Tempered(Numerical):
    """The law proportional to p^beta: not normalised; moments and draws by quadrature for d <= 2.

    Parameters
    ----------
    base : Density
    beta : float
        Inverse temperature.

    Raises
    ------
    ParameterError
        If beta is not positive.
    """

    normalised = False

    def __init__(self, base: Density, beta: float) -> None:
        self.base, self.beta, self.d = base, positive("beta", beta), base.d
        self.target = TemperedTarget(base.target, self.beta)
        self.domain = getattr(base, "domain", None)

    @property
    def name(self) -> str:
        """How it is called in tables and titles."""
        return f"{self.base.name}^{self.beta:g}"
