"""The family of Markov-chain samplers: bias orders, exact marginals, invariance and strong orders of all registered.

Rows follow from the claims of a sampler's record: a finite order of the bias is measured without Monte Carlo, marginals
that are exact on Gaussians are compared with them, and adjusted samplers are run from exact draws.
"""

from __future__ import annotations

from collections.abc import Iterator

from stochsim.errors import StochsimError
from stochsim.report.rows import OrderRow, Row
from stochsim.validating.chain_cases import Case, cases, find
from stochsim.validating.chain_checks import exact, invariance
from stochsim.validating.chain_laws import bias, methods
from stochsim.validating.chain_paths import strong
from stochsim.validating.task import Task

__all__ = ["MEASURES", "tasks", "without_result"]

FAMILY = "mcmc"
MEASURES = {"bias": bias, "exact": exact, "strong": strong, "invariance": invariance}


def tasks(quick: bool, seed: int) -> Iterator[Task]:
    """The measurements of every registered sampler, the slow ones first.

    Parameters
    ----------
    quick : bool
        Leave out quadrature over places and momenta, and samplers that run by kernels of their own.
    seed : int
    """
    found = [task for case in cases() for task in _tasks(case, quick, seed)]
    yield from sorted(found, key=lambda task: (task.method != "quadrature", task.kind != "invariance"))


def _tasks(case: Case, quick: bool, seed: int) -> Iterator[Task]:
    def task(kind: str, problem: str, method: str) -> Task:
        return Task(kind, case.label, problem, method, seed, quick=quick, family=FAMILY)

    try:
        sampler = case(0.1)
        ways = [] if sampler.claims.adjusted else methods(case, quick=quick)
    except StochsimError:  # its row tells why
        yield task("bias", "Gaussian", "exact law")
        return
    claims = sampler.claims
    if not claims.adjusted:
        yield from (task("bias", problem, method) for method, problem in ways)
        if claims.exact_gaussian:
            yield task("exact", "Gaussian", "exact law")
    elif not (quick and hasattr(sampler, "chains")):
        yield task("invariance", _target_name(case), "exact starts")
    if claims.strong_order is not None:
        yield task("strong", "Gaussian", "moments")


def _target_name(case: Case) -> str:
    if case.has("prior"):
        return "Gaussian posterior"
    return "tempered Gaussians" if case.has("betas") else "mixture of two"


def without_result(task: Task, verdict: str, explanation: str) -> Row:
    """The row of a measurement that was refused or broke.

    Parameters
    ----------
    task : Task
    verdict, explanation : str
    """
    claims = find(task.scheme).cls.claims
    declared = {"bias": claims.bias_order, "strong": claims.strong_order}.get(task.kind)
    return OrderRow(
        family=task.family, kind=task.kind, scheme=task.scheme, problem=task.problem, method=task.method, noise="",
        declared=declared, verdict=verdict, explanation=explanation, judged=task.judged,
    )  # fmt: skip
