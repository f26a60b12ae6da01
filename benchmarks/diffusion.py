"""Diffusion sampling side by side: stochsim, JAX, PyTorch, NumPy.

10⁵ particles, 100 steps of reverse Euler-Maruyama, variance preserving, float64. Every contender runs in its own
process; in a round each runs once, and ratios are taken within a round. All must have the law of Euler-Maruyama.

    python benchmarks/diffusion.py --small
    python benchmarks/diffusion.py --python jax=/path/to/python --python torch=/path/to/python
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from _diffusion_peers import CONTENDERS, numpy, target
from _diffusion_problems import PROBLEMS, Problem
from _process import load, machine, show, spread, wait_until_idle, write
from _served import ServedWorker, first_results, serve

PARTICLES = 100_000
STANDARD_ERRORS = 6.0  # false alarm of one comparison: 2e-9; there are 4 d of them for a contender and problem
TOO_STRONG = 1.05  # noise that the comparisons must refuse
REQUIRED = {("ring", "jax"): 8.0, ("isotropic", "jax"): 5.0}
MOST_OVERHEAD = 5e-6  # s a step
FIRST = """
import numpy as np
import stochsim as ss
process = ss.diffusion.VP()
target = ss.densities.GaussianMixture({target})
ds = ss.diffusion.sample(target, "euler_maruyama", process, n_steps=100, n_particles={n}, seed=1)
print(float(ds.x.mean()))
"""
RING = "np.full(4, 0.25), [[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]], 0.05"
MANY = "np.full(25, 0.04), np.random.default_rng(0).normal(size=(25, 16)), np.linspace(0.2, 1.0, 25)"
LINES = {
    "import numpy, numba, xarray": "import numpy, numba, xarray",
    **{
        f"{name}, {n} particles, to result": FIRST.format(target=target, n=n)
        for n in (1000, PARTICLES)
        for name, target in (("2-d", RING), ("16-d", MANY))
    },
}
JUDGED = [line for line in LINES if " 1000 " in line]


@dataclass
class Row:
    """What was measured of one contender on one problem, a list entry a round."""

    name: str
    first: float | None = None
    version: str = ""
    error: str = ""
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    off: float = 0.0  # standard errors from the laws, the largest of all comparisons


@cache
def reference(problem: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Means of x and x², of draws by NumPy with a seed of their own (see `sums`)."""
    return sums(numpy(PROBLEMS[problem], PARTICLES // 5)(10**6))


def sums(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Means and variances of x and x², and the number of draws."""
    features = np.hstack([x, x**2])
    return features.mean(axis=0), features.var(axis=0), len(x)


def off_gaussian(problem: Problem, x: np.ndarray, strength: float = 1.0) -> float:
    """Largest distance of means and variances from those of Euler-Maruyama for a Gaussian, in standard errors."""
    mean, variance = problem.euler_law()
    variance = strength**2 * variance
    means = np.abs(x.mean(axis=0) - mean) / np.sqrt(variance / len(x))
    squares = np.abs(((x - mean) ** 2).mean(axis=0) / variance - 1.0) / np.sqrt(2.0 / len(x))
    return float(max(means.max(), squares.max()))


def off_mixture(problem: str, x: np.ndarray) -> float:
    """Largest distance of the means of x and x² from those of NumPy's draws, in standard errors."""
    (a, va, na), (b, vb, nb) = reference(problem), sums(x)
    return float((np.abs(a - b) / np.sqrt(va / na + vb / nb)).max())


def measure(problem: str, names: list[str], options: argparse.Namespace) -> list[Row]:
    """The law first, on the collapsed mixture; then a warm-up, then the rounds."""
    rows = {n: Row(n) for n in names}
    workers = {
        n: ServedWorker(n, python, script=__file__, environment=CONTENDERS[n].environment)
        for n, python in ((n, options.interpreters.get(n, sys.executable)) for n in names)
    }
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "particles.npy")
        try:
            for number in range(options.rounds + 2):
                for name, row in rows.items():
                    if row.error:
                        continue
                    n = (PARTICLES // 10 if options.small else PARTICLES) // CONTENDERS[name].share
                    request = {"problem": problem, "collapsed": number == 0, "n": n, "seed": number, "file": file}
                    wait_until_idle(options.patience)
                    answer = workers[name].ask(request)
                    record(row, answer, problem, file, number)
                    row.first = workers[name].first
        finally:
            for worker in workers.values():
                worker.close()
    return list(rows.values())


def record(row: Row, answer: dict[str, Any], problem: str, file: str, number: int) -> None:
    """Keep an answer: request 0 is of the collapsed mixture, request 1 the warm-up."""
    if "error" in answer:
        row.error = answer["error"]
        return
    row.version, x = answer["version"], np.load(file)
    if len(x):
        off = off_gaussian(PROBLEMS[problem].collapsed(), x) if number == 0 else off_mixture(problem, x)
        row.off = max(row.off, off)
    if number > 1:
        row.seconds.append(answer["seconds"] * CONTENDERS[row.name].share)
        row.cpu.append(answer["cpu"] * CONTENDERS[row.name].share)


def ratio(slow: Row, fast: Row, of: str = "seconds") -> dict[str, float]:
    """Time of one over that of another, by the clock or ("cpu") of the processors, round by round."""
    return spread([a / b for a, b in zip(getattr(slow, of), getattr(fast, of), strict=True)])


def table(problem: str, rows: list[Row], small: bool) -> tuple[bool, list[dict[str, Any]]]:
    """Print the rows; whether all laws are right, and the verdicts."""
    own, fine, lines = next((r for r in rows if r.name == "fused" and r.seconds), None), True, []
    columns = f"{'contender':24} {'first s':>8} {'s':>8} {'cpu s':>8}"
    print(f"\n{problem}\n{columns}  {'over stochsim, one kernel':26} {'by cpu s':24} law, s.e.")
    for row in rows:
        title = CONTENDERS[row.name].title
        if row.error:
            print(f"{title:24} did not run: {row.error[:100]}")
            continue
        wrong, verdict = row.off > STANDARD_ERRORS, ""
        fine &= not wrong
        relative, by_cpu = (ratio(row, own, of) if own else None for of in ("seconds", "cpu"))
        least = REQUIRED.get((problem, row.name))
        if least is not None and relative is not None and not small:
            met = relative["median"] >= least
            verdict = f"  required >= {least}: {'yes' if met else 'NO'}"
            lines.append({"peer": row.name, "ratio": relative, "cpu_ratio": by_cpu, "required": least, "met": met})
        print(
            f"{title:24} {row.first:8.2f} {spread(row.seconds)['median']:8.3f} {spread(row.cpu)['median']:8.3f}  "
            f"{show(relative) if relative else '':26} {show(by_cpu) if by_cpu else '':24} {row.off:5.1f}"
            f"{'  WRONG LAW' if wrong else ''}{verdict}  {row.version}"
        )
    return fine, lines


def control(problem: str) -> bool:
    """Whether both comparisons refuse noise that is 5 % too strong, on NumPy's draws."""
    n = PARTICLES // 5
    gaussian = PROBLEMS[problem].collapsed()
    seen = off_gaussian(gaussian, numpy(gaussian, n)(7), TOO_STRONG) > STANDARD_ERRORS
    x = numpy(PROBLEMS[problem], n)(7)
    return seen and off_mixture(problem, TOO_STRONG * x) > STANDARD_ERRORS


def best(act: Any, repeats: int = 30) -> float:
    """The shortest of some times of a call, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return min(times)


def overhead(n: int = 8, n_steps: int = 1000) -> float:
    """Seconds a step of Euler-Maruyama beyond score, noise and the arithmetic on arrays, few particles."""
    from stochsim.diffusion import VP, Model, grids, samplers

    x, s, z = np.ones((2, n)), np.full((2, n), 0.1), np.full((2, n), 0.2)
    process = VP()
    model, grid = Model(None, process, score=lambda x, t: s), grids.uniform(process, n_steps)

    def bare() -> None:
        y = x
        for _ in range(n_steps):
            y = 1.001 * y + 0.002 * s
            y += 0.03 * z

    whole = best(lambda: samplers.euler_maruyama(model, x, grid, lambda k, shape: z))
    return (whole - best(bare)) / n_steps


def score_alone(problem: str, n: int = 8192) -> float:
    """Seconds a particle of the score by one thread, arrays of particles that stay in cache."""
    from stochsim.diffusion import VP, Model

    p = PROBLEMS[problem]
    model, x = Model(target(p), VP()), np.random.default_rng(1).normal(size=(p.means.shape[1], n))
    model.score(x, 0.5)
    return best(lambda: model.score(x, 0.5), 10) / n


def interpreter(text: str) -> tuple[str, str]:
    """NAME=/path/to/python."""
    name, _, path = text.partition("=")
    if name not in CONTENDERS or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not CONTENDER=/path/to/python")
    return name, path


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a tenth of the particles, to see that all runs")
    parser.add_argument("--peers", default=",".join(CONTENDERS), help="comma-separated contenders")
    parser.add_argument("--problem", choices=[*PROBLEMS, "first", "parts"], help="one part only")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--patience", type=float, default=0.0, help="seconds to wait for idle cores before each run")
    parser.add_argument("--python", type=interpreter, action="append", default=[], metavar="CONTENDER=PATH")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.interpreters = dict(options.python)
    return options


def build(name: str, request: dict[str, Any]) -> Any:
    """What answers a request to a contender."""
    problem = PROBLEMS[request["problem"]]
    return CONTENDERS[name].build(problem.collapsed() if request["collapsed"] else problem, request["n"])


def parts() -> dict[str, float]:
    """The parts of a step, printed."""
    found = {f"score, {name}, ns a particle": 1e9 * score_alone(name) for name in PROBLEMS}
    step = overhead()
    found["step beyond score and arithmetic, μs"] = 1e6 * step
    print()
    for name, value in found.items():
        print(f"{name:42} {value:8.2f}")
    print(f"{'':42} required <= {1e6 * MOST_OVERHEAD:g} μs a step: {'yes' if step <= MOST_OVERHEAD else 'NO'}")
    return found


def main() -> int:
    """Measure, print, write JSON; status 1 if a contender computed something else."""
    options = arguments()
    if options.serve:
        serve(partial(build, options.serve), CONTENDERS[options.serve].distributions)
        return 0
    host, fine = machine(), True
    print(host)
    result: dict[str, Any] = {"machine": host, "small": options.small}
    for name in PROBLEMS:
        if options.problem in (None, name):
            rows = measure(name, options.peers.split(","), options)
            right, lines = table(name, rows, options.small)
            if not control(name):
                right = False
                print("  the comparison of laws cannot see 5 % too much noise: too few particles")
            fine &= right
            result[name] = {"rows": [vars(r) for r in rows], "requirements": lines, "load": load()}
            print(f"  load {load()}")
    if options.problem in (None, "first"):
        result["first"] = first_results(LINES, options.rounds, JUDGED)
    if options.problem in (None, "parts"):
        result["parts"] = parts()
    print(f"\nload at the end {load()}; written to {write('diffusion', result)}")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
