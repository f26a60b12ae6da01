"""Gotta Go Fast: stochastic improved Euler with a step of its own for each particle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stochsim.columns import eager
from stochsim.diffusion.record import sampler
from stochsim.diffusion.samplers._brownian_reserve import Reserve
from stochsim.errors import DivergenceError, ParameterError

PATHS = ("kept", "redrawn")


@sampler(
    kind="sde",
    nfe=2,
    parametrisation="score",
    control="tolerance",
    variants=({"rtol": 0.01, "atol": 0.01},),
    aliases=("Gotta Go Fast", "GGF"),
    reference="Jolicoeur-Martineau et al. 2021, algorithms 1-2",
)
def gotta_go_fast(
    model: Any, x: Any, grid: Any, noise: Any, *, rtol: float = 0.02, atol: float = 0.01, safety: float = 0.9,
    power: float = 0.9, first_step: float = 0.01, path: str = "kept", most: int = 100_000,
) -> Iterator[Any]:  # fmt: skip
    """Step x̄ = EM step; x' = ½(x̄ + step with the slope and g at (x̄, t - h)); accept x' if E = |(x̄ - x')/δ|/√d <= 1.

    δ = max(atol, rtol max(|x̄|, |x̄_last|)), and h ← min(t - t_stop, safety h E^-power). Two evaluations a round. Each
    particle has its own time, step and error, so that none depends on the others; only the ends of the grid count. As
    steps depend on the noise, no order of the law is claimed.

    Parameters
    ----------
    rtol, atol : float
    safety, power : float
        θ and r of the paper.
    first_step : float
        In units of time.
    path : {"kept", "redrawn"}
        After a rejection the known path is kept and cut by a bridge (Rackauckas & Nie 2017), or, as published, normal
        numbers are drawn anew: then large ones are thrown away more often, and a bias stays at any tolerance.
    most : int
        Rounds.

    Raises
    ------
    ParameterError
        If the word is unknown.
    DivergenceError
        If particles have not arrived after so many rounds.
    """
    if path not in PATHS:
        raise ParameterError(f"path is {path!r}; give one of {', '.join(PATHS)}")
    xp, p, d = eager.module(x), model.process, len(x)
    stop, x, last, reserve = float(grid[-1]), x.copy(), x.copy(), Reserve(xp, d, x.shape[1])
    t = 0.0 * x[0] + float(grid[0])
    h, left = 0.0 * t + first_step, xp.arange(x.shape[1])
    for k in range(most):
        step, kick = reserve.take(left, xp.minimum(h[left], t[left] - stop), noise(k, x.shape)[:, left])
        here, times = x[:, left], t[left]
        later = xp.maximum(times - step, stop)
        first = here + step * _slope(model, here, times) + xp.sqrt(p.g2(times)) * kick
        second = here + step * _slope(model, first, later) + xp.sqrt(p.g2(later)) * kick
        new = 0.5 * (first + second)
        delta = xp.maximum(atol, rtol * xp.maximum(abs(first), abs(last[:, left])))
        error = xp.sqrt((((first - new) / delta) ** 2).sum(axis=0) / d)
        good = error <= 1.0
        done = left[good]
        x[:, done], last[:, done], t[done] = new[:, good], first[:, good], later[good]
        h[left] = safety * step * xp.maximum(error, 1e-8) ** -power
        reserve.drop(done if path == "kept" else left)
        left = left[t[left] > stop]
        if len(left) == 0:
            yield x
            return
    raise DivergenceError(
        f"{len(left)} particles have not reached time {stop:g} in {most} rounds; loosen rtol and atol, or raise most",
        len(left),
        float(t[left].max()),
    )


def _slope(model: Any, x: Any, t: Any) -> Any:
    """g² s - f x."""
    return model.process.g2(t) * model.score(x, t) - model.process.f(t) * x
