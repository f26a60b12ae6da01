"""From a new process to the first simulated result, against the time of importing numpy, numba and xarray.

Every line is a whole process, interpreter start included. The processes take turns; ratios are taken within a
round, and medians and extremes over the rounds are shown. Kernels are in the cache except in the cold lines, which
start with an empty cache folder and an empty ``NUMBA_CACHE_DIR``.

    python benchmarks/warm_start.py --rounds 15
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _process import ROOT, load, machine, show, spread, wait_until_idle, write

MOST_WARM, MOST_IMPORT, MOST_COLD = 1.6, 0.1, 4.0
MODEL = """\
import numpy as np
import stochsim as ss

sde = ss.SDE(
    drift=lambda x, t, p: p.speed * np.sin(x),
    diffusion=lambda x, t, p: p.noise / (1 + x**2),
    params={"speed": 1.5, "noise": 0.3},
    x0=1.0,
    name="my model",
)
"""
RUN = """
import json, sys, time
import stochsim as ss
def run():
    start, cpu = time.perf_counter(), time.process_time()
    ds = ss.simulate(sde, scheme, t_end=1.0, n_steps=256, n_paths=n_paths, seed=1, progress=False)
    value = float(ds.x.mean())
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu, "value": value, "executor": ds.attrs["executor"]}
first = run()
print(json.dumps(first | {"again": run() if again else None, "sympy": "sympy" in sys.modules}))
"""
BUILT_IN = "import stochsim as ss\nsde = ss.models.geometric_brownian_motion(mu=0.05, sigma=0.2, x0=1.0)\n"
USER = "from my_model import sde, ss\n"
SCHEME = {"built-in": "scheme = ss.schemes.milstein\n", "user": "scheme = ss.schemes.euler_maruyama\n"}
SMALL, LARGE = 10_000, 100_000  # paths: below and above what repays a compile


def simulation(kind: str, n_paths: int, again: bool) -> str:
    """Source of a process that simulates a built-in model or that of the user's file."""
    model = BUILT_IN if kind == "built-in" else USER
    return f"{model}{SCHEME[kind]}n_paths, again = {n_paths}, {again}\n{RUN}"


IMPORT = """
import numpy, time
start = time.perf_counter()
import stochsim
print(time.perf_counter() - start)
"""
WARM = {
    "import numpy": "import numpy",
    "import numpy, numba, xarray": "import numpy, numba, xarray",
    "import stochsim beyond numpy": IMPORT,
    "built-in model to result": simulation("built-in", SMALL, again=False),
    "user's model to result": simulation("user", SMALL, again=False),
}
BASE = "import numpy, numba, xarray"


class Folder:
    """A folder with the user's model, and environments whose caches lie in it."""

    def __init__(self, path: Path) -> None:
        self.path, self._caches = path, 0
        (path / "my_model.py").write_text(MODEL)
        self.warm = self.environment({"STOCHSIM_CACHE_DIR": str(path / "warm")})

    def environment(self, settings: dict[str, str]) -> dict[str, str]:
        """Return this process's environment without its cache settings, with bytecode files, as users have it."""
        dropped = {"NUMBA_CACHE_DIR", "STOCHSIM_CACHE_DIR", "PYTHONDONTWRITEBYTECODE"}
        kept = {k: v for k, v in os.environ.items() if k not in dropped}
        return kept | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(self.path)])} | settings

    def cold(self) -> dict[str, str]:
        """Return an environment with empty caches of stochsim and of Numba."""
        self._caches += 1
        name = str(self.path / f"cold{self._caches}")
        return self.environment({"STOCHSIM_CACHE_DIR": name, "NUMBA_CACHE_DIR": name + "_numba"})


def process(source: str, environment: dict[str, str]) -> dict[str, Any]:
    """Run a source in a new process: seconds by the clock and of the processors, and what it printed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, "-c", source], env=environment, capture_output=True, text=True, check=False)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"a measured process failed:\n{source}\n{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": cpu, "out": done.stdout.strip(), "err": done.stderr.strip()}


def warm(folder: Folder, rounds: int, patience: float) -> dict[str, list[dict[str, Any]]]:
    """Run all warm lines in turns, after one turn that fills the caches."""
    for kind in ("built-in", "user"):
        process(simulation(kind, LARGE, again=False), folder.warm)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in WARM}
    for _ in range(rounds):
        for name, source in WARM.items():
            wait_until_idle(patience)
            results[name].append(process(source, folder.warm))
    return results


def cold(folder: Folder, rounds: int, n_paths: int, patience: float) -> list[dict[str, Any]]:
    """Run the user's model with empty caches."""
    results = []
    for _ in range(rounds):
        wait_until_idle(patience)
        results.append(process(simulation("user", n_paths, again=True), folder.cold()))
    return results


def compile_seconds(results: list[dict[str, Any]], of: str) -> dict[str, float]:
    """Seconds, by the clock or ("cpu") of the processors, that the first call took longer than the second."""
    answers = [json.loads(r["out"]) for r in results]
    return spread([a[of] - a["again"][of] for a in answers])


def verdict(what: str, value: str, limit: str, met: bool) -> dict[str, Any]:
    print(f"  {what:45} {value:24} required {limit:10} {'yes' if met else 'NO'}")
    return {"what": what, "value": value, "required": limit, "met": met}


def ratios(results: dict[str, list[dict[str, Any]]], name: str, of: str) -> dict[str, float]:
    """Return the time of a line over the imports alone, round by round."""
    return spread([a[of] / b[of] for a, b in zip(results[name], results[BASE], strict=True)])


def print_lines(results: dict[str, list[dict[str, Any]]]) -> None:
    print(f"\n{'process':32} {'seconds':24} {'processor seconds':24} of the imports")
    for name, runs in results.items():
        clock, cpu = spread([r["seconds"] for r in runs]), spread([r["cpu"] for r in runs])
        print(f"{name:32} {show(clock):24} {show(cpu):24} {show(ratios(results, name, 'seconds'))}")


def judge_warm(results: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Print and return the verdicts on the warm lines."""
    lines = []
    for name in ("built-in model to result", "user's model to result"):
        clock, cpu = ratios(results, name, "seconds"), ratios(results, name, "cpu")
        what = f"{name}, of the imports"
        lines.append(verdict(what, show(clock), f"<= {MOST_WARM}", clock["median"] <= MOST_WARM))
        print(f"  {'':45} {show(cpu):24} processor time")
        answers = [json.loads(r["out"]) for r in results[name]]
        kernels = all(a["executor"] == "lanes" for a in answers) and not any(a["sympy"] for a in answers)
        lines.append(verdict("  by the cached kernel, SymPy not imported", str(kernels), "True", kernels))
    beyond = spread([float(r["out"]) for r in results["import stochsim beyond numpy"]])
    lines.append(
        verdict("import stochsim beyond numpy, s", show(beyond), f"<= {MOST_IMPORT}", beyond["median"] <= MOST_IMPORT)
    )
    return lines


def judge_cold(large: list[dict[str, Any]], small: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Print and return the verdicts on the lines with empty caches."""
    seconds = compile_seconds(large, "seconds")
    lines = [verdict("cold compile, s", show(seconds), f"<= {MOST_COLD}", seconds["median"] <= MOST_COLD)]
    print(f"  {'':45} {show(compile_seconds(large, 'cpu')):24} processor time")
    said = all(len(r["err"].splitlines()) == 1 for r in large)
    lines.append(verdict("  said in one line", repr(large[0]["err"]) if not said else "True", "True", said))
    whole, little = spread([r["seconds"] for r in large]), spread([r["seconds"] for r in small])
    print(f"  {'whole process, empty caches, s':45} {show(whole)}")
    print(f"  {'the same with few paths (no kernel compiled)':45} {show(little)}")
    return lines


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="two rounds, to see that all runs")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--patience", type=float, default=0.0, help="seconds to wait for idle cores before each process"
    )
    options = parser.parse_args()
    rounds, cold_rounds, host = (2, 1, machine()) if options.small else (options.rounds, 3, machine())
    print(host)
    with tempfile.TemporaryDirectory() as name:
        folder = Folder(Path(name))
        results = warm(folder, rounds, options.patience)
        print_lines(results)
        large = cold(folder, cold_rounds, LARGE, options.patience)
        small = cold(folder, cold_rounds, SMALL, options.patience)
    lines = judge_warm(results) + judge_cold(large, small)
    result = {"machine": host, "warm": results, "cold": large, "cold, few paths": small, "requirements": lines}
    medians = {name: statistics.median(r["seconds"] for r in runs) for name, runs in results.items()}
    print(f"\nload at the end {load()}; written to {write('warm_start', result | {'medians': medians})}")


if __name__ == "__main__":
    main()
