"""Ornstein-Uhlenbeck processes: scalar, with matrices, underdamped Langevin, and with time-dependent terms.

Their solutions hold integrals of exp(-theta (t - s)) dW_s, which are advanced from step to step by their
exact joint law with (dW, dZ), so they are exact at any step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stochsim.errors import ModelError
from stochsim.models.answers import normal, normal_vector, second_moments, stationary_cov
from stochsim.models.record import matrix, model, require_positive
from stochsim.noise.functionals import linear_step, ou_integral
from stochsim.parameters import fixed
from stochsim.sde import SDE
from stochsim.solution import Solution

ON_PATH = "exact in the joint law with (dW, dZ), at any step"


@model
def ornstein_uhlenbeck(theta: Any = 1.0, mu: Any = 0.0, sigma: Any = 0.5, x0: float = 1.0) -> SDE:
    """Ornstein-Uhlenbeck process, dX = theta (mu - X) dt + sigma dW.

    X_t = mu + (x0 - mu) exp(-theta t) + sigma int exp(-theta (t - s)) dW_s (Kloeden & Platen 1992, Section
    4.4), Gaussian with variance sigma^2 (1 - exp(-2 theta t)) / (2 theta).

    Parameters
    ----------
    theta : float or 1-d array_like
        Rate of return, per unit time; positive for the stationary law. Arrays sweep, here and below.
    mu, sigma : float or 1-d array_like
        Level, and volatility per square root of time.
    x0 : float
        Start.
    """

    def mean(t: Any, x0: Any, p: Any) -> Any:
        return p.mu + (x0 - p.mu) * np.exp(-p.theta * t)

    def variance(t: Any, p: Any) -> Any:
        return p.sigma**2 * t * decay_ratio(2.0 * p.theta * t)

    return SDE(
        drift=lambda x, t, p: p.theta * (p.mu - x),
        diffusion=lambda x, t, p: p.sigma,
        params={"theta": theta, "mu": mu, "sigma": sigma},
        x0=x0,
        exact=Solution(
            readout=lambda x0, t, y, p: mean(t, x0, p) + p.sigma * y[0],
            functionals=lambda y, t, h, noise, p: [
                np.exp(-p.theta * h) * y[0] + ou_integral(p.theta, h, noise.dW[0], noise.dZ[0], noise.e[0])
            ],
            n=1,
            needs=("dW", "dZ"),
            n_aux=1,
            note=ON_PATH,
        ),
        mean=mean,
        cov=lambda t, x0, p: variance(t, p),
        density=lambda x, t, x0, p: normal(x, mean(t, x0, p), variance(t, p)),
        stationary=lambda x, p: normal(x, p.mu, 0.5 * p.sigma**2 / p.theta),
        name="ornstein_uhlenbeck",
    )


def decay_ratio(y: Any) -> Any:
    """(1 - exp(-y)) / y, 1 at y = 0."""
    safe = np.where(y == 0.0, 1.0, y)
    return np.where(y == 0.0, 1.0, -np.expm1(-safe) / safe)


@model
def forced_ornstein_uhlenbeck(
    theta: Any = 1.0,
    amplitude: Any = 1.0,
    omega: Any = 4.0,
    sigma: Any = 0.5,
    fading: Any = 0.3,
    x0: float = 1.0,
) -> SDE:
    """Ornstein-Uhlenbeck process with time-dependent force and noise.

    dX = (amplitude cos(omega t) - theta X) dt + sigma exp(-fading t) dW. From a start at t0,
    X_t = exp(-theta (t - t0)) x0 + F(t) - exp(-theta (t - t0)) F(t0) + sigma int exp(-theta (t - s) - fading s) dW_s
    with F(t) = amplitude (theta cos(omega t) + omega sin(omega t)) / (theta^2 + omega^2), by variation of
    constants.

    Parameters
    ----------
    theta : float or 1-d array_like
        Rate of return, per unit time; theta and omega are not both 0.
    amplitude : float or 1-d array_like
        Strength of the force.
    omega : float or 1-d array_like
        Angular frequency of the force, per unit time.
    sigma : float or 1-d array_like
        Strength of the noise at time 0.
    fading : float or 1-d array_like
        Rate at which the noise dies out.
    x0 : float
        Start.
    """

    def force(t: Any, p: Any) -> Any:
        wave = p.theta * np.cos(p.omega * t) + p.omega * np.sin(p.omega * t)
        return p.amplitude * wave / (p.theta**2 + p.omega**2)

    def mean_after(elapsed: Any, x0: Any, t: Any, p: Any) -> Any:
        return force(t, p) + np.exp(-p.theta * elapsed) * (x0 - force(t - elapsed, p))

    def variance(t: Any, p: Any) -> Any:
        scale = p.sigma * np.exp(-p.fading * t)
        return scale**2 * t * decay_ratio(2.0 * (p.theta - p.fading) * t)

    def functionals(y: Any, t: Any, h: Any, noise: Any, p: Any) -> Any:
        rate = p.theta - p.fading
        integral = ou_integral(rate, h, noise.dW[0], noise.dZ[0], noise.e[0])
        return [np.exp(-rate * h) * y[0] + integral, y[1] + h]

    return SDE(
        drift=lambda x, t, p: p.amplitude * np.cos(p.omega * t) - p.theta * x,
        diffusion=lambda x, t, p: p.sigma * np.exp(-p.fading * t),
        params={"theta": theta, "amplitude": amplitude, "omega": omega, "sigma": sigma, "fading": fading},
        x0=x0,
        exact=Solution(
            readout=lambda x0, t, y, p: mean_after(y[1], x0, t, p) + p.sigma * np.exp(-p.fading * t) * y[0],
            functionals=functionals,
            n=2,
            needs=("dW", "dZ"),
            n_aux=1,
            note=ON_PATH,
        ),
        mean=lambda t, x0, p: mean_after(t, x0, t, p),
        cov=lambda t, x0, p: variance(t, p),
        density=lambda x, t, x0, p: normal(x, mean_after(t, x0, t, p), variance(t, p)),
        name="forced_ornstein_uhlenbeck",
    )


@model
def decaying_additive(a: Any = 0.5, b: Any = 1.0, x0: float = 1.0) -> SDE:
    """Linear decay with fading additive noise, dX = (b / sqrt(1+t) - X / (2 (1+t))) dt + a b / sqrt(1+t) dW.

    From a start at t0, X_t = (sqrt(1 + t0) x0 + b (t - t0 + a (W_t - W_t0))) / sqrt(1 + t). The
    integrating factor is sqrt(1 + t). The drift is linear, so schemes of order 1.5 for additive noise show
    order 2 here.

    Parameters
    ----------
    a, b : float or 1-d array_like
        Strength of the noise relative to the drift, and of the drift; arrays sweep.
    x0 : float
        Start.
    """

    def readout(x0: Any, t: Any, y: Any, p: Any) -> Any:
        return (np.sqrt(1.0 + t - y[1]) * x0 + p.b * (y[1] + p.a * y[0])) / np.sqrt(1.0 + t)

    def mean(t: Any, x0: Any, p: Any) -> Any:
        return (x0 + p.b * t) / np.sqrt(1.0 + t)

    def variance(t: Any, p: Any) -> Any:
        return (p.a * p.b) ** 2 * t / (1.0 + t)

    return SDE(
        drift=lambda x, t, p: p.b / np.sqrt(1.0 + t) - 0.5 * x / (1.0 + t),
        diffusion=lambda x, t, p: p.a * p.b / np.sqrt(1.0 + t),
        params={"a": a, "b": b},
        x0=x0,
        exact=Solution(
            readout=readout,
            functionals=lambda y, t, h, noise, p: [y[0] + noise.dW[0], y[1] + h],
            n=2,
            note="exact on the same Brownian path",
        ),
        mean=mean,
        cov=lambda t, x0, p: variance(t, p),
        density=lambda x, t, x0, p: normal(x, mean(t, x0, p), variance(t, p)),
        name="decaying_additive",
    )


@model
def multivariate_ornstein_uhlenbeck(
    theta: Any = ((1.0, 0.6), (-0.3, 0.7)),
    mu: Any = (0.5, -0.5),
    sigma: Any = ((0.4, 0.1), (-0.2, 0.3)),
    x0: Any = (1.0, 0.0),
) -> SDE:
    """Ornstein-Uhlenbeck process with matrices, dX = theta (mu - X) dt + sigma dW.

    X_t = mu + exp(-theta t) (x0 - mu) + int exp(-theta (t - s)) sigma dW_s (Kloeden & Platen 1992, Section
    4.8). The pathwise solution asks nothing of theta but steps with h |theta| <= 16 (maximum row sum).

    Parameters
    ----------
    theta : (d, d) array_like
        Rates of return, any matrix; eigenvalues with positive real part for the stationary law.
    mu : (d,) array_like
        Level.
    sigma : (d, m) array_like
        Noise matrix.
    x0 : (d,) array_like
        Start.
    """
    start = matrix("x0", x0, (None,))
    d = len(start)
    params = {
        "theta": fixed(matrix("theta", theta, (d, d))),
        "mu": fixed(matrix("mu", mu, (d,))),
        "sigma": fixed(matrix("sigma", sigma, (d, None))),
    }
    return _linear_gaussian(lambda p: (-p.theta, p.mu, p.sigma), start, params, name="multivariate_ornstein_uhlenbeck")


@model
def langevin_oscillator(omega: Any = 1.5, gamma: Any = 0.8, sigma: Any = 0.6, x0: Any = (1.0, 0.0)) -> SDE:
    """Harmonic oscillator with friction and noise, dq = v dt, dv = -(omega^2 q + gamma v) dt + sigma dW.

    Noise enters the velocity only, and (q, v) is a Gaussian process with the stationary variances
    sigma^2 / (2 gamma omega^2) and sigma^2 / (2 gamma) (Chandrasekhar 1943, Section II.3). The pathwise
    solution holds for steps with h max(1, omega^2 + gamma) <= 16.

    Parameters
    ----------
    omega, gamma, sigma : float or 1-d array_like
        Frequency, friction and noise, all positive; arrays sweep.
    x0 : (2,) array_like
        Start (q, v).
    """

    def parts(p: Any) -> Any:
        rows = [[0.0 * p.omega, 1.0 + 0.0 * p.omega], [-(p.omega**2), -p.gamma]]
        A = np.stack([np.stack(row) for row in rows])
        return A, np.zeros(2), np.stack([np.stack([0.0 * p.sigma]), np.stack([p.sigma])])

    sde = _linear_gaussian(
        parts,
        matrix("x0", x0, (2,)),
        {"omega": omega, "gamma": gamma, "sigma": sigma},
        name="langevin_oscillator",
        components=("q", "v"),
    )
    return require_positive(sde, "omega", "gamma", "sigma")


def _linear_gaussian(parts: Callable[[Any], Any], x0: np.ndarray, params: dict[str, Any], **named: Any) -> SDE:
    """DX = A (X - mu) dt + S dW with ``parts(p) = (A, mu, S)``."""
    d = len(x0)

    def functionals(y: Any, t: Any, h: Any, noise: Any, p: Any) -> Any:
        A, _, S = parts(p)
        growth, integral = linear_step(A, S, h, noise.dW, noise.dZ, noise.e)
        total = y[d:].reshape(d, d)  # exp(A t) - 1 so far
        forward = y[:d] + growth @ y[:d] + integral
        return np.concatenate([forward, (total + growth + growth @ total).reshape(d * d)])

    def readout(x0: Any, t: Any, y: Any, p: Any) -> Any:
        deviation = x0 - parts(p)[1]
        return x0 + y[d:].reshape(d, d) @ deviation + y[:d]

    def moments(t: Any, x0: Any, p: Any) -> tuple[np.ndarray, np.ndarray]:
        A, mu, S = (np.asarray(v, dtype=float) for v in parts(p))
        return second_moments(t, x0, A, -A @ mu, np.zeros((S.shape[1], d, d)), S.T)

    def stationary(x: Any, p: Any) -> np.ndarray:
        A, mu, S = (np.asarray(v, dtype=float) for v in parts(p))
        if np.linalg.eigvals(A).real.max() >= 0.0:
            raise ModelError(f"{named['name']} has no stationary law at these parameters: its drift does not decay")
        return normal_vector(x, mu, stationary_cov(A, S @ S.T))

    return SDE(
        drift=lambda x, t, p: parts(p)[0] @ (x - parts(p)[1]),
        diffusion=lambda x, t, p: parts(p)[2],
        params=params,
        x0=x0,
        exact=Solution(readout, functionals, n=d + d * d, needs=("dW", "dZ"), n_aux=d, note=ON_PATH),
        mean=lambda t, x0, p: moments(t, x0, p)[0],
        cov=lambda t, x0, p: moments(t, x0, p)[1],
        density=lambda x, t, x0, p: normal_vector(x, *moments(t, x0, p)),
        stationary=stationary,
        **named,
    )
