"""Check and complete the arguments of `simulate`, before anything is traced for a kernel or compiled."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from stochsim.errors import ParameterError, SchemeError
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE

SAVES = ("final", "all", "moments")


@dataclass(frozen=True)
class Grid:
    """Times of the steps, and where to save: step numbers (0 is the start)."""

    times: np.ndarray
    save_at: np.ndarray

    @property
    def saves_start(self) -> bool:
        return len(self.save_at) > 0 and self.save_at[0] == 0

    @property
    def save_times(self) -> np.ndarray:
        return np.asarray(self.times[self.save_at])


def check_model(sde: Any, scheme: Any) -> None:
    if not isinstance(sde, SDE):
        raise ParameterError(f"the model is {type(sde).__name__}; give an ss.SDE (or one of ss.models)")
    if not isinstance(scheme, Scheme):
        raise SchemeError(
            f"the scheme is {scheme!r}; give one of ss.schemes (such as ss.schemes.euler_maruyama), "
            "or make one with ss.schemes.scheme"
        )


def count(name: str, value: Any, least: int = 1) -> int:
    """A whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ParameterError(f"{name} is {value!r}; give a whole number of at least {least}")
    return int(value)


def number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not np.isfinite(float(value)):
        raise ParameterError(f"{name} is {value!r}; give a finite number")
    return float(value)


def time_grid(t: Any, t0: float, t_end: Any, n_steps: Any) -> np.ndarray:
    """The step times from an explicit grid, or n_steps equal steps from t0 to t_end.

    Raises
    ------
    ParameterError
        If t_end <= t0, n_steps < 1, or the grid is not increasing.
    """
    if t is not None:
        if t_end is not None or n_steps is not None:
            raise ParameterError("both a grid t and t_end/n_steps were given; give one of them")
        grid = np.array(t, dtype=float)
        if grid.ndim != 1 or len(grid) < 2 or not (np.diff(grid) > 0).all() or not np.isfinite(grid).all():
            raise ParameterError(f"t must be an increasing 1-d array of at least two finite times; shape {grid.shape}")
        return grid
    if t_end is None or n_steps is None:
        raise ParameterError("give t_end and n_steps, or a grid t")
    start, end, n = number("t0", t0), number("t_end", t_end), count("n_steps", n_steps)
    if end <= start:
        raise ParameterError(f"t_end={end:g} is not after t0={start:g}; give t_end > t0")
    return np.asarray(start + (end - start) * (np.arange(n + 1) / n))


def saving(times: np.ndarray, save: Any, moment_times: Any) -> tuple[str, Grid]:
    """The kind of saving and the grid with the steps to save at."""
    n = len(times) - 1
    if isinstance(save, str):
        if save not in SAVES:
            raise ParameterError(f"save is {save!r}; give 'final', 'all', 'moments' or an array of times")
        if moment_times is not None and save != "moments":
            raise ParameterError("times= goes with save='moments'; give the times as save= otherwise")
        if save == "final":
            return save, Grid(times, np.array([n]))
        return save, Grid(times, np.arange(n + 1) if moment_times is None else on_grid(times, moment_times))
    return "times", Grid(times, on_grid(times, save))


def on_grid(times: np.ndarray, wanted: Any) -> np.ndarray:
    try:
        wanted = np.unique(np.atleast_1d(np.array(wanted, dtype=float)))
    except (TypeError, ValueError):
        raise ParameterError(f"save is {wanted!r}; give 'final', 'all', 'moments' or an array of times") from None
    nearest = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1)
    nearest = np.where(wanted - times[nearest - 1] < times[nearest] - wanted, nearest - 1, nearest)
    off = np.abs(times[nearest] - wanted) > 1e-9 * (times[-1] - times[0])
    if len(wanted) == 0 or off.any():
        bad = wanted[off][0] if off.any() else None
        raise ParameterError(
            f"save time {bad} is not a step time (nearest: {times[nearest][off][0] if off.any() else None}); "
            "choose n_steps so that it is, or pass the grid as t="
        )
    return np.asarray(nearest, dtype=np.int64)


def initial_states(sde: SDE, x0: Any, n_paths: int, seed_record: str) -> np.ndarray:
    """Initial states (d, 1) or (d, n_paths) from a number, (d,), (n_paths, d), or something that samples."""
    if x0 is None:
        return sde.start.reshape(-1, 1)
    if hasattr(x0, "sample"):
        sampled = np.asarray(x0.sample(n_paths, seed=np.random.SeedSequence(abs(hash(seed_record)) % 2**63)))
        x0 = sampled.reshape(n_paths, -1)
    try:
        array = np.array(x0, dtype=float)
    except (TypeError, ValueError):
        raise ParameterError(f"x0 is {x0!r}; give a number, (d,), (n_paths, d) or a density") from None
    shapes = {(): (1, 1), (sde.d,): (sde.d, 1), (n_paths, sde.d): (sde.d, n_paths)}
    if sde.d == 1:
        shapes[n_paths,] = (1, n_paths)
    if sde.d > 1:
        shapes.pop(())
    if array.shape not in shapes or not np.isfinite(array).all():
        raise ParameterError(
            f"x0 has shape {array.shape}; give finite numbers of shape ({sde.d},) or ({n_paths}, {sde.d})"
        )
    return np.ascontiguousarray(array.reshape(shapes[array.shape][::-1]).T if array.ndim == 2 else
                                array.reshape(shapes[array.shape]))  # fmt: skip


def thread_count(threads: Any) -> int:
    """Threads to use: given, ``$STOCHSIM_THREADS``, or one a usable core."""
    if threads is not None:
        return count("threads", threads)
    chosen = os.environ.get("STOCHSIM_THREADS")
    if chosen:
        return count("STOCHSIM_THREADS", int(chosen) if chosen.isdigit() else chosen)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def given_noise(noise: Any, needs: tuple[str, ...], n_paths: int, n_steps: int, m: int) -> dict[str, np.ndarray]:
    """Noise given as arrays (n_paths, n_steps, ...), by name.

    Raises
    ------
    ParameterError
        If a needed kind is missing or has the wrong shape.
    """
    if not isinstance(noise, Mapping):
        noise = {"dW": noise}
    result = {}
    for name in needs:
        if name not in noise:
            raise ParameterError(
                f"noise has {', '.join(map(str, noise)) or 'nothing'}; this scheme needs {', '.join(needs)}"
            )
        array = np.asarray(noise[name], dtype=float)
        if array.ndim == 2 and m == 1:
            array = array[..., None]
        shape = (n_paths, n_steps, m, m) if name in ("A", "V") else (n_paths, n_steps, m)
        if array.shape != shape:
            raise ParameterError(f"noise {name} has shape {array.shape}; give (n_paths, n_steps, ...) = {shape}")
        result[name] = array
    return result
