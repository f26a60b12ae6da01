"""Run the tasks of a validation: each gives rows, in this process or in several, as they finish."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stochsim.codegen import cache
from stochsim.errors import StochsimError
from stochsim.report.rows import FAILED, NOT_MEASURED, ClaimRow, MutantRow, OrderRow, Row, StabilityRow
from stochsim.schemes import REGISTRY
from stochsim.validation_claims import find_claim
from stochsim.validation_plan import Task, problem, settings, surveyed

__all__ = ["measure", "run"]

QUICK_PATHS = 4096
SURVEY_PATHS = 2048
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def run(tasks: Sequence[Task], processes: int) -> Iterator[list[Row]]:
    """Rows of each task, as they finish.

    Parameters
    ----------
    tasks : sequence of Task
    processes : int
        One runs them here, in order; more run in processes of their own, where compiling and array work
        do not wait for one another.

    Raises
    ------
    RuntimeError
        If a process ended without a word (out of memory, for instance).
    """
    if processes == 1 or len(tasks) == 1:
        for task in tasks:
            yield measure(task)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(processes, context, initializer=_leave_interrupts_to_the_parent) as pool:
        with _one_blas_thread():
            futures = [pool.submit(measure, task) for task in tasks]
        try:
            yield from _results(futures)
        except BaseException:
            _end(pool)
            raise


def _results(futures: Sequence[Future[list[Row]]]) -> Iterator[list[Row]]:
    try:
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool:
        raise RuntimeError(
            "a worker process ended without a word, perhaps out of memory; use --threads 1 to see more"
        ) from None


def _end(pool: ProcessPoolExecutor) -> None:
    pool.shutdown(wait=False, cancel_futures=True)
    for process in multiprocessing.active_children():
        process.terminate()


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Processes begun inside use one BLAS thread each."""
    before = {name: os.environ.get(name) for name in BLAS_THREADS}
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# --- one task --------------------------------------------------------------------------------------------


def measure(task: Task) -> list[Row]:
    """The rows of a task; what it raises becomes a row too.

    Parameters
    ----------
    task : Task
    """
    begin, compiled = time.perf_counter(), cache.compiled_count
    with _without_compile_lines():
        try:
            first = MEASURES[task.kind](task)
        except StochsimError as error:
            first = _without_result(task, NOT_MEASURED, str(error))
        except Exception:
            first = _without_result(task, FAILED, traceback.format_exc(limit=-3).strip())
    first = replace(first, seconds=time.perf_counter() - begin)
    if isinstance(first, OrderRow):
        first = replace(first, compiled=cache.compiled_count - compiled)
        return [first, *(_same(first, name) for name in task.also)]
    return [first]


def _same(row: OrderRow, scheme: str) -> OrderRow:
    return replace(row, scheme=scheme, same_as=row.scheme, seconds=0.0, compiled=0)


@contextlib.contextmanager
def _without_compile_lines() -> Iterator[None]:
    """Keeps the notes on compiling off the table; anything else on standard error is passed on."""
    caught = io.StringIO()
    try:
        with contextlib.redirect_stderr(caught):
            yield
    finally:
        lines = caught.getvalue().splitlines(keepends=True)
        sys.stderr.write("".join(s for s in lines if not s.startswith("stochsim: compiling")))


def _strong(task: Task) -> Row:
    from stochsim.orders import strong_order

    scheme = REGISTRY[task.scheme]
    sde = problem(task.problem, scheme.calculus)
    method = "auto" if task.method == "paths" else task.method
    options: dict[str, Any] = {"executor": "arrays", "n_paths": QUICK_PATHS} if task.quick else {}
    estimate = strong_order(sde, scheme, method=method, seed=task.seed, threads=1, **options)
    return OrderRow.of(estimate, family=task.family, noise=sde.noise_structure, judged=task.judged)


def _weak(task: Task) -> Row:
    from stochsim.orders import weak_order

    scheme, how = REGISTRY[task.scheme], settings(task.problem)
    sde = problem(task.problem, scheme.calculus)
    estimate = weak_order(sde, scheme, method=task.method, domain=how.domain, seed=task.seed, threads=1)
    return OrderRow.of(estimate, family=task.family, noise=sde.noise_structure, judged=task.judged)


def _mutants(task: Task) -> Row:
    from stochsim.levels import Levels
    from stochsim.orders.survey import survey

    scheme = REGISTRY[task.scheme]
    sde = surveyed(task.problem, scheme.calculus)
    original, *findings = survey(
        sde, scheme, seed=task.seed, n_paths=SURVEY_PATHS, levels=Levels(finest=10, n_levels=10)
    )
    found = [
        {
            "name": f.mutant, "kind": f.kind, "subtle": f.subtle, "order": _finite(f.order), "verdict": f.verdict,
            "caught_by": list(f.caught_by),
        }
        for f in findings
    ]  # fmt: skip
    return MutantRow(
        family=task.family, scheme=task.scheme, problem=task.problem, original=original.verdict, findings=found,
        order=_finite(original.order), n_paths=SURVEY_PATHS,
    )  # fmt: skip


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _stability(task: Task) -> Row:
    from stochsim.orders import stability_region

    size = 51 if task.quick else 101
    region = stability_region(REGISTRY[task.scheme], lh=np.linspace(-4.0, 1.0, size), mu2h=np.linspace(0.0, 6.0, size))
    lh, mu2h = np.meshgrid(region.lh, region.mu2h)
    deviation = None
    if task.scheme in AMPLIFICATIONS:
        known, found = AMPLIFICATIONS[task.scheme](lh, mu2h), region.amplification
        pole = ~np.isfinite(known)  # of an implicit scheme
        with np.errstate(invalid="ignore"):
            distance = np.abs(found - known) / (1.0 + np.abs(known))
        deviation = float(np.max(np.where(pole, 0.0, distance)))
    return StabilityRow(
        family=task.family, scheme=task.scheme, deviation=deviation, lh=region.lh.tolist(), mu2h=region.mu2h.tolist(),
        amplification=[[float(f"{v:.6g}") for v in row] for row in region.amplification], bound=_bound(task.scheme),
    )  # fmt: skip


def _bound(scheme: str) -> float | None:
    from stochsim.orders.regions import linear_test_step
    from stochsim.orders.stability import mean_square_boundary

    (found,) = mean_square_boundary(linear_test_step(REGISTRY[scheme]), [-1.0], mu2h_max=6.0)
    return _finite(found)


def _claim(task: Task) -> Row:
    found = find_claim(Path(task.problem), task.scheme)
    holds, measured = found.check(task.seed)
    return ClaimRow(
        family=task.family, name=found.name, statement=found.statement, source=found.source, holds=bool(holds),
        explanation=measured,
    )  # fmt: skip


MEASURES: dict[str, Callable[[Task], Row]] = {
    "strong": _strong, "weak": _weak, "mutants": _mutants, "stability": _stability, "claim": _claim,
}  # fmt: skip


def _without_result(task: Task, verdict: str, explanation: str) -> Row:
    if task.kind == "claim":
        return ClaimRow(
            family=task.family, name=task.scheme, statement=task.scheme, source=task.problem, holds=None,
            explanation=explanation,
        )  # fmt: skip
    declared, noise = None, ""
    if task.kind in ("strong", "weak"):
        scheme = REGISTRY[task.scheme]
        sde = problem(task.problem, scheme.calculus)
        declared, noise = scheme.declared(task.kind, sde.noise_classes), sde.noise_structure
    return OrderRow(
        family=task.family, kind=task.kind, scheme=task.scheme, problem=task.problem, method=task.method, noise=noise,
        declared=declared, verdict=verdict, explanation=explanation, judged=task.judged,
    )  # fmt: skip


# --- E|R|^2 of one step on dX = lambda X dt + mu X dW, with l = lambda h and u = mu^2 h ---------------------


def _euler(l: np.ndarray, u: np.ndarray) -> np.ndarray:
    return np.asarray((1.0 + l) ** 2 + u)


def _milstein(l: np.ndarray, u: np.ndarray) -> np.ndarray:
    return np.asarray(_euler(l, u) + u**2 / 2.0)


def _platen(l: np.ndarray, u: np.ndarray) -> np.ndarray:
    return np.asarray(_euler(l, u) + u * (l + np.sqrt(u)) ** 2 / 2.0)  # mu > 0


def _implicit(l: np.ndarray, u: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.asarray((1.0 + u) / (1.0 - l) ** 2)


def _heun(l: np.ndarray, u: np.ndarray) -> np.ndarray:
    # R = 1 + S + S^2 / 2 with S normal of mean s = lambda h - mu^2 h / 2 (the Stratonovich drift) and variance u
    s = l - u / 2.0
    second, third, fourth = s**2 + u, s**3 + 3.0 * s * u, s**4 + 6.0 * s**2 * u + 3.0 * u**2
    return np.asarray(1.0 + 2.0 * s + 2.0 * second + third + fourth / 4.0)


AMPLIFICATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "euler_maruyama": _euler, "milstein": _milstein, "stratonovich_milstein": _milstein, "euler_heun": _milstein,
    "platen": _platen, "drift_implicit_euler": _implicit, "stratonovich_heun": _heun,
}  # fmt: skip
"""Higham 2000, SIAM J. Numer. Anal. 38, 753, for Euler's and Milstein's methods; the others by hand, from E dW^2k."""
