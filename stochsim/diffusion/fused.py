"""All steps of a sampler in one kernel: scores, linear combinations and noise, block by block in cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np

from stochsim.codegen import cache
from stochsim.codegen.cuda import Device
from stochsim.columns.cuda import cuda_source
from stochsim.columns.evaluate import in_shares
from stochsim.columns.graph import Column, parameter
from stochsim.columns.kernels import Kernel, stages_kernel
from stochsim.columns.tracing import numbered_draw, structure, symbolic, variable
from stochsim.diffusion._noise import STEPS
from stochsim.diffusion.linear import Interval, Symbol, tabulate
from stochsim.diffusion.model import Model
from stochsim.diffusion.record import Sampler

__all__ = ["Segment", "run", "run_on_gpu", "segments"]

_KERNELS: dict[Any, Kernel] = {}


@dataclass(frozen=True)
class Segment:
    """Intervals of one pattern: a kernel, and the values of its parameters for each of them.

    Attributes
    ----------
    kernel : Kernel
    table : ndarray, shape (intervals, parameters)
    registers : int
        Arrays of d rows that make up the state: the latest one, earlier ones, earlier scores and points.
    evaluations : int
        Of the score, in all its intervals.
    """

    kernel: Kernel
    table: np.ndarray
    registers: int
    evaluations: int


@dataclass(frozen=True)
class _Pattern:
    """What intervals have in common: which registers each evaluation and the new state read."""

    points: tuple[tuple[Symbol, ...], ...]
    state: tuple[Symbol, ...]
    noises: int
    past_states: int
    past_scores: int
    past_points: int


def segments(sampler: Sampler, model: Model, grid: np.ndarray, single: bool = False) -> list[Segment]:
    """The run of a sampler along a grid, as kernels and their tables; ``single`` asks for kernels for a GPU.

    Raises
    ------
    SchemeError
        If the sampler is not linear between evaluations.
    """
    intervals = tabulate(sampler, model, np.asarray(grid, dtype=float))
    memory = _memory(intervals)
    found = []
    for _, group in groupby(intervals, key=lambda v: (len(v.evaluations), len(v.noises))):
        members = list(group)
        pattern = _pattern(members, *memory)
        formulas = [[model.noised(e.time).target for e in v.evaluations] for v in members]
        kernel = _kernel(pattern, formulas[0], model.target.d, single)
        table = np.stack([_values(kernel, pattern, v, f) for v, f in zip(members, formulas, strict=True)])
        found.append(Segment(kernel, table, 1 + sum(memory), sum(len(v.evaluations) for v in members)))
    return found


def run(
    plan: Sequence[Segment], x: np.ndarray, key: tuple[int, int], *, first: int = 0, threads: int = 1
) -> np.ndarray:
    """The states (d, n) at the end, from the first ones; ``first`` is the number of the particle in column 0."""
    d, n = x.shape
    state = np.zeros((plan[0].registers * d, n))
    state[:d] = x
    for segment in plan:
        kernel, function = segment.kernel, cache.load(segment.kernel.text)

        def work(lo: int, hi: int, segment: Segment = segment, function: Any = function) -> None:
            w = np.empty(segment.kernel.rows * segment.kernel.lanes)
            function(segment.table, *key, first, state, lo, hi, w)

        in_shares(work, -(-n // kernel.lanes), threads)
    return state[:d]


def run_on_gpu(
    plan: Sequence[Segment], x: np.ndarray, key: tuple[int, int], *, first: int = 0, device: Device
) -> np.ndarray:
    """The same as `run` on a GPU, for segments made with ``single=True``: one launch a segment, one thread a particle.

    Columns go through in as many parts as the memory asks for.

    Raises
    ------
    ParameterError
        If not even 1024 particles fit.
    """
    xp, (d, n) = device.cupy, x.shape
    out = np.empty((d, n))
    tables = [xp.asarray(segment.table) for segment in plan]
    for lo, hi in device.parts(n, 8 * plan[0].registers * d):
        state = xp.zeros((plan[0].registers * d, hi - lo))
        state[:d] = xp.asarray(np.ascontiguousarray(x[:, lo:hi]))
        for segment, table in zip(plan, tables, strict=True):
            arguments = (table, *table.shape, *key, first + lo, state, hi - lo)
            device.launch(cuda_source(segment.kernel), "run_stages", hi - lo, arguments)
        out[:, lo:hi] = xp.asnumpy(state[:d])
    return out


def _memory(intervals: Sequence[Interval]) -> tuple[int, int, int]:
    """How many earlier states, scores and points are needed."""
    lags: dict[str, int] = {"x": 0, "s": -1, "p": -1}
    for v in intervals:
        for terms in (*(e.point for e in v.evaluations), v.state):
            for kind, lag in terms:
                if kind in lags:
                    lags[kind] = max(lags[kind], lag)
    return lags["x"], lags["s"] + 1, lags["p"] + 1


def _pattern(members: Sequence[Interval], *memory: int) -> _Pattern:
    columns = zip(*([e.point for e in v.evaluations] for v in members), strict=True)
    read = tuple(tuple(sorted({s for terms in column for s in terms})) for column in columns)
    state = tuple(sorted({s for v in members for s in v.state}))
    return _Pattern(read, state, len(members[0].noises), *memory)


def _kernel(pattern: _Pattern, formulas: Sequence[Any], d: int, single: bool) -> Kernel:
    key = (pattern, tuple(structure(f) for f in formulas), d, single)
    if key not in _KERNELS:
        _KERNELS[key] = _trace(pattern, formulas, d, single)
    return _KERNELS[key]


def _trace(pattern: _Pattern, formulas: Sequence[Any], d: int, single: bool) -> Kernel:
    states = [variable(f"x{lag}", d) for lag in range(pattern.past_states + 1)]
    past = {"s": [variable(f"s{lag}", d) for lag in range(pattern.past_scores)],
            "p": [variable(f"p{lag}", d) for lag in range(pattern.past_points)]}  # fmt: skip
    registers: dict[Symbol, Column] = {("x", lag): v for lag, v in enumerate(states)}
    registers |= {(kind, lag): v for kind, kept in past.items() for lag, v in enumerate(kept)}
    for j in range(pattern.noises):
        registers["z", j] = numbered_draw("normal", d, parameter(0.0, (), f"noise{j}"), STEPS)
    for j, (read, formula) in enumerate(zip(pattern.points, formulas, strict=True)):
        registers["new p", j] = _combined(read, registers, f"point{j}")
        registers["new s", j] = symbolic(formula, f"target{j}").score(registers["new p", j])
    update = [_combined(pattern.state, registers, "state"), *states[:-1]]
    for kind, kept in past.items():
        latest = [registers[f"new {kind}", j] for j in reversed(range(len(formulas)))]
        update += [*latest, *kept][: len(kept)]
    variables = [*states, *past["s"], *past["p"]]
    title = f"{len(formulas)} scores a step of {type(formulas[0]).__name__}" if formulas else "a step without a score"
    return stages_kernel(variables, update, title, single)


def _combined(read: Sequence[Symbol], registers: dict[Symbol, Column], name: str) -> Column:
    terms = [parameter(0.0, (), f"{name}_{kind.replace(' ', '_')}{lag}") * registers[kind, lag] for kind, lag in read]
    total = terms[0] if terms else 0.0 * registers["x", 0]
    for term in terms[1:]:
        total = total + term
    return total


def _values(kernel: Kernel, pattern: _Pattern, interval: Interval, formulas: Sequence[Any]) -> np.ndarray:
    """The values of the kernel's parameters in an interval."""
    numbers: dict[str, Any] = {f"noise{j}": float(k) for j, k in enumerate(interval.noises)}
    for name, terms in [(f"point{j}", e.point) for j, e in enumerate(interval.evaluations)] + [
        ("state", interval.state)
    ]:
        numbers |= {f"{name}_{kind.replace(' ', '_')}{lag}": value for (kind, lag), value in terms.items()}
    values = []
    for p in kernel.parameters:
        name, _, path = p.path.partition(".")
        if path:
            values.append(attrgetter(path)(formulas[int(name.removeprefix("target"))]))
        else:
            values.append(numbers.get(name, 0.0) if name else p.value)
    return np.concatenate([np.asarray(v, dtype=float).reshape(-1) for v in values])
