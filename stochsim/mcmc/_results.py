"""Chains as xarray Datasets, with the attributes that reproduce the run; moments of chains merged over chains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray


def dataset(run: Any, chains: Any, values: np.ndarray) -> xarray.Dataset:
    """Draws (slots, rows, columns) as a Dataset."""
    import xarray as xr

    d, n = run.density.d, run.n_chains
    variables: dict[str, Any] = {"x": (("chain", "draw", "component"), values[:, :d, :n].transpose(2, 0, 1))}
    for i, name in enumerate(chains.program.saved):
        variables[name] = (("chain", "draw"), values[:, d + i, :n].T)
    every = run.n_steps if run.save == "final" else run.thin
    steps = np.arange(1, values.shape[0] + 1) * every
    coords = {"chain": np.arange(n), "draw": steps - 1, "component": np.arange(d)}
    diverging = float(variables["diverging"][1].sum()) if "diverging" in variables else 0.0
    return xr.Dataset(variables, coords, attributes(run, int(diverging)))


def attributes(run: Any, n_diverging: int) -> dict[str, Any]:
    """What reproduces a run, as strings and numbers that netCDF can hold."""
    from stochsim._version import __version__
    from stochsim.codegen.cache import numba_version

    report = {} if run.report is None else {"warmup": str(run.report)}
    return {
        "density": run.density.name,
        "sampler": repr(run.sampler),
        "seed": run.record,
        "n_warmup": run.n_warmup,
        "n_steps": run.n_steps,
        "thin": run.thin,
        "n_diverging": n_diverging,
        "versions": f"stochsim {__version__}, numpy {np.__version__}, numba {numba_version()}",
        **report,
    }


@dataclass(frozen=True)
class Pooled:
    """Moments over a group of chains.

    Parameters
    ----------
    n : int
        Chains.
    steps : float
        Steps of each.
    mean : ndarray, shape (d,)
        Of the chains' means.
    between : ndarray, shape (d, d)
        Co-moments of the chains' means.
    within : ndarray
        Sum of the co-moments inside the chains, by kept pair.
    diverged : int
        Chains that are not finite and were left out.
    """

    n: int
    steps: float
    mean: np.ndarray
    between: np.ndarray
    within: np.ndarray
    diverged: int


def pooled(rows: np.ndarray, d: int) -> Pooled:
    """The moments of chains (1 + d + pairs, n), as `Chains.moments` gives them."""
    fine = np.isfinite(rows).all(axis=0)
    kept = rows[:, fine]
    if not kept.shape[1]:
        return Pooled(0, 0.0, np.zeros(d), np.zeros((d, d)), np.zeros(len(rows) - 1 - d), int((~fine).sum()))
    means = kept[1 : 1 + d]
    centre = means.mean(axis=1)
    centred = means - centre[:, None]
    within = kept[1 + d :].sum(axis=1)
    return Pooled(kept.shape[1], float(kept[0, 0]), centre, centred @ centred.T, within, int((~fine).sum()))


def merged(parts: list[Pooled]) -> Pooled:
    """All groups as one, in their order (Chan, Golub & LeVeque 1979)."""
    total = parts[0]
    for p in parts[1:]:
        n = total.n + p.n
        if p.n == 0 or total.n == 0:
            total = replace(p if total.n == 0 else total, diverged=total.diverged + p.diverged)
            continue
        delta = p.mean - total.mean
        between = total.between + p.between + np.outer(delta, delta) * (total.n * p.n / n)
        mean = total.mean + delta * (p.n / n)
        total = Pooled(n, total.steps, mean, between, total.within + p.within, total.diverged + p.diverged)
    return total


def moments_dataset(run: Any, m: Pooled, pairs: list[tuple[int, int]]) -> xarray.Dataset:
    """Mean, covariance, standard error of the mean and R-hat from merged moments."""
    import xarray as xr

    d, draws = run.density.d, m.n * m.steps
    within = np.full((d, d), np.nan)
    for (i, j), value in zip(pairs, m.within, strict=True):
        within[i, j] = within[j, i] = value
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = (within + m.steps * m.between) / (draws - 1.0)
        spread = np.diag(m.between) / (m.n - 1.0) if m.n > 1 else np.full(d, np.nan)
        inside = np.diag(within) / (m.n * (m.steps - 1.0))
        r_hat = np.sqrt((m.steps - 1.0) / m.steps + spread / inside)
        mcse = np.sqrt(spread / m.n)
    variables = {
        "mean": ("component", m.mean),
        "variance": ("component", np.diag(covariance).copy()),
        "mean_mcse": ("component", mcse),
        "r_hat": ("component", r_hat),
        "count": ((), draws),
    }
    if not np.isnan(covariance).any():
        variables["covariance"] = (("component", "component_2"), covariance)
    coords = {"component": np.arange(d), "component_2": np.arange(d)} if "covariance" in variables else {
        "component": np.arange(d)
    }  # fmt: skip
    return xr.Dataset(variables, coords, attributes(run, 0))
