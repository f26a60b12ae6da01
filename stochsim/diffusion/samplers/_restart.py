"""Restart: walk down with Heun's method, throw noise back on, and walk down again."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._sde_coefficients import tables
from stochsim.errors import ParameterError


@sampler(
    kind="sde",
    law_order=2,
    nfe=lambda o: 2.0 * (1.0 + o["loops"] * (o["window"][1] - o["window"][0])),
    parametrisation="x0",
    variants=({}, {"loops": 3}),
    aliases=("Restart",),
    reference="Xu et al. 2023, algorithm 1 and eqs. 4-5",
)
def restart(
    model: Any, x: Any, grid: Any, noise: Any, *, window: tuple[float, float] = (0.5, 0.75), loops: int = 1
) -> Iterator[Any]:
    """Heun's method in ρ = σ/α; at ρ_min: y ← y + √(ρ_max² - ρ_min²) z and again down from ρ_max, K times, y = x/α.

    Two evaluations a step and, on average, those of the loops; law order 2, as the noise moves exactly from one
    marginal law to another.

    Parameters
    ----------
    window : tuple of float
        Where ρ_max and ρ_min lie in the grid, as fractions of its steps (rounded to whole steps).
    loops : int
        K.

    Raises
    ------
    ParameterError
        If the window is not ordered within [0, 1], or loops is negative.
    """
    if not 0.0 <= window[0] < window[1] <= 1.0 or loops < 0:
        raise ParameterError(f"window is {window!r} and loops {loops!r}; give 0 <= first < second <= 1 and loops >= 0")
    t, a, s, _ = tables(model, grid)
    rho, n = [sigma / alpha for sigma, alpha in zip(s, a, strict=True)], len(t) - 1
    high, low = round(window[0] * n), round(window[1] * n)
    for i in range(n):
        x = _heun(model, x, t, a, rho, i)
        for k in range(loops if i + 1 == low else 0):
            y = x / a[low] + sqrt(rho[high] ** 2 - rho[low] ** 2) * noise(k, x.shape)
            x = a[high] * y
            for j in range(high, low):
                x = _heun(model, x, t, a, rho, j)
        yield x


def _heun(model: Any, x: Any, t: list[float], a: list[float], rho: list[float], i: int) -> Any:
    """One step of Heun's method for dy/dρ = ε; Euler's to ρ' = 0."""
    y, d, h = x / a[i], model.eps(x, t[i]), rho[i + 1] - rho[i]
    if rho[i + 1] > 0.0:
        d = 0.5 * (d + model.eps(a[i + 1] * (y + h * d), t[i + 1]))
    return a[i + 1] * (y + h * d)
