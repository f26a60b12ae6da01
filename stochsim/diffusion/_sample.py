"""Particles from noise to data: chunks over threads, results independent of both."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stochsim.codegen.cuda import Device
from stochsim.diffusion import fused, grids
from stochsim.diffusion._noise import Normals
from stochsim.diffusion._start import STARTS, first_states
from stochsim.diffusion.forward import Forward
from stochsim.diffusion.fused import Segment
from stochsim.diffusion.model import Model
from stochsim.diffusion.record import Sampler, find
from stochsim.errors import DivergenceError, ParameterError
from stochsim.noise.seeds import seed_key

if TYPE_CHECKING:
    import xarray

__all__ = ["sample"]

EXECUTORS = ("arrays", "fused")
ARRAYS_ALIVE = 32  # arrays of the state that a sampler on a GPU may keep at once
CHUNK_NUMBERS, CHUNK = 1 << 16, 8192  # numbers of a state, and particles: some arrays of them stay in cache


@dataclass(frozen=True)
class _Run:
    """All that decides about the numbers, and how the work is cut."""

    model: Model
    sampler: Sampler
    grid: np.ndarray
    n_particles: int
    start: Any
    key: tuple[int, int]
    xp: Any
    trajectory: bool
    chunk: int
    plan: Sequence[Segment] | None

    def states(self, model: Model, first: int) -> np.ndarray:
        """States of one chunk: (times, d, n), or (d, n) of the last."""
        n = min(self.chunk, self.n_particles - first)
        if self.plan is not None:
            return self._in_one_kernel(self._first(first, n), first)
        x = self.xp.asarray(self._first(first, n))
        noise = Normals(self.key, first, xp=self.xp)
        if self.trajectory:
            return np.stack([_host(s) for s in self.sampler.trajectory(model, x, self.grid, noise)])
        return _host(self.sampler(model, x, self.grid, noise))

    def _in_one_kernel(self, x: np.ndarray, first: int) -> np.ndarray:
        assert self.plan is not None
        if self.xp is np:
            return fused.run(self.plan, x, self.key, first=first)
        return fused.run_on_gpu(self.plan, x, self.key, first=first, device=Device(self.xp))

    def _first(self, first: int, n: int) -> np.ndarray:
        if not isinstance(self.start, str):
            return np.ascontiguousarray(self.start[first : first + n].T)
        t = float(self.grid[0])
        prior = self.model.process.prior_std(t, self.model.target.d)
        return first_states(self.model.noised(t), prior, self.start, self.key, first, n)


def sample(
    target: Any,
    sampler: Sampler | str,
    process: Forward,
    *,
    n_steps: int | None = None,
    nfe: int | None = None,
    grid: Any = None,
    n_particles: int = 1,
    seed: Any = None,
    start: Any = "exact",
    score: Callable[[Any, Any], Any] | None = None,
    backend: str = "numpy",
    executor: str = "arrays",
    return_trajectory: bool = False,
    chunk: int | None = None,
    threads: int | None = None,
) -> xarray.Dataset:
    """Draw particles of a target by running a process backwards with its exact score.

    Parameters
    ----------
    target : Density
        With an exact noised law: a Gaussian or a mixture.
    sampler : Sampler or str
        ``stochsim.diffusion.samplers.ddim``, say, or its name or alias.
    process : Forward
    n_steps : int, optional
        Steps of the standard grid, uniform in time from ``process.t_end`` to ``process.t_min``.
    nfe : int, optional
        Budget of evaluations instead: as many steps as it pays for.
    grid : array_like, shape (n_steps + 1,), optional
        Times instead, both ends included (see `stochsim.diffusion.grids`).
    n_particles : int
    seed : int, SeedSequence or None
    start : {"exact", "prior"} or array_like, shape (n_particles, d)
        First states: draws of the noised data at the first time, draws of N(0, σ² I), or the states themselves.
    score : callable, optional
        ``score(x, t)`` over columns, instead of the exact one.
    backend : {"numpy", "cupy"}
    executor : {"arrays", "fused"}
        Array after array, or all steps in one kernel (compiled, or CUDA with backend="cupy"): faster in few dimensions,
        equal to rounding, for samplers that are linear between evaluations and states at the end only.
    return_trajectory : bool
        Keep the states at all times of the grid.
    chunk : int, optional
        Particles that go through all steps together; changes no bit of the result.
    threads : int, optional
        Threads over chunks; all cores unless given.

    Returns
    -------
    xarray.Dataset
        ``x(particle, component)``, with ``time`` between for trajectories; attributes say how it was made, `nfe` being
        the evaluations of the score for a particle.

    Raises
    ------
    ParameterError
        If not exactly one of n_steps, nfe and grid is given, it does not fit, or a word is unknown.
    SchemeError
        If the sampler is not written for the process.
    DivergenceError
        If particles are not finite at the end.
    """
    record = find(sampler) if isinstance(sampler, str) else sampler
    record.check(process)
    times = _times(record, process, n_steps, nfe, grid)
    if n_particles < 1 or (chunk is not None and chunk < 1):
        raise ParameterError(f"n_particles is {n_particles!r} and chunk {chunk!r}; give at least 1")
    k0, k1, said = seed_key(seed)
    model = Model(target, process, score=score)
    first = _given_start(start, target, process, n_particles)
    xp = array_module(backend)
    plan = _plan(executor, record, model, times, xp is not np, return_trajectory, score)
    size = chunk or _chunk(record, target, n_particles, xp, plan is not None)
    run = _Run(model, record, times, n_particles, first, (k0, k1), xp, return_trajectory, size, plan)
    states, evaluations = _in_chunks(run, threads or os.cpu_count() or 1)
    states = states + _offset(process.centre)
    _refuse_infinite(states)
    return _dataset(run, states, evaluations, said, backend, target)


def _plan(
    executor: str, record: Sampler, model: Model, times: np.ndarray, on_gpu: bool, trajectory: bool, score: Any
) -> Sequence[Segment] | None:
    """The kernels of a fused run; None for arrays."""
    if executor not in EXECUTORS:
        raise ParameterError(f"executor is {executor!r}; give 'arrays' or 'fused'")
    if executor == "arrays":
        return None
    if trajectory or score is not None:
        raise ParameterError("executor='fused' gives the states at the end, of exact scores; use executor='arrays'")
    return fused.segments(record, model, times, single=on_gpu)


def _chunk(record: Sampler, target: Any, n_particles: int, xp: Any, is_fused: bool) -> int:
    """Particles that go through together: some arrays of them in cache, or in the memory of the GPU."""
    rows = _rows(record, target)
    if xp is np:
        return min(CHUNK, max(CHUNK_NUMBERS // rows, 256))
    if is_fused:
        return n_particles
    each = 8 * rows * (ARRAYS_ALIVE + 4 * int(getattr(target, "n_components", 1)))
    return max(hi - lo for lo, hi in Device(xp).parts(n_particles, each))


def _times(record: Sampler, process: Forward, n_steps: int | None, nfe: int | None, grid: Any) -> np.ndarray:
    if sum(given is not None for given in (n_steps, nfe, grid)) != 1:
        raise ParameterError("give one of n_steps (equal steps of time), nfe (a budget) and grid (the times)")
    if grid is not None:
        return process.check_grid(grid)
    if nfe is not None:
        n_steps = int(nfe / record.nfe)
        if n_steps < 1:
            raise ParameterError(f"nfe is {nfe}; {record.label} needs {record.nfe:g} for one step, give more")
    return grids.uniform(process, n_steps or 0)


def _in_chunks(run: _Run, threads: int) -> tuple[np.ndarray, int]:
    """States of all particles, and the evaluations of the longest chunk (adaptive samplers differ)."""
    firsts = range(0, run.n_particles, run.chunk)
    planned = sum(segment.evaluations for segment in run.plan or ())

    def work(first: int) -> tuple[np.ndarray, int]:
        model = run.model.twin()
        with np.errstate(over="ignore", invalid="ignore"):  # what diverges is reported once, at the end
            return run.states(model, first), planned or model.nfe

    if threads == 1 or len(firsts) == 1:
        done = [work(first) for first in firsts]
    else:
        with ThreadPoolExecutor(threads) as pool:
            done = list(pool.map(work, firsts))
    return np.concatenate([x for x, _ in done], axis=-1), max(nfe for _, nfe in done)


def array_module(backend: str) -> Any:
    """NumPy or CuPy.

    Raises
    ------
    ParameterError
        If the name is neither, or CuPy is missing.
    """
    if backend == "numpy":
        return np
    if backend != "cupy":
        raise ParameterError(f"backend is {backend!r}; give 'numpy' or 'cupy'")
    try:
        import cupy
    except ImportError as error:
        raise ParameterError("backend='cupy' needs CuPy; install the extra: pip install 'stochsim[gpu]'") from error
    return cupy


def _given_start(start: Any, target: Any, process: Forward, n: int) -> Any:
    if isinstance(start, str):
        if start not in STARTS:
            raise ParameterError(f"start is {start!r}; give 'exact', 'prior', or states of shape ({n}, d)")
        return start
    states = np.asarray(start, dtype=float)
    if states.ndim != 2 or len(states) != n:
        raise ParameterError(f"start has shape {states.shape}; give states of shape ({n}, {target.d})")
    return states - process.centre


def _offset(centre: Any) -> Any:
    return np.asarray(centre, dtype=float)[:, None] if np.ndim(centre) else float(centre)


def _rows(record: Sampler, target: Any) -> int:
    return int(target.d) * (2 if record.space == "phase" else 1)


def _host(x: Any) -> np.ndarray:
    return x if isinstance(x, np.ndarray) else np.asarray(x.get())


def _refuse_infinite(states: np.ndarray) -> None:
    bad = ~np.isfinite(states.reshape(-1, states.shape[-1])).all(axis=0)
    if bad.any():
        raise DivergenceError(
            f"{int(bad.sum())} of {len(bad)} particles are not finite at the end; take more steps, or end the grid "
            "where there is noise left",
            int(bad.sum()),
            float("nan"),
        )


def _dataset(run: _Run, states: np.ndarray, nfe: int, seed: str, backend: str, target: Any) -> xarray.Dataset:
    import xarray as xr

    from stochsim._version import __version__

    dims = ("particle", "time", "component") if run.trajectory else ("particle", "component")
    coords: dict[str, Any] = {"component": np.arange(target.d)}
    if run.trajectory:
        coords["time"] = run.grid
    attributes = {
        "sampler": run.sampler.label,
        "process": repr(run.model.process),
        "target": target.name,
        "n_steps": len(run.grid) - 1,
        "t_start": float(run.grid[0]),
        "t_stop": float(run.grid[-1]),
        "nfe": nfe,
        "seed": seed,
        "start": run.start if isinstance(run.start, str) else "given",
        "backend": backend,
        "executor": "arrays" if run.plan is None else "fused",
        "version": __version__,
    }
    parts = np.split(np.moveaxis(states, -1, 0), 2 if run.sampler.space == "phase" else 1, axis=-1)
    variables = {name: (dims, part) for name, part in zip("xv", parts, strict=False)}
    return xr.Dataset(variables, coords, attributes)
