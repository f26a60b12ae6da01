"""Samplers of interpolants with noise: dx = (b + ε s) dt + √(2ε) dW has the marginals of the flow for every ε(t)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import cos, pi, sin, sqrt
from typing import Any

from stochsim.diffusion.flows.interpolants import Interpolant
from stochsim.diffusion.record import sampler
from stochsim.errors import ParameterError

__all__ = [
    "constant_noise",
    "decreasing_noise",
    "linear_noise",
    "rising_falling_noise",
    "sbdm_noise",
    "sigma_noise",
    "stochastic_euler",
    "stochastic_heun",
]

Noise = Callable[[float], float]
PLACES = ("first", "halves")


def constant_noise(scale: float = 1.0) -> Noise:
    """ε = c."""
    return lambda t: scale


def sigma_noise(interpolant: Interpolant, scale: float = 1.0) -> Noise:
    """ε = c a(t), the level of the source (SiT: Ma et al. 2024)."""
    return lambda t: scale * interpolant.a(t)


def sbdm_noise(interpolant: Interpolant, scale: float = 1.0) -> Noise:
    """ε = c (a² b'/b - a a') = c g²/2 of the diffusion with these levels; infinite at t = 0 (SiT's SBDM form)."""

    def epsilon(t: float) -> float:
        I = interpolant
        return scale * (I.a(t) ** 2 * I.b_dot(t) / I.b(t) - I.a(t) * I.a_dot(t))

    return epsilon


def linear_noise(scale: float = 1.0) -> Noise:
    """ε = c (1 - t)."""
    return lambda t: scale * (1.0 - t)


def decreasing_noise(scale: float = 1.0) -> Noise:
    """ε = ¼ (c cos(πt) + 1)²."""
    return lambda t: 0.25 * (scale * cos(pi * t) + 1.0) ** 2


def rising_falling_noise(scale: float = 1.0) -> Noise:
    """ε = c sin²(πt)."""
    return lambda t: scale * sin(pi * t) ** 2


ONE = constant_noise()


@sampler(
    kind="sde",
    law_order=1,
    parametrisation="velocity",
    reference="Albergo, Boffi & Vanden-Eijnden 2023, section 2.4: forward and backward SDEs; Maruyama 1955",
    register=False,
)
def stochastic_euler(model: Any, x: Any, grid: Any, noise: Any, *, epsilon: Noise = ONE) -> Iterator[Any]:
    """Step x' = x + h b(x, t) + |h| ε s(x, t) + √(2ε|h|) z of an `Interpolation`; a falling grid runs backwards.

    Parameters
    ----------
    epsilon : callable
        ε(t), nonnegative.
    """
    t, *_ = model.tables(grid)
    for i in range(len(t) - 1):
        h, e = t[i + 1] - t[i], epsilon(t[i])
        drift = h * model.velocity(x, t[i])
        if e > 0.0:
            drift = drift + (abs(h) * e) * model.score(x, t[i]) + sqrt(2.0 * e * abs(h)) * noise(i, x.shape)
        x = x + drift
        yield x


@sampler(
    kind="sde",
    law_order=lambda o: 2 if o["place"] == "halves" else 1,
    nfe=2,
    parametrisation="velocity",
    variants=({}, {"place": "first"}),
    reference="Ma et al. 2024 (SiT's Heun sampler) for place='first'; Strang 1968 for 'halves'",
    register=False,
)
def stochastic_heun(
    model: Any, x: Any, grid: Any, noise: Any, *, epsilon: Noise = ONE, place: str = "halves"
) -> Iterator[Any]:
    """Heun's step of the drift b ± ε s, with noise before it, or one half before and one half after.

    Parameters
    ----------
    epsilon : callable
    place : {"halves", "first"}
        "first" is SiT's: of order 1, as a splitting that is not symmetric; "halves" has order 2.

    Raises
    ------
    ParameterError
        If the place is unknown.
    """
    if place not in PLACES:
        raise ParameterError(f"place is {place!r}; give one of {', '.join(PLACES)}")
    t, *_ = model.tables(grid)
    share = 0.5 if place == "halves" else 1.0
    for i in range(len(t) - 1):
        h, sign = t[i + 1] - t[i], 1.0 if t[i + 1] > t[i] else -1.0
        kick = sqrt(2.0 * epsilon(0.5 * (t[i] + t[i + 1])) * abs(h) * share)
        x = x + kick * noise(2 * i, x.shape)
        first = _drift(model, x, t[i], sign * epsilon(t[i]))
        x = x + (0.5 * h) * (first + _drift(model, x + h * first, t[i + 1], sign * epsilon(t[i + 1])))
        if place == "halves":
            x = x + kick * noise(2 * i + 1, x.shape)
        yield x


def _drift(model: Any, x: Any, t: float, epsilon: float) -> Any:
    v = model.velocity(x, t)
    return v if epsilon == 0.0 else v + epsilon * model.score(x, t)
