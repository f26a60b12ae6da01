"""Square-root diffusions: Cox-Ingersoll-Ross, squared Bessel, Heston. Exact laws, no pathwise solution."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.models.mean_reverting import decay_ratio
from stochsim.models.record import matrix, model, require_positive
from stochsim.sde import SDE
from stochsim.solution import Transition


@model
def cox_ingersoll_ross(kappa: Any = 1.0, theta: Any = 1.0, sigma: Any = 0.5, x0: float = 1.0) -> SDE:
    """Cox-Ingersoll-Ross process, dX = kappa (theta - X) dt + sigma sqrt(X) dW.

    X_t / c is noncentral chi-squared with d = 4 kappa theta / sigma^2 degrees of freedom and noncentrality
    x0 exp(-kappa t) / c, c = sigma^2 (1 - exp(-kappa t)) / (4 kappa) (Cox, Ingersoll & Ross 1985, eq. (18)).
    For whole d it is in law the squared length of d Ornstein-Uhlenbeck processes. It stays positive if
    d >= 2. The root is not Lipschitz at 0: schemes lose order as d falls, and a path that steps below 0 is
    lost (NaN, and reported).

    Parameters
    ----------
    kappa, theta, sigma : float or 1-d array_like
        Rate of return per unit time, level and volatility, all positive; arrays sweep.
    x0 : float
        Start, at least 0.
    """
    sde = SDE(
        drift=lambda x, t, p: p.kappa * (p.theta - x),
        diffusion=lambda x, t, p: p.sigma * np.sqrt(x),
        params={"kappa": kappa, "theta": theta, "sigma": sigma},
        x0=x0,
        mean=_cir_mean,
        cov=_cir_variance,
        density=_cir_density,
        stationary=_cir_stationary,
        transition=Transition(_cir_step, 2, "noncentral chi-squared, exact in law at any step"),
        satisfies=(),
        name="cox_ingersoll_ross",
    )
    return require_positive(sde, "kappa", "theta", "sigma")


def _cir_mean(t: Any, x0: Any, p: Any) -> Any:
    return x0 * np.exp(-p.kappa * t) + p.kappa * p.theta * t * decay_ratio(p.kappa * t)


def _cir_variance(t: Any, x0: Any, p: Any) -> Any:
    # Cox, Ingersoll & Ross 1985, eq. (19)
    spread = t * decay_ratio(p.kappa * t)
    return p.sigma**2 * spread * (x0 * np.exp(-p.kappa * t) + 0.5 * p.kappa * p.theta * spread)


def _cir_parts(t: Any, x0: Any, p: Any) -> tuple[Any, Any, Any]:
    """Scale c, degrees of freedom and noncentrality."""
    c = 0.25 * p.sigma**2 * t * decay_ratio(p.kappa * t)
    return c, 4.0 * p.kappa * p.theta / p.sigma**2, x0 * np.exp(-p.kappa * t) / c


def _cir_density(x: Any, t: Any, x0: Any, p: Any) -> Any:
    c, degrees, noncentrality = _cir_parts(t, x0, p)
    return noncentral_chi2(np.asarray(x) / c, degrees, noncentrality) / c


def _cir_stationary(x: Any, p: Any) -> Any:
    from scipy.special import gammaln

    shape, rate = 2.0 * p.kappa * p.theta / p.sigma**2, 2.0 * p.kappa / p.sigma**2
    safe = np.where(np.asarray(x) > 0.0, x, 1.0)
    log = shape * np.log(rate) + (shape - 1.0) * np.log(safe) - rate * safe - gammaln(shape)
    return np.where(np.asarray(x) > 0.0, np.exp(log), 0.0)


def _cir_step(x: Any, t: Any, h: Any, u: Any, p: Any) -> Any:
    c, degrees, noncentrality = _cir_parts(h, x, p)
    return c * draw_noncentral_chi2(degrees, noncentrality, u)


def noncentral_chi2(x: Any, degrees: Any, noncentrality: Any) -> Any:
    """Density of the noncentral chi-squared law by a scaled Bessel function; 0 for x <= 0."""
    from scipy.special import gammaln, ive

    inside = np.asarray(x) > 0.0
    x = np.where(inside, x, 1.0)
    order = 0.5 * degrees - 1.0
    if np.all(noncentrality == 0.0):
        log = order * np.log(x) - 0.5 * x - (order + 1.0) * np.log(2.0) - gammaln(order + 1.0)
        return np.where(inside, np.exp(log), 0.0)
    root = np.sqrt(noncentrality * x)
    decay = np.exp(-0.5 * (np.sqrt(x) - np.sqrt(noncentrality)) ** 2)
    return np.where(inside, 0.5 * decay * (x / noncentrality) ** (0.5 * order) * ive(order, root), 0.0)


def draw_noncentral_chi2(degrees: Any, noncentrality: Any, u: Any) -> Any:
    """Noncentral chi-squared numbers from two rows of uniforms.

    A Poisson number N of mean noncentrality / 2 by inversion, then a chi-squared number with degrees + 2 N
    (Johnson, Kotz & Balakrishnan 1995, Chapter 29).
    """
    from scipy.special import gammaincinv
    from scipy.stats import poisson

    count = poisson.ppf(u[0], 0.5 * noncentrality)
    return 2.0 * gammaincinv(0.5 * degrees + count, u[1])


@model
def squared_bessel(dimension: Any = 3.0, x0: float = 1.0) -> SDE:
    """Squared Bessel process, dX = dimension dt + 2 sqrt(X) dW.

    For a whole dimension it is in law the squared distance of a Brownian motion from the origin; X_t / t is
    noncentral chi-squared with ``dimension`` degrees of freedom and noncentrality x0 / t (Revuz & Yor 1999,
    Chapter XI). It stays positive if the dimension is at least 2.

    Parameters
    ----------
    dimension : float or 1-d array_like
        Positive; an array sweeps.
    x0 : float
        Start, at least 0.
    """
    sde = SDE(
        drift=lambda x, t, p: p.dimension,
        diffusion=lambda x, t, p: 2.0 * np.sqrt(x),
        params={"dimension": dimension},
        x0=x0,
        mean=lambda t, x0, p: x0 + p.dimension * t,
        cov=lambda t, x0, p: 4.0 * x0 * t + 2.0 * p.dimension * t**2,
        density=lambda x, t, x0, p: noncentral_chi2(np.asarray(x) / t, p.dimension, x0 / t) / t,
        transition=Transition(
            lambda x, t, h, u, p: h * draw_noncentral_chi2(p.dimension, x / h, u),
            2,
            "noncentral chi-squared, exact in law at any step",
        ),
        satisfies=(),
        name="squared_bessel",
    )
    return require_positive(sde, "dimension")


@model
def heston(
    mu: Any = 0.05,
    kappa: Any = 2.0,
    theta: Any = 0.04,
    xi: Any = 0.3,
    rho: Any = -0.7,
    x0: Any = (1.0, 0.04),
) -> SDE:
    """Heston's model of a price S and its variance v.

    dS = mu S dt + sqrt(v) S dW_1, dv = kappa (theta - v) dt + xi sqrt(v) (rho dW_1 + sqrt(1 - rho^2) dW_2)
    (Heston 1993, eqs. (1) and (4)). The noise is neither diagonal nor commutative. v is a
    Cox-Ingersoll-Ross process; E S = S_0 exp(mu t); E[S v] and E[S^2] follow from the law of v under the
    measures with density S and S^2, where kappa becomes kappa - rho xi and kappa - 2 rho xi. E[S^2] can
    become infinite in finite time (Andersen & Piterbarg 2007), and is then given as inf.

    Parameters
    ----------
    mu : float or 1-d array_like
        Rate of return of the price; arrays sweep, here and below.
    kappa, theta, xi : float or 1-d array_like
        Rate of return, level and volatility of the variance, all positive.
    rho : float or 1-d array_like
        Correlation of the noises, between -1 and 1.
    x0 : (2,) array_like
        Start (S, v).
    """

    def diffusion(x: Any, t: Any, p: Any) -> Any:
        root = np.sqrt(x[1])
        return [[root * x[0], 0.0], [p.xi * p.rho * root, p.xi * np.sqrt(1.0 - p.rho**2) * root]]

    sde = SDE(
        drift=lambda x, t, p: [p.mu * x[0], p.kappa * (p.theta - x[1])],
        diffusion=diffusion,
        params={"mu": mu, "kappa": kappa, "theta": theta, "xi": xi, "rho": rho},
        x0=matrix("x0", x0, (2,)),
        components=("S", "v"),
        mean=lambda t, x0, p: np.array([x0[0] * np.exp(p.mu * t), _variance_mean(p.kappa, t, x0[1], p)]),
        cov=_heston_cov,
        satisfies=(),
        name="heston",
    )
    return require_positive(sde, "kappa", "theta", "xi")


def _variance_mean(kappa: Any, t: Any, v0: Any, p: Any) -> Any:
    """E v_t when the rate is kappa and the constant part of the drift stays p.kappa p.theta."""
    return v0 * np.exp(-kappa * t) + p.kappa * p.theta * t * decay_ratio(kappa * t)


def _heston_cov(t: Any, x0: Any, p: Any) -> np.ndarray:
    price = x0[0] * np.exp(p.mu * t)
    spread = t * decay_ratio(p.kappa * t)
    var_v = p.xi**2 * spread * (x0[1] * np.exp(-p.kappa * t) + 0.5 * p.kappa * p.theta * spread)
    tilted = _variance_mean(p.kappa - p.rho * p.xi, t, x0[1], p)
    both = price * (tilted - _variance_mean(p.kappa, t, x0[1], p))
    return np.array([[price**2 * (_squared_growth(t, x0[1], p) - 1.0), both], [both, var_v]])


def _squared_growth(t: Any, v0: Any, p: Any) -> Any:
    """E S^2 / (E S)^2 = E exp(int v) for the variance with rate kappa - 2 rho xi; inf after it explodes.

    exp(A + B v0) with B' = 1 - k B + xi^2 B^2 / 2 and A' = kappa theta B, so B = t S / D and
    exp(A) = (exp(k t / 2) / D)^(2 kappa theta / xi^2), where D = C + k t S / 2, C = cosh z, S = sinh(z) / z
    and z^2 = (k^2 - 2 xi^2) t^2 / 4 may be negative.
    """
    k = p.kappa - 2.0 * p.rho * p.xi
    square = 0.25 * t**2 * (k**2 - 2.0 * p.xi**2)
    z = np.sqrt(np.abs(square))
    C = np.cosh(z) if square >= 0.0 else np.cos(z)
    S = 1.0 if z == 0.0 else (np.sinh(z) if square >= 0.0 else np.sin(z)) / z
    D = C + 0.5 * k * t * S
    if D <= 0.0 or (square < 0.0 and z >= np.pi):
        return np.inf
    log_a = 2.0 * p.kappa * p.theta / p.xi**2 * (0.5 * k * t - np.log(D))
    return np.exp(log_a + t * S / D * v0)
