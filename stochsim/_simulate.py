"""`simulate`: many paths of a model by a scheme, as an xarray Dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from stochsim import _request as request
from stochsim import engine
from stochsim._ensemble import Ensemble, first_time
from stochsim._pool import ProgressBar
from stochsim.errors import DivergenceError, ParameterError
from stochsim.noise.seeds import seed_key
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE
from stochsim.steps import Observables, check_start, step_program

if TYPE_CHECKING:
    import xarray

EXECUTORS = ("auto", "lanes", "arrays", "cuda")


def simulate(
    sde: SDE,
    scheme: Scheme,
    *,
    t_end: float | None = None,
    n_steps: int | None = None,
    n_paths: int = 1,
    seed: int | np.random.SeedSequence | None = None,
    save: Any = "final",
    t0: float = 0.0,
    t: Any = None,
    times: Any = None,
    x0: Any = None,
    params: Mapping[str, Any] | None = None,
    observables: Observables | None = None,
    noise: Any = None,
    save_noise: bool = False,
    antithetic: bool = False,
    allow_divergence: bool = False,
    executor: str = "auto",
    threads: int | None = None,
    progress: bool | None = None,
    dtype: Any = np.float64,
) -> xarray.Dataset:
    """Simulate paths of an SDE.

    Parameters
    ----------
    sde : SDE
    scheme : Scheme
        One of ``ss.schemes``, or your own.
    t_end, n_steps : float, int
        End time and number of equal steps; or give the grid ``t``.
    n_paths : int
    seed : int or SeedSequence, optional
        None draws one and records it. Path k is the same for any ``n_paths``, thread count or executor.
    save : {"final", "all", "moments"} or array_like
        The final state; every step; moments over paths at every step, in memory that does not grow with
        ``n_paths``; or the states at the given times, which must be step times.
    t0 : float
        Start time.
    t : array_like, optional
        Increasing step times, instead of ``t0, t_end, n_steps``.
    times : array_like, optional
        With ``save="moments"``: step times to keep.
    x0 : float, (d,), (n_paths, d), density or Dataset, optional
        Initial states; default the model's. A Dataset continues that run: its final states, time, seed and
        step count are taken over.
    params : mapping, optional
        Parameter values other than the model's; 1-d arrays sweep.
    observables : mapping of str to callable, optional
        ``f(x)``, ``f(x, t)`` or ``f(x, t, p)``, one number a path, saved beside the state.
    noise : array_like or mapping, optional
        Increments to use instead of drawn ones: dW (n_paths, n_steps, m), Itô, or a dict by noise name.
    save_noise : bool
        Also return the noise, (path, step, noise).
    antithetic : bool
        The second half of the paths uses the negated draws of the first half.
    allow_divergence : bool
        Return non-finite paths as NaN and count them in ``n_diverged`` instead of raising.
    executor : {"auto", "lanes", "arrays", "cuda"}
        Compiled kernels or NumPy, which give the same bits; or a GPU (CuPy, extra ``gpu``), which draws the same
        integers and agrees to rounding.
    threads : int, optional
    progress : bool, optional
        Default: only on a terminal and for runs longer than about a second.
    dtype : dtype
        Of the returned values; the arithmetic is in float64.

    Returns
    -------
    xarray.Dataset
        ``x(path[, time][, component])``, or one variable a named component; swept parameters are leading
        dimensions. For moments ``x_mean(time, ...)``, ``x_var``, ``x_cov``, ``count``. The attributes hold what
        reproduces the run.

    Raises
    ------
    ParameterError
        If an argument is out of its domain.
    SchemeError
        If the scheme does not fit the noise or the calculus of the model.
    DivergenceError
        If paths leave the finite numbers and ``allow_divergence`` is False.
    """
    from stochsim import _results

    request.check_model(sde, scheme)
    if params:
        sde = sde.with_params(**params)
    n_paths, threads = request.count("n_paths", n_paths), request.thread_count(threads)
    if executor not in EXECUTORS:
        raise ParameterError(f"executor is {executor!r}; give one of {', '.join(EXECUTORS)}")
    continued = _results.continuation(x0, n_paths)
    if continued is not None:
        x0, t0, n_paths, offset = continued.x0, continued.t_end, continued.n_paths, continued.steps
        seed = continued.seed if seed is None else seed
    else:
        offset = 0
    grid_times = request.time_grid(t, t0, t_end, n_steps)
    kind, grid = request.saving(grid_times, save, times)
    key0, key1, record = seed_key(seed)
    if antithetic and n_paths % 2:
        raise ParameterError(f"antithetic needs an even number of paths, n_paths is {n_paths}")
    if scheme.is_exact:
        check_start(sde, float(grid_times[0]))
    states = request.initial_states(sde, x0, n_paths, record)
    program = step_program(sde, scheme, observables)
    total = n_paths * (len(grid.times) - 1) * int(np.prod(sde.parameters.shape or (1,)))
    bar = ProgressBar(progress, f"{sde.name}: {scheme.name}", total)
    runner = Ensemble(
        sde, scheme, program, (key0, key1), grid, kind, n_paths, states, offset,
        antithetic, executor, threads, noise, save_noise, bar,
    )  # fmt: skip
    outcomes = []
    try:
        for index, vector in sde.parameters.points():
            outcome = runner.run(vector)
            outcomes.append((index, outcome))
            if len(outcome.diverged) and not allow_divergence:
                raise _divergence(runner, vector, outcome.diverged, scheme, sde)
    except engine.Interrupted as stop:
        stop.partial = _results.partial(runner, stop)  # type: ignore[attr-defined]
        raise
    finally:
        runner.bar.close()
    return _results.dataset(runner, outcomes, record, list(observables or {}), dtype)


def _divergence(runner: Ensemble, vector: np.ndarray, paths: np.ndarray, scheme: Scheme, sde: SDE) -> DivergenceError:
    first = min(first_time(runner, vector, int(p)) for p in paths[:16])
    return DivergenceError(
        f"{len(paths)} of {runner.n_paths} paths of {sde.name} left the finite numbers with {scheme.name}, the first "
        f"near t={first:g}; take smaller steps or a scheme for such drifts (tamed_euler, drift_implicit_euler), or "
        "pass allow_divergence=True",
        n_diverged=len(paths),
        first_time=first,
    )
