"""The bias of stationary laws against the step size, without Monte Carlo: exact laws, and the Markov operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stochsim.errors import ModelError, ParameterError, SchemeError
from stochsim.mcmc.laws.affine import affine_law, noise_counts
from stochsim.mcmc.laws.stationary import stationary_bias
from stochsim.orders.richardson import SlopeFit, fit_order
from stochsim.report.rows import OrderRow, Row
from stochsim.validating.chain_cases import Case, clients, dense, find, quartic_well
from stochsim.validating.chain_defects import STEPS as DEFECT_STEPS
from stochsim.validating.chain_defects import fitted_defects
from stochsim.validating.task import Task

__all__ = ["DELTA", "bias", "methods", "order_row"]

FloatArray = npt.NDArray[np.floating[Any]]
DELTA = 0.05  # around the declared order
STEPS = tuple(0.1 / 2.0**k for k in range(6))
FLOOR = 2e-13  # of a stationary moment by linear algebra
MOST_DRAWS = 3  # random numbers of a step over which the Markov operator is integrated


def methods(case: Case, *, quick: bool) -> list[tuple[str, str]]:
    """(method, problem) of every way in which the stationary bias of a sampler is measured.

    Parameters
    ----------
    case : Case
    quick : bool
        Leave out quadrature over places and momenta.
    """
    sampler, found = case(0.1), []
    size = _coordinates(sampler)
    if case.has("thermal_mass") or case.has("sigmas") or case.has("length"):
        return [("defects", "Gaussian")]
    if case.has("batches") or case.has("n_local"):
        return [("exact law", "sum of quadratics")]
    if size == 0 or _is_affine(sampler):
        found.append(("exact law", "Gaussian"))
    if 0 < size <= (1 if quick else 2) and _draws(sampler) <= MOST_DRAWS:
        found.append(("quadrature", "quartic well"))
    return found


def _coordinates(sampler: Any) -> int:
    """How many numbers a state on the line has that are no functions of x; 0 where there is no state on the line."""
    try:
        state = sampler.init(quartic_well().target, np.zeros((1, 1)))
    except ParameterError:
        return 0
    return sum(name not in ("log_prob", "score") for name in state._fields)


def _draws(sampler: Any) -> int:
    return sum(noise_counts(sampler, quartic_well().target, 1))


def _is_affine(sampler: Any) -> bool:
    try:
        affine_law(sampler, dense().target, dense().d)
    except (ModelError, SchemeError):
        return False
    return True


def bias(task: Task) -> list[Row]:
    """The measured order of the stationary bias, beside the one that the sampler claims.

    Parameters
    ----------
    task : Task
        Its method is "exact law", "quadrature" or "defects".
    """
    case = find(task.scheme)
    h, errors, fit, reference = WAYS[task.method](case, task.problem)
    declared = float(case(0.1).claims.bias_order)
    return [order_row(task, h, errors, fit, declared, reference)]


def order_row(
    task: Task, h: Sequence[float], errors: FloatArray, fit: SlopeFit, declared: float | None, reference: str
) -> OrderRow:
    """The row of a noise-free fit.

    Parameters
    ----------
    task : Task
    h : sequence of float
    errors : ndarray
    fit : SlopeFit
    declared : float or None
    reference : str
    """
    verdict, explanation = judged(fit, declared)
    known = fit.status == "determined"
    return OrderRow(
        family=task.family, kind=task.kind, scheme=task.scheme, problem=task.problem, method=task.method, noise="",
        declared=declared, order=float(fit.order) if known else None, model=float(fit.uncertainty) if known else 0.0,
        verdict=verdict, explanation=explanation, judged=task.judged, reference=reference, h=[float(v) for v in h],
        errors=[float(abs(e)) for e in errors], errors_se=[0.0] * len(errors),
    )  # fmt: skip


def judged(fit: SlopeFit, declared: float | None) -> tuple[str, str]:
    """Verdict and explanation of a noise-free fit.

    Parameters
    ----------
    fit : SlopeFit
    declared : float or None
    """
    if fit.status == "exact":
        return "exact", "every error is rounding"
    if fit.status != "determined":
        return "inconclusive", fit.reason
    said = f"order {fit.order:.3f} ± {fit.uncertainty:.3f}"
    if declared is None:
        return "measured", f"{said}, none declared"
    distance = fit.order - declared
    if abs(distance) <= DELTA:  # whatever the bound on truncation, which is cautious
        return "confirmed", f"{said}, {declared:g} declared"
    if abs(distance) - fit.uncertainty <= DELTA:
        return "pre-asymptotic", f"{said} does not tell whether it is {declared:g}; take smaller steps"
    return f"{'lower' if distance < 0 else 'higher'} than declared", f"{said}; {declared:g} is declared"


Measured = tuple[Sequence[float], FloatArray, SlopeFit, str]


def _by_exact_law(case: Case, problem: str) -> Measured:
    """The smallest order among the errors of means and covariances of places."""
    laws = [_moments(case(h), problem) for h in STEPS]
    table = np.array(laws).T
    fits = [fit_order(STEPS, errors, FLOOR) for errors in table]
    settled = [i for i, fit in enumerate(fits) if fit.status == "determined"]
    deciding = min(settled, key=lambda i: fits[i].order) if settled else int(np.argmax(np.abs(table).max(axis=1)))
    return STEPS, table[deciding], fits[deciding], "the exact stationary law of the chain"


def _moments(sampler: Any, problem: str) -> FloatArray:
    """Errors of the means, and of the covariances on and above the diagonal."""
    law, aim = _law(sampler, problem)
    upper = np.triu_indices(len(aim.mean))
    return np.concatenate([law.mean - aim.mean, (law.covariance - aim.covariance)[upper]])


def _law(sampler: Any, problem: str) -> tuple[Any, Any]:
    """The stationary law of a chain, and the law it aims at: each with a mean and a covariance."""
    if problem == "sum of quadratics":
        from stochsim.mcmc.stochastic_gradients.batch_laws import batch_law
        from stochsim.mcmc.stochastic_gradients.federated import federated_law

        make = batch_law if hasattr(sampler, "batches") else federated_law
        return make(sampler, clients().target, clients().d), clients()
    return affine_law(sampler, dense().target, dense().d), dense()


def _by_quadrature(case: Case, problem: str) -> Measured:
    """E x² on the well; with momenta fewer nodes, and fewer steps."""
    sampler = case(0.1)
    two, moving = _coordinates(sampler) == 2, case.has("friction") or case.has("n_leapfrog")
    coarsest = 0.04 if not moving else 0.2 if sampler.claims.bias_order > 1 else 0.02
    h = [coarsest / 2.0**k for k in range(3 if two else 4)]
    found = stationary_bias(sampler, quartic_well(), np.square, h, nodes=(36, 36) if two else ())
    return h, found.bias, found.fit, "the target, by quadrature of the Markov operator"


def _by_defects(case: Case, problem: str) -> Measured:
    errors, fit = fitted_defects(case)
    return DEFECT_STEPS, errors, fit, "one step from the invariant law of the continuous process, per unit of time"


WAYS: dict[str, Callable[[Case, str], Measured]] = {
    "exact law": _by_exact_law, "quadrature": _by_quadrature, "defects": _by_defects,
}  # fmt: skip
"""How a bias is measured, by its name."""
