"""Mutants put through every check: which one catches which, and do the unmutated pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stochsim.errors import ParameterError
from stochsim.levels import CoupledRun, Ends, Levels
from stochsim.noise.seeds import seed_key
from stochsim.orders import sampling
from stochsim.orders.assemble import judge_table
from stochsim.orders.estimators import fit_order, is_exact
from stochsim.orders.exact_moments import moments_close
from stochsim.orders.limits import limit_test
from stochsim.orders.linear_form import linear_form
from stochsim.orders.moments import weak_moments
from stochsim.orders.mutants import Mutant, classify, mutants
from stochsim.orders.sampling import Sample
from stochsim.orders.strong import has_half_powers
from stochsim.orders.transcriptions import formula_agrees
from stochsim.orders.verdicts import decide
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE
from stochsim.steps import ArrayStep, symbol
from stochsim.symbolic.graph import Node

FLAGS = ("lower than declared", "wrong limit")
SUBTLE = 2.0  # a coarsest-level error within this factor of the original's


@dataclass(frozen=True)
class Finding:
    """What the checks say of one mutant (or, with an empty name, of the unmutated scheme).

    ``kind`` is original, equivalent or faulty; ``caught_by`` names the checks that flag it: ``order``,
    ``limit`` (both on coupled paths), ``moments`` (weak, exact; linear models and steps affine in x), ``formula``.
    """

    scheme: str
    problem: str
    mutant: str
    kind: str
    subtle: bool
    order: float
    verdict: str
    caught_by: tuple[str, ...]

    @property
    def flagged(self) -> bool:
        """Whether an order or limit test flags it (the formula check apart)."""
        return bool(set(self.caught_by) - {"formula"})


def survey(
    sde: SDE, scheme: Scheme, *, seed: int = 0, n_paths: int = 4096, levels: Levels | None = None
) -> list[Finding]:
    """The unmutated scheme first, then its mutants, all on the same paths by the array executor.

    Raises
    ------
    ParameterError
        If the model has no closed-form solution on the path.
    """
    if sde.solution is None:
        raise ParameterError(f"{sde.name} has no closed-form solution; a survey of mutants compares with one")
    planted = mutants(scheme, sde)
    variants = [Mutant("", scheme), *planted]
    run = CoupledRun.of(sde, scheme, levels or Levels(), seed_key(seed)[:2])
    samples = _samples(run, sde, variants, n_paths)
    coarsest = samples[0].errors.first[0]
    findings = []
    for mutant, sample in zip(variants, samples, strict=True):
        kind = classify(mutant, scheme, sde)[0] if mutant.name else "original"
        ratio = sample.errors.first[0] / coarsest
        findings.append(_examine(sde, scheme, mutant, sample, kind, bool(1 / SUBTLE < ratio < SUBTLE), run))
    return findings


def _steps(sde: SDE, variants: list[Mutant]) -> list[tuple[Node, ...]]:
    formula = sde.formula()
    steps = []
    for mutant in variants:
        values = mutant.scheme.plan(formula).symbols()
        steps.append(tuple(mutant.scheme.step(formula, formula.x, formula.t, symbol("h"), values).flat()))
    return steps


def _samples(run: CoupledRun, sde: SDE, variants: list[Mutant], n_paths: int) -> list[Sample]:
    steps, lags = _steps(sde, variants), [m.lag for m in variants]
    reduce = sampling.against_exact(run.levels, "l1")
    totals: list[Sample | None] = [None] * len(variants)
    for lo in range(0, n_paths, 2048):
        ends: list[Ends] = run.run_arrays(steps, lo, min(lo + 2048, n_paths), lags)
        for i, e in enumerate(ends):
            part, before = reduce(e), totals[i]
            totals[i] = part if before is None else before + part
    return [t for t in totals if t is not None]


def _examine(
    sde: SDE, scheme: Scheme, mutant: Mutant, sample: Sample, kind: str, subtle: bool, run: CoupledRun
) -> Finding:
    verdict, order = _verdict(sde, scheme, sample, run)
    caught = []
    if verdict in FLAGS:
        caught.append("limit" if verdict == "wrong limit" else "order")
    if not mutant.lag and _moments_flag(sde, mutant.scheme):
        caught.append("moments")
    if formula_agrees(sde, mutant.scheme, mutant.lag) is False:
        caught.append("formula")
    return Finding(scheme.name, sde.name, mutant.name, kind, subtle, order, verdict, tuple(caught))


def _verdict(sde: SDE, scheme: Scheme, sample: Sample, run: CoupledRun) -> tuple[str, float]:
    scale = float(np.linalg.norm(sample.scale))
    declared = scheme.declared("strong", sde.noise_classes)
    if is_exact(sample.errors, scale):
        return "exact", np.nan
    half = has_half_powers(run.program.step)
    try:
        fit = fit_order(sample.errors, "H" if half else "C", scale=scale)
        cross = fit_order(sample.errors, "C" if half else "H", scale=scale)
        limit = limit_test(sample.limits, sample.scale, levels=fit.usable) if sample.limits is not None else None
    except ParameterError:
        return "wrong limit", np.nan  # the errors blow up at most step sizes: no limit at all
    return decide(fit, cross, declared=declared, limit=limit).name, fit.order


def _moments_flag(sde: SDE, scheme: Scheme) -> bool:
    linear = linear_form(sde.formula())
    if linear is None or not moments_close(sde, scheme, 1.0):
        return False
    table = weak_moments(ArrayStep(sde, scheme), linear, sde.start.reshape(-1), 1.0)
    declared = scheme.declared("weak", sde.noise_classes)
    return judge_table(table, declared).name in FLAGS
