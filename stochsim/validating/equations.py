"""The family of stochastic differential equations: every scheme on every model that fits it.

The table is made from the records of schemes and models: a new scheme or model gets its rows from its record
alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from stochsim import models
from stochsim.errors import SchemeError
from stochsim.schemes import REGISTRY, Scheme
from stochsim.sde import SDE
from stochsim.symbolic import graph as g
from stochsim.validating.equation_problems import CURVED_SURVEY, LINEAR_SURVEYS, QUICK, problem, settings, surveyed
from stochsim.validating.equation_rows import mutants, stability, strong, weak, without_result
from stochsim.validating.task import Task

__all__ = ["MEASURES", "keeps_linear", "tasks", "without_result"]

MEASURES = {"strong": strong, "weak": weak, "mutants": mutants, "stability": stability}


def tasks(quick: bool, seed: int) -> Iterator[Task]:
    """The measurements of every scheme on every model that fits.

    Parameters
    ----------
    quick : bool
    seed : int
    """
    schemes = [s for _, s in sorted(REGISTRY.items()) if not s.is_exact]
    yield from _surveys(schemes, quick, seed)
    for name in QUICK if quick else models.REGISTRY:
        yield from _orders(name, schemes, quick, seed)
    for scheme in schemes:
        if keeps_linear(scheme.name) and scheme.fits(surveyed(LINEAR_SURVEYS[0], scheme.calculus).formula()):
            yield Task("stability", scheme.name, "linear test equation", "exact", seed, quick=quick)


def _surveys(schemes: list[Scheme], quick: bool, seed: int) -> Iterator[Task]:
    for scheme in schemes:
        for name in _survey_names(scheme, quick):
            yield Task("mutants", scheme.name, name, "survey", seed, quick=quick)


def _survey_names(scheme: Scheme, quick: bool) -> list[str]:
    linear = [
        n for n in LINEAR_SURVEYS if keeps_linear(scheme.name) and _on_paths(scheme, surveyed(n, scheme.calculus))
    ]
    curved = [CURVED_SURVEY] if _on_paths(scheme, surveyed(CURVED_SURVEY, scheme.calculus)) else []
    if linear and (quick or _is_implicit(scheme, linear[0])):  # Newton's iterations of every mutant, by arrays
        return linear[:1]
    return linear[:1] + curved


def _on_paths(scheme: Scheme, sde: SDE) -> bool:
    """Whether a scheme fits a model and has a strong order there: its noise is drawn from Brownian paths."""
    formula = sde.formula()
    return scheme.fits(formula) and scheme.plan(formula).pathwise


def _is_implicit(scheme: Scheme, name: str) -> bool:
    from stochsim.steps import step_program

    step = step_program(surveyed(name, scheme.calculus), scheme).update
    return any(node.op == "solve" for node in g.walk(step))


def _orders(name: str, schemes: list[Scheme], quick: bool, seed: int) -> Iterator[Task]:
    fitting = [s for s in schemes if s.fits(problem(name, s.calculus).formula())]
    on_paths = [s for s in fitting if _on_paths(s, problem(name, s.calculus))]
    for kind, chosen in (("strong", on_paths), ("weak", fitting)):
        for group in _same_steps(name, kind, chosen):
            first, judged = group[0], _is_judged(group[0], name)
            also = tuple(s.name for s in group[1:])
            for method in _methods(name, kind, first):
                yield Task(kind, first.name, name, method, seed, judged, also, quick)


def _methods(name: str, kind: str, scheme: Scheme) -> list[str]:
    sde = problem(name, scheme.calculus)
    linear = _is_linear(name)
    exact_moments = linear and keeps_linear(scheme.name)
    if kind == "weak":
        if settings(name).weak == "":
            return []
        if linear and not exact_moments:
            return ["quadrature" if sde.d == 1 else "monte_carlo"]  # in 2-d the tails outgrow any grid
        return [settings(name).weak]
    on_paths = settings(name).strong
    if on_paths == "paths" and sde.solution is None:
        on_paths = ""
    return ([on_paths] if on_paths else []) + (["moments"] if exact_moments else [])


def _is_judged(scheme: Scheme, name: str) -> bool:
    return set(scheme.assumes) <= set(problem(name, scheme.calculus).satisfies)


def _same_steps(name: str, kind: str, schemes: list[Scheme]) -> list[list[Scheme]]:
    """Schemes that are the same formula on a problem and claim the same there, so that one run serves all."""
    from stochsim.steps import step_program

    groups: dict[Any, list[Scheme]] = {}
    programs = []  # kept alive: a formula that was forgotten would come back under a new number
    for scheme in schemes:
        sde = problem(name, scheme.calculus)
        program = step_program(sde, scheme)
        programs.append(program)
        claim = scheme.declared(kind, sde.noise_classes)
        step = tuple(node.serial for node in program.update)
        groups.setdefault((step, program.primitives, claim, _is_judged(scheme, name)), []).append(scheme)
    return list(groups.values())


@lru_cache(maxsize=256)
def _is_linear(name: str) -> bool:
    from stochsim.orders.linear_form import linear_form

    return linear_form(problem(name, "ito").formula()) is not None


@lru_cache(maxsize=256)
def keeps_linear(scheme: str) -> bool:
    """Whether a scheme takes linear equations to steps that are linear in x, as exact moments need.

    Parameters
    ----------
    scheme : str
        Name of a registered scheme.
    """
    from stochsim.orders.step_maps import affine_maps
    from stochsim.steps import ArrayStep

    record = REGISTRY[scheme]
    models_of = [surveyed(name, record.calculus) for name in LINEAR_SURVEYS]
    fitting = [sde for sde in models_of if record.fits(sde.formula())]
    if not fitting:
        return False
    step = ArrayStep(fitting[0], record)
    try:
        affine_maps(step, 0.1, np.full((len(step.primitives), 1), 0.7))
    except SchemeError:
        return False
    return True
