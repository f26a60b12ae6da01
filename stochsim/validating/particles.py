"""The family of diffusion samplers: a certificate of every registered variant, and mutants that must be found out."""

from __future__ import annotations

import math
import pkgutil
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any

import stochsim.diffusion
from stochsim.diffusion import REGISTRY, Certificate, Sampler, certify
from stochsim.report.rows import MutantRow, OrderRow, Row
from stochsim.validating.task import Task

__all__ = ["MEASURES", "mutants", "tasks", "without_result"]

FAMILY = "diffusion"
MARGIN = 0.3  # below its claim, an order is refuted on any grids
REFERENCES = {
    "path": "the exact flow map", "tolerance": "the exact flow map", "terminal": "the exact flow map",
    "law": "the exact law of the output, in W2", "weak": "exact expectations, by quadrature",
    "rounds": "the sampler's own fixed point",
}  # fmt: skip
VERDICTS = {
    "lower": "lower than declared", "higher": "higher than declared", "reported": "measured",
}  # fmt: skip


def tasks(quick: bool, seed: int) -> Iterator[Task]:
    """A certificate of every variant, and in a full run every mutant.

    Parameters
    ----------
    quick : bool
        Coarse grids, orders within 0.3.
    seed : int
        Without effect: no certificate draws random numbers.
    """
    if not quick:
        for name, record in mutants().items():
            for i in range(len(record.variants)):
                yield Task("mutants", name, "certificate", "certificate", seed, family=FAMILY, variant=i)
    for name, record in REGISTRY.items():
        for i in range(len(record.variants)):
            yield Task(
                "certificate", name, _label(record, i), "certificate", seed, quick=quick, family=FAMILY, variant=i
            )


@lru_cache
def mutants() -> dict[str, Sampler]:
    """The wrong samplers of every module ``mutants*`` of `stochsim.diffusion`, by name."""
    modules = [m.name for m in pkgutil.iter_modules(stochsim.diffusion.__path__) if m.name.startswith("mutants")]
    found = [record for name in modules for record in import_module(f"stochsim.diffusion.{name}").MUTANTS]
    return {record.name: record for record in found}


def _variant(record: Sampler, i: int) -> Sampler:
    return record.with_options(**record.variants[i])


def _label(record: Sampler, i: int) -> str:
    return _variant(record, i).label


def certificate(task: Task) -> list[Row]:
    """Rows of a certificate: one for each problem and measure.

    Parameters
    ----------
    task : Task
    """
    found = certify(_variant(REGISTRY[task.scheme], task.variant), quick=task.quick)
    if not found.rows:
        return [without_result(task, "not measured", "; ".join(found.notes))]
    return [_row(task, found, evidence) for evidence in found.rows]


def _row(task: Task, found: Certificate, evidence: Any) -> OrderRow:
    order, slopes = float(evidence.order), evidence.slopes
    known = math.isfinite(order)
    near = [abs(order - float(slopes[-1])), abs(float(slopes[-1] - slopes[-2]))] if len(slopes) > 1 else [0.0]
    verdict = _verdict(found, evidence)
    first, last = evidence.work[0], evidence.work[-1]
    unit = {"tolerance": "evaluations", "rounds": "rounds"}.get(evidence.measure, "steps")
    return OrderRow(
        family=task.family, kind=evidence.measure, scheme=found.sampler.label, problem=evidence.problem,
        method="certificate", noise=_setting(found), declared=evidence.declared, order=order if known else None,
        model=max(near) if known else 0.0, verdict=verdict, judged=evidence.declared is not None,
        explanation=f"slopes {' '.join(f'{s:.2f}' for s in slopes[-4:])} from {first:g} to {last:g} {unit}; "
        f"confirmed within {evidence.tolerance:g}",
        reference=REFERENCES.get(evidence.measure, ""), h=[1.0 / w for w in evidence.work],
        errors=[float(e) for e in evidence.errors], errors_se=[0.0] * len(evidence.errors),
    )  # fmt: skip


def _verdict(found: Certificate, evidence: Any) -> str:
    if evidence.verdict == "pre-asymptotic" and evidence.declared is None:
        return "measured"
    return VERDICTS.get(evidence.verdict, str(evidence.verdict))


def _setting(found: Certificate) -> str:
    record = found.sampler
    return (
        f"{record.kind}, {type(found.process).__name__}, {found.nfe:.3g} evaluations a step, starter: {record.starter}"
    )


def mutant(task: Task) -> list[Row]:
    """Whether the certificate of a wrong sampler refutes what is claimed of it.

    Parameters
    ----------
    task : Task
    """
    record = _variant(mutants()[task.scheme], task.variant)
    found = certify(record, quick=task.quick)
    claimed = [e for e in found.rows if e.declared is not None]
    low = min((float(e.order) - float(e.declared or 0.0) for e in claimed), default=math.inf)
    refuted = found.verdict in ("lower", "diverged") or low < -MARGIN
    orders = [float(e.order) for e in claimed if math.isfinite(e.order)]
    finding = {
        "name": f"{record.label}: said to be of order {claimed[0].declared:g}" if claimed else record.label,
        "kind": "faulty", "subtle": False, "order": min(orders) if orders else None, "verdict": found.verdict,
        "caught_by": ["order"] if refuted else [],
    }  # fmt: skip
    row = MutantRow(
        family=task.family, scheme=record.label, problem=record.reference, order=None, original="", findings=[finding],
        n_paths=0, required=True,
    )  # fmt: skip
    return [row]


def without_result(task: Task, verdict: str, explanation: str) -> Row:
    """The row of a measurement that was refused or broke.

    Parameters
    ----------
    task : Task
    verdict, explanation : str
    """
    record = _variant({**REGISTRY, **mutants()}[task.scheme], task.variant)
    return OrderRow(
        family=task.family, kind="path" if record.kind == "ode" else "law", scheme=record.label, problem=task.problem,
        method=task.method, noise=record.kind, declared=record.path_order or record.law_order, verdict=verdict,
        explanation=explanation, judged=task.judged,
    )  # fmt: skip


MEASURES = {"certificate": certificate, "mutants": mutant}
