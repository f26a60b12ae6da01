"""Run a step program over many paths: blocks, threads, progress, interruption. No human-facing choices here.

Paths are cut into leaves of 2048; a leaf is advanced in calls of at most about 50 ms, so that progress shows
and Ctrl-C is heard. Nothing depends on the number of threads, or on how leaves and calls are cut.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from stochsim._pool import Stop, run_ranges
from stochsim.codegen import cache
from stochsim.codegen.arrays import compile_arrays
from stochsim.codegen.blocks import LANES
from stochsim.codegen.kernels import StepProgram, advance_text
from stochsim.codegen.lanes import FILL, noise_buffer, scratch_rows

if TYPE_CHECKING:
    from stochsim.codegen.cuda import Device

LEAF = 2048
CALL_SECONDS = 0.05
SMALL_RUN = 10_000_000  # path-steps below which a compile does not pay


@dataclass(frozen=True)
class Job:
    """One ensemble: a program at fixed parameter values on a time grid.

    ``initial(lo, hi)`` gives the states (n_state, hi - lo) of paths lo .. hi - 1; ``save_at`` are the step
    numbers (1-based ends of steps) to save after; draws are multiplied by ``sign``.
    """

    program: StepProgram
    parameters: np.ndarray
    key: tuple[int, int]
    times: np.ndarray
    n_paths: int
    initial: Callable[[int, int], np.ndarray]
    save_at: np.ndarray
    first_path: int = 0
    step_offset: int = 0
    sign: float = 1.0

    @property
    def n_steps(self) -> int:
        """Number of steps of the grid."""
        return len(self.times) - 1

    @property
    def moment_size(self) -> int:
        """Numbers in one slot of moments."""
        k = len(self.program.readout)
        return 1 + k + k * (k + 1) // 2


class Progress(Protocol):
    """Something that is told of finished path-steps."""

    def update(self, n: int) -> Any:
        """Add n path-steps."""


def leaves(job: Job) -> list[tuple[int, int]]:
    """Ranges of paths."""
    return [(lo, min(lo + LEAF, job.n_paths)) for lo in range(0, job.n_paths, LEAF)]


class Pace:
    """How many steps a call should make: learned from the time that calls take, shared by the threads."""

    def __init__(self, program: StepProgram) -> None:
        guess = 1e-8 * (5 * len(program.primitives) + program_size(program))  # ten times too much: the first call
        self.seconds = max(guess, 1e-9)  # of a step of one path

    def calls(self, n_steps: int, paths: int) -> Iterator[tuple[int, int]]:
        """Step ranges of at most about 50 ms each; even starts, so that no pair of draws is made twice."""
        paths, first = max(paths, LANES), 0
        while first < n_steps:
            steps = max(2, int(0.7 * CALL_SECONDS / (self.seconds * paths)) // 2 * 2)
            last, begun = min(first + steps, n_steps), perf_counter()
            yield first, last
            self.seconds = max((perf_counter() - begun) / (paths * (last - first)), 1e-11)
            first = last


def program_size(program: StepProgram) -> int:
    """Arithmetic operations of a step."""
    from stochsim.symbolic.program import Program

    return Program(program.update).size


# --- lanes -----------------------------------------------------------------------------------------


def lane_worker(job: Job, moments: bool) -> Callable[[int, int, np.ndarray, int, Stop, Progress | None], np.ndarray]:
    """A function that advances one leaf and writes its results; returns the sticky non-finite marks."""
    text = advance_text(job.program, moments)
    kernel, rows, n_state = cache.load(text), scratch_rows(text), job.program.n_state
    parameters, times = np.array(job.parameters, dtype=float), np.array(job.times, dtype=float)
    save_at, pace = np.array(job.save_at, dtype=np.int64), Pace(job.program)

    def work(lo: int, hi: int, out: np.ndarray, column: int, stop: Stop, progress: Progress | None) -> np.ndarray:
        n, blocks = hi - lo, -(-(hi - lo) // LANES)
        state, z = np.zeros((blocks, rows * LANES)), noise_buffer(job.program.primitives)
        table = state.reshape(blocks, rows, LANES)
        lanes = np.empty((n_state, blocks * LANES))
        lanes[:, :n] = job.initial(lo, hi)
        lanes[:, n:] = lanes[:, :1]
        table[:, :n_state] = lanes.reshape(n_state, blocks, LANES).transpose(1, 0, 2)
        target, place = (out, n) if moments else (out.reshape(*out.shape[:2], -1, LANES), column // LANES)
        for first, last in pace.calls(job.n_steps, n):
            if stop:
                break
            slot = int(np.searchsorted(save_at, first, side="right"))
            kernel(
                parameters, *job.key, job.sign, job.first_path + lo, job.step_offset, first, last,
                times, state, z, save_at, slot, target, place,
            )  # fmt: skip
            if progress is not None:
                progress.update((last - first) * n)
        return table[:, n_state].reshape(-1)[:n]

    return work


# --- arrays ----------------------------------------------------------------------------------------


class ArrayNoise:
    """Draws of a leaf, step by step, by the same counters as in a kernel."""

    def __init__(self, job: Job, lo: int, hi: int) -> None:
        self.job, self.lo, self.n = job, lo, hi - lo
        self._pair, self._draws = -1, np.empty((2, 0, 0))

    def __call__(self, k: int) -> list[np.ndarray]:
        """Draws (K, n) of step k."""
        j = k + self.job.step_offset
        if j >> 1 != self._pair:
            self._pair, self._draws = j >> 1, self._fill(j >> 1)
        return [self.job.sign * row for row in self._draws[j & 1]]

    def _fill(self, pair: int) -> np.ndarray:
        from stochsim.codegen.functions import filler

        primitives = self.job.program.primitives
        z = np.empty((2, len(primitives), self.n))
        for i, p in enumerate(primitives):
            fill = filler(FILL[p.kind])
            fill(*self.job.key, self.job.first_path + self.lo, pair, p.component, p.stream, z[0, i], z[1, i])
        return z


def array_functions(program: StepProgram) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The step and the readout as functions of arrays, in the order (state, t, h, draws, parameters)."""
    state = [f"x{i}" for i in range(program.n_state)]
    draws = [f"n{i}" for i in range(len(program.primitives))]
    step = compile_arrays(program.update, (*state, "t", "h", *draws, *program.parameters))
    read = compile_arrays(program.readout, (*state, "t", *program.parameters))
    return step, read


def array_worker(
    job: Job, noise: Callable[[int, int], Callable[[int], list[np.ndarray]]] | None = None
) -> Callable[[int, int, np.ndarray, int, Stop, Progress | None], np.ndarray]:
    """The same as `lane_worker` (states only) by NumPy; ``noise`` may replace the draws."""
    step, read = array_functions(job.program)
    parameters = [np.float64(v) for v in job.parameters]

    def work(lo: int, hi: int, out: np.ndarray, column: int, stop: Stop, progress: Progress | None) -> np.ndarray:
        draw = noise(lo, hi) if noise else ArrayNoise(job, lo, hi)
        x = list(np.array(job.initial(lo, hi), dtype=float))
        marks, slot = np.zeros(hi - lo), 0
        with np.errstate(all="ignore"):
            for k in range(job.n_steps):
                if stop:
                    break
                t, h = job.times[k], job.times[k + 1] - job.times[k]
                x = list(step(*x, t, h, *draw(k), *parameters))
                marks = marks + sum(0.0 * v for v in x)
                if slot < len(job.save_at) and k + 1 == job.save_at[slot]:
                    values = read(*x, job.times[k + 1], *parameters)
                    for i, v in enumerate(values):
                        out[slot, i, column : column + hi - lo] = v
                    slot += 1
                if progress is not None:
                    progress.update(hi - lo)
        return np.broadcast_to(marks, (hi - lo,))

    return work


# --- GPU -------------------------------------------------------------------------------------------


def run_on_gpu(job: Job, device: Device) -> tuple[np.ndarray, np.ndarray]:
    """The same as `run_states` on a GPU: one thread a path, all steps in one launch; equal to rounding."""
    from stochsim.codegen.cuda_paths import paths_source

    xp, k, n_state = device.cupy, len(job.program.readout), job.program.n_state
    code, slots = paths_source(job.program), len(job.save_at)
    out, marks = np.empty((slots, k, job.n_paths)), np.empty(job.n_paths)
    parameters, times = xp.asarray(np.array(job.parameters, dtype=float)), xp.asarray(np.array(job.times, dtype=float))
    save_at = xp.asarray(np.array(job.save_at, dtype=np.int64))
    for lo, hi in device.parts(job.n_paths, 8 * (n_state + 1 + slots * k)):
        state, saved = xp.zeros((n_state + 1, hi - lo)), xp.zeros((slots, k, hi - lo))
        state[:n_state] = xp.asarray(np.array(job.initial(lo, hi), dtype=float))
        arguments = (
            parameters, *job.key, float(job.sign), job.first_path + lo, job.step_offset, job.n_steps, times, state,
            save_at, slots, saved, hi - lo,
        )  # fmt: skip
        device.launch(code, "advance", hi - lo, arguments)
        out[..., lo:hi], marks[lo:hi] = xp.asnumpy(saved), xp.asnumpy(state[n_state])
    return out, marks


# --- all leaves ----------------------------------------------------------------------------------------


def run_states(
    job: Job,
    *,
    executor: str,
    threads: int,
    progress: Progress | None = None,
    noise: Callable[[int, int], Callable[[int], list[np.ndarray]]] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Saved values (slots, k, n_paths) and the sticky marks (n_paths,), NaN where a path left the finite numbers.

    Raises
    ------
    Interrupted
        On Ctrl-C, with the paths that were complete.
    """
    if executor == "cuda":
        from stochsim.codegen.cuda import device

        return run_on_gpu(job, device())
    padded = -(-job.n_paths // LANES) * LANES
    out = np.empty((len(job.save_at), len(job.program.readout), padded))
    marks = np.empty(job.n_paths)
    work = array_worker(job, noise) if executor == "arrays" else lane_worker(job, moments=False)
    done: list[bool] = [False] * len(leaves(job))

    def task(index: int, lo: int, hi: int, stop: Stop) -> None:
        marks[lo:hi] = work(lo, hi, out, lo, stop, progress)
        done[index] = not stop

    try:
        run_ranges(leaves(job), task, threads)
    except KeyboardInterrupt:
        count = done.index(False) * LEAF if False in done else job.n_paths
        raise Interrupted(out[..., :count], marks[:count]) from None
    return out[..., : job.n_paths], marks


def run_moments(job: Job, *, threads: int, progress: Progress | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Merged moments (slots, 1 + k + k (k + 1) / 2) and the numbers of diverged paths, by one fixed tree.

    Raises
    ------
    Interrupted
        On Ctrl-C, with the moments of the leaves that were complete, and which of their paths diverged.
    """
    work = lane_worker(job, moments=True)
    tree = MomentTree(len(job.program.readout), len(leaves(job)))
    diverged: list[np.ndarray] = []
    lock = threading.Lock()

    def task(index: int, lo: int, hi: int, stop: Stop) -> None:
        acc = np.zeros((len(job.save_at), job.moment_size))
        marks = work(lo, hi, acc, 0, stop, progress)
        if stop:
            return
        with lock:
            tree.add(index, acc)
            diverged.append(lo + np.flatnonzero(np.isnan(marks)))

    try:
        run_ranges(leaves(job), task, threads)
    except KeyboardInterrupt:
        empty = np.zeros((len(job.save_at), job.moment_size))
        raise Interrupted(tree.so_far(empty), np.sort(np.concatenate([np.zeros(0, int), *diverged]))) from None
    return tree.result(), np.sort(np.concatenate(diverged))


class MomentTree:
    """Merges leaf moments in the order of a binary tree over leaf numbers, as soon as both halves are there.

    The order depends on the number of leaves alone; memory is the open branches, about log2(leaves) of them
    a thread.
    """

    def __init__(self, k: int, n_leaves: int) -> None:
        self.k, self.n_leaves = k, n_leaves
        self.open: dict[tuple[int, int], np.ndarray] = {}

    def add(self, index: int, value: np.ndarray) -> None:
        """Add the moments of one leaf."""
        from stochsim.codegen.blocks import merge_moments

        level = 0
        while True:
            sibling = index ^ 1
            if index % 2 == 0 and (sibling << level) >= self.n_leaves:
                if index == 0:
                    break
                index, level = index >> 1, level + 1
                continue
            other = self.open.pop((level, sibling), None)
            if other is None:
                break
            left, right = (value, other) if index < sibling else (other, value)
            value = merge_moments(left, right, self.k)
            index, level = index >> 1, level + 1
        self.open[level, index] = value

    def so_far(self, empty: np.ndarray) -> np.ndarray:
        """The moments of the leaves added so far, in the order of their paths; ``empty`` (zeros) if there are none."""
        from stochsim.codegen.blocks import merge_moments

        total = empty
        for _, part in sorted(self.open.items(), key=lambda item: item[0][1] << item[0][0]):
            total = merge_moments(total, part, self.k)
        return total

    def result(self) -> np.ndarray:
        """The moments of all leaves."""
        (value,) = self.open.values()
        return value


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a run: carries what the complete leaves had saved.

    ``values`` are saved states with their sticky ``marks``, or moments with the numbers of the diverged paths.
    """

    def __init__(self, values: np.ndarray, marks: np.ndarray) -> None:
        super().__init__("interrupted")
        self.values, self.marks = values, marks


def choose_executor(program: StepProgram, path_steps: int, wanted: str) -> str:
    """``arrays`` where a function is opaque or the run too small to repay a compile, else ``lanes``."""
    from stochsim.symbolic.program import Program

    if Program(program.update).is_opaque or Program(program.readout).is_opaque:
        return "arrays"
    if wanted != "auto":
        return wanted
    if path_steps < SMALL_RUN and not cache.is_cached(advance_text(program)):
        return "arrays"
    return "lanes"
