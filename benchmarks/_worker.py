"""One contender in its own process: requests are JSON lines on standard input, answers on standard output.

Own processes keep the thread pools of the libraries apart, and let a library run under another interpreter.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import _contenders
import numpy as np
from _problems import problem


def cpu_seconds() -> float:
    """User and system time of this process and of the programs it ran."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usages)


def moments(values: Any) -> list[float]:
    """Count, mean, and central moments two to four of all components together."""
    x = np.asarray(values, dtype=float).ravel()
    centred = x - x.mean()
    return [float(x.size), float(x.mean()), *(float((centred**k).mean()) for k in (2, 3, 4))]


def timed(run: Callable[[int], Any], seed: int) -> dict[str, Any]:
    """Seconds of one run by the clock and of the processors, and the moments of its result."""
    cpu, clock = cpu_seconds(), time.perf_counter()
    values = run(seed)
    seconds = time.perf_counter() - clock
    return {"seconds": seconds, "cpu": cpu_seconds() - cpu, "moments": moments(values)}


def versions_of(distributions: str) -> str:
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in distributions.split())


def serve(name: str, requests: TextIO, answers: TextIO) -> None:
    """Answer requests until the input ends; a library that fails to import or run is an answer, not a crash."""
    contender, runs = _contenders.CONTENDERS[name], {}
    for line in requests:
        request = json.loads(line)
        key = (request["problem"], request["n_steps"], request["n_paths"])
        try:
            if key not in runs:
                runs[key] = contender.build(problem(key[0], key[1]), key[2])
            answer = timed(runs[key], request["seed"]) | {"version": versions_of(contender.distribution)}
        except Exception as error:  # any failure of a library is reported in the table
            text = str(error).strip().partition("\n")[0]
            answer = {"error": f"{type(error).__name__}: {text}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    for run in runs.values():
        getattr(run, "close", lambda: None)()


if __name__ == "__main__":
    # what the libraries print must not mix with the answers
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.argv[1], sys.stdin, channel)
