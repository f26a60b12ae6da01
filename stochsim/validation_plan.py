"""What a validation measures: which scheme on which problem, how, and whether the result is judged.

The table is made from the records of schemes and models: a new scheme or model gets its rows from its record
alone. Here stands only what a record does not say: parameters at which the asymptotic order shows at the
default steps, domains for quadrature, and the subset of a quick run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import lru_cache
from typing import Any

import numpy as np

from stochsim import models
from stochsim.errors import ParameterError, SchemeError
from stochsim.schemes import REGISTRY, Scheme
from stochsim.sde import SDE
from stochsim.symbolic import graph as g

__all__ = ["FAMILIES", "Problem", "Task", "plan", "problem", "surveyed"]


@dataclass(frozen=True)
class Problem:
    """How a model is validated.

    Parameters
    ----------
    params : mapping
        Other than the model's own defaults.
    strong : str
        "paths" (where the model has a closed form on the path), "differences", or "" for no strong order.
    weak : str
        A method of `weak_order`, or "" for no weak order.
    domain : tuple, optional
        State space, for quadrature.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    strong: str = "paths"
    weak: str = "auto"
    domain: Any = None


@dataclass(frozen=True)
class Task:
    """One measurement, small enough to be sent to another process.

    Parameters
    ----------
    kind : str
        "strong", "weak", "mutants", "stability" or "claim".
    scheme, problem : str
        Names in the registries; for a claim the function and its file.
    method : str
        Of `strong_order` or `weak_order`.
    seed : int
    judged : bool
        Whether the problem satisfies the hypotheses of the scheme.
    also : tuple of str
        Schemes whose step is the same formula here: the result holds for them too.
    quick : bool
        Array executor and fewer paths, so that nothing is compiled.
    family : str
    """

    kind: str
    scheme: str
    problem: str
    method: str
    seed: int
    judged: bool = True
    also: tuple[str, ...] = ()
    quick: bool = False
    family: str = "sde"

    @property
    def schemes(self) -> tuple[str, ...]:
        """Every scheme that gets a row from it."""
        return (self.scheme, *self.also)

    def matches(self, pattern: str) -> bool:
        """Whether ``kind/scheme/problem`` holds the pattern, which may have ``*``, for any of its schemes.

        Parameters
        ----------
        pattern : str
        """
        return any(fnmatch(f"{self.kind}/{s}/{self.problem}", f"*{pattern}*") for s in self.schemes)


# At some defaults a term of higher order is the larger one down to T/2048, as it should be in a demonstration
# and should not be in a measurement: the noise must have its say in the error of a drift-dominated model.
PROBLEMS: dict[str, Problem] = {
    "geometric_brownian_motion": Problem({"mu": 0.5, "sigma": 0.8}),
    "kubo_oscillator": Problem({"omega": 0.5, "sigma": 1.0}),
    "sinh_brownian": Problem({"a": 0.2, "b": 0.8}),
    "cube_brownian": Problem({"a": 0.2, "b": 0.25}),
    "langevin_oscillator": Problem({"omega": 0.8, "gamma": 0.5}),
    "noncommuting_linear": Problem({"B": [[[0.0, 0.6], [0.0, 0.0]], [[0.0, 0.0], [0.6, 0.0]]]}, "differences"),
    "double_well": Problem(strong="differences"),
    "tanh_brownian": Problem(domain=(-1.0, 1.0)),
    "cox_ingersoll_ross": Problem(strong="", domain=(0.0, np.inf)),
    "squared_bessel": Problem(strong="", weak=""),  # schemes step over the bound at 0, where no grid holds
    "heston": Problem(strong="", weak=""),
}
QUICK = ("geometric_brownian_motion", "ornstein_uhlenbeck", "arctan_brownian")
LINEAR_SURVEYS = ("geometric_brownian_motion", "ornstein_uhlenbeck")  # the first that a scheme fits
CURVED_SURVEY = "arctan_ornstein_uhlenbeck"


@lru_cache(maxsize=64)
def problem(name: str, calculus: str) -> SDE:
    """The model as it is validated, in a calculus.

    Parameters
    ----------
    name : str
        Of a registered model.
    calculus : {"ito", "stratonovich"}
    """
    sde = models.REGISTRY[name].build(**settings(name).params)
    return sde.to_ito() if calculus == "ito" else sde.to_stratonovich()


def settings(name: str) -> Problem:
    """How a model is validated: as it stands, where nothing else is said.

    Parameters
    ----------
    name : str
    """
    return PROBLEMS.get(name, Problem())


def surveyed(name: str, calculus: str) -> SDE:
    """The model of a survey of mutants: a small drift, so that many planted bugs are subtle.

    Parameters
    ----------
    name : str
        One of ``LINEAR_SURVEYS``, or ``CURVED_SURVEY``.
    calculus : {"ito", "stratonovich"}
    """
    if name == "geometric_brownian_motion":
        return models.geometric_brownian_motion(mu=0.05, sigma=1.0, calculus=calculus)
    sde = models.REGISTRY[name].default
    return sde.to_ito() if calculus == "ito" else sde.to_stratonovich()


def plan(family: str | None = None, *, quick: bool = False, only: str | None = None, seed: int = 0) -> list[Task]:
    """The tasks of a validation, in the order in which to begin them.

    Parameters
    ----------
    family : str, optional
        Default: all.
    quick : bool
        A subset that takes a minute and compiles nothing.
    only : str, optional
        Keep tasks whose ``kind/scheme/problem`` holds this pattern.
    seed : int
        Of every measurement.

    Raises
    ------
    ParameterError
        If the family is unknown, or nothing is left.
    """
    if family is not None and family not in FAMILIES:
        raise ParameterError(f"family is {family!r}; give one of {', '.join(FAMILIES)}")
    chosen = FAMILIES if family is None else {family: FAMILIES[family]}
    tasks = [task for tasks_of in chosen.values() for task in tasks_of(quick, seed)]
    return [task for task in tasks if only is None or task.matches(only)]


def _sde_tasks(quick: bool, seed: int) -> Iterator[Task]:
    schemes = [s for _, s in sorted(REGISTRY.items()) if not s.is_exact]
    yield from _surveys(schemes, quick, seed)
    for name in QUICK if quick else models.REGISTRY:
        yield from _orders(name, schemes, quick, seed)
    for scheme in schemes:
        if keeps_linear(scheme.name) and scheme.fits(surveyed(LINEAR_SURVEYS[0], scheme.calculus).formula()):
            yield Task("stability", scheme.name, "linear test equation", "exact", seed, quick=quick)


FAMILIES: dict[str, Callable[[bool, int], Iterator[Task]]] = {"sde": _sde_tasks}


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
