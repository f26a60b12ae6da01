"""Chains advanced by a compiled kernel: blocks of columns, threads, saved draws. No choices for humans here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from stochsim._pool import Stop, run_ranges
from stochsim.codegen import cache
from stochsim.columns.graph import Column, as_column
from stochsim.columns.kernels import Kernel, advance_kernel
from stochsim.columns.noise import TracedNoise
from stochsim.columns.ops import row, stack
from stochsim.columns.tracing import scope, structure, symbolic, variable
from stochsim.mcmc.record import Sampler

CALL_SECONDS = 0.05
NO_TABLE = np.zeros((0, 0))
_TRACED: dict[Any, ChainProgram] = {}


@dataclass(frozen=True)
class ChainProgram:
    """The kernel of a sampler on a kind of target, and what its rows mean.

    Parameters
    ----------
    kernel : Kernel
    state : type
        The NamedTuple of the sampler's state.
    sizes : tuple
        Rows of each of its fields; None is a number of each chain.
    saved : tuple of str
        Names of the numbers saved after the d rows of x.
    varying : tuple of str
        Paths of parameters with a value for each step.
    moments : bool
        Whether each chain's moments are kept in place of its draws.
    """

    kernel: Kernel
    state: Callable[..., Any]
    sizes: tuple[int | None, ...]
    saved: tuple[str, ...]
    varying: tuple[str, ...]
    moments: bool

    @property
    def state_rows(self) -> int:
        """Rows of the state in the work space."""
        return sum(s or 1 for s in self.sizes)


def chain_program(
    sampler: Sampler, target: Any, d: int, varying: tuple[str, ...] = (), moments: bool = False
) -> ChainProgram:
    """The program of a sampler, traced once for all values of parameters."""
    key = (structure(sampler), structure(target), d, varying, moments)
    if key not in _TRACED:
        _TRACED[key] = _trace(sampler, target, d, varying, moments)
    return _TRACED[key]


def _trace(sampler: Sampler, target: Any, d: int, varying: tuple[str, ...], moments: bool) -> ChainProgram:
    formula, density = symbolic(sampler, "sampler"), symbolic(target, "target")
    with scope():
        begun = formula.init(density, variable("x", d))
    sizes = tuple(as_column(v).rows for v in begun)
    names = type(begun)._fields
    variables = [variable(n, s) for n, s in zip(names, sizes, strict=True)]
    with scope() as draws:
        new, info = formula.step(density, type(begun)(*variables), TracedNoise())
    update = [as_column(v) for v in new]
    extra = {n: as_column(v) for n, v in zip(type(info)._fields, info, strict=True)}
    log_prob = {"log_prob": update[names.index("log_prob")]} if "log_prob" in names else {}
    saved = {**log_prob, **extra}
    title = f"{sampler.name} on {type(target).__name__} ({d} components)"
    written = [update[0], *saved.values()]
    if moments:
        kept, title = accumulators(d), f"moments of {title}"
        update += accumulated(update[0], kept)
        variables, written, saved = [*variables, *kept], [], {}
    kernel = advance_kernel(variables, update, written, draws, title, varying)
    return ChainProgram(kernel, type(begun), sizes, tuple(saved), varying, moments)


@dataclass
class Chains:
    """All chains of a run, where they stand.

    Parameters
    ----------
    program : ChainProgram
    key : tuple of int
        Of the seed.
    n_chains, threads : int
    first_chain : int
    """

    program: ChainProgram
    key: tuple[int, int]
    n_chains: int
    threads: int
    first_chain: int = 0

    def __post_init__(self) -> None:
        kernel = self.program.kernel
        self.blocks = -(-self.n_chains // kernel.lanes)
        self.work = np.zeros((self.blocks, kernel.rows * kernel.lanes))
        self.steps_done = self.origin = 0  # every is counted from the origin
        self._function = cache.load(kernel.text)
        self._seconds = 1e-7 * kernel.rows * kernel.lanes  # of a step of a block: at first ten times too much

    def put(self, state: Any) -> None:
        """Set the state, a NamedTuple of arrays (m, n) or (n,)."""
        rows = np.vstack([np.asarray(v, dtype=float).reshape(-1, self.n_chains) for v in state])
        lanes = self.program.kernel.lanes
        padded = np.empty((len(rows), self.blocks * lanes))
        padded[:, : self.n_chains], padded[:, self.n_chains :] = rows, rows[:, :1]
        table = self.work.reshape(self.blocks, -1, lanes)
        table[:, : len(rows)] = padded.reshape(len(rows), self.blocks, lanes).transpose(1, 0, 2)

    def state(self) -> Any:
        """The state, a NamedTuple of arrays (m, n) or (n,)."""
        program = self.program
        rows = self._rows(0, program.state_rows)
        return program.state(*_cut(rows, program.sizes))

    def moments(self) -> np.ndarray:
        """Count, means and co-moments of each chain, (1 + d + pairs, n)."""
        program, d = self.program, self.program.sizes[0] or 1
        return self._rows(program.state_rows, 1 + d + len(kept_pairs(d)))

    def _rows(self, first: int, size: int) -> np.ndarray:
        table = self.work.reshape(self.blocks, -1, self.program.kernel.lanes)[:, first : first + size]
        return np.ascontiguousarray(table.transpose(1, 0, 2)).reshape(size, -1)[:, : self.n_chains]

    def advance(
        self, sampler: Sampler, target: Any, n_steps: int, *, every: int = 1, table: np.ndarray = NO_TABLE,
        progress: Any = None, stop: Stop | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Make steps; returns what was saved after every ``every`` steps, (slots, rows, blocks * lanes).

        ``stop`` may ask for an early end from outside.

        Raises
        ------
        Interrupted
            On Ctrl-C, with the slots that all chains had reached.
        """
        kernel, begin = self.program.kernel, self.steps_done
        phase = begin - self.origin
        par, lanes = kernel.pack(sampler=sampler, target=target), kernel.lanes
        slots = (phase + n_steps) // every - phase // every
        rows = 0 if self.program.moments else (self.program.sizes[0] or 1) + len(self.program.saved)
        saved = np.empty((slots if rows else 0, rows, self.blocks, lanes))
        share = max(1, -(-self.blocks // (4 * self.threads))) if self.blocks > self.threads else 1
        ranges = [(lo, min(lo + share, self.blocks)) for lo in range(0, self.blocks, share)]
        reached = [0] * len(ranges)

        def task(index: int, lo: int, hi: int, own: Stop) -> None:
            k = 0
            while k < n_steps and not (own or stop):
                last = min(n_steps, k + max(1, int(CALL_SECONDS / (self._seconds * (hi - lo)))))
                started = perf_counter()
                slot = (phase + k) // every - phase // every
                first = self.first_chain + lo * lanes
                self._function(
                    par, table, *self.key, first, begin, k, last, self.work[lo:hi], phase, every, slot, saved, lo
                )
                self._seconds = max((perf_counter() - started) / ((last - k) * (hi - lo)), 1e-9)
                if progress is not None:
                    progress.update((last - k) * (hi - lo) * lanes)
                reached[index] = k = last

        try:
            run_ranges(ranges, task, self.threads)
        except KeyboardInterrupt:
            done = (phase + min(reached)) // every - phase // every
            raise Interrupted(saved[:done].reshape(done, rows, -1)) from None
        self.steps_done += n_steps
        return saved.reshape(saved.shape[0], rows, self.blocks * lanes)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a run: carries the draws that all chains had made."""

    def __init__(self, values: np.ndarray) -> None:
        super().__init__("interrupted")
        self.values = values


def _cut(rows: np.ndarray, sizes: tuple[int | None, ...]) -> list[np.ndarray]:
    values, first = [], 0
    for size in sizes:
        values.append(rows[first] if size is None else rows[first : first + size])
        first += size or 1
    return values


# --- moments of each chain while it runs (Welford 1962) -----------------------------------------------------------

FULL_UP_TO = 8  # components up to which covariances, not variances alone, are kept


def kept_pairs(d: int) -> list[tuple[int, int]]:
    """Products of components that are kept: all i <= j up to eight components, squares above."""
    return [(i, j) for i in range(d) for j in range(i, d)] if d <= FULL_UP_TO else [(i, i) for i in range(d)]


def accumulators(d: int) -> list[Column]:
    """Variables for the number of steps, the means and the co-moments of a chain."""
    return [variable("count", None), variable("mean", d), variable("spread", len(kept_pairs(d)))]


def accumulated(x: Column, kept: list[Column]) -> list[Column]:
    """The accumulators after one more place x."""
    count, mean, spread = kept
    count = count + 1.0
    before = x - mean
    mean = mean + before / count
    after = x - mean
    if (x.rows or 1) > FULL_UP_TO:
        return [count, mean, spread + before * after]
    return [count, mean, spread + stack(*(row(before, i) * row(after, j) for i, j in kept_pairs(x.rows or 1)))]
