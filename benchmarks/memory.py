"""Resident memory of ``save="moments"`` over 10^9 path-steps, beyond the process right after imports and compile.

python benchmarks/memory.py
"""

from __future__ import annotations

import argparse
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from _process import load, machine, write

MOST = 100.0  # MB
CASES = {"gbm": (1, 1_000_000, 1000), "ou, 10 components": (10, 100_000, 1000)}  # components, paths, steps


def resident() -> float:
    """Resident memory of this process now, MB (where the system does not tell: its largest so far)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    return pages * resource.getpagesize() / 1e6


class Peak(threading.Thread):
    """Samples the resident memory every 5 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.highest, self._done = resident(), threading.Event()

    def run(self) -> None:
        """Sample until `stop`."""
        while not self._done.wait(0.005):
            self.highest = max(self.highest, resident())

    def stop(self) -> float:
        """End the sampling; the highest value, MB."""
        self._done.set()
        self.join()
        return max(self.highest, resident())


def model(d: int) -> Any:
    """Geometric Brownian motion, or d independent Ornstein-Uhlenbeck processes."""
    import stochsim as ss

    if d == 1:
        return ss.SDE(lambda x, t, p: 0.05 * x, lambda x, t, p: 0.2 * x, x0=1.0, name="gbm")
    return ss.SDE(lambda x, t, p: -x, lambda x, t, p: 0.5 + 0.0 * x, x0=np.ones(d), name="ou")


def measure(d: int, n_paths: int, n_steps: int) -> dict[str, float]:
    """Compile on few paths, then run all; the growth from there, at its highest."""
    import stochsim as ss

    sde = model(d)

    def run(paths: int) -> Any:
        return ss.simulate(
            sde, ss.schemes.euler_maruyama, t_end=1.0, n_steps=n_steps, n_paths=paths, seed=1, save="moments",
            progress=False,
        )  # fmt: skip

    run(1000)
    before, peak, start = resident(), Peak(), time.perf_counter()
    peak.start()
    ds = run(n_paths)
    seconds, highest = time.perf_counter() - start, peak.stop()
    assert int(ds["count"][-1]) == n_paths
    return {"path_steps": n_paths * n_steps, "before": before, "growth": highest - before, "seconds": seconds}


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a hundredth of the paths, to see that all runs")
    options, host = parser.parse_args(), machine()
    print(host)
    result: dict[str, Any] = {"machine": host}
    print(f"\n{'moments at every step of':30} {'path-steps':>10} {'MB before':>10} {'MB more':>8} {'seconds':>8}")
    for name, (d, n_paths, n_steps) in CASES.items():
        row = measure(d, n_paths // 100 if options.small else n_paths, n_steps)
        met = row["growth"] <= MOST
        result[name] = row | {"required": f"<= {MOST}", "met": met}
        print(
            f"{name:30} {row['path_steps']:10.0e} {row['before']:10.1f} {row['growth']:8.1f} {row['seconds']:8.1f}"
            f"  required <= {MOST:.0f} MB: {'yes' if met else 'NO'}"
        )
    print(f"\nload at the end {load()}; written to {write('memory', result)}")


if __name__ == "__main__":
    main()
