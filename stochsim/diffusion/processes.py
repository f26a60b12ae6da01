"""Forward processes x_t = α(t) x_0 + σ(t) z, in continuous time: they forget the data as t grows from 0 to t_end.

Signal and noise levels are functions of a time or of an array of times; λ = log(α/σ) falls along the process. The
forward equation is dx = f x dt + g dW with f = α'/α and g² = 2 σ (σ' - f σ); the probability flow is
dx/dt = α' E[x_0|x] + σ' E[z|x].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stochsim.diffusion.forward import Exploding, GaussianKernel
from stochsim.schedules import LinearBeta, Schedule, require_positive

__all__ = ["EDM", "VE", "VP", "Flow", "MeanReverting", "SubVP"]


@dataclass(frozen=True)
class VP(GaussianKernel):
    """Variance preserving: α = exp(-½ ∫β), σ² = 1 - α² (Song et al. 2021, eqs. 11 and 29).

    Parameters
    ----------
    schedule : Schedule
        The rate β(t); linear from 0.1 to 20 unless given, `stochsim.schedules.Cosine()` for the cosine schedule.
    t_min : float
    """

    schedule: Schedule = field(default_factory=LinearBeta)
    t_min: float = 1e-3

    @property
    def t_end(self) -> float:
        """The last time."""
        return self.schedule.t_end

    def alpha(self, t: Any) -> Any:
        """α(t)."""
        return np.exp(-0.5 * self.schedule.integral(t))

    def sigma(self, t: Any) -> Any:
        """σ(t)."""
        return np.sqrt(-np.expm1(-self.schedule.integral(t)))

    def lam(self, t: Any) -> Any:
        """log(α/σ)."""
        with np.errstate(divide="ignore"):
            return -0.5 * np.log(np.expm1(self.schedule.integral(t)))

    def t_of_lam(self, lam: Any) -> Any:
        """The time of a λ."""
        return self.schedule.time(np.logaddexp(0.0, -2.0 * lam))

    def alpha_dot(self, t: Any) -> Any:
        """dα/dt."""
        return self.f(t) * self.alpha(t)

    def sigma_dot(self, t: Any) -> Any:
        """dσ/dt; infinite at 0."""
        with np.errstate(divide="ignore"):
            return 0.5 * self.schedule.rate(t) * self.alpha(t) ** 2 / self.sigma(t)

    def f(self, t: Any) -> Any:
        """-β/2."""
        return -0.5 * self.schedule.rate(t)

    def g2(self, t: Any) -> Any:
        """β."""
        return self.schedule.rate(t)


@dataclass(frozen=True)
class SubVP(GaussianKernel):
    """Sub-variance preserving: α = exp(-½ ∫β), σ = 1 - α² (Song et al. 2021, eqs. 13 and 29).

    Parameters
    ----------
    schedule : Schedule
    t_min : float
    """

    schedule: Schedule = field(default_factory=LinearBeta)
    t_min: float = 1e-3

    @property
    def t_end(self) -> float:
        """The last time."""
        return self.schedule.t_end

    def alpha(self, t: Any) -> Any:
        """α(t)."""
        return np.exp(-0.5 * self.schedule.integral(t))

    def sigma(self, t: Any) -> Any:
        """σ(t)."""
        return -np.expm1(-self.schedule.integral(t))

    def lam(self, t: Any) -> Any:
        """log(α/σ)."""
        with np.errstate(divide="ignore"):
            return -0.5 * self.schedule.integral(t) - np.log(self.sigma(t))

    def t_of_lam(self, lam: Any) -> Any:
        """The time of a λ: α = (√(1 + 4r²) - 1)/(2r) with r = e^λ."""
        # asinh(1/(2r)) = -log α: no cancellation where α is near 1
        return self.schedule.time(2.0 * np.arcsinh(0.5 * np.exp(-np.asarray(lam, dtype=float)))[()])

    def alpha_dot(self, t: Any) -> Any:
        """dα/dt."""
        return self.f(t) * self.alpha(t)

    def sigma_dot(self, t: Any) -> Any:
        """dσ/dt."""
        return self.schedule.rate(t) * self.alpha(t) ** 2

    def f(self, t: Any) -> Any:
        """-β/2."""
        return -0.5 * self.schedule.rate(t)

    def g2(self, t: Any) -> Any:
        """β (1 - exp(-2 ∫β))."""
        return -self.schedule.rate(t) * np.expm1(-2.0 * self.schedule.integral(t))


@dataclass(frozen=True)
class VE(Exploding, GaussianKernel):
    """Variance exploding: α = 1, σ = sigma_min (sigma_max/sigma_min)^t (Song et al. 2021, eq. 30).

    Parameters
    ----------
    sigma_min, sigma_max : float
    t_min : float
    t_end : float
    """

    sigma_min: float = 0.01
    sigma_max: float = 50.0
    t_min: float = 0.0
    t_end: float = 1.0

    def __post_init__(self) -> None:
        require_positive(sigma_min=self.sigma_min, sigma_max=self.sigma_max, t_end=self.t_end)

    def sigma(self, t: Any) -> Any:
        """σ(t)."""
        return self.sigma_min * (self.sigma_max / self.sigma_min) ** t

    def sigma_dot(self, t: Any) -> Any:
        """dσ/dt."""
        return self.sigma(t) * np.log(self.sigma_max / self.sigma_min)

    def t_of_lam(self, lam: Any) -> Any:
        """The time of a λ."""
        return (-lam - np.log(self.sigma_min)) / np.log(self.sigma_max / self.sigma_min)


@dataclass(frozen=True)
class EDM(Exploding, GaussianKernel):
    """α = 1, σ = t (Karras et al. 2022, table 1).

    Parameters
    ----------
    t_min, t_end : float
        The least and largest noise level.
    """

    t_min: float = 0.002
    t_end: float = 80.0

    def __post_init__(self) -> None:
        require_positive(t_end=self.t_end)

    def sigma(self, t: Any) -> Any:
        """σ = t."""
        return 1.0 * t

    def sigma_dot(self, t: Any) -> Any:
        """1."""
        return 1.0 + 0.0 * t

    def t_of_lam(self, lam: Any) -> Any:
        """e^-λ."""
        return np.exp(-lam)


@dataclass(frozen=True)
class Flow(GaussianKernel):
    """Rectified flow: α = 1 - u, σ = u with u = s t/(1 + (s - 1) t) (Liu, Gong & Liu 2023; Esser et al. 2024, eq. 23).

    The data is at t = 0 and the noise at t = 1, as for every process here.

    Parameters
    ----------
    shift : float
        s above 1 moves steps towards the noise.
    t_min, t_end : float
    """

    shift: float = 1.0
    t_min: float = 0.0
    t_end: float = 1.0

    def __post_init__(self) -> None:
        require_positive(shift=self.shift)

    def sigma(self, t: Any) -> Any:
        """σ(t) = u."""
        return self.shift * t / (1.0 + (self.shift - 1.0) * t)

    def alpha(self, t: Any) -> Any:
        """α(t) = 1 - u."""
        return (1.0 - t) / (1.0 + (self.shift - 1.0) * t)

    def lam(self, t: Any) -> Any:
        """log((1 - t)/(s t))."""
        with np.errstate(divide="ignore"):
            return np.log1p(-np.asarray(t, dtype=float))[()] - np.log(self.shift * np.asarray(t, dtype=float))[()]

    def t_of_lam(self, lam: Any) -> Any:
        """The time of a λ."""
        return 1.0 / (1.0 + self.shift * np.exp(lam))

    def sigma_dot(self, t: Any) -> Any:
        """du/dt."""
        return self.shift / (1.0 + (self.shift - 1.0) * t) ** 2

    def alpha_dot(self, t: Any) -> Any:
        """-du/dt."""
        return -self.sigma_dot(t)

    def f(self, t: Any) -> Any:
        """-u'/(1 - u); infinite at 1."""
        with np.errstate(divide="ignore"):
            return -self.sigma_dot(t) / np.asarray(self.alpha(t))[()]

    def g2(self, t: Any) -> Any:
        """2 u u'/(1 - u); infinite at 1."""
        return -2.0 * self.sigma(t) * self.f(t)


@dataclass(frozen=True)
class MeanReverting(GaussianKernel):
    """dx = ½β (μ - x) dt + std √β dW: noise gathers about μ instead of 0 (IR-SDE: Luo et al. 2023, eqs. 3 and 6).

    Samplers see y = x - μ, where α = exp(-½ ∫β) and σ² = std² (1 - α²); so the terms with μ of the paper vanish.

    Parameters
    ----------
    centre : float or array_like, shape (d,)
        μ.
    std : float
        Standard deviation of the stationary law.
    schedule : Schedule
        β = 2θ in the letters of the paper.
    t_min : float
    """

    centre: Any = 0.0
    std: float = 1.0
    schedule: Schedule = field(default_factory=LinearBeta)
    t_min: float = 1e-3

    def __post_init__(self) -> None:
        require_positive(std=self.std)

    @property
    def t_end(self) -> float:
        """The last time."""
        return self.schedule.t_end

    def alpha(self, t: Any) -> Any:
        """α(t)."""
        return np.exp(-0.5 * self.schedule.integral(t))

    def sigma(self, t: Any) -> Any:
        """σ(t)."""
        return self.std * np.sqrt(-np.expm1(-self.schedule.integral(t)))

    def lam(self, t: Any) -> Any:
        """log(α/σ)."""
        with np.errstate(divide="ignore"):
            return -0.5 * np.log(np.expm1(self.schedule.integral(t))) - np.log(self.std)

    def t_of_lam(self, lam: Any) -> Any:
        """The time of a λ."""
        return self.schedule.time(np.logaddexp(0.0, -2.0 * (lam + np.log(self.std))))

    def alpha_dot(self, t: Any) -> Any:
        """dα/dt."""
        return self.f(t) * self.alpha(t)

    def sigma_dot(self, t: Any) -> Any:
        """dσ/dt; infinite at 0."""
        with np.errstate(divide="ignore"):
            return 0.5 * self.schedule.rate(t) * (self.std * self.alpha(t)) ** 2 / self.sigma(t)

    def f(self, t: Any) -> Any:
        """-β/2."""
        return -0.5 * self.schedule.rate(t)

    def g2(self, t: Any) -> Any:
        """std² β."""
        return self.std**2 * self.schedule.rate(t)
