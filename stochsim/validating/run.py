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
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from stochsim.codegen import cache
from stochsim.errors import StochsimError
from stochsim.report.rows import FAILED, NOT_MEASURED, ClaimRow, OrderRow, Row
from stochsim.validating.plan import family
from stochsim.validating.task import Task
from stochsim.validation_claims import find_claim

__all__ = ["Done", "measure", "run"]

BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


class Done(NamedTuple):
    """A task with its rows."""

    task: Task
    rows: list[Row]


def run(tasks: Sequence[Task], processes: int) -> Iterator[Done]:
    """The tasks with their rows, as they finish.

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
            yield Done(task, measure(task))
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(processes, context, initializer=_leave_interrupts_to_the_parent) as pool:
        with _one_blas_thread():
            futures = {pool.submit(measure, task): task for task in tasks}
        try:
            yield from _results(futures)
        except BaseException:
            _end(pool)
            raise


def _results(futures: Mapping[Future[list[Row]], Task]) -> Iterator[Done]:
    try:
        for future in as_completed(futures):
            yield Done(futures[future], future.result())
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
            first, *more = _claimed(task) if task.kind == "claim" else family(task.family).MEASURES[task.kind](task)
        except StochsimError as error:
            first, more = _without_result(task, NOT_MEASURED, str(error)), []
        except Exception:
            first, more = _without_result(task, FAILED, traceback.format_exc(limit=-3).strip()), []
    first = replace(first, seconds=time.perf_counter() - begin)
    if isinstance(first, OrderRow):
        first = replace(first, compiled=cache.compiled_count - compiled)
        return [first, *more, *(_same(first, name) for name in task.also)]
    return [first, *more]


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


def _claimed(task: Task) -> list[Row]:
    found = find_claim(Path(task.problem), task.scheme)
    holds, measured = found.check(task.seed)
    return [
        ClaimRow(
            family=task.family, name=found.name, statement=found.statement, source=found.source, holds=bool(holds),
            explanation=measured,
        )
    ]  # fmt: skip


def _without_result(task: Task, verdict: str, explanation: str) -> Row:
    if task.kind != "claim":
        return family(task.family).without_result(task, verdict, explanation)
    return ClaimRow(
        family=task.family, name=task.scheme, statement=task.scheme, source=task.problem, holds=None,
        explanation=explanation,
    )  # fmt: skip
