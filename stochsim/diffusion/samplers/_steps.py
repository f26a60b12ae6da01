"""Parts that multistep samplers share: predictions by name, a step of order 1, and a one-step start of any order."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import Any

from stochsim.diffusion.samplers._tableaux import TABLEAUX, explicit_step
from stochsim.errors import ParameterError

Prediction = Callable[[Any, float], Any]
STARTERS = {1: "euler", 2: "midpoint", 3: "kutta3", 4: "rk4"}  # by order


def predictor(model: Any, prediction: str) -> Prediction:
    """``f(x, t)`` of a noise or data prediction.

    Parameters
    ----------
    model : Model
    prediction : {"eps", "x0"}

    Raises
    ------
    ParameterError
        If it is neither.
    """
    known: dict[str, Prediction] = {"eps": model.eps, "x0": model.denoised}
    if prediction not in known:
        raise ParameterError(f"prediction is {prediction!r}; give 'eps' or 'x0'")
    return known[prediction]


def check(name: str, given: Any, known: tuple[Any, ...]) -> None:
    """Refuse an option of another value.

    Parameters
    ----------
    name : str
    given : object
    known : tuple

    Raises
    ------
    ParameterError
        If the value is none of those known.
    """
    if given not in known:
        raise ParameterError(f"{name} is {given!r}; give one of {', '.join(map(repr, known))}")


def tables(model: Any, grid: Any) -> tuple[list[float], list[float], list[float], list[float]]:
    """Times, α, σ and λ along a grid, for samplers that divide by α.

    Parameters
    ----------
    model : Model
    grid : ndarray

    Raises
    ------
    ParameterError
        If the grid begins where nothing of the data is left.
    """
    t, a, s, lam = model.tables(grid)
    if a[0] == 0.0:
        raise ParameterError(
            f"the grid begins at t = {t[0]:g}, where α = 0 and noise prediction says nothing of the data; begin "
            "later, or use a sampler of data prediction (dpm_solver_pp_2m, say)"
        )
    return t, a, s, lam


def first_order(x: Any, m: Any, prediction: str, a: float, s: float, a2: float, s2: float) -> Any:
    """The step of DDIM from levels (a, s) to (a2, s2), also where λ is infinite.

    Parameters
    ----------
    x, m : array
        State, and the prediction there.
    prediction : {"eps", "x0"}
    a, s, a2, s2 : float
    """
    if prediction == "eps":
        return (a2 / a) * (x - s * m) + s2 * m
    return (s2 / s) * x + (a2 - a * s2 / s) * m


def noise_flow(model: Any, t: float, t2: float) -> tuple[Callable[[Any, float], Any], float]:
    """dy/dρ = ε of y = x/α, with ρ = σ/α: the slope at a fraction of the step, and the step of ρ.

    Parameters
    ----------
    model : Model
    t, t2 : float
    """
    p = model.process
    start, end = (float(p.sigma(time) / p.alpha(time)) for time in (t, t2))

    def rate(y: Any, c: float) -> Any:
        time = t2 if c == 1.0 else float(p.t_of_lam(-log(start + c * (end - start))))
        return model.eps(float(p.alpha(time)) * y, time)

    return rate, end - start


def data_flow(model: Any, t: float, t2: float) -> tuple[Callable[[Any, float], Any], float]:
    """dy/dκ = E[x_0|x] of y = x/σ, with κ = α/σ: the slope at a fraction of the step, and the step of κ.

    Parameters
    ----------
    model : Model
    t, t2 : float
    """
    p = model.process
    start, end = (exp(float(p.lam(time))) for time in (t, t2))

    def rate(y: Any, c: float) -> Any:
        time = t2 if c == 1.0 else float(p.t_of_lam(log(start + c * (end - start))))
        return model.denoised(float(p.sigma(time)) * y, time)

    return rate, end - start


def start_step(model: Any, x: Any, m: Any, prediction: str, t: float, t2: float, order: int) -> Any:
    """A step by a Runge–Kutta method in ρ (noise) or κ (data): it needs no history and is exact for a point mass.

    Parameters
    ----------
    model : Model
    x, m : array
        State, and the prediction there.
    prediction : {"eps", "x0"}
    t, t2 : float
    order : int
        1 to 4; at the end of the noise the step is always of order 1.
    """
    p = model.process
    a, s, a2, s2 = float(p.alpha(t)), float(p.sigma(t)), float(p.alpha(t2)), float(p.sigma(t2))
    if order == 1 or s2 == 0.0:
        return first_order(x, m, prediction, a, s, a2, s2)
    method = TABLEAUX[STARTERS[order]]
    if prediction == "eps":
        rate, h = noise_flow(model, t, t2)
        return a2 * explicit_step(method, rate, x / a, h, m)
    rate, h = data_flow(model, t, t2)
    return s2 * explicit_step(method, rate, x / s, h, m)
