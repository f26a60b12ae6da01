"""`simulate`: many paths of a model by a scheme, as an xarray Dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from stochsim import _request as request
from stochsim import engine
from stochsim.codegen.arrays import compile_arrays
from stochsim.codegen.kernels import StepProgram
from stochsim.engine import Job
from stochsim.errors import DivergenceError, ParameterError
from stochsim.noise.increments import NoisePlan, Primitive
from stochsim.noise.seeds import seed_key
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE
from stochsim.steps import Observables, step_program, symbol
from stochsim.symbolic import graph as g

if TYPE_CHECKING:
    import xarray

EXECUTORS = ("auto", "lanes", "arrays")


@dataclass(frozen=True)
class Outcome:
    """Raw results of one ensemble: values (k, slots, paths) or moments (slots, size), and the diverged paths."""

    values: np.ndarray
    diverged: np.ndarray
    noise: dict[str, np.ndarray]


def simulate(
    sde: SDE,
    scheme: Scheme,
    *,
    t_end: float | None = None,
    n_steps: int | None = None,
    n_paths: int = 1,
    seed: int | np.random.SeedSequence | None = None,
    save: Any = "final",
    t0: float = 0.0,
    t: Any = None,
    times: Any = None,
    x0: Any = None,
    params: Mapping[str, Any] | None = None,
    observables: Observables | None = None,
    noise: Any = None,
    save_noise: bool = False,
    antithetic: bool = False,
    allow_divergence: bool = False,
    executor: str = "auto",
    threads: int | None = None,
    progress: bool | None = None,
    dtype: Any = np.float64,
) -> xarray.Dataset:
    """Simulate paths of an SDE.

    Parameters
    ----------
    sde : SDE
    scheme : Scheme
        One of ``ss.schemes``, or your own.
    t_end, n_steps : float, int
        End time and number of equal steps; or give the grid ``t``.
    n_paths : int
    seed : int or SeedSequence, optional
        None draws one and records it. Path k is the same for any ``n_paths``, thread count or executor.
    save : {"final", "all", "moments"} or array_like
        The final state; every step; moments over paths at every step, in memory that does not grow with
        ``n_paths``; or the states at the given times, which must be step times.
    t0 : float
        Start time.
    t : array_like, optional
        Increasing step times, instead of ``t0, t_end, n_steps``.
    times : array_like, optional
        With ``save="moments"``: step times to keep.
    x0 : float, (d,), (n_paths, d), density or Dataset, optional
        Initial states; default the model's. A Dataset continues that run: its final states, time, seed and
        step count are taken over.
    params : mapping, optional
        Parameter values other than the model's; 1-d arrays sweep.
    observables : mapping of str to callable, optional
        ``f(x)``, ``f(x, t)`` or ``f(x, t, p)``, one number a path, saved beside the state.
    noise : array_like or mapping, optional
        Increments to use instead of drawn ones: dW (n_paths, n_steps, m), Itô, or a dict by noise name.
    save_noise : bool
        Also return the noise, (path, step, noise).
    antithetic : bool
        The second half of the paths uses the negated draws of the first half.
    allow_divergence : bool
        Return non-finite paths as NaN and count them in ``n_diverged`` instead of raising.
    executor : {"auto", "lanes", "arrays"}
        Compiled kernels or NumPy; both give the same bits.
    threads : int, optional
    progress : bool, optional
        Default: only on a terminal and for runs longer than about a second.
    dtype : dtype
        Of the returned values; the arithmetic is in float64.

    Returns
    -------
    xarray.Dataset
        ``x(path[, time][, component])``, or one variable a named component; swept parameters are leading
        dimensions. For moments ``x_mean(time, ...)``, ``x_var``, ``x_cov``, ``count``. The attributes hold what
        reproduces the run.

    Raises
    ------
    ParameterError
        If an argument is out of its domain.
    SchemeError
        If the scheme does not fit the noise or the calculus of the model.
    DivergenceError
        If paths leave the finite numbers and ``allow_divergence`` is False.
    """
    from stochsim import _results

    request.check_model(sde, scheme)
    if params:
        sde = sde.with_params(**params)
    n_paths, threads = request.count("n_paths", n_paths), request.thread_count(threads)
    if executor not in EXECUTORS:
        raise ParameterError(f"executor is {executor!r}; give one of {', '.join(EXECUTORS)}")
    continued = _results.continuation(x0, n_paths)
    if continued is not None:
        x0, t0, n_paths, offset = continued.x0, continued.t_end, continued.n_paths, continued.steps
        seed = continued.seed if seed is None else seed
    else:
        offset = 0
    grid_times = request.time_grid(t, t0, t_end, n_steps)
    kind, grid = request.saving(grid_times, save, times)
    key0, key1, record = seed_key(seed)
    if antithetic and n_paths % 2:
        raise ParameterError(f"antithetic needs an even number of paths, n_paths is {n_paths}")
    states = request.initial_states(sde, x0, n_paths, record)
    program = step_program(sde, scheme, observables)
    runner = _Runner(
        sde, scheme, program, (key0, key1), grid, kind, n_paths, states, offset,
        antithetic, executor, threads, noise, save_noise, _Bar(progress, sde, scheme, n_paths, grid),
    )  # fmt: skip
    outcomes = []
    try:
        for index, vector in sde.parameters.points():
            outcome = runner.run(vector)
            outcomes.append((index, outcome))
            if len(outcome.diverged) and not allow_divergence:
                raise _divergence(runner, vector, outcome.diverged, scheme, sde)
    except engine.Interrupted as stop:
        stop.partial = _results.partial(runner, stop)  # type: ignore[attr-defined]
        raise
    finally:
        runner.bar.close()
    return _results.dataset(runner, outcomes, record, list(observables or {}), dtype)


@dataclass(frozen=True)
class _Runner:
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
    bar: _Bar

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
            self.program, parameters, self.key, self.grid.times, n, initial, steps, first_path, self.offset, sign
        )

    def halves(self, vector: np.ndarray) -> list[Job]:
        if not self.antithetic:
            return [self.job(vector, 0, self.n_paths, 1.0, 0)]
        n = self.n_paths // 2
        return [self.job(vector, 0, n, 1.0, 0), self.job(vector, n, n, -1.0, 0)]

    def run(self, vector: np.ndarray) -> Outcome:
        if self.kind == "moments":
            return self._moments(vector)
        values, marks, noise = [], [], {}
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
            leaf = replace(job, initial=lambda a, b, lo=lo: job.initial(lo + a, lo + b), n_paths=hi - lo)
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


def _tail(kind: str, m: int) -> tuple[int, ...]:
    return (m, m) if kind in ("A", "V") else (m,)


def _place(name: str, plan: NoisePlan) -> tuple[str, tuple[int, ...]]:
    kind = max((k for k in plan.needs if name.startswith(k)), key=len)
    return kind, tuple(int(i) for i in name.removeprefix(kind).split("_"))


def _column(arrays: dict[str, np.ndarray], name: str, plan: NoisePlan) -> np.ndarray:
    kind, index = _place(name, plan)
    return arrays[kind][(slice(None), slice(None), *index)]


def _store(arrays: dict[str, np.ndarray], name: str, plan: NoisePlan, k: int, value: Any) -> None:
    kind, index = _place(name, plan)
    arrays[kind][(slice(None), k, *index)] = value
    if len(index) == 2:
        arrays[kind][(slice(None), k, *index[::-1])] = -value


class _Bar:
    """A progress bar in path-steps, shown on terminals for long runs."""

    def __init__(self, wanted: bool | None, sde: SDE, scheme: Scheme, n_paths: int, grid: request.Grid) -> None:
        import sys

        total = n_paths * (len(grid.times) - 1) * int(np.prod(sde.parameters.shape or (1,)))
        show = wanted if wanted is not None else sys.stderr.isatty() and total > 2e8
        self._bar: Any = None
        if show:
            from tqdm import tqdm

            label = f"{sde.name}: {scheme.name}"
            self._bar = tqdm(total=total, desc=label, unit="step", unit_scale=True, leave=False)

    def update(self, n: int) -> None:
        if self._bar is not None:
            self._bar.update(n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _divergence(runner: _Runner, vector: np.ndarray, paths: np.ndarray, scheme: Scheme, sde: SDE) -> DivergenceError:
    first = min(first_time(runner, vector, int(p)) for p in paths[:16])
    return DivergenceError(
        f"{len(paths)} of {runner.n_paths} paths of {sde.name} left the finite numbers with {scheme.name}, the first "
        f"near t={first:g}; take smaller steps or a scheme for such drifts (tamed_euler, drift_implicit_euler), or pass "
        "allow_divergence=True",
        n_diverged=len(paths),
        first_time=first,
    )


def first_time(runner: _Runner, vector: np.ndarray, path: int) -> float:
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
