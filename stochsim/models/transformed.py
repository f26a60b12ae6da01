"""Functions of a Brownian motion or of an Ornstein-Uhlenbeck process: nonlinear equations solved in closed form.

Each is Itô's formula read backwards: X = F(Y) for a Y whose law is known, so X has its density too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.errors import ParameterError
from stochsim.models.answers import normal
from stochsim.models.mean_reverting import ON_PATH, decay_ratio
from stochsim.models.record import model
from stochsim.noise.functionals import ou_integral
from stochsim.sde import SDE
from stochsim.solution import Solution


@model
def arctan_brownian(a: Any = 0.8, x0: float = 0.5) -> SDE:
    """Arctangent of a Brownian motion, dX = -a^2 sin X cos^3 X dt + a cos^2 X dW.

    X_t = arctan(tan x0 + a W_t) (Kloeden & Platen 1992, Section 4.4). The drift vanishes in the Stratonovich
    form. Bounded, with all derivatives bounded.

    Parameters
    ----------
    a : float or 1-d array_like
        Strength of the noise; an array sweeps.
    x0 : float
        Start, between -pi/2 and pi/2.
    """
    _inside("arctan_brownian", x0, np.pi / 2)
    return SDE(
        drift=lambda x, t, p: -(p.a**2) * np.sin(x) * np.cos(x) ** 3,
        diffusion=lambda x, t, p: p.a * np.cos(x) ** 2,
        params={"a": a},
        x0=x0,
        exact=lambda x0, t, W, p: np.arctan(np.tan(x0) + p.a * W),
        density=lambda x, t, x0, p: _arctan_density(x, np.tan(x0), p.a**2 * t),
        name="arctan_brownian",
    )


def _inside(name: str, x0: Any, bound: float) -> None:
    if not np.all(np.abs(np.asarray(x0, dtype=float)) < bound):
        raise ParameterError(f"{name}: x0 is {x0!r}; give a number between -{bound:g} and {bound:g}")


def _arctan_density(x: Any, mean: Any, variance: Any) -> Any:
    inside = np.abs(x) < np.pi / 2
    safe = np.where(inside, x, 0.0)
    return np.where(inside, normal(np.tan(safe), mean, variance) / np.cos(safe) ** 2, 0.0)


@model
def arctan_ornstein_uhlenbeck(theta: Any = 1.0, sigma: Any = 2.0**0.5, x0: float = 0.5) -> SDE:
    """Arctangent of an Ornstein-Uhlenbeck process.

    dX = -(theta sin X cos X + sigma^2 sin X cos^3 X) dt + sigma cos^2 X dW has the solution
    X_t = arctan(exp(-theta t) tan x0 + sigma int exp(-theta (t - s)) dW_s); with theta = 1 and
    sigma = sqrt(2) it is the equation of Kloeden, Platen & Schurz (1994), with drift -(sin 2X + sin(4X)/4).

    Parameters
    ----------
    theta, sigma : float or 1-d array_like
        Rate of return, positive for the stationary law, and strength of the noise; arrays sweep.
    x0 : float
        Start, between -pi/2 and pi/2.
    """
    _inside("arctan_ornstein_uhlenbeck", x0, np.pi / 2)

    def variance(t: Any, p: Any) -> Any:
        return p.sigma**2 * t * decay_ratio(2.0 * p.theta * t)

    return SDE(
        drift=lambda x, t, p: -(p.theta + p.sigma**2 * np.cos(x) ** 2) * np.sin(x) * np.cos(x),
        diffusion=lambda x, t, p: p.sigma * np.cos(x) ** 2,
        params={"theta": theta, "sigma": sigma},
        x0=x0,
        exact=Solution(
            readout=lambda x0, t, y, p: np.arctan(np.exp(-p.theta * t) * np.tan(x0) + p.sigma * y[0]),
            functionals=lambda y, t, h, noise, p: [
                np.exp(-p.theta * h) * y[0] + ou_integral(p.theta, h, noise.dW[0], noise.dZ[0], noise.e[0])
            ],
            n=1,
            needs=("dW", "dZ"),
            n_aux=1,
            note=ON_PATH,
        ),
        density=lambda x, t, x0, p: _arctan_density(x, np.exp(-p.theta * t) * np.tan(x0), variance(t, p)),
        stationary=lambda x, p: _arctan_density(x, 0.0, 0.5 * p.sigma**2 / p.theta),
        name="arctan_ornstein_uhlenbeck",
    )


@model
def tanh_brownian(a: Any = 0.5, b: Any = 0.5, x0: float = 0.3) -> SDE:
    """Hyperbolic tangent of a Brownian motion, dX = -(a + b^2 X)(1 - X^2) dt + b (1 - X^2) dW.

    X_t = tanh(artanh x0 - a t + b W_t) (Kloeden & Platen 1992, eq. (4.4.46)). With a = 0 it is the cubic
    problem, whose drift vanishes in the Stratonovich form. The coefficients are polynomials, Lipschitz on
    [-1, 1], where the solution stays, but not outside, where a scheme may step.

    Parameters
    ----------
    a, b : float or 1-d array_like
        Drift to -1, and strength of the noise; arrays sweep.
    x0 : float
        Start, between -1 and 1 for the density.
    """

    def exact(x0: Any, t: Any, W: Any, p: Any) -> Any:
        step = np.tanh(p.b * W - p.a * t)
        return (x0 + step) / (1.0 + x0 * step)

    def density(x: Any, t: Any, x0: Any, p: Any) -> Any:
        inside = np.abs(x) < 1.0
        safe = np.where(inside, x, 0.0)
        law = normal(np.arctanh(safe), np.arctanh(x0) - p.a * t, p.b**2 * t)
        return np.where(inside, law / (1.0 - safe**2), 0.0)

    return SDE(
        drift=lambda x, t, p: -(p.a + p.b**2 * x) * (1.0 - x**2),
        diffusion=lambda x, t, p: p.b * (1.0 - x**2),
        params={"a": a, "b": b},
        x0=x0,
        exact=exact,
        density=density,
        satisfies=("smooth",),
        name="tanh_brownian",
    )


@model
def sinh_brownian(a: Any = 1.0, b: Any = 1.0, x0: float = 0.0) -> SDE:
    """Hyperbolic sine of a Brownian motion, dX = (b^2 X/2 + a sqrt(1 + X^2)) dt + b sqrt(1 + X^2) dW.

    X_t = sinh(arsinh x0 + a t + b W_t) (Kloeden & Platen 1992, Section 4.4). With a = b = 1, x0 = 0 and
    Y = arsinh X, E[Y^3 - 6 Y^2 + 8 Y] = t^3 - 3 t^2 + 2 t, which vanishes at t = 1 and t = 2: use no relative
    error there.

    Parameters
    ----------
    a, b : float or 1-d array_like
        Drift and volatility of arsinh X; arrays sweep.
    x0 : float
        Start.
    """

    def centre(t: Any, x0: Any, p: Any) -> Any:
        return np.arcsinh(x0) + p.a * t

    def variance(t: Any, x0: Any, p: Any) -> Any:
        # of sinh(c + s Z): (e^v - 1) (e^v cosh(2c) + 1) / 2 with v = s^2
        v = p.b**2 * t
        return 0.5 * np.expm1(v) * (np.exp(v) * np.cosh(2.0 * centre(t, x0, p)) + 1.0)

    return SDE(
        drift=lambda x, t, p: 0.5 * p.b**2 * x + p.a * np.sqrt(1.0 + x**2),
        diffusion=lambda x, t, p: p.b * np.sqrt(1.0 + x**2),
        params={"a": a, "b": b},
        x0=x0,
        exact=lambda x0, t, W, p: np.sinh(np.arcsinh(x0) + p.a * t + p.b * W),
        mean=lambda t, x0, p: np.exp(0.5 * p.b**2 * t) * np.sinh(centre(t, x0, p)),
        cov=variance,
        density=lambda x, t, x0, p: normal(np.arcsinh(x), centre(t, x0, p), p.b**2 * t) / np.hypot(1.0, x),
        name="sinh_brownian",
    )


@model
def arcsinh_brownian(b: Any = 1.0, x0: float = 0.2) -> SDE:
    """Inverse hyperbolic sine of a Brownian motion, dX = -(b^2/2) tanh X sech^2 X dt + b sech X dW.

    X_t = arsinh(sinh x0 + b W_t). Drift and diffusion are bounded with all their derivatives; the noise
    fades as X grows, the contrary of dX = X^3 dt + X^2 dW, which explodes.

    Parameters
    ----------
    b : float or 1-d array_like
        Strength of the noise; an array sweeps.
    x0 : float
        Start.
    """

    def density(x: Any, t: Any, x0: Any, p: Any) -> Any:
        x = np.clip(x, -300.0, 300.0)  # beyond, sinh overflows where the density is 0
        return normal(np.sinh(x), np.sinh(x0), p.b**2 * t) * np.cosh(x)

    return SDE(
        drift=lambda x, t, p: -0.5 * p.b**2 * np.tanh(x) / np.cosh(x) ** 2,
        diffusion=lambda x, t, p: p.b / np.cosh(x),
        params={"b": b},
        x0=x0,
        exact=lambda x0, t, W, p: np.arcsinh(np.sinh(x0) + p.b * W),
        density=density,
        name="arcsinh_brownian",
    )


@model
def cube_brownian(a: Any = 2.0, b: Any = 1.0 / 3.0, x0: float = 1.0) -> SDE:
    """Cube of a Brownian motion, dX = (3 b^2 X^(1/3) + 3 a X^(2/3)) dt + 3 b X^(2/3) dW.

    X_t = (x0^(1/3) + a t + b W_t)^3; with a = 2 and b = 1/3 the noise is X^(2/3) dW. The coefficients are
    not Lipschitz at 0, where X = 0 for ever is a second solution.

    Parameters
    ----------
    a, b : float or 1-d array_like
        Drift and volatility of the cube root; arrays sweep.
    x0 : float
        Start.
    """

    def root_mean(t: Any, x0: Any, p: Any) -> Any:
        return np.cbrt(x0) + p.a * t

    def variance(t: Any, x0: Any, p: Any) -> Any:
        m, s = root_mean(t, x0, p), p.b**2 * t
        return 9.0 * m**4 * s + 36.0 * m**2 * s**2 + 15.0 * s**3

    def density(x: Any, t: Any, x0: Any, p: Any) -> Any:
        root = np.cbrt(x)
        return normal(root, root_mean(t, x0, p), p.b**2 * t) / (3.0 * root**2)

    return SDE(
        drift=lambda x, t, p: 3.0 * p.b**2 * np.cbrt(x) + 3.0 * p.a * np.cbrt(x) ** 2,
        diffusion=lambda x, t, p: 3.0 * p.b * np.cbrt(x) ** 2,
        params={"a": a, "b": b},
        x0=x0,
        exact=lambda x0, t, W, p: (np.cbrt(x0) + p.a * t + p.b * W) ** 3,
        mean=lambda t, x0, p: root_mean(t, x0, p) ** 3 + 3.0 * root_mean(t, x0, p) * p.b**2 * t,
        cov=variance,
        density=density,
        satisfies=(),
        name="cube_brownian",
    )
