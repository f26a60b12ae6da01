"""Coupled runs of two schemes on geometric Brownian motion, for the tests of the estimators.

dX = mu X dt + sigma X dW, X_0 = 1 (Itô), T = 1. A linear scheme is a product over its steps, so a run is
three vectorised lines; all levels and the exact solution use one Brownian path.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from stochsim.orders.error_sums import ErrorSums
from stochsim.orders.limits import LimitSums

MU, SIGMA = 0.5, 0.5
H = 2.0 ** -np.arange(3, 12)
SD_X = np.exp(MU) * np.sqrt(np.expm1(SIGMA**2))
SCHEMES = ("euler_maruyama", "milstein")
ORDERS = {"euler_maruyama": 0.5, "milstein": 1.0}


@dataclass(frozen=True)
class Batch:
    """Signed errors (n_levels, n_paths) of each scheme, W_T and X_T."""

    errors: dict[str, np.ndarray]
    w: np.ndarray
    x: np.ndarray

    def error_sums(self, scheme: str) -> ErrorSums:
        return ErrorSums.of(H, np.abs(self.errors[scheme]))

    def limit_sums(self, scheme: str) -> LimitSums:
        return LimitSums.of(H, self.errors[scheme][:, None], self.w[None])


def run(n_paths: int, seed: int, *, noise: float = 1.0, drift: float = 1.0) -> Batch:
    """One batch; ``noise`` and ``drift`` multiply sigma and mu in the schemes, not in the exact solution."""
    rng = np.random.Generator(np.random.SFC64(seed))
    dw = rng.standard_normal((n_paths, 2048)) / np.sqrt(2048)
    w = dw.sum(axis=1)
    x = np.exp(MU - SIGMA**2 / 2 + SIGMA * w)
    errors: dict[str, list[np.ndarray]] = {scheme: [] for scheme in SCHEMES}
    for h in H[::-1]:
        growth = 1 + drift * MU * h + noise * SIGMA * dw
        errors["euler_maruyama"].append(growth.prod(axis=1) - x)
        growth += (noise * SIGMA) ** 2 * (dw**2 - h) / 2
        errors["milstein"].append(growth.prod(axis=1) - x)
        dw = dw[:, ::2] + dw[:, 1::2]
    return Batch({scheme: np.stack(levels[::-1]) for scheme, levels in errors.items()}, w, x)


@cache
def sums_of_batches() -> dict[str, list[tuple[ErrorSums, LimitSums]]]:
    """200 disjoint batches of 1024 paths of the unmutated schemes, as sums (about 15 s, once a session)."""
    out: dict[str, list[tuple[ErrorSums, LimitSums]]] = {scheme: [] for scheme in SCHEMES}
    for seed in range(200):
        batch = run(1024, seed)
        for scheme in SCHEMES:
            out[scheme].append((batch.error_sums(scheme), batch.limit_sums(scheme)))
    return out
