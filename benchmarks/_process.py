"""Worker processes of the contenders, and the machine they run on."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "build" / "benchmarks"


@dataclass
class Worker:
    """A contender's process, started at its first request."""

    name: str
    interpreter: str
    first: float | None = None  # seconds from the start of the process to the first answer
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for the answer; a process that died is an answer with ``error``."""
        start = time.perf_counter()
        process = self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if self.first is None:
            self.first = time.perf_counter() - start
        if not line:
            return {"error": f"the process ended with status {process.wait()}; see {self.log}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    @property
    def log(self) -> Path:
        return OUTPUT / f"{self.name}.log"

    def _start(self) -> subprocess.Popen[str]:
        if self._process is None:
            OUTPUT.mkdir(parents=True, exist_ok=True)
            with self.log.open("w") as log:
                self._process = subprocess.Popen(
                    [self.interpreter, "-W", "ignore", str(Path(__file__).with_name("_worker.py")), self.name],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                )  # fmt: skip
        return self._process

    def close(self) -> None:
        """End the process by ending its input."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()


def machine() -> dict[str, Any]:
    """What the numbers depend on: processor, cores, systems, load."""
    info = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        flags = next((line for line in lines if line.startswith("flags")), "")
        info |= {"processor": names[0], "avx512": "avx512f" in flags.split()}
    except (OSError, IndexError):  # not Linux
        info["avx512"] = None
    return info | {"system": platform.platform(), "python": sys.version.split()[0], "load": load()}


def load() -> float | None:
    """Mean number of running processes over the last minute, where the system tells."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _idle_and_total() -> tuple[float, float]:
    fields = [float(f) for f in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return fields[3] + fields[4], sum(fields)


def wait_until_idle(patience: float) -> bool:
    """Wait at most ``patience`` seconds for all cores to be idle (95 % over 0.2 s); whether they were. Linux only."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        idle, total = _idle_and_total()
        time.sleep(0.2)
        now_idle, now_total = _idle_and_total()
        if now_idle - idle >= 0.95 * (now_total - total):
            return True
    return False


def spread(values: list[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def show(ratio: dict[str, float], digits: int = 3) -> str:
    """Return ``median [low, high]``."""
    numbers = [f"{ratio[k]:#.{digits}g}".rstrip(".") for k in ("median", "low", "high")]
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}]"


def write(name: str, result: dict[str, Any]) -> Path:
    """Write a result as JSON under build/benchmarks."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    path = OUTPUT / f"{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path
