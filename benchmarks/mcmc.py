"""Markov chains side by side: stochsim, NumPy, blackjax, numpyro.

HMC: 1000 chains, 200 trajectories of 10 leapfrogs, on 50-d Gaussians of condition 100. NUTS: effective draws a second.
Every contender runs in its own process; in a round each runs once, ratios are taken within a round. The draws of all
must have the exact law, and effective draws are counted by one estimator for all.

    python benchmarks/mcmc.py --small
    python benchmarks/mcmc.py --python blackjax=/path/to/python --python numpyro=/path/to/python
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _mcmc_peers import CONTENDERS
from _mcmc_problems import PROBLEMS
from _process import load, machine, show, spread, wait_until_idle, write
from _served import ServedWorker, first_results, serve

STANDARD_ERRORS = 5.0  # false alarm of one comparison: 6e-7
HMC, NUTS = ("hmc diagonal", "hmc dense"), ("nuts gaussian", "nuts dense", "nuts funnel", "nuts banana")
REQUIRED = {
    ("hmc diagonal", "blackjax"): 6.0,
    ("hmc diagonal", "blackjax2"): 6.0,
    ("hmc dense", "blackjax"): 4.0,
    ("hmc dense", "blackjax2"): 4.0,
    **{(name, peer): 3.0 for name in NUTS for peer in ("blackjax", "blackjax2", "numpyro", "numpyro2")},
}
MOST_MEMORY = 500.0  # MB beyond the process
FIRST = """
import stochsim as ss
normal = ss.densities.Gaussian([0.0] * 10)
ds = ss.mcmc.sample(normal, ss.mcmc.{sampler}, n_chains={n}, n_steps=100, seed=1, progress=False)
print(float(ds.x.mean()))
"""
LINES = {
    "import numpy, numba, xarray": "import numpy, numba, xarray",
    "HMC, 1000 chains, to result": FIRST.format(sampler="HMC(0.5, 5)", n=1000),
    "NUTS, 4 chains, to result": FIRST.format(sampler="NUTS(0.5)", n=4),
}
MILLION = """
import sys
sys.path.insert(0, {folder!r})
from memory import Peak, resident
import stochsim as ss
mixture = ss.densities.GaussianMixture([0.3, 0.7], [[-1.0, 0.0], [1.0, 1.0]], [0.3, 0.6])
def run(n):
    return ss.mcmc.sample(mixture, ss.mcmc.HMC(0.4, 5), n_chains=n, n_steps=100, seed=1, save="moments", progress=False)
run(1000)
before, peak = resident(), Peak()
peak.start()
run({n})
print(peak.stop() - before)
"""


def build(name: str, request: dict[str, Any]) -> Any:
    """What answers a request to a contender."""
    return CONTENDERS[name][0](PROBLEMS[request["problem"]], request["n_chains"], request["n_steps"])


@dataclass
class Row:
    """What was measured of one contender on one problem, a list entry a round."""

    name: str
    first: float | None = None
    version: str = ""
    error: str = ""
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    effective: list[float] = field(default_factory=list)
    deviations: list[float] = field(default_factory=list)


def effective(draws: np.ndarray) -> float:
    """The smallest effective number of draws (chains, steps, d) over the components."""
    from stochsim.metrics import ess

    return float(np.min(ess(draws, kind="bulk")))


def deviation(problem: str, values: np.ndarray, count: float) -> float:
    """Mean square of the standardised draws against 1, in standard errors of ``count`` independent ones.

    For NUTS, of the first component, counted conservatively by the smallest effective number.
    """
    z = PROBLEMS[problem].standardised(values)
    own = z if problem in HMC else z[..., 0]
    n = z.size if problem in HMC else count
    return float(abs((own**2).mean() - 1.0) / np.sqrt(2.0 / n))


def measure(problem: str, names: list[str], options: argparse.Namespace) -> list[Row]:
    """Run all contenders: one warm-up each, then the rounds."""
    is_hmc = problem in HMC
    n_chains, n_steps = (1000, 20 if options.small else 200) if is_hmc else (2, 200 if options.small else 4000)
    rows = {n: Row(n) for n in names if is_hmc or n != "numpy"}
    workers = {n: ServedWorker(n, options.interpreters.get(n, sys.executable), script=__file__) for n in rows}
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "draws.npy")
        request = {"problem": problem, "n_chains": n_chains, "n_steps": n_steps, "file": file}
        try:
            for number in range(options.rounds + 1):
                for name, row in rows.items():
                    if not row.error:
                        wait_until_idle(options.patience)
                        answer = workers[name].ask(request | {"seed": number})
                        record(row, answer, problem, file, warm=number > 0)
                        row.first = workers[name].first
        finally:
            for worker in workers.values():
                worker.close()
    return list(rows.values())


def record(row: Row, answer: dict[str, Any], problem: str, file: str, warm: bool) -> None:
    """Keep an answer; times of the warm-up count as the first call only."""
    if "error" in answer:
        row.error = answer["error"]
        return
    row.version = answer["version"]
    if not warm:
        return
    values = np.load(file)
    row.seconds.append(answer["seconds"])
    row.cpu.append(answer["cpu"])
    row.effective.append(float(len(values)) if problem in HMC else effective(values))
    row.deviations.append(deviation(problem, values, row.effective[-1]))


def ratio(own: Row, peer: Row, of: str = "seconds") -> dict[str, float] | None:
    """How much more a second, by the clock or ("cpu") of the processors, stochsim gives, round by round."""
    if not (own.seconds and peer.seconds):
        return None
    pairs = zip(own.effective, getattr(own, of), peer.effective, getattr(peer, of), strict=True)
    return spread([(e / s) / (f / t) for e, s, f, t in pairs])


def table(problem: str, rows: list[Row], small: bool) -> tuple[bool, list[dict[str, Any]]]:
    """Print the rows; whether all laws are right, and the verdicts."""
    own, fine, lines = next(r for r in rows if r.name == "stochsim"), True, []
    unit = "chains" if problem in HMC else "effective draws"
    columns = f"{'contender':12} {'first s':>8} {'s':>8} {'cpu s':>8} {unit + '/s':>18}"
    print(f"\n{problem}\n{columns}  {'stochsim over it':22} {'by cpu s':22} law, s.e.")
    for row in rows:
        if row.error:
            print(f"{row.name:12} did not run: {row.error[:100]}")
            continue
        seconds, cpu = spread(row.seconds)["median"], spread(row.cpu)["median"]
        rate = spread([e / s for e, s in zip(row.effective, row.seconds, strict=True)])["median"]
        relative, by_cpu, off = ratio(own, row), ratio(own, row, "cpu"), max(row.deviations)
        wrong = off > STANDARD_ERRORS
        fine &= not wrong
        least = REQUIRED.get((problem, row.name))
        verdict = ""
        if least is not None and relative is not None and not small:
            met = relative["median"] >= least
            verdict = f"  required >= {least}: {'yes' if met else 'NO'}"
            lines.append(
                {"peer": row.name, "ratio": relative, "cpu_ratio": by_cpu, "required": f">= {least}", "met": met}
            )
        print(
            f"{row.name:12} {row.first:8.2f} {seconds:8.3f} {cpu:8.3f} {rate:18.0f}  "
            f"{show(relative) if relative else '':22} {show(by_cpu) if by_cpu else '':22} {off:5.1f}"
            f"{'  WRONG LAW' if wrong else ''}{verdict}  {row.version}"
        )
    return fine, lines


def million(small: bool) -> float:
    """Resident memory that a run of 10⁶ chains with online moments takes, MB, in a process of its own."""
    source = MILLION.format(folder=str(Path(__file__).parent), n=10_000 if small else 1_000_000)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    growth = float(done.stdout)
    print(
        f"\n10^6 chains x 100 steps of HMC on a 2-d mixture, moments: {growth:.0f} MB more "
        f"(required <= {MOST_MEMORY:.0f})"
    )
    return growth


def interpreter(text: str) -> tuple[str, str]:
    """NAME=/path/to/python."""
    name, _, path = text.partition("=")
    if name not in CONTENDERS or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not CONTENDER=/path/to/python")
    return name, path


def main() -> int:
    """Measure, print, write JSON; status 1 if a contender computed something else."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a tenth of the work, to see that all runs")
    parser.add_argument("--peers", default=",".join(CONTENDERS), help="comma-separated contenders")
    parser.add_argument("--problem", choices=[*PROBLEMS, "first", "memory"], help="one problem only")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--patience", type=float, default=0.0, help="seconds to wait for idle cores before each run")
    parser.add_argument("--python", type=interpreter, action="append", default=[], metavar="CONTENDER=PATH")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(partial(build, options.serve), CONTENDERS[options.serve][1])
        return 0
    options.interpreters, host, fine = dict(options.python), machine(), True
    print(host)
    result: dict[str, Any] = {"machine": host, "small": options.small}
    for name in PROBLEMS:
        if options.problem in (None, name):
            rows = measure(name, options.peers.split(","), options)
            right, lines = table(name, rows, options.small)
            fine &= right
            result[name] = {"rows": [vars(r) for r in rows], "requirements": lines, "load": load()}
    if options.problem in (None, "first"):
        result["first"] = first_results(LINES, options.rounds, list(LINES)[1:])
    if options.problem in (None, "memory"):
        result["memory"] = million(options.small)
    print(f"\nload at the end {load()}; written to {write('mcmc', result)}")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
