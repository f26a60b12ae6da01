"""Fixed-step SDE simulation side by side: stochsim, NumPy, Numba, and the libraries that are installed.

Every contender runs in its own process. In a round each runs once, one after the other, so that a change of the
machine's speed meets all of them; ratios are taken within a round, and their median and extremes over the rounds
are shown. A contender's end values must have the mean and variance that Euler-Maruyama has.

    python benchmarks/sde.py --small
    python benchmarks/sde.py --peers stochsim,numpy,diffrax --rounds 9
    python benchmarks/sde.py --python brian2=/path/to/another/python
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import dataclass, field
from typing import Any

from _contenders import CONTENDERS
from _problems import STANDARD_NORMAL, Law, paths_of, problem
from _process import Worker, load, machine, show, spread, wait_until_idle, write

STANDARD_ERRORS = 5.0  # false alarm of one comparison: 6e-7
REQUIRED = {  # (contender, reference): least or largest ratio, with AVX-512 and without
    "gbm": {
        ("diffrax", "stochsim"): (18.0, 12.0),
        ("numpy", "stochsim"): (11.0, 7.0),
        ("numba", "stochsim"): (7.0, 4.0),
        ("ziggurat", "normals1"): (4.0, 1.6),
        ("stochsim1", "stochsim"): (1.8, 1.8),
    },
    "ou": {("diffrax", "stochsim"): (14.0, 8.0)},
}
LARGEST_STEP = 1.4  # whole step over its own normals


@dataclass
class Row:
    """What was measured of one contender on one problem, a list entry a round."""

    name: str
    steps: int  # component-steps a run
    first: float | None = None
    version: str = ""
    error: str = ""
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    moments: list[list[float]] = field(default_factory=list)
    idle: list[bool] = field(default_factory=list)  # whether the other programs left the cores alone, if waited for

    @property
    def per_step(self) -> list[float]:
        """Seconds a component-step by the clock."""
        return [s / self.steps for s in self.seconds]

    @property
    def cpu_per_step(self) -> list[float]:
        """Processor seconds a component-step, all threads together."""
        return [s / self.steps for s in self.cpu]


def pooled(moments: list[list[float]]) -> tuple[float, float, float, float]:
    """Mean and variance of all rounds together, each with its standard error."""
    count = sum(m[0] for m in moments)
    mean, square, _, fourth = (sum(m[0] * m[k] for m in moments) / count for k in (1, 2, 3, 4))
    between = sum(m[0] * (m[1] - mean) ** 2 for m in moments) / count
    variance = square + between
    return mean, math.sqrt(variance / count), variance, math.sqrt(max(fourth - square**2, 0.0) / count)


def deviation(moments: list[list[float]], law: Law) -> float:
    """The larger distance of mean and variance from the law, in standard errors."""
    mean, mean_error, variance, variance_error = pooled(moments)
    return max(abs(mean - law.mean) / mean_error, abs(variance - law.variance) / variance_error)


def measure(name: str, names: list[str], options: argparse.Namespace) -> list[Row]:
    """Run all contenders on a problem: one warm-up each, then the rounds."""
    n_steps = 100 if options.small else 1000
    d = problem(name, n_steps).d
    paths, rows = {}, {}
    for n in names:
        most = CONTENDERS[n].at_most
        paths[n] = min(paths_of(name, options.small), most // d if most else sys.maxsize)
        rows[n] = Row(n, paths[n] * n_steps * d)
    workers = {n: Worker(n, options.interpreters.get(n, sys.executable)) for n in names}
    try:
        for round_number in range(options.rounds + 1):
            for n in names:
                if rows[n].error:
                    continue
                request = {"problem": name, "n_steps": n_steps, "n_paths": paths[n], "seed": round_number}
                rows[n].idle.append(wait_until_idle(options.patience))
                record(rows[n], workers[n].ask(request), warm=round_number > 0)
                rows[n].first = workers[n].first
            progress(f"{name}: round {round_number} of {options.rounds}, load {load()}")
    finally:
        for worker in workers.values():
            worker.close()
    return list(rows.values())


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def record(row: Row, answer: dict[str, Any], warm: bool) -> None:
    """Keep an answer; times of the warm-up count as the first call only."""
    if "error" in answer:
        row.error = answer["error"]
        return
    row.version = answer["version"]
    row.moments.append(answer["moments"])
    if warm:
        row.seconds.append(answer["seconds"])
        row.cpu.append(answer["cpu"])


def ratio(rows: dict[str, Row], slow: str, fast: str, cpu: bool = False) -> dict[str, float] | None:
    """Time a step of one contender over that of another, round by round; None if one of them did not run."""
    if not all(n in rows and rows[n].seconds for n in (slow, fast)):
        return None
    a, b = ((r.cpu_per_step if cpu else r.per_step) for r in (rows[slow], rows[fast]))
    return spread([x / y for x, y in zip(a, b, strict=True)])


def law_of(name: str, row: Row, n_steps: int) -> Law:
    return STANDARD_NORMAL if CONTENDERS[row.name].normals else problem(name, n_steps).euler_law()


def table(name: str, rows: list[Row], n_steps: int) -> bool:
    """Print the rows; whether every result has the right law."""
    by_name, fine = {r.name: r for r in rows}, True
    print(f"\n{name}: {n_steps} steps, component-steps with their noise, float64")
    print(
        f"{'contender':29} {'first s':>8} {'ns a step':>10} {'cpu ns':>8} {'Mstep/s':>8}  "
        f"{'time over stochsim':<22} {'law, s.e.':>9}  version"
    )
    for row in rows:
        title = CONTENDERS[row.name].title
        if row.error:
            print(f"{title:29} did not run: {row.error[:100]}")
            continue
        time, cpu = spread(row.per_step)["median"], spread(row.cpu_per_step)["median"]
        relative, off = ratio(by_name, row.name, "stochsim"), deviation(row.moments, law_of(name, row, n_steps))
        fine &= off < STANDARD_ERRORS
        print(
            f"{title:29} {row.first:8.2f} {1e9 * time:10.2f} {1e9 * cpu:8.2f} {1e-6 / time:8.1f}  "
            f"{show(relative) if relative else '':<22} {off:9.1f}  {row.version}"
            f"{'  WRONG LAW' if off >= STANDARD_ERRORS else ''}"
        )
    return fine


def control(name: str, rows: list[Row], n_steps: int) -> bool:
    """Whether the comparison of laws refuses noise that is 5 % too strong, on stochsim's own results."""
    own = [r for r in rows if r.name == "stochsim" and r.moments]
    right = problem(name, n_steps).euler_law()
    return all(deviation(r.moments, Law(right.mean, 1.05**2 * right.variance)) > STANDARD_ERRORS for r in own)


def requirements(name: str, rows: list[Row], avx512: bool | None) -> list[dict[str, Any]]:
    """Compare the ratios with what is asked of stochsim."""
    by_name, lines = {r.name: r for r in rows}, []
    for (slow, fast), limits in REQUIRED[name].items():
        limit, measured = limits[0 if avx512 else 1], ratio(by_name, slow, fast)
        if measured is not None:
            cpu = ratio(by_name, slow, fast, cpu=True)
            lines.append(line(f"{CONTENDERS[slow].title.strip()} / {fast}", measured, cpu, ">=", limit))
    for whole, part in (("stochsim", "normals"), ("stochsim1", "normals1")):
        measured = ratio(by_name, whole, part)
        if measured is not None:
            cpu = ratio(by_name, whole, part, cpu=True)
            lines.append(line(f"{CONTENDERS[whole].title} / its own normals", measured, cpu, "<=", LARGEST_STEP))
    return lines


def line(what: str, clock: dict[str, float], cpu: Any, sign: str, limit: float) -> dict[str, Any]:
    """One requirement, judged by the clock; processor time beside it tells what other load has done to the clock."""
    met = clock["median"] >= limit if sign == ">=" else clock["median"] <= limit
    verdict = "yes" if met else "NO"
    print(f"  {what:42} {show(clock):22} required {sign} {limit:<5} {verdict:4} processor time {show(cpu)}")
    return {"what": what, "ratio": clock, "cpu_ratio": cpu, "required": f"{sign} {limit}", "met": met}


def interpreter(text: str) -> tuple[str, str]:
    name, _, path = text.partition("=")
    if name not in CONTENDERS or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not CONTENDER=/path/to/python")
    return name, path


def contenders(text: str) -> list[str]:
    names = text.split(",")
    unknown = sorted(set(names) - set(CONTENDERS))
    if unknown:
        raise argparse.ArgumentTypeError(f"no contender {', '.join(unknown)}; there are {', '.join(CONTENDERS)}")
    return names


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a hundredth of the work, to see that all runs")
    parser.add_argument("--peers", type=contenders, default=list(CONTENDERS), help="comma-separated contenders")
    parser.add_argument("--problem", choices=("gbm", "ou"), help="one problem only")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--patience", type=float, default=0.0, help="seconds to wait for idle cores before each run")
    parser.add_argument("--python", type=interpreter, action="append", default=[], metavar="CONTENDER=PATH")
    options = parser.parse_args()
    options.interpreters = dict(options.python)
    return options


def main() -> int:
    """Measure, print, write JSON; status 1 if a contender computed something else."""
    options, host = arguments(), machine()
    print(host)
    result: dict[str, Any] = {"machine": host, "small": options.small}
    fine = True
    for name in [options.problem] if options.problem else ["gbm", "ou"]:
        rows = measure(name, options.peers, options)
        n_steps = 100 if options.small else 1000
        fine &= table(name, rows, n_steps)
        if not control(name, rows, n_steps):
            fine = False
            print("  the comparison of laws cannot see 5 % too much noise: too few paths")
        lines = [] if options.small else requirements(name, rows, host["avx512"])
        ratios = {r.name: ratio({x.name: x for x in rows}, r.name, "stochsim") for r in rows}
        result[name] = {"rows": [vars(r) for r in rows], "ratios": ratios, "requirements": lines, "load": load()}
    print(f"\nload at the end {load()}; written to {write('sde', result)}")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
