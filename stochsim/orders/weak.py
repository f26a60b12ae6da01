"""`weak_order`: the order of convergence of expectations, without Monte Carlo noise wherever that is possible."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim import _request as request
from stochsim.errors import ModelError, ParameterError
from stochsim.levels import Levels, check_interval
from stochsim.noise.seeds import seed_key
from stochsim.orders import monte_carlo
from stochsim.orders.assemble import estimate_of_table, judge_table
from stochsim.orders.estimate import OrderEstimate
from stochsim.orders.exact_moments import moments_close, weak_by_moments
from stochsim.orders.expected import expectation
from stochsim.orders.grids import place_grid
from stochsim.orders.quadrature import QuadratureOrder, default_functionals, weak_quadrature
from stochsim.orders.quadrature_2d import weak_quadrature_2d
from stochsim.orders.richardson import Extrapolation
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE
from stochsim.steps import ArrayStep

METHODS = ("auto", "moments", "quadrature", "monte_carlo")


def weak_order(
    sde: SDE,
    scheme: Scheme | None = None,
    test_function: Callable[..., Any] | None = None,
    *,
    sampler: monte_carlo.Sampler | None = None,
    declared: float | None = None,
    method: str = "auto",
    t_end: float = 1.0,
    t0: float = 0.0,
    seed: int | np.random.SeedSequence | None = 0,
    n_paths: int | None = None,
    levels: Levels | None = None,
    domain: Any = None,
    threads: int | None = None,
) -> OrderEstimate:
    """Measure the weak order of convergence, E f(X_h) against E f(X).

    Parameters
    ----------
    sde : SDE
        The problem.
    scheme : Scheme, optional
        The scheme to measure.
    test_function : callable, optional
        ``f(x)`` with x a scalar or (d,), traced or array code. Default: several functions, of which the
        smallest order counts (a single one may not see the leading error).
    sampler : callable, optional
        Any other simulator instead: ``sampler(x0, t, rng, params) -> x_end`` with its own noise; x0 (n_paths, d),
        t (n_steps + 1,); returns (n_paths, d). Measured by Monte Carlo with independent levels.
    declared : float, optional
        The claimed order; default the scheme's record.
    method : {"auto", "moments", "quadrature", "monte_carlo"}
        ``moments``: exact first and second moments, for a linear SDE and a scheme that keeps it linear.
        ``quadrature``: the one-step operator on a grid, d = 1 or 2. ``monte_carlo``: differences to the exact
        solution on the same path. Auto takes the first that applies.
    t_end, t0 : float
        Interval; the error is taken at ``t_end``.
    seed : int or SeedSequence, optional
        For Monte Carlo.
    n_paths : int, optional
        For Monte Carlo; default 200 000.
    levels : Levels, optional
        For Monte Carlo; default six, T/4 to T/128.
    domain : (low, high) or one such pair a component, optional
        State space, for quadrature on half-lines and intervals.
    threads : int, optional

    Returns
    -------
    OrderEstimate

    Raises
    ------
    ModelError
        If the chosen method does not apply to the model.
    SchemeError
        If the scheme does not fit the model.
    SolverError
        If the sampler returns a wrong shape or dtype, or NaN.
    ParameterError
        If an argument is out of its domain.
    """
    begin = time.perf_counter()
    if (scheme is None) == (sampler is None):
        raise ParameterError("give a scheme or sampler=, one of them")
    if method not in METHODS:
        raise ParameterError(f"method is {method!r}; give one of {', '.join(METHODS)}")
    check_interval(t0, t_end)
    if scheme is None:
        if not isinstance(sde, SDE):
            raise ParameterError(f"the problem is {type(sde).__name__}; give an ss.SDE (or one of ss.models)")
    else:
        request.check_model(sde, scheme)
        scheme.check(sde.formula())
        declared = declared if declared is not None else scheme.declared("weak", sde.noise_classes)
    if scheme is not None and _by_moments(sde, scheme, method, t_end - t0):
        found = weak_by_moments(sde, scheme, test_function, span=t_end - t0, declared=declared)
        if found is not None:
            return found
        if method == "moments":
            raise ModelError("method='moments' needs a test function of degree 2 or less; leave method out")
    noiseless = scheme is not None and sde.d <= 2 and not sde.formula().opaque
    if noiseless and method in ("auto", "quadrature"):
        return _Quadrature(sde, scheme, test_function, declared, t0, t_end, domain).estimate(begin)  # type: ignore[arg-type]
    if method == "quadrature":
        raise ModelError(f"method='quadrature' needs one or two components and a traced model; {sde.name} has {sde.d}")
    return monte_carlo.estimate(
        sde, scheme, test_function, sampler, declared=declared, key=seed_key(seed)[:2],
        levels=levels or Levels(t0, t_end, finest=7, n_levels=6),
        n_paths=request.count("n_paths", 200_000 if n_paths is None else n_paths, least=1000),
        threads=request.thread_count(threads),
    )  # fmt: skip


def _by_moments(sde: SDE, scheme: Scheme, method: str, span: float) -> bool:
    return method == "moments" or (method == "auto" and moments_close(sde, scheme, span))


@dataclass(frozen=True)
class _Quadrature:
    sde: SDE
    scheme: Scheme
    test_function: Callable[..., Any] | None
    declared: float | None
    t0: float
    t_end: float
    domain: Any

    def estimate(self, begin: float) -> OrderEstimate:
        result, reference = self._measure()
        verdict = judge_table(result.table, self.declared, self.sde.d)
        return estimate_of_table(
            result.table, declared=self.declared, verdict=verdict, kind="weak", method="quadrature",
            reference=reference, problem=self.sde.name, scheme=self.scheme.name, seconds=time.perf_counter() - begin,
            extra={"grid": result.grid, "clamped": float(np.max(result.clamped))},
        )  # fmt: skip

    def _measure(self) -> tuple[QuadratureOrder, str]:
        step = ArrayStep(self.sde, self.scheme, start=self.t0)
        start = self.sde.start.reshape(-1)
        functionals = None if self.test_function is None else {"f": self._as_array_function(self.test_function)}
        if self.sde.d == 2:
            domains = self.domain if self.domain is not None else ()
            found = weak_quadrature_2d(step, start, self.t_end, functionals, t0=self.t0, domains=domains)
            return found, "differences of neighbouring step sizes"
        x0 = float(start[0])
        if functionals is None:
            grid = place_grid(step, x0, self.t_end, t0=self.t0, domain=self.domain)
            functionals = default_functionals(grid, x0)
        exact = self._exact(functionals)
        found = weak_quadrature(step, x0, self.t_end, functionals, t0=self.t0, domain=self.domain, exact=exact)
        known = "exact expectations by quadrature of the closed form"
        return found, known if exact else "differences of neighbouring step sizes"

    def _exact(self, functionals: Mapping[str, Any]) -> dict[str, Extrapolation] | None:
        values = {n: expectation(self.sde, f, self.t_end, self.t0) for n, f in functionals.items()}
        known = {n: v for n, v in values.items() if v is not None}
        return known if len(known) == len(values) else None

    def _as_array_function(self, f: Callable[..., Any]) -> Callable[[np.ndarray], np.ndarray]:
        return lambda x: np.asarray(f(x), dtype=float)
