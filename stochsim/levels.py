"""Coupled levels: one Brownian path, every step size, and the exact solution on the same path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stochsim._request import count, number
from stochsim.codegen import cache
from stochsim.codegen.arrays import compile_arrays
from stochsim.codegen.blocks import LANES
from stochsim.codegen.coupled import CoupledProgram, Layout, coupled_text
from stochsim.codegen.functions import filler
from stochsim.codegen.lanes import FILL, noise_buffer, scratch_rows
from stochsim.engine import CALL_SECONDS, LEAF
from stochsim.errors import ParameterError, SchemeError
from stochsim.noise.increments import NoisePlan
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE
from stochsim.solution import Solution
from stochsim.steps import START, functional_count, functional_update, read_solution, symbol
from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node
from stochsim.symbolic.program import Program
from stochsim.symbolic.tracing import Sym, as_sym

COMPILE_SECONDS = 0.4  # array time below which compiling a coupled kernel does not pay


def check_interval(t0: float, t_end: float) -> None:
    """Refuse a time interval that does not run forward between finite times.

    Raises
    ------
    ParameterError
        If t0 or t_end is not a finite number, or t_end <= t0.
    """
    if number("t_end", t_end) <= number("t0", t0):
        raise ParameterError(f"t_end={t_end:g} is not after t0={t0:g}; give t_end > t0")


@dataclass(frozen=True)
class Levels:
    """Step sizes of a coupled run: ``n_levels`` dyadic levels, the finest with ``2**finest`` steps on [t0, t_end].

    ``refine`` (a power of two) is how many times finer the grid of the increments and of the reference is.

    Raises
    ------
    ParameterError
        If t0 or t_end is not finite, t_end <= t0, the levels are not 1 to ``finest + 1``, or ``refine`` is no
        power of two.
    """

    t0: float = 0.0
    t_end: float = 1.0
    finest: int = 11
    n_levels: int = 9
    refine: int = 1

    def __post_init__(self) -> None:
        check_interval(self.t0, self.t_end)
        finest, n = count("finest", self.finest, least=0), count("n_levels", self.n_levels)
        if n > finest + 1:
            raise ParameterError(f"n_levels={n} with finest={finest}; give at most finest + 1 = {finest + 1} levels")
        if count("refine", self.refine) & (self.refine - 1):
            raise ParameterError(f"refine is {self.refine}; give a power of two")

    @property
    def lowest(self) -> int:
        """Level of the increments at which the finest step of the scheme stands."""
        return int(np.log2(self.refine))

    @property
    def times(self) -> np.ndarray:
        """Times of the finest increments."""
        n = 2 ** (self.finest + self.lowest)
        return np.asarray(self.t0 + (self.t_end - self.t0) * (np.arange(n + 1) / n))

    @property
    def h(self) -> np.ndarray:
        """Step sizes, largest first."""
        exponents = np.arange(self.finest - self.n_levels + 1, self.finest + 1)
        return np.asarray((self.t_end - self.t0) / 2.0**exponents)


@dataclass(frozen=True)
class Ends:
    """Results of some paths at the end time, levels ordered as ``Levels.h`` (largest step first).

    ``x`` (n_levels, d, n); ``exact`` (d, n) or None; ``noise`` by kind, totals over the whole interval;
    ``sup`` (n_levels, n) largest distance to the exact solution on each level's grid, on request.
    """

    x: np.ndarray
    exact: np.ndarray | None
    noise: dict[str, np.ndarray]
    sup: np.ndarray | None = None


def coupled_program(
    sde: SDE, scheme: Scheme | None, needs: tuple[str, ...] = ("dW",), exact: bool = True
) -> CoupledProgram:
    """Parts of a coupled run of a scheme (or, with None, of the noise and the exact solution alone).

    Raises
    ------
    SchemeError
        If the scheme does not fit, or its noise has no exact merge rule.
    """
    formula = sde.formula()
    solution = sde.solution if exact else None
    if scheme is not None:
        scheme.check(formula)
        needs = scheme.needs
    wanted = (*needs, *(solution.needs if solution else ()))
    plan = NoisePlan.of(wanted, formula.m)
    if not plan.pathwise:
        name = scheme.name if scheme else "the solver"
        raise SchemeError(
            f"{name} uses weak (moment-matching) random variables, so it has no strong order; use weak_order"
        )
    values = plan.symbols()
    flat = plan.flat(values)
    left = {k: _prefixed(v, "left_") for k, v in values.items()}
    merged = plan.merge(left, values, symbol("hl"), symbol("hr"))
    step: tuple[Node, ...] = ()
    if scheme is not None:
        step = tuple(scheme.step(formula, formula.x, formula.t, symbol("h"), values).flat())
    functionals, readout, primitives = _exact_parts(sde, solution, formula, len(plan.primitives))
    return CoupledProgram(
        d=formula.d,
        noise=tuple(flat),
        draw=tuple(plan.flat(plan.draw(symbol("h"))).values()),
        merge=tuple(plan.flat(merged).values()),
        functionals=functionals,
        step=step,
        readout=readout,
        parameters=(*formula.parameters.vector_names, START),
        primitives=(*plan.primitives, *primitives),
        title=f"{sde.name}: {scheme.name if scheme else 'noise'}, coupled levels",
    )


def _prefixed(value: Sym, prefix: str) -> Sym:
    names = {n: g.var(prefix + n) for n in g.variables(value.flat())}
    return as_sym(np.array(g.substitute(value.flat(), names), dtype=object).reshape(value.shape))


def _exact_parts(sde: SDE, solution: Solution | None, formula: Any, first: int) -> tuple[Any, Any, Any]:
    if solution is None:
        return (), (), ()
    update, _, primitives = functional_update(solution, formula, first=formula.d)
    count = functional_count(solution, formula)
    names = {f"x{formula.d + i}": g.var(f"y{i}") for i in range(count)}
    aux = {f"e{i}": g.var(f"n{first + i}") for i in range(solution.n_aux)}
    readout = read_solution(sde, solution, formula, first=formula.d)
    return tuple(g.substitute(update, names | aux)), tuple(g.substitute(readout, names)), primitives


@dataclass(frozen=True)
class CoupledRun:
    """A coupled run at fixed parameter values: ask for ranges of paths."""

    program: CoupledProgram
    levels: Levels
    parameters: np.ndarray
    start: np.ndarray  # (d,)
    key: tuple[int, int]
    sup: bool = False
    executor: str = "auto"

    @staticmethod
    def of(sde: SDE, scheme: Scheme | None, levels: Levels, key: tuple[int, int], **options: Any) -> CoupledRun:
        """For the first values of the parameters; the grid is refined as the model's solution asks."""
        needs = options.pop("needs", ("dW",))
        exact = options.pop("exact", True)
        solution = sde.solution if exact else None
        if solution is not None and levels.refine < solution.resolution:
            levels = replace(levels, refine=solution.resolution)
        vector = np.append(next(sde.parameters.points())[1], levels.t0)
        program = coupled_program(sde, scheme, needs, exact)
        return CoupledRun(program, levels, vector, sde.start.reshape(-1), key, **options)

    @property
    def layout(self) -> Layout:
        """Rows of a block."""
        p, v = self.program, self.levels
        return Layout(p.d, len(p.noise), len(p.functionals), v.n_levels, v.lowest, v.finest + v.lowest, self.sup)

    @property
    def operations(self) -> float:
        """Array operations a finest step, all levels together."""
        p = self.program
        fine = 6 * len(p.draw) + Program(p.functionals).size + Program(p.merge).size
        return fine + 2 * Program(p.step).size / self.levels.refine

    def array_seconds(self, n_paths: int) -> float:
        """Rough cost by the array executor: a microsecond and a nanosecond a path for each operation."""
        calls = -(-n_paths // LEAF)
        return 2.0 ** (self.levels.finest + self.levels.lowest) * self.operations * (1.5e-6 * calls + 1e-9 * n_paths)

    def chosen_executor(self, n_paths: int) -> str:
        """The executor for so many paths."""
        p = self.program
        if self.executor != "auto":
            return self.executor
        if Program((*p.step, *p.functionals, *p.readout)).is_opaque:
            return "arrays"
        if self.array_seconds(n_paths) < COMPILE_SECONDS and not cache.is_cached(coupled_text(p, self.layout)):
            return "arrays"
        return "lanes"

    def chunks(self, n_paths: int, first: int = 0, threads: int = 1) -> Iterator[Ends]:
        """Results of paths first .. first + n_paths - 1, leaf by leaf, in order, whatever the threads."""
        work = self._lane_worker() if self.chosen_executor(n_paths) == "lanes" else self._array_worker()
        ranges = [(first + lo, first + min(lo + LEAF, n_paths)) for lo in range(0, n_paths, LEAF)]
        pool = ThreadPoolExecutor(max_workers=max(1, min(threads, len(ranges))))
        try:
            yield from pool.map(lambda r: work(*r), ranges)
        finally:  # also when the reader stops early or is interrupted: what is queued is not worth waiting for
            pool.shutdown(wait=True, cancel_futures=True)

    # --- lanes -------------------------------------------------------------------------------------
    def _lane_worker(self) -> Callable[[int, int], Ends]:
        layout, times = self.layout, self.levels.times
        text = coupled_text(self.program, layout)
        kernel, rows = cache.load(text), scratch_rows(text)
        size = max(2, int(CALL_SECONDS / (LEAF * self.operations * 0.5e-9)) // 2 * 2)

        def work(lo: int, hi: int) -> Ends:
            blocks = -(-(hi - lo) // LANES)
            state = np.zeros((blocks, rows * LANES))
            table, z = state.reshape(blocks, rows, LANES), noise_buffer(self.program.primitives)
            for level in range(layout.n_levels):
                table[:, layout.x(level) : layout.x(level) + layout.d] = self.start[:, None]
            for first in range(0, len(times) - 1, size):
                last = min(first + size, len(times) - 1)
                kernel(self.parameters, *self.key, lo, first, last, times, self.start, state, z)
            flat = table.transpose(1, 0, 2).reshape(rows, -1)[:, : hi - lo]
            return self._ends(flat)

        return work

    def _ends(self, rows: np.ndarray) -> Ends:
        v, n = self.layout, rows.shape[1]
        x = rows[: v.n_levels * v.d].reshape(v.n_levels, v.d, n)[::-1]
        total = rows[v.left(v.top) : v.left(v.top) + v.n_noise]
        y = rows[v.y : v.y + v.n_functionals]
        sup = rows[v.errors : v.errors + v.n_levels][::-1] if self.sup else None
        return Ends(x, self._exact(y), self._noise(total), sup)

    def _exact(self, y: np.ndarray) -> np.ndarray | None:
        if not self.program.readout:
            return None
        return np.stack(np.broadcast_arrays(*self._read(y, self.levels.t_end), y[0])[:-1])

    def _read(self, y: Any, t: float) -> tuple[Any, ...]:
        names = [f"x{i}" for i in range(self.program.d)] + [f"y{i}" for i in range(len(y))]
        read = compile_arrays(self.program.readout, (*names, "t", *self.program.parameters))
        with np.errstate(all="ignore"):
            return read(*self.start, *y, np.float64(t), *self.parameters)

    def _noise(self, total: Any) -> dict[str, np.ndarray]:
        grouped: dict[str, list[np.ndarray]] = {}
        for name, values in zip(self.program.noise, total, strict=True):
            kind = name.rstrip("0123456789_")
            grouped.setdefault(kind, []).append(values)
        return {k: np.stack(v) for k, v in grouped.items()}

    # --- arrays ------------------------------------------------------------------------------------
    def _array_worker(self) -> Callable[[int, int], Ends]:
        return lambda lo, hi: self.run_arrays([self.program.step], lo, hi)[0]

    def run_arrays(self, steps: list[tuple[Node, ...]], lo: int, hi: int, lags: list[str] | None = None) -> list[Ends]:
        """Several steps (a scheme and its mutants) on the same paths, by NumPy.

        ``lags`` tampers with the noise of each: ``""`` not at all, ``"shifted"`` takes the increment of the
        step before, ``"reused"`` that of every other step twice.
        """
        stepper = ArrayLevels(self, steps, hi - lo, lags or [""] * len(steps))
        for k in range(len(self.levels.times) - 1):
            stepper.advance(k, self.draws(k >> 1, lo, hi)[k & 1])
        return stepper.ends()

    def draws(self, pair: int, lo: int, hi: int) -> np.ndarray:
        """Primitive draws (2, K, n) of one pair of finest steps."""
        if self._last.get("at") != (pair, lo, hi):
            z = np.empty((2, len(self.program.primitives), hi - lo))
            for i, p in enumerate(self.program.primitives):
                filler(FILL[p.kind])(*self.key, lo, pair, p.component, p.stream, z[0, i], z[1, i])
            self._last["at"], self._last["z"] = (pair, lo, hi), z
        return self._last["z"]  # type: ignore[no-any-return]

    @property
    def _last(self) -> dict[str, Any]:
        import threading

        local = self.__dict__.setdefault("_local", threading.local())
        return local.__dict__  # type: ignore[no-any-return]


class ArrayLevels:
    """The binary counter of the coupled kernel, in NumPy."""

    def __init__(self, run: CoupledRun, steps: list[tuple[Node, ...]], n: int, lags: list[str]) -> None:
        p, self.run, self.v, self.n = run.program, run, run.layout, n
        x = [f"x{i}" for i in range(p.d)]
        y = [f"y{i}" for i in range(len(p.functionals))]
        draws = [f"n{i}" for i in range(len(p.primitives))]
        self.draw = compile_arrays(p.draw, ("h", *draws))
        self.merge = compile_arrays(p.merge, (*(f"left_{n}" for n in p.noise), *p.noise, "hl", "hr"))
        self.functional = compile_arrays(p.functionals, (*y, "t", "h", *p.noise, *draws, *p.parameters))
        self.steps = [compile_arrays(s, (*x, "t", "h", *p.noise, *p.parameters)) if s else None for s in steps]
        start = [np.full(n, s) for s in run.start]
        self.x = [[list(start) for _ in range(self.v.n_levels)] for _ in steps]
        self.y = [np.zeros(n) for _ in p.functionals]
        self.sup = [np.zeros((self.v.n_levels, n)) for _ in steps]
        self.left: dict[int, Any] = {}
        self.lags, self.before = lags, [None] * self.v.n_levels
        self.parameters = [np.float64(v) for v in run.parameters]

    def advance(self, k: int, z: np.ndarray) -> None:
        """One finest step with its draws (K, n), and every coarser step that it completes."""
        ts, kk, p = self.run.levels.times, k + 1, self.run.program
        h = ts[kk] - ts[k]
        with np.errstate(all="ignore"):
            current = self.draw(h, *z)
            if p.functionals:
                self.y = list(self.functional(*self.y, ts[k], h, *current, *z, *self.parameters))
            exact = None
            if self.run.sup and kk % 2**self.v.lowest == 0:
                exact = self.run._read(self.y, ts[kk])
            level = 0
            while True:
                if 0 <= level - self.v.lowest < self.v.n_levels:
                    odd = (kk >> level) & 1 == 0  # the second of a pair of steps of this level
                    self._step(level - self.v.lowest, ts[kk - (1 << level)], ts[kk], current, exact, odd)
                if (kk >> level) & 1 or level == self.v.top:
                    self.left[level] = current
                    return
                hl, hr = ts[kk - (1 << level)] - ts[kk - (2 << level)], ts[kk] - ts[kk - (1 << level)]
                current = self.merge(*self.left[level], *current, hl, hr)
                level += 1

    def _step(self, q: int, t: float, t_next: float, noise: Any, exact: Any, odd: bool) -> None:
        before = noise if self.before[q] is None else self.before[q]
        choices = {"": noise, "shifted": before, "reused": before if odd else noise}
        for i, step in enumerate(self.steps):
            if step is None:
                continue
            used = choices[self.lags[i]]
            self.x[i][q] = list(step(*self.x[i][q], t, t_next - t, *used, *self.parameters))
            if exact is not None:
                error = np.sqrt(sum((a - b) ** 2 for a, b in zip(self.x[i][q], exact, strict=True)))
                self.sup[i][q] = np.maximum(self.sup[i][q], error)
        self.before[q] = noise

    def ends(self) -> list[Ends]:
        """Results at the end time, one for each step function."""
        y = np.array(self.y).reshape(len(self.y), self.n)
        exact, noise = self.run._exact(y), self.run._noise(self.left[self.v.top])
        results = []
        for x, sup in zip(self.x, self.sup, strict=True):
            levels = np.array([[np.broadcast_to(c, (self.n,)) for c in level] for level in x])[::-1]
            results.append(Ends(levels, exact, noise, sup[::-1] if self.run.sup else None))
        return results
