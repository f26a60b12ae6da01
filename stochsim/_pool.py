"""Ranges of columns worked on by threads, with an ear for Ctrl-C, and a bar that shows how far they are."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

LONG = 2e8  # column-steps, about a second, above which a bar is shown


class Stop:
    """A flag that asks the workers to finish."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask the workers to finish."""
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()


def run_ranges(ranges: Sequence[tuple[int, int]], task: Callable[[int, int, int, Stop], None], threads: int) -> None:
    """Call ``task(index, lo, hi, stop)`` for every range; on any exception the others are asked to stop."""
    stop = Stop()
    pool = ThreadPoolExecutor(max_workers=max(1, min(threads, len(ranges))))
    try:
        futures = [pool.submit(task, i, lo, hi, stop) for i, (lo, hi) in enumerate(ranges)]
        pending = set(futures)
        while pending:  # short waits, so that Ctrl-C reaches the main thread on every platform
            finished, pending = wait(pending, timeout=0.2, return_when=FIRST_EXCEPTION)
            for future in finished:
                future.result()
    except BaseException:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()


class ProgressBar:
    """A progress bar in column-steps: shown if wanted, or (None) on terminals for long runs.

    Parameters
    ----------
    wanted : bool or None
    label : str
    total : int
    """

    def __init__(self, wanted: bool | None, label: str, total: int) -> None:
        show = wanted if wanted is not None else sys.stderr.isatty() and total > LONG
        self._bar: Any = None
        if show:
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=label, unit="step", unit_scale=True, leave=False)

    def update(self, n: int) -> None:
        """Add n column-steps."""
        if self._bar is not None:
            self._bar.update(n)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
