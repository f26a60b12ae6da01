"""How each kind of measurement of a scheme is made, and the row that it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stochsim.report.rows import MutantRow, OrderRow, Row, StabilityRow
from stochsim.schemes import REGISTRY
from stochsim.validating.equation_problems import problem, settings, surveyed
from stochsim.validating.task import Task

__all__ = ["AMPLIFICATIONS", "mutants", "stability", "strong", "weak", "without_result"]

QUICK_PATHS = 4096
SURVEY_PATHS = 2048


def strong(task: Task) -> list[Row]:
    """The strong order of a scheme on a model.

    Parameters
    ----------
    task : Task
    """
    from stochsim.orders import strong_order

    scheme = REGISTRY[task.scheme]
    sde = problem(task.problem, scheme.calculus)
    method = "auto" if task.method == "paths" else task.method
    options: dict[str, Any] = {"executor": "arrays", "n_paths": QUICK_PATHS} if task.quick else {}
    estimate = strong_order(sde, scheme, method=method, seed=task.seed, threads=1, **options)
    return [OrderRow.of(estimate, family=task.family, noise=sde.noise_structure, judged=task.judged)]


def weak(task: Task) -> list[Row]:
    """The weak order of a scheme on a model.

    Parameters
    ----------
    task : Task
    """
    from stochsim.orders import weak_order

    scheme, how = REGISTRY[task.scheme], settings(task.problem)
    sde = problem(task.problem, scheme.calculus)
    estimate = weak_order(sde, scheme, method=task.method, domain=how.domain, seed=task.seed, threads=1)
    return [OrderRow.of(estimate, family=task.family, noise=sde.noise_structure, judged=task.judged)]


def mutants(task: Task) -> list[Row]:
    """The planted bugs of a scheme.

    Parameters
    ----------
    task : Task
    """
    from stochsim.levels import Levels
    from stochsim.orders.survey import survey

    scheme = REGISTRY[task.scheme]
    sde = surveyed(task.problem, scheme.calculus)
    original, *findings = survey(
        sde, scheme, seed=task.seed, n_paths=SURVEY_PATHS, levels=Levels(finest=10, n_levels=10)
    )
    found = [
        {
            "name": f.mutant, "kind": f.kind, "subtle": f.subtle, "order": _finite(f.order), "verdict": f.verdict,
            "caught_by": list(f.caught_by),
        }
        for f in findings
    ]  # fmt: skip
    row = MutantRow(
        family=task.family, scheme=task.scheme, problem=task.problem, original=original.verdict, findings=found,
        order=_finite(original.order), n_paths=SURVEY_PATHS,
    )  # fmt: skip
    return [row]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def stability(task: Task) -> list[Row]:
    """The region of mean-square stability of a scheme.

    Parameters
    ----------
    task : Task
    """
    from stochsim.orders import stability_region

    size = 51 if task.quick else 101
    region = stability_region(REGISTRY[task.scheme], lh=np.linspace(-4.0, 1.0, size), mu2h=np.linspace(0.0, 6.0, size))
    lh, mu2h = np.meshgrid(region.lh, region.mu2h)
    deviation = None
    if task.scheme in AMPLIFICATIONS:
        known, found = AMPLIFICATIONS[task.scheme](lh, mu2h), region.amplification
        pole = ~np.isfinite(known)  # of an implicit scheme
        with np.errstate(invalid="ignore"):
            distance = np.abs(found - known) / (1.0 + np.abs(known))
        deviation = float(np.max(np.where(pole, 0.0, distance)))
    row = StabilityRow(
        family=task.family, scheme=task.scheme, deviation=deviation, lh=region.lh.tolist(), mu2h=region.mu2h.tolist(),
        amplification=[[float(f"{v:.6g}") for v in row] for row in region.amplification], bound=_bound(task.scheme),
    )  # fmt: skip
    return [row]


def _bound(scheme: str) -> float | None:
    from stochsim.orders.regions import linear_test_step
    from stochsim.orders.stability import mean_square_boundary

    (found,) = mean_square_boundary(linear_test_step(REGISTRY[scheme]), [-1.0], mu2h_max=6.0)
    return _finite(found)


def without_result(task: Task, verdict: str, explanation: str) -> Row:
    """The row of a measurement that was refused or broke.

    Parameters
    ----------
    task : Task
    verdict, explanation : str
    """
    declared, noise = None, ""
    if task.kind in ("strong", "weak"):
        scheme = REGISTRY[task.scheme]
        sde = problem(task.problem, scheme.calculus)
        declared, noise = scheme.declared(task.kind, sde.noise_classes), sde.noise_structure
    return OrderRow(
        family=task.family, kind=task.kind, scheme=task.scheme, problem=task.problem, method=task.method, noise=noise,
        declared=declared, verdict=verdict, explanation=explanation, judged=task.judged,
    )  # fmt: skip


# --- E|R|^2 of one step on dX = lambda X dt + mu X dW, with l = lambda h and u = mu^2 h ---------------------


def _euler(l: np.ndarray, u: np.ndarray) -> np.ndarray:
    return np.asarray((1.0 + l) ** 2 + u)


def _milstein(l: np.ndarray, u: np.ndarray) -> np.ndarray:
    return np.asarray(_euler(l, u) + u**2 / 2.0)


def _platen(l: np.ndarray, u: np.ndarray) -> np.ndarray:
    return np.asarray(_euler(l, u) + u * (l + np.sqrt(u)) ** 2 / 2.0)  # mu > 0


def _implicit(l: np.ndarray, u: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.asarray((1.0 + u) / (1.0 - l) ** 2)


def _heun(l: np.ndarray, u: np.ndarray) -> np.ndarray:
    # R = 1 + S + S^2 / 2 with S normal of mean s = lambda h - mu^2 h / 2 (the Stratonovich drift) and variance u
    s = l - u / 2.0
    second, third, fourth = s**2 + u, s**3 + 3.0 * s * u, s**4 + 6.0 * s**2 * u + 3.0 * u**2
    return np.asarray(1.0 + 2.0 * s + 2.0 * second + third + fourth / 4.0)


AMPLIFICATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "euler_maruyama": _euler, "milstein": _milstein, "stratonovich_milstein": _milstein, "euler_heun": _milstein,
    "platen": _platen, "drift_implicit_euler": _implicit, "stratonovich_heun": _heun,
}  # fmt: skip
"""Higham 2000, SIAM J. Numer. Anal. 38, 753, for Euler's and Milstein's methods; the others by hand, from E dW^2k."""
