"""One ensemble from checked arguments: jobs, halves of antithetic runs, moments, given or kept noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from stochsim import _request as request
from stochsim import engine
from stochsim._pool import ProgressBar
from stochsim.codegen.arrays import compile_arrays
from stochsim.codegen.kernels import StepProgram
from stochsim.engine import Job
from stochsim.errors import ParameterError
from stochsim.noise.increments import NoisePlan, Primitive
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE
from stochsim.steps import symbol
from stochsim.symbolic import graph as g


@dataclass(frozen=True)
class Outcome:
    """Raw results of one ensemble: values (k, slots, paths) or moments (slots, size), and the diverged paths."""

    values: np.ndarray
    diverged: np.ndarray
    noise: dict[str, np.ndarray]


@dataclass(frozen=True)
class Ensemble:
    sde: SDE
    scheme: Scheme
    program: StepProgram
    key: tuple[int, int]
    grid: request.Grid
    kind: str
    n_paths: int
    states: np.ndarray
    offset: int
    antithetic: bool
    executor_wanted: str
    threads: int
    noise: Any
    save_noise: bool
    bar: ProgressBar

    @property
    def executor(self) -> str:
        if self.noise is not None or self.save_noise:
            return "arrays"
        if self.kind == "moments" and self.executor_wanted == "auto":
            wanted = engine.choose_executor(self.program, engine.SMALL_RUN, "lanes")
            if wanted == "arrays":
                raise ParameterError("save='moments' needs a traced model; this one runs by arrays only (trace=False)")
            return wanted
        return engine.choose_executor(self.program, self.n_paths * (len(self.grid.times) - 1), self.executor_wanted)

    def job(self, vector: np.ndarray, first: int, n: int, sign: float, first_path: int) -> Job:
        d, n_state = self.states.shape[0], self.program.n_state

        def initial(lo: int, hi: int) -> np.ndarray:
            x = np.zeros((n_state, hi - lo))
            x[:d] = self.states if self.states.shape[1] == 1 else self.states[:, first + lo : first + hi]
            return x

        steps = self.grid.save_at[self.grid.save_at > 0]
        parameters = np.append(vector, self.grid.times[0])
        return Job(
            self.program,
            parameters,
            self.key,
            self.grid.times,
            n,
            initial,
            steps,
            first_path,
            self.offset,
            sign,
        )

    def halves(self, vector: np.ndarray) -> list[Job]:
        if not self.antithetic:
            return [self.job(vector, 0, self.n_paths, 1.0, 0)]
        n = self.n_paths // 2
        return [self.job(vector, 0, n, 1.0, 0), self.job(vector, n, n, -1.0, 0)]

    def run(self, vector: np.ndarray) -> Outcome:
        if self.kind == "moments":
            return self._moments(vector)
        values, marks, noise = [], [], dict[str, np.ndarray]()
        for job in self.halves(vector):
            if self.noise is not None or self.save_noise:
                job, source, noise = self._with_noise(job)
                out, mark = engine.run_states(job, executor="arrays", threads=1, progress=self.bar, noise=source)
            else:
                out, mark = engine.run_states(job, executor=self.executor, threads=self.threads, progress=self.bar)
            values.append(self._with_start(job, out))
            marks.append(mark)
        joined = np.concatenate(values, axis=-1) if len(values) > 1 else values[0]
        diverged = np.flatnonzero(np.isnan(np.concatenate(marks)))
        joined[..., diverged] = np.nan
        return Outcome(joined, diverged, noise)

    def _with_start(self, job: Job, out: np.ndarray) -> np.ndarray:
        if not self.grid.saves_start:
            return out
        _, read = engine.array_functions(self.program)
        x = job.initial(0, job.n_paths)
        with np.errstate(all="ignore"):
            first = read(*x, self.grid.times[0], *(np.float64(v) for v in job.parameters))
        rows = np.stack([np.broadcast_to(v, (job.n_paths,)) for v in first])
        return np.concatenate([rows[None], out])

    def _moments(self, vector: np.ndarray) -> Outcome:
        if self.executor != "lanes":
            raise ParameterError("save='moments' runs by lanes; drop executor='arrays'")
        parts, diverged = [], []
        for job in self.halves(vector):
            acc, dead = engine.run_moments(job, threads=self.threads, progress=self.bar)
            parts.append(self._moments_with_start(job, acc))
            diverged.append(dead)
        from stochsim.codegen.blocks import merge_moments

        total = parts[0]
        for part in parts[1:]:
            total = merge_moments(total, part, len(self.program.readout))
        offsets = [0, self.n_paths // 2]
        return Outcome(total, np.concatenate([d + o for d, o in zip(diverged, offsets, strict=False)]), {})

    def _moments_with_start(self, job: Job, acc: np.ndarray) -> np.ndarray:
        if not self.grid.saves_start:
            return acc
        from stochsim.codegen.blocks import merge_moments

        total = np.zeros((1, job.moment_size))
        k = len(self.program.readout)
        for lo, hi in engine.leaves(job):
            leaf = replace(job, initial=partial(_shifted, job.initial, lo), n_paths=hi - lo)
            rows = self._with_start(leaf, np.empty((0, k, hi - lo)))[0]
            mean = rows.mean(axis=1)
            i, j = np.triu_indices(k)
            centred = rows - mean[:, None]
            part = np.concatenate([[hi - lo], mean, (centred[i] * centred[j]).sum(axis=1)])[None]
            total = merge_moments(total, part, k)
        return np.concatenate([total, acc])

    def _with_noise(self, job: Job) -> tuple[Job, Callable[[int, int], Callable[[int], list[np.ndarray]]], Any]:
        plan, formula = self.scheme.plan(self.sde.formula()), self.sde.formula()
        if self.scheme.is_exact:
            raise ParameterError("noise= and save_noise= go with a scheme, not with the exact solution")
        arrays = self._draw_all(job, plan) if self.noise is None else request.given_noise(
            self.noise, self.scheme.needs, self.n_paths, job.n_steps, formula.m
        )  # fmt: skip
        symbols = plan.symbols()
        step = self.scheme.step(formula, formula.x, formula.t, symbol("h"), symbols).flat()
        used = g.variables(step)
        names = [name for name in plan.flat(symbols) if name in used]
        update = tuple(g.substitute(step, {name: g.var(f"n{i}") for i, name in enumerate(names)}))
        stand_in = (Primitive("normal", 0, 0),) * len(names)  # only their number matters: the draws are given
        program = replace(self.program, update=update, primitives=stand_in)
        columns = [_column(arrays, name, plan) for name in names]

        def source(lo: int, hi: int) -> Callable[[int], list[np.ndarray]]:
            return lambda k: [c[lo:hi, k] for c in columns]

        return replace(job, program=program), source, arrays

    def _draw_all(self, job: Job, plan: NoisePlan) -> dict[str, np.ndarray]:
        flat = plan.flat(plan.draw(symbol("h")))
        count = len(plan.primitives)
        build = compile_arrays(tuple(flat.values()), ("h", *(f"n{i}" for i in range(count))))
        draws = engine.ArrayNoise(job, 0, job.n_paths)
        arrays = {k: np.zeros((job.n_paths, job.n_steps, *_tail(k, plan.m))) for k in plan.needs}
        for k in range(job.n_steps):
            values = build(job.times[k + 1] - job.times[k], *draws(k))
            for name, value in zip(flat, values, strict=True):
                _store(arrays, name, plan, k, value)
        return arrays


def _shifted(initial: Callable[[int, int], np.ndarray], by: int, lo: int, hi: int) -> np.ndarray:
    return initial(by + lo, by + hi)


def _tail(kind: str, m: int) -> tuple[int, ...]:
    return (m, m) if kind in ("A", "V") else (m,)


def _place(name: str, plan: NoisePlan) -> tuple[str, Any]:
    kind = max((k for k in plan.needs if name.startswith(k)), key=len)
    return kind, tuple(int(i) for i in name.removeprefix(kind).split("_"))


def _column(arrays: dict[str, np.ndarray], name: str, plan: NoisePlan) -> np.ndarray:
    kind, index = _place(name, plan)
    return arrays[kind][:, :, *index]


def _store(arrays: dict[str, np.ndarray], name: str, plan: NoisePlan, k: int, value: Any) -> None:
    kind, index = _place(name, plan)
    arrays[kind][:, k, *index] = value
    if len(index) == 2:
        arrays[kind][:, k, *index[::-1]] = -value


def first_time(runner: Ensemble, vector: np.ndarray, path: int) -> float:
    """When a path left the finite numbers: run again alone, every step saved (the draws are the same)."""
    half = runner.n_paths // 2
    sign, place = (-1.0, path - half) if runner.antithetic and path >= half else (1.0, path)
    job = runner.job(vector, path, 1, sign, place)
    job = replace(job, save_at=np.arange(1, job.n_steps + 1))
    source = None
    if runner.noise is not None:
        job, every, _ = runner._with_noise(job)
        source = lambda lo, hi: every(path, path + 1)  # noqa: E731
    out, _ = engine.run_states(job, executor="arrays", threads=1, noise=source)
    bad = ~np.isfinite(out[:, :, 0]).all(axis=1)
    return float(job.times[1:][bad][0]) if bad.any() else float(job.times[-1])
