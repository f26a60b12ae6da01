"""Rates of forgetting β(t) on [0, t_end], with their integrals: shared by Gaussian and discrete diffusion.

A schedule says how fast the data is forgotten: a Gaussian process keeps the factor exp(-½ ∫β), a jump process
leaves a symbol alone with probability exp(-∫β).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stochsim.errors import ParameterError

__all__ = ["Constant", "Cosine", "Geometric", "LinearBeta", "LogLinear", "Schedule"]


class Schedule(Protocol):
    """A rate with its integral and the inverse of that; times are numbers or arrays."""

    @property
    def t_end(self) -> float:
        """The last time."""

    def rate(self, t: Any) -> Any:
        """β(t)."""

    def integral(self, t: Any) -> Any:
        """∫₀ᵗ β."""

    def time(self, integral: Any) -> Any:
        """The time at which the integral has this value."""


@dataclass(frozen=True)
class Constant:
    """β(t) = beta.

    Parameters
    ----------
    beta : float
    t_end : float
    """

    beta: float = 1.0
    t_end: float = 1.0

    def __post_init__(self) -> None:
        require_positive(beta=self.beta, t_end=self.t_end)

    def rate(self, t: Any) -> Any:
        """β(t)."""
        return self.beta + 0.0 * t

    def integral(self, t: Any) -> Any:
        """∫₀ᵗ β."""
        return self.beta * t

    def time(self, integral: Any) -> Any:
        """The time at which the integral has this value."""
        return integral / self.beta


@dataclass(frozen=True)
class LinearBeta:
    """β(t) = beta_min + (beta_max - beta_min) t (Ho, Jain & Abbeel 2020; Song et al. 2021, eq. 32).

    Parameters
    ----------
    beta_min, beta_max : float
    t_end : float
    """

    beta_min: float = 0.1
    beta_max: float = 20.0
    t_end: float = 1.0

    def __post_init__(self) -> None:
        require_positive(beta_min=self.beta_min, beta_max=self.beta_max, t_end=self.t_end)

    def rate(self, t: Any) -> Any:
        """β(t)."""
        return self.beta_min + (self.beta_max - self.beta_min) * t

    def integral(self, t: Any) -> Any:
        """∫₀ᵗ β."""
        return self.beta_min * t + 0.5 * (self.beta_max - self.beta_min) * t**2

    def time(self, integral: Any) -> Any:
        """The time at which the integral has this value."""
        slope = self.beta_max - self.beta_min
        return 2.0 * integral / (self.beta_min + np.sqrt(self.beta_min**2 + 2.0 * slope * integral))


@dataclass(frozen=True)
class Cosine:
    """exp(-½ ∫β) = cos(π/2 (t + s)/(1 + s)) / cos(π/2 s/(1 + s)) (Nichol & Dhariwal 2021, eq. 17).

    Parameters
    ----------
    s : float
        Offset, which keeps β(0) from zero.
    t_end : float
        Below 1, where everything is forgotten: 0.9946 in Lu et al. 2022 (appendix D.4).
    """

    s: float = 0.008
    t_end: float = 0.9946

    def __post_init__(self) -> None:
        require_positive(s=self.s, t_end=self.t_end)
        if not self.t_end < 1.0:
            raise ParameterError(f"t_end is {self.t_end!r}; the cosine schedule forgets all at 1, give less")

    def _angle(self, t: Any) -> Any:
        return 0.5 * np.pi * (t + self.s) / (1.0 + self.s)

    def rate(self, t: Any) -> Any:
        """β(t)."""
        return np.pi / (1.0 + self.s) * np.tan(self._angle(t))

    def integral(self, t: Any) -> Any:
        """∫₀ᵗ β."""
        # cos(a) / cos(a₀) = 1 - 2 sin((a - a₀)/2) sin((a + a₀)/2) / cos(a₀): no cancellation at t = 0
        turn, first = 0.5 * np.pi * t / (1.0 + self.s), self._angle(0.0)
        lost = 2.0 * np.sin(0.5 * turn) * np.sin(0.5 * turn + first) / np.cos(first)
        return -2.0 * np.log1p(-lost)

    def time(self, integral: Any) -> Any:
        """The time at which the integral has this value."""
        c0, s0 = np.cos(self._angle(0.0)), np.sin(self._angle(0.0))
        kept, lost = np.exp(-0.5 * integral), -np.expm1(-integral)
        cosine, sine = c0 * kept, np.sqrt(s0**2 + c0**2 * lost)
        # sin(a - a₀) = cos(a₀) (sin(a) - kept sin(a₀)), and the difference is lost/(sum): no cancellation
        turn = np.arctan2(c0 * lost / (sine + kept * s0), cosine * c0 + sine * s0)
        return (1.0 + self.s) * 2.0 / np.pi * turn


@dataclass(frozen=True)
class LogLinear:
    """exp(-∫β) = 1 - (1 - rest) t: symbols are lost at a constant pace (Lou, Meng & Ermon 2024, section 5.1).

    Parameters
    ----------
    rest : float
        What is left at t = 1, in (0, 1).
    t_end : float
    """

    rest: float = 1e-3
    t_end: float = 1.0

    def __post_init__(self) -> None:
        require_positive(rest=self.rest, t_end=self.t_end)
        if not (self.rest < 1.0 and self.t_end <= 1.0):
            raise ParameterError(f"rest is {self.rest!r} and t_end {self.t_end!r}; give rest below 1, t_end at most 1")

    def rate(self, t: Any) -> Any:
        """β(t)."""
        return (1.0 - self.rest) / (1.0 - (1.0 - self.rest) * t)

    def integral(self, t: Any) -> Any:
        """∫₀ᵗ β."""
        return -np.log1p(-(1.0 - self.rest) * t)

    def time(self, integral: Any) -> Any:
        """The time at which the integral has this value."""
        return -np.expm1(-integral) / (1.0 - self.rest)


@dataclass(frozen=True)
class Geometric:
    """∫β = first (last/first)^t - first (Lou, Meng & Ermon 2024, section 5.1).

    Parameters
    ----------
    first, last : float
        Positive, first below last.
    t_end : float
    """

    first: float = 1e-3
    last: float = 20.0
    t_end: float = 1.0

    def __post_init__(self) -> None:
        require_positive(first=self.first, last=self.last, t_end=self.t_end)
        if not self.first < self.last:
            raise ParameterError(f"first is {self.first!r} and last {self.last!r}; give first below last")

    def rate(self, t: Any) -> Any:
        """β(t)."""
        return self.first * np.log(self.last / self.first) * (self.last / self.first) ** t

    def integral(self, t: Any) -> Any:
        """∫₀ᵗ β."""
        return self.first * np.expm1(t * np.log(self.last / self.first))

    def time(self, integral: Any) -> Any:
        """The time at which the integral has this value."""
        return np.log1p(integral / self.first) / np.log(self.last / self.first)


def require_positive(**values: float) -> None:
    """Refuse numbers that are not positive and finite.

    Raises
    ------
    ParameterError
        Naming the first one.
    """
    for name, value in values.items():
        if not (value > 0.0 and np.isfinite(value)):
            raise ParameterError(f"{name} is {value!r}; give a positive number")
