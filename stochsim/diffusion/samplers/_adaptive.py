"""Step sizes by tolerance, each particle its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from stochsim.columns import eager
from stochsim.errors import DivergenceError

Pair = Callable[[Any, Any, Any], tuple[Any, Any]]
LARGEST, SMALLEST = 5.0, 0.2  # changes of the step between two trials
TRIALS = 100_000


def adaptive(
    pair: Pair, x: Any, start: float, end: float, first: float, *, rtol: float, atol: float, safety: float, order: float
) -> Any:
    """Columns x carried from start to end by steps h with ‖(high - low)/δ‖ ≤ 1.

    Here δ = max(atol, rtol max(|low|, |x_prev|)), the norm is the root mean square over components, and the next step
    is safety h ‖·‖^(-1/order). Each particle has its own steps, and its result does not depend on the others; those at
    the end rest while the others walk.

    Parameters
    ----------
    pair : callable
        ``pair(x, u, h)``: results (d, n) of a lower and a higher order from the places u (n,) with the steps h (n,).
    x : array, shape (d, n)
    start, end, first : float
        First and last place, and the size of the first step.
    rtol, atol, safety, order : float

    Raises
    ------
    DivergenceError
        If an error is not finite, or particles are still on their way after 100 000 trials.
    """
    xp = eager.module(x)
    x, sign = x.copy(), 1.0 if end > start else -1.0
    before, u = x.copy(), xp.full(x.shape[1], start)
    h = xp.full(x.shape[1], sign * abs(first))
    walking = xp.arange(x.shape[1])
    for _ in range(TRIALS):
        left = end - u[walking]
        arrives = sign * h[walking] >= sign * left
        step = xp.where(arrives, left, h[walking])
        low, high = pair(x[:, walking], u[walking], step)
        scale = xp.maximum(atol, rtol * xp.maximum(abs(low), abs(before[:, walking])))
        error = xp.sqrt((((high - low) / scale) ** 2).mean(axis=0))
        if not bool(xp.isfinite(error).all()):
            _refuse(int((~xp.isfinite(error)).sum()), "have an error that is not finite; end the grid earlier")
        good = error <= 1.0
        kept = walking[good]
        x[:, kept], before[:, kept] = high[:, good], low[:, good]
        u[kept] = xp.where(arrives, end, u[walking] + step)[good]
        factor = safety * xp.maximum(error, 1e-30) ** (-1.0 / order)
        h[walking] = step * xp.minimum(xp.maximum(factor, SMALLEST), LARGEST)
        walking = walking[~(good & arrives)]
        if len(walking) == 0:
            return x
    _refuse(len(walking), f"did not arrive in {TRIALS} trials; give a larger tolerance")


def _refuse(n: int, what: str) -> NoReturn:
    raise DivergenceError(f"{n} particles {what}", n, float("nan"))
