"""Growth and potentials: log-Verhulst, Ginzburg-Landau, double well. Drifts that grow faster than linearly."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.models.record import model, require_positive
from stochsim.noise.functionals import mean_exponential_integral
from stochsim.sde import SDE
from stochsim.solution import Solution

NO_JOINT_LAW = (
    "the time integral of an exponential of the path has no known joint law with the path: it is replaced by "
    "its conditional mean given (dW, dZ) on a grid 16 times finer than the finest level, strong order 3/2"
)


def _with_growth(rate: Any, volatility: Any) -> Any:
    """Functionals y = (W_t, int_0^t exp(rate s + volatility W_s) ds, t)."""

    def functionals(y: Any, t: Any, h: Any, noise: Any, p: Any) -> Any:
        c, s, dW, dZ = rate(p), volatility(p), noise.dW[0], noise.dZ[0]
        level = np.exp(c * y[2] + s * y[0])
        return [y[0] + dW, y[1] + level * mean_exponential_integral(c, s, h, dW, dZ), y[2] + h]

    return functionals


@model
def log_verhulst(growth: Any = 1.0, sigma: Any = 0.5, x0: float = 0.0) -> SDE:
    """Logarithm of a population with logistic growth, dX = (growth - sigma^2/2 - exp X) dt + sigma dW.

    X_t = c t + sigma W_t - log(exp(-x0) + int_0^t exp(c s + sigma W_s) ds), c = growth - sigma^2/2: the
    logistic equation of Kloeden & Platen 1992, Section 4.4, in the variable log X. The noise is additive and
    the drift nonlinear: it tells strong order 1.5 from the order 2 that such schemes show on linear drifts.
    The drift is one-sided Lipschitz only: exp X grows faster than linearly, downwards.

    Parameters
    ----------
    growth, sigma : float or 1-d array_like
        Growth rate and volatility; arrays sweep.
    x0 : float
        Start, the logarithm of the population.
    """

    def rate(p: Any) -> Any:
        return p.growth - 0.5 * p.sigma**2

    def stationary(x: Any, p: Any) -> Any:
        from scipy.special import gammaln

        shape, scale = 2.0 * rate(p) / p.sigma**2, 2.0 / p.sigma**2
        x = np.minimum(x, 300.0)  # beyond, exp(x) overflows where the density is 0
        return np.exp(shape * (np.log(scale) + x) - scale * np.exp(x) - gammaln(shape))

    sde = SDE(
        drift=lambda x, t, p: rate(p) - np.exp(x),
        diffusion=lambda x, t, p: p.sigma,
        params={"growth": growth, "sigma": sigma},
        x0=x0,
        exact=Solution(
            readout=lambda x0, t, y, p: rate(p) * y[2] + p.sigma * y[0] - np.log(np.exp(-x0) + y[1]),
            functionals=_with_growth(rate, lambda p: p.sigma),
            n=3,
            needs=("dW", "dZ"),
            resolution=16,
            note=NO_JOINT_LAW,
        ),
        stationary=stationary,
        satisfies=("smooth",),
        name="log_verhulst",
    )
    return require_positive(sde, "sigma")


@model
def ginzburg_landau(growth: Any = 0.5, sigma: Any = 0.5, x0: float = 1.0) -> SDE:
    """Stochastic Ginzburg-Landau equation, dX = ((growth + sigma^2/2) X - X^3) dt + sigma X dW.

    X_t = x0 exp(growth t + sigma W_t) / sqrt(1 + 2 x0^2 int_0^t exp(2 growth s + 2 sigma W_s) ds) (Kloeden &
    Platen 1992, Section 4.4). The cubic drift makes the moments of the Euler-Maruyama scheme diverge
    (Hutzenthaler, Jentzen & Kloeden 2011): use a tamed or an implicit scheme.

    Parameters
    ----------
    growth, sigma : float or 1-d array_like
        Growth rate of log |X| near 0, positive for the stationary law, and volatility; arrays sweep.
    x0 : float
        Start, positive for the stationary law.
    """

    def readout(x0: Any, t: Any, y: Any, p: Any) -> Any:
        return x0 * np.exp(p.growth * y[2] + p.sigma * y[0]) / np.sqrt(1.0 + 2.0 * x0**2 * y[1])

    def stationary(x: Any, p: Any) -> Any:
        from scipy.special import gammaln

        shape = p.growth / p.sigma**2
        safe = np.where(np.asarray(x) > 0.0, x, 1.0)
        log = np.log(2.0) + (2.0 * shape - 1.0) * np.log(safe) - (safe / p.sigma) ** 2
        return np.where(np.asarray(x) > 0.0, np.exp(log - 2.0 * shape * np.log(p.sigma) - gammaln(shape)), 0.0)

    sde = SDE(
        drift=lambda x, t, p: (p.growth + 0.5 * p.sigma**2) * x - x**3,
        diffusion=lambda x, t, p: p.sigma * x,
        params={"growth": growth, "sigma": sigma},
        x0=x0,
        exact=Solution(
            readout=readout,
            functionals=_with_growth(lambda p: 2.0 * p.growth, lambda p: 2.0 * p.sigma),
            n=3,
            needs=("dW", "dZ"),
            resolution=16,
            note=NO_JOINT_LAW,
        ),
        stationary=stationary,
        satisfies=("smooth",),
        name="ginzburg_landau",
    )
    return require_positive(sde, "sigma")


@model
def double_well(a: Any = 1.0, b: Any = 1.0, sigma: Any = 0.7, x0: float = 0.0) -> SDE:
    """Motion in a double-well potential, dX = (a X - b X^3) dt + sigma dW.

    No solution in closed form. Its stationary density is proportional to exp((a x^2 - b x^4 / 2) / sigma^2).

    Parameters
    ----------
    a, b, sigma : float or 1-d array_like
        Linear and cubic force, and strength of the noise; b and sigma positive. Arrays sweep.
    x0 : float
        Start.
    """
    sde = SDE(
        drift=lambda x, t, p: p.a * x - p.b * x**3,
        diffusion=lambda x, t, p: p.sigma,
        params={"a": a, "b": b, "sigma": sigma},
        x0=x0,
        stationary=_boltzmann,
        satisfies=("smooth",),
        name="double_well",
    )
    return require_positive(sde, "b", "sigma")


def _boltzmann(x: Any, p: Any) -> Any:
    """exp(u x^2 - w x^4) over its integral, u = a / sigma^2, w = b / (2 sigma^2).

    The integral is sqrt(pi) (2 w)^(-1/4) e^z D_{-1/2}(-u / sqrt(2 w)), z = u^2 / (8 w), with the parabolic
    cylinder function D (NIST DLMF, (12.5.1)).
    """
    from scipy.special import pbdv

    u, w = p.a / p.sigma**2, 0.5 * p.b / p.sigma**2
    cylinder, _ = pbdv(-0.5, -u / np.sqrt(2.0 * w))
    x = np.asarray(x, dtype=float)
    return (2.0 * w) ** 0.25 * np.exp(u * x**2 - w * x**4 - 0.125 * u**2 / w) / (np.sqrt(np.pi) * cylinder)
