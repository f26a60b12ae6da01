"""A contender's process that serves arrays: the script that asks also answers, started with ``--serve NAME``."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _process import OUTPUT, Worker, show, spread
from warm_start import Folder, process

MOST_FIRST = 1.6  # first result over imports


@dataclass
class ServedWorker(Worker):
    """A contender's process: ``script``, told to serve, with further environment variables."""

    script: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def _start(self) -> subprocess.Popen[str]:
        if self._process is None:
            OUTPUT.mkdir(parents=True, exist_ok=True)
            with self.log.open("w") as log:
                self._process = subprocess.Popen(
                    [self.interpreter, "-W", "ignore", self.script, "--serve", self.name],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                    env=os.environ | self.environment,
                )  # fmt: skip
        return self._process


def serve(build: Callable[[dict[str, Any]], Callable[[int], Any]], distributions: str) -> None:
    """Answer requests (JSON lines) until the input ends; a failure of a library is an answer.

    ``build(request)`` returns ``run(seed)``, kept for further requests that differ in their seed only; what it
    returns is saved in the file of the request.
    """
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print must not mix with the answers
    runs = dict[str, Any]()
    for line in sys.stdin:
        request = json.loads(line)
        seed, file = request.pop("seed"), request.pop("file")
        try:
            key = json.dumps(request)
            if key not in runs:
                runs[key] = build(request)
            start, cpu = time.perf_counter(), time.process_time()
            values = runs[key](seed)
            answer: dict[str, Any] = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
            np.save(file, values)
            versions = [f"{n} {importlib.metadata.version(n)}" for n in distributions.split()]
            answer |= {"version": ", ".join(versions)}
        except Exception as error:  # any failure of a library is reported in the table
            answer = {"error": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"}
        channel.write(json.dumps(answer) + "\n")
        channel.flush()


def first_results(lines: dict[str, str], rounds: int, judged: Iterable[str]) -> dict[str, Any]:
    """Whole processes in turns, kernels in the cache; the first line is what the others are divided by."""
    with tempfile.TemporaryDirectory() as name:
        folder = Folder(Path(name))
        for source in lines.values():
            process(source, folder.warm)
        runs: dict[str, list[float]] = {line: [] for line in lines}
        for _ in range(rounds):
            for line, source in lines.items():
                runs[line].append(process(source, folder.warm)["seconds"])
    base = next(iter(runs))
    print("\nfrom a new process, kernels in the cache")
    for line, seconds in runs.items():
        relative = spread([a / b for a, b in zip(seconds, runs[base], strict=True)])
        met = "yes" if relative["median"] <= MOST_FIRST else "NO"
        verdict = f"  required <= {MOST_FIRST}: {met}" if line in judged else ""
        print(f"{line:42} {show(spread(seconds)):24} s, of the imports {show(relative)}{verdict}")
    return runs
