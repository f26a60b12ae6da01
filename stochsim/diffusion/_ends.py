"""First and last times of grids."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.diffusion.forward import Forward
from stochsim.errors import ParameterError


def ends(process: Forward, n_steps: int, start: float | None, stop: float | None) -> tuple[float, float]:
    """First and last time of a grid.

    Raises
    ------
    ParameterError
        If there is no step, or the times do not fit the process.
    """
    if isinstance(n_steps, bool) or not isinstance(n_steps, int | np.integer) or n_steps < 1:
        raise ParameterError(f"n_steps is {n_steps!r}; give a whole number of at least 1")
    first = process.t_end if start is None else float(start)
    last = process.t_min if stop is None else float(stop)
    process.check_grid([first, last])
    return first, last


def pinned(process: Forward, times: Any, first: float, last: float) -> np.ndarray:
    """The times with both ends exactly as given, checked."""
    times = np.array(times, dtype=float)
    times[0], times[-1] = first, last
    return process.check_grid(times)
