"""Weak orders by Monte Carlo, with the coupled exact solution as control variate where there is one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from stochsim._simulate import simulate
from stochsim.errors import ParameterError
from stochsim.levels import CoupledRun, Levels
from stochsim.orders.assemble import without_fit
from stochsim.orders.estimate import OrderEstimate
from stochsim.orders.estimators import Fit, fit_means
from stochsim.orders.expected import expectation
from stochsim.orders.outside import check_ends
from stochsim.orders.verdicts import Verdict, decide
from stochsim.parameters import Namespace
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE

Sampler = Callable[[np.ndarray, np.ndarray, np.random.Generator, Namespace], Any]
TestFunction = Callable[..., Any]


def estimate(
    sde: SDE,
    scheme: Scheme | None,
    f: TestFunction | None,
    sampler: Sampler | None,
    *,
    declared: float | None,
    key: tuple[int, int],
    levels: Levels,
    n_paths: int,
    threads: int,
) -> OrderEstimate:
    """The weak order from mean signed errors (n_levels,) and their covariance."""
    begin = time.perf_counter()
    g = f if f is not None else _default_function
    if scheme is not None and scheme.plan(sde.formula()).pathwise:
        h, mean, cov, reference = _coupled(sde, scheme, g, key, levels, n_paths, threads)
    else:
        h, mean, cov, reference = _independent(sde, scheme, g, sampler, key, levels, n_paths, threads)
    name = scheme.name if scheme else getattr(sampler, "__name__", "sampler")
    fit, verdict = _judge(h, mean, cov, declared, n_paths)
    names: dict[str, Any] = {
        "kind": "weak", "declared": declared, "method": "monte carlo", "reference": reference, "problem": sde.name,
        "scheme": name, "seconds": time.perf_counter() - begin,
    }  # fmt: skip
    if fit is not None:
        return OrderEstimate.from_fit(fit, verdict, **names)
    return without_fit(h, mean, verdict, errors_se=np.sqrt(np.diag(cov)), n_paths=n_paths, **names)


def _default_function(x: Any) -> Any:
    # the mean sees only the deterministic order of a linear drift; the square sees the noise too
    return x**2 if np.ndim(x) == 1 else (x**2).sum(axis=0)


def _values(f: TestFunction, x: np.ndarray, sde: SDE) -> np.ndarray:
    # x (..., d, n) -> (..., n)
    state = x[..., 0, :] if sde.scalar_state else np.moveaxis(x, -2, 0)
    return np.asarray(f(state), dtype=float)


def _coupled(
    sde: SDE, scheme: Scheme, f: TestFunction, key: tuple[int, int], levels: Levels, n: int, threads: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    run = CoupledRun.of(sde, scheme, levels, key)
    known = sde.solution is not None
    total, square, count = 0.0, 0.0, 0
    for ends in run.chunks(n, 0, threads):
        values = np.stack([_values(f, x, sde) for x in ends.x])
        signed = values - _values(f, ends.exact, sde) if ends.exact is not None else values[1:] - values[:-1]
        total, square, count = total + signed.sum(axis=1), square + signed @ signed.T, count + signed.shape[1]
    mean = np.asarray(total) / count
    cov = (np.asarray(square) / count - np.outer(mean, mean)) / count
    h = levels.h if known else levels.h[:-1]
    return h, mean, cov, "closed form on the same path" if known else "differences of neighbouring step sizes"


def _independent(
    sde: SDE, scheme: Scheme | None, f: TestFunction, sampler: Sampler | None, key: tuple[int, int], levels: Levels,
    n: int, threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:  # fmt: skip
    values, variances = [], []
    for i, h in enumerate(levels.h):
        steps = round((levels.t_end - levels.t0) / h)
        seed = np.random.SeedSequence([*key, i])
        x = _by_scheme(sde, scheme, levels, steps, n, seed, threads) if scheme else _by_sampler(
            sde, sampler, levels, steps, n, seed
        )  # fmt: skip
        y = _values(f, x, sde)
        values.append(y.mean())
        variances.append(y.var(ddof=1) / n)
    exact = expectation(sde, f, levels.t_end, levels.t0) if sde.d == 1 else None
    mean, var = np.array(values), np.array(variances)
    if exact is not None:
        return levels.h, mean - exact.value, np.diag(var), "closed form of the expectation, independent levels"
    cov = np.diag(var[1:] + var[:-1]) - np.diag(var[1:-1], 1) - np.diag(var[1:-1], -1)
    return levels.h[:-1], np.diff(mean), cov, "differences of neighbouring step sizes, independent levels"


def _by_scheme(sde: SDE, scheme: Scheme, levels: Levels, steps: int, n: int, seed: Any, threads: int) -> np.ndarray:
    ds = simulate(sde, scheme, t0=levels.t0, t_end=levels.t_end, n_steps=steps, n_paths=n, seed=seed, threads=threads)
    names = str(ds.attrs["state_variables"]).split()
    arrays = [ds[name].values.reshape(n, -1) for name in names]
    return np.concatenate(arrays, axis=1).T


def _by_sampler(sde: SDE, sampler: Sampler | None, levels: Levels, steps: int, n: int, seed: Any) -> np.ndarray:
    if sampler is None:
        raise ParameterError("give a scheme or sampler=, one of them")
    x0 = np.broadcast_to(sde.start.reshape(-1), (n, sde.d)).copy()
    times = levels.t0 + (levels.t_end - levels.t0) * (np.arange(steps + 1) / steps)
    result = sampler(x0, times, np.random.default_rng(seed), Namespace(sde.parameters.first()))
    return check_ends(result, (n, sde.d), steps, "sampler").T


def _judge(
    h: np.ndarray, mean: np.ndarray, cov: np.ndarray, declared: float | None, n: int
) -> tuple[Fit | None, Verdict]:
    z = np.abs(mean) / np.sqrt(np.maximum(np.diag(cov), 1e-300))
    if (np.abs(mean) < 1e-14).all():
        return None, Verdict("exact", "every mean error is at rounding")
    try:
        fit = fit_means(h, mean, cov, "C", n_paths=n)
    except ParameterError as error:
        strongest = float(z.max())
        return None, Verdict(
            "inconclusive",
            f"the errors are lost in Monte Carlo noise (largest: {strongest:.1f} standard errors): {error}",
        )
    cross = fit_means(h, mean, cov, "H", n_paths=n)
    return fit, decide(fit, cross, declared=declared)
