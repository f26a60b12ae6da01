"""What a forward process is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from stochsim.errors import ParameterError

__all__ = ["Exploding", "Forward", "GaussianKernel", "Process"]


class Forward(ABC):
    """Any forward process: it knows the law of the data at each time.

    Attributes
    ----------
    t_min : float
        Where grids end unless said otherwise.
    t_end : float
        Where they start; no time is above it.
    centre : float or ndarray, shape (d,)
        Samplers see x - centre, of which all formulas hold; 0 except for mean-reverting processes.
    space : {"data", "phase"}
        Columns are points (d, n), or positions above velocities (2d, n).
    """

    t_min: float
    centre: Any = 0.0
    space: ClassVar[str] = "data"

    @property
    @abstractmethod
    def t_end(self) -> float:
        """The last time."""

    @abstractmethod
    def noised(self, target: Any, t: float) -> Any:
        """The law of the data at time t: a density, or what has its ``d``, ``mean`` and ``target``."""

    @abstractmethod
    def prior_std(self, t: float, d: int) -> np.ndarray:
        """Standard deviations of columns without data at time t, shape (rows, 1)."""

    def check_grid(self, grid: Any) -> np.ndarray:
        """The grid as an array of floats, if a sampler can walk along it.

        Parameters
        ----------
        grid : array_like, shape (n_steps + 1,)
            Times, both ends included: falling to generate, rising to encode.

        Raises
        ------
        ParameterError
            If the times are not strictly monotone (the first place is named), or leave [0, t_end].
        """
        times = np.asarray(grid, dtype=float)
        if times.ndim != 1 or len(times) < 2:
            raise ParameterError(f"grid has shape {times.shape}; give at least two times, both ends included")
        steps = np.diff(times)
        wrong = np.flatnonzero(~(steps < 0.0) if times[-1] < times[0] else ~(steps > 0.0))
        if len(wrong):
            i = int(wrong[0])
            said = "repeats a time" if steps[i] == 0.0 else "turns"
            raise ParameterError(
                f"grid {said} between places {i} and {i + 1} ({times[i]:g}, {times[i + 1]:g}); give times that only "
                "fall (or only rise, to encode)"
            )
        if times.min() < 0.0 or times.max() > self.t_end * (1.0 + 1e-12):
            raise ParameterError(
                f"grid runs from {times[0]:g} to {times[-1]:g}, outside of [0, {self.t_end:g}], where "
                f"{type(self).__name__} is defined"
            )
        return times


class Process(Forward):
    """A forward process with levels: x_t = α(t) x_0 + σ(t) z."""

    def prior_std(self, t: float, d: int) -> np.ndarray:
        """σ(t), shape (d, 1)."""
        return np.full((d, 1), float(self.sigma(t)))

    @abstractmethod
    def alpha(self, t: Any) -> Any:
        """Signal level α(t)."""

    @abstractmethod
    def sigma(self, t: Any) -> Any:
        """Noise level σ(t)."""

    @abstractmethod
    def lam(self, t: Any) -> Any:
        """λ(t) = log(α/σ), half the logarithm of the signal-to-noise ratio; infinite without noise."""

    @abstractmethod
    def t_of_lam(self, lam: Any) -> Any:
        """The time at which log(α/σ) has this value."""

    @abstractmethod
    def alpha_dot(self, t: Any) -> Any:
        """dα/dt."""

    @abstractmethod
    def sigma_dot(self, t: Any) -> Any:
        """dσ/dt."""

    @abstractmethod
    def f(self, t: Any) -> Any:
        """Drift coefficient f(t) = d log α/dt."""

    @abstractmethod
    def g2(self, t: Any) -> Any:
        """Squared diffusion coefficient g(t)²."""


class GaussianKernel(Process):
    """A process whose z is standard normal."""

    def noised(self, target: Any, t: float) -> Any:
        """The law of the data at time t: a density."""
        return target.noised(float(self.alpha(t)), float(self.sigma(t)))


class Exploding(Process):
    """α = 1: what variance-exploding processes share."""

    def alpha(self, t: Any) -> Any:
        """1."""
        return 1.0 + 0.0 * t

    def lam(self, t: Any) -> Any:
        """-log σ."""
        with np.errstate(divide="ignore"):
            return -np.log(self.sigma(t))

    def alpha_dot(self, t: Any) -> Any:
        """0."""
        return 0.0 * t

    def f(self, t: Any) -> Any:
        """0."""
        return 0.0 * t

    def g2(self, t: Any) -> Any:
        """dσ²/dt."""
        return 2.0 * self.sigma(t) * self.sigma_dot(t)
