"""Raw results as xarray Datasets, with the attributes that reproduce the run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from stochsim._ensemble import Ensemble, Outcome
from stochsim.engine import Interrupted
from stochsim.errors import ParameterError

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True)
class Continued:
    """What a Dataset hands over to the run that continues it."""

    x0: np.ndarray
    t_end: float
    steps: int
    n_paths: int
    seed: int


def continuation(x0: Any, n_paths: int) -> Continued | None:
    """Read a Dataset given as x0; None for anything else.

    Raises
    ------
    ParameterError
        If the Dataset holds moments or swept runs, or n_paths was given and differs.
    """
    if not (hasattr(x0, "data_vars") and hasattr(x0, "attrs")):
        return None
    names = x0.attrs.get("state_variables", "").split()
    if not names or "path" not in x0.dims or x0.attrs.get("swept"):
        raise ParameterError("only a Dataset of paths without swept parameters can be continued (not moments)")
    last = x0.isel(time=-1) if "time" in x0.dims else x0
    parts = [last[n].transpose("path", ...).values for n in names]
    states = np.stack(parts, axis=-1) if parts[0].ndim == 1 else parts[0]
    if n_paths not in (1, len(states)):
        raise ParameterError(f"n_paths={n_paths}, but the continued Dataset has {len(states)} paths; leave n_paths out")
    seed = x0.attrs["seed"]
    if not str(seed).isdigit():
        raise ParameterError(f"the continued run was made with {seed}; give seed= with the same SeedSequence")
    return Continued(states, float(x0.attrs["t_end"]), int(x0.attrs["steps"]), len(states), int(seed))


def dataset(
    runner: Ensemble,
    outcomes: list[tuple[tuple[int, ...], Outcome]],
    record: str,
    observables: list[str],
    dtype: Any,
) -> xarray.Dataset:
    """One Dataset of all parameter points."""
    import xarray as xr

    parameters = runner.sde.parameters
    stacked = np.stack([o.values for _, o in outcomes])
    shaped = stacked.reshape(parameters.shape + stacked.shape[1:])
    build = _moment_variables if runner.kind == "moments" else _path_variables
    variables, coords = build(runner, shaped, observables, dtype)
    for name in parameters.swept:
        coords[name] = (name, parameters.values[name])
    if runner.save_noise:
        for name, array in outcomes[0][1].noise.items():
            dims = ("path", "step", "noise") + (("noise_2",) if array.ndim == 4 else ())
            variables[name] = (dims, array)
    counts = np.array([len(o.diverged) for _, o in outcomes])
    return xr.Dataset(variables, coords, attributes(runner, record, int(counts.sum())))


Variables = dict[str, Any]


def _path_variables(
    runner: Ensemble, values: np.ndarray, observables: list[str], dtype: Any
) -> tuple[Variables, Variables]:
    # values: (swept..., slot, k, path) -> (swept..., path, slot, k) as a view
    swept = runner.sde.parameters.swept
    view = np.moveaxis(values, -1, -3).astype(dtype, copy=False)
    coords: Variables = {}
    dims: tuple[str, ...] = (*swept, "path")
    if runner.kind == "final":
        view = view[..., 0, :]
    else:
        dims, coords["time"] = (*dims, "time"), runner.grid.save_times
    return _split(runner, view, dims, observables, coords, ""), coords


def _split(
    runner: Ensemble,
    view: np.ndarray,
    dims: tuple[str, ...],
    observables: list[str],
    coords: Variables,
    suffix: str,
) -> Variables:
    sde, d = runner.sde, runner.sde.d
    variables: Variables = {}
    if sde.components is not None:
        variables = {f"{name}{suffix}": (dims, view[..., i]) for i, name in enumerate(sde.components)}
    elif sde.scalar_state:
        variables[f"x{suffix}"] = (dims, view[..., 0])
    else:
        variables[f"x{suffix}"] = ((*dims, "component"), view[..., :d])
        coords["component"] = np.arange(d)
    for i, name in enumerate(observables):
        variables[f"{name}{suffix}"] = (dims, view[..., d + i])
    return variables


def _moment_variables(
    runner: Ensemble, values: np.ndarray, observables: list[str], dtype: Any
) -> tuple[Variables, Variables]:
    k, d = len(runner.program.readout), runner.sde.d
    dims = (*runner.sde.parameters.swept, "time")
    coords: Variables = {"time": runner.grid.save_times}
    count = values[..., 0]
    i, j = np.triu_indices(k)
    with np.errstate(invalid="ignore", divide="ignore"):
        co = values[..., 1 + k :] / (count - 1.0)[..., None]
    full = np.empty((*count.shape, k, k))
    full[..., i, j] = full[..., j, i] = co
    mean = values[..., 1 : 1 + k].astype(dtype)
    variance = np.moveaxis(np.diagonal(full, axis1=-2, axis2=-1), -1, -1).astype(dtype)
    variables: Variables = {"count": (dims, count)}
    variables |= _split(runner, mean, dims, observables, coords, "_mean")
    variables |= _split(runner, variance, dims, observables, coords, "_var")
    if d > 1:
        names = list(runner.sde.components or range(d))
        coords |= {"component": names, "component_2": names}
        variables["x_cov"] = ((*dims, "component", "component_2"), full[..., :d, :d].astype(dtype))
    return variables, coords


def attributes(runner: Ensemble, record: str, n_diverged: int) -> dict[str, Any]:
    """What reproduces a run, as strings and numbers that netCDF can hold."""
    from stochsim._version import __version__
    from stochsim.codegen.cache import numba_version

    sde, grid = runner.sde, runner.grid
    names = list(sde.components) if sde.components is not None else ["x"]
    return {
        "model": sde.name,
        "scheme": runner.scheme.name,
        "calculus": sde.calculus,
        "seed": record,
        "t0": float(grid.times[0]),
        "t_end": float(grid.times[-1]),
        "steps": len(grid.times) - 1 + runner.offset,
        "n_diverged": n_diverged,
        "executor": runner.executor,
        "antithetic": int(runner.antithetic),
        "swept": " ".join(sde.parameters.swept),
        "state_variables": " ".join(names),
        "params": "; ".join(f"{k}={np.array2string(v, threshold=8)}" for k, v in sde.parameters.values.items()),
        "versions": f"stochsim {__version__}, numpy {np.__version__}, numba {numba_version()}",
    }


def partial(runner: Ensemble, stop: Interrupted) -> xarray.Dataset | None:
    """The complete paths of an interrupted run, or their moments; None for swept runs, and where there are none."""
    if runner.sde.parameters.swept:
        return None
    if runner.kind == "moments":
        after_start = runner.grid.save_at[1:] if runner.grid.saves_start else runner.grid.save_at
        kept = replace(runner, grid=replace(runner.grid, save_at=after_start))
        outcome = Outcome(stop.values, stop.marks, {})
        return dataset(kept, [((), outcome)], "interrupted", [], np.float64) if stop.values[0, 0] else None
    if stop.values.shape[-1] == 0 or runner.grid.saves_start:
        return None
    outcome = Outcome(stop.values, np.flatnonzero(np.isnan(stop.marks)), {})
    return dataset(runner, [((), outcome)], "interrupted", [], np.float64)
