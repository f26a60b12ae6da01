"""`strong_order`: the pathwise order of convergence of a scheme or of an outside solver."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from stochsim import _request as request
from stochsim.errors import ModelError, ParameterError
from stochsim.levels import CoupledRun, Levels, check_interval
from stochsim.noise.seeds import seed_key
from stochsim.orders import outside, sampling
from stochsim.orders.estimate import OrderEstimate
from stochsim.orders.estimators import Fit, fit_order, is_exact, paths_needed
from stochsim.orders.limits import LimitResult, limit_test
from stochsim.orders.sampling import Sample
from stochsim.orders.verdicts import Verdict, decide
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE
from stochsim.steps import check_start
from stochsim.symbolic import graph as g

METHODS = ("auto", "paths", "differences", "moments")
NORMS = ("l1", "l2", "sup")
TARGETS = {"C": 0.018, "H": 0.027}  # total half-width aimed for, by estimator
MOST_PATHS = 400_000


def strong_order(
    sde: SDE,
    scheme: Scheme | None = None,
    *,
    solver: outside.Solver | None = None,
    needs: tuple[str, ...] = ("dW",),
    declared: float | None = None,
    seed: int | np.random.SeedSequence | None = 0,
    t_end: float = 1.0,
    t0: float = 0.0,
    method: str = "auto",
    norm: str = "l1",
    n_paths: int | None = None,
    levels: Levels | None = None,
    half_width: float | None = None,
    threads: int | None = None,
    executor: str = "auto",
) -> OrderEstimate:
    """Measure the strong order of convergence, with an interval and a verdict.

    Parameters
    ----------
    sde : SDE
        The problem. With a closed-form solution the error is measured against it on the same Brownian paths;
        without one, by differences of neighbouring step sizes, and the limit against another scheme.
    scheme : Scheme, optional
        The scheme to measure.
    solver : callable, optional
        Any other solver instead: ``solver(x0, t, noise, params) -> x_end`` with x0 (n_paths, d), t
        (n_steps + 1,), ``noise.dW`` (n_paths, n_steps, m) and what ``needs`` asks for, params by attribute;
        returns (n_paths, d).
    needs : tuple of str
        Noise that the solver needs: ``"dW"``, ``"dZ"``, ``"A"``.
    declared : float, optional
        The claimed order; default the scheme's record (none for a solver).
    seed : int or SeedSequence, optional
    t_end, t0 : float
        Interval; the error is taken at ``t_end``.
    method : {"auto", "paths", "differences", "moments"}
        ``moments`` is exact (no Monte Carlo) for linear SDEs, in the mean-square sense.
    norm : {"l1", "l2", "sup"}
        E|X_h - X|; (E|X_h - X|^2)^(1/2), whose interval deserves trust only for a small ``kurtosis``; or
        E max_k |X_h(t_k) - X(t_k)| over the steps of each level.
    n_paths : int, optional
        Fixed number of paths; default planned from a pilot run.
    levels : Levels, optional
        Step sizes; default nine, T/8 to T/2048.
    half_width : float, optional
        Total half-width to aim for; default .018, or .027 where sqrt(h) enters the formula.
    threads : int, optional
    executor : {"auto", "lanes", "arrays"}

    Returns
    -------
    OrderEstimate

    Raises
    ------
    SchemeError
        If the scheme does not fit the model or has no strong order.
    ModelError
        If the model is exact in law only, so that there is no path to compare with.
    SolverError
        If the solver returns a wrong shape or dtype, or NaN.
    ParameterError
        If an argument is out of its domain.
    """
    begin = time.perf_counter()
    check_interval(t0, t_end)
    _check(sde, scheme, solver, method, norm, levels.t0 if levels else t0)
    if method == "moments":
        from stochsim.orders.exact_moments import strong_by_moments

        return strong_by_moments(sde, _needed(scheme), span=t_end - t0, declared=declared)
    setup = _Setup(
        sde, scheme, solver, needs, declared if declared is not None else _declared(sde, scheme),
        seed_key(seed)[:2], levels or Levels(t0, t_end), norm, request.thread_count(threads), executor,
        differences=method == "differences" or sde.solution is None,
    )  # fmt: skip
    sample, fit, cross = setup.measure(n_paths, half_width)
    limit = setup.limit(sample, fit)
    verdict = setup.judge(sample, fit, cross, limit)
    if verdict.name == "inconclusive" and n_paths is None and sample.n_paths * 4 <= 4 * MOST_PATHS:
        more = sampling.collect(setup.source(), setup.reduce, 3 * sample.n_paths, sample.n_paths)
        sample = sample + more
        fit, cross = setup.fits(sample)
        limit = setup.limit(sample, fit)
        verdict = setup.judge(sample, fit, cross, limit)
    return setup.estimate(sample, fit, limit, verdict, time.perf_counter() - begin)


def _check(sde: Any, scheme: Any, solver: Any, method: str, norm: str, t0: float) -> None:
    if (scheme is None) == (solver is None):
        raise ParameterError("give a scheme or solver=, one of them")
    if not isinstance(sde, SDE):
        raise ParameterError(f"the problem is {type(sde).__name__}; give an ss.SDE (or one of ss.models)")
    if scheme is not None:
        request.check_model(sde, scheme)
    if method not in METHODS:
        raise ParameterError(f"method is {method!r}; give one of {', '.join(METHODS)}")
    if norm not in NORMS:
        raise ParameterError(f"norm is {norm!r}; give one of {', '.join(NORMS)}")
    check_start(sde, t0)
    if norm == "sup" and (solver is not None or sde.solution is None):
        raise ParameterError("the sup norm needs a scheme and a model with a closed-form solution; use norm='l1'")
    if scheme is not None and scheme.is_exact:
        raise ParameterError("exact has no discretisation error, so no order; give a scheme")
    if sde.solution is None and sde.transition is not None and method != "differences":
        raise ModelError(
            f"{sde.name} is known exactly in law only, so there is no path to compare with; use weak_order, or "
            "method='differences' to measure how fast neighbouring step sizes approach each other"
        )


def _needed(scheme: Scheme | None) -> Scheme:
    if scheme is None:
        raise ParameterError("method='moments' needs a scheme; outside solvers are measured on paths")
    return scheme


def _declared(sde: SDE, scheme: Scheme | None) -> float | None:
    return None if scheme is None else scheme.declared("strong", sde.noise_classes)


def has_half_powers(step: tuple[g.Node, ...]) -> bool:
    """Whether sqrt(h) enters a step outside its noise (support values x + b sqrt(h)): basis H instead of C."""
    return any(n.op in ("sqrt", "pow") and n.args[0].op == "var" and n.args[0].value == "h" for n in g.walk(step))


@dataclass(frozen=True)
class _Setup:
    sde: SDE
    scheme: Scheme | None
    solver: outside.Solver | None
    needs: tuple[str, ...]
    declared: float | None
    key: tuple[int, int]
    levels: Levels
    norm: str
    threads: int
    executor: str
    differences: bool

    @property
    def run(self) -> CoupledRun:
        return CoupledRun.of(
            self.sde, self.scheme, self.levels, self.key, sup=self.norm == "sup", executor=self.executor,
            needs=self.needs, exact=not self.differences,
        )  # fmt: skip

    def source(self) -> sampling.Source:
        run = self.run
        if self.solver is None:
            return sampling.scheme_source(run, self.threads)
        return outside.solver_source(run, self.solver, self.sde.parameters.first(), self.sde.m, self.needs)  # type: ignore[no-any-return]

    @property
    def reduce(self) -> sampling.Reduce:
        return sampling.successive(self.levels) if self.differences else sampling.against_exact(self.levels, self.norm)

    @property
    def basis(self) -> str:
        half = self.scheme is None or self.norm == "sup" or has_half_powers(self.run.program.step)
        return "H" if half else "C"

    @property
    def metric(self) -> Any:
        return "l2" if self.norm == "l2" else "l1"

    def measure(self, n_paths: int | None, half_width: float | None) -> tuple[Sample, Fit | None, Fit | None]:
        source, reduce = self.source(), self.reduce
        first = sampling.PILOT if n_paths is None else request.count("n_paths", n_paths, least=64)
        sample = sampling.collect(source, reduce, first)
        fit, cross = self.fits(sample)
        if n_paths is None and fit is not None:
            target = half_width or TARGETS[self.basis]
            wanted = min(paths_needed(fit, target), MOST_PATHS)
            if wanted > first:
                sample = sample + sampling.collect(source, reduce, wanted - first, first)
                fit, cross = self.fits(sample)
        return sample, fit, cross

    def fits(self, sample: Sample) -> tuple[Fit | None, Fit | None]:
        scale = float(np.linalg.norm(sample.scale))
        if is_exact(sample.errors, scale):
            return None, None
        fit = fit_order(sample.errors, self.basis, metric=self.metric, scale=scale)
        cross = fit_order(sample.errors, "C" if self.basis == "H" else "H", metric=self.metric, scale=scale)
        return fit, cross

    def limit(self, sample: Sample, fit: Fit | None) -> LimitResult | None:
        if fit is None:
            return None
        if sample.limits is not None:
            weak = None if self.scheme is None else self.scheme.declared("weak", self.sde.noise_classes)
            return limit_test(sample.limits, sample.scale, levels=fit.usable, weak_order=1.0 if weak is None else weak)
        return self._limit_against_other(sample)

    def _limit_against_other(self, sample: Sample) -> LimitResult | None:
        from stochsim.orders.peer_limit import compare_limits

        if self.partner is None:
            return None
        return compare_limits(replace(self, scheme=self.partner).run, self.run, sample, self.threads)

    @cached_property
    def partner(self) -> Scheme | None:
        """The scheme whose limit is compared with, where no closed form is."""
        from stochsim.orders.peer_limit import certified_other

        if self.scheme is None or not self.differences:
            return None
        return certified_other(self.scheme, self.sde)

    def judge(self, sample: Sample, fit: Fit | None, cross: Fit | None, limit: LimitResult | None) -> Verdict:
        return decide(fit, cross, declared=self.declared, limit=limit, exact=fit is None)

    @property
    def reference(self) -> str:
        solution = self.sde.solution
        if self.differences or solution is None:
            if self.partner is None:
                return "neighbouring step sizes; the limit is not tested, as no scheme of another formula fits"
            return "neighbouring step sizes, the limit against a scheme of another family"
        return solution.note

    def estimate(
        self, sample: Sample, fit: Fit | None, limit: LimitResult | None, verdict: Verdict, seconds: float
    ) -> OrderEstimate:
        from stochsim.orders.assemble import estimate_of_fit

        name = self.scheme.name if self.scheme else getattr(self.solver, "__name__", "solver")
        return estimate_of_fit(
            fit, sample, kind="strong", declared=self.declared, verdict=verdict, limit=limit,
            method="differences" if self.differences else "paths", reference=self.reference,
            problem=self.sde.name, scheme=name, seconds=seconds,
            extra={"limit_against": self.partner.name} if self.partner else {},
        )  # fmt: skip
