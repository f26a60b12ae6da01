"""The benchmark problems, and the exact law of their Euler-Maruyama end values."""

from __future__ import annotations

from dataclasses import dataclass

T_END = 1.0


@dataclass(frozen=True)
class Law:
    """Mean and variance of one component."""

    mean: float
    variance: float


STANDARD_NORMAL = Law(0.0, 1.0)


@dataclass(frozen=True)
class Problem:
    """dX_i = rate X_i dt + noise dW_i (additive) or noise X_i dW_i, independent components, X_i(0) = 1.

    Attributes
    ----------
    name : str
    rate, noise : float
        Drift rate and noise amplitude.
    multiplicative : bool
        Whether the noise is multiplied by X_i.
    d : int
        Components, one Brownian motion each.
    n_steps : int
        Equal steps from 0 to ``T_END``.
    """

    name: str
    rate: float
    noise: float
    multiplicative: bool
    d: int
    n_steps: int

    @property
    def h(self) -> float:
        return T_END / self.n_steps

    def euler_law(self) -> Law:
        """Law of a component after all steps, from the recursions of E X and E X^2 under Euler-Maruyama."""
        growth, spread = 1.0 + self.rate * self.h, self.noise**2 * self.h
        mean, square = 1.0, 1.0
        for _ in range(self.n_steps):
            square = growth**2 * square + spread * (square if self.multiplicative else 1.0)
            mean *= growth
        return Law(mean, square - mean**2)


def problem(name: str, n_steps: int) -> Problem:
    """Scalar geometric Brownian motion (``"gbm"``) or a 10-dimensional Ornstein-Uhlenbeck process (``"ou"``)."""
    if name == "gbm":
        return Problem("gbm", 0.05, 0.2, True, 1, n_steps)
    if name == "ou":
        return Problem("ou", -1.0, 0.5, False, 10, n_steps)
    raise ValueError(f"problem is {name!r}; give 'gbm' or 'ou'")


def paths_of(name: str, small: bool) -> int:
    """Paths of a full-size run: 1e8 component-steps over 1000 steps for either problem."""
    full = {"gbm": 100_000, "ou": 10_000}[name]
    return full // 10 if small else full
