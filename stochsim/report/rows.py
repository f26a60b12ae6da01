"""The rows of a validation: plain data, each of which knows its verdict and whether it contradicts a claim."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stochsim.orders.estimate import OrderEstimate

__all__ = ["FAILED", "NOT_MEASURED", "CheckRow", "ClaimRow", "MutantRow", "OrderRow", "Row", "RunFacts", "StabilityRow"]

FLAGS = ("wrong limit", "lower than declared", "diverged")
NOT_MEASURED = "not measured"
FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class OrderRow:
    """A measured order.

    Attributes
    ----------
    family, kind, scheme, problem, method : str
        ``kind`` is "strong", "weak", "bias", "path", "law", ...
    noise : str
        The most telling noise class of an equation; of a diffusion sampler its process, and what else decides.
    declared, order : float or None
        None where nothing is declared, or measured.
    statistical, model : float
        The two parts of the half-width.
    verdict, explanation, reference, limit : str
        As in `OrderEstimate`; beside its verdicts "diverged", "not measured" (refused, with the reason) and "failed".
    judged : bool
        False outside the hypotheses of the scheme's theorem: measured, never a contradiction.
    same_as : str
        The scheme whose step is the same formula on this problem and was measured for both.
    h, errors, errors_se : list of float
        From coarse to fine.
    n_paths, compiled : int
        Paths (0 for a noise-free method), and functions compiled for it (kernels and what they call).
    seconds : float
    """

    family: str
    kind: str
    scheme: str
    problem: str
    method: str
    noise: str
    declared: float | None
    order: float | None = None
    statistical: float = 0.0
    model: float = 0.0
    verdict: str
    explanation: str
    judged: bool = True
    same_as: str = ""
    reference: str = ""
    limit: str = ""
    h: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    errors_se: list[float] = field(default_factory=list)
    n_paths: int = 0
    compiled: int = 0
    seconds: float = 0.0

    @property
    def half_width(self) -> float:
        """Statistical plus model."""
        return self.statistical + self.model

    @property
    def contradicts(self) -> bool:
        """Whether the declared order is refuted."""
        return self.judged and self.verdict in FLAGS

    @property
    def failed(self) -> bool:
        """Whether the measurement itself broke."""
        return self.verdict == FAILED

    @staticmethod
    def of(estimate: OrderEstimate, **facts: Any) -> OrderRow:
        """The row of an estimate.

        Parameters
        ----------
        estimate : OrderEstimate
        **facts
            ``family``, ``noise``, ``judged``, ``compiled``, ``seconds`` and other fields of the row.
        """
        return OrderRow(
            kind=estimate.kind, scheme=estimate.scheme, problem=estimate.problem, method=estimate.method,
            declared=estimate.declared, order=None if math.isnan(estimate.order) else float(estimate.order),
            statistical=float(estimate.statistical), model=float(estimate.half_width - estimate.statistical)
            if math.isfinite(estimate.order) else 0.0,
            verdict=estimate.verdict, explanation=estimate.explanation, reference=estimate.reference,
            limit="" if estimate.limit is None else str(estimate.limit), h=_floats(estimate.h),
            errors=_floats(estimate.errors), errors_se=_floats(estimate.errors_se), n_paths=int(estimate.n_paths),
            **facts,
        )  # fmt: skip

    def estimate(self) -> OrderEstimate:
        """The estimate again, with what a figure needs."""
        order = math.nan if self.order is None else self.order
        return OrderEstimate(
            kind=self.kind, order=order, ci=(order - self.half_width, order + self.half_width),
            local_orders=np.array([]), fit_p=math.nan, declared=self.declared, verdict=self.verdict,
            explanation=self.explanation, method=self.method, reference=self.reference, statistical=self.statistical,
            model=self.model, h=np.array(self.h), errors=np.array(self.errors), errors_se=np.array(self.errors_se),
            n_paths=self.n_paths, kurtosis=math.nan, limit=None, problem=self.problem, scheme=self.scheme,
            seconds=self.seconds,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class MutantRow:
    """The mutants of one scheme put through every check.

    Attributes
    ----------
    family, kind, scheme, problem : str
        ``kind`` is "mutants".
    order : float or None
        Measured for the unmutated scheme on the same paths.
    original : str
        The verdict on the unmutated scheme.
    findings : list of dict
        For each mutant ``name``, ``kind`` (equivalent or faulty), ``subtle``, ``order``, ``verdict`` and
        ``caught_by`` (list of order, limit, moments, formula).
    n_paths : int
    required : bool
        Whether a mutant that survives counts against the tests.
    seconds : float
    """

    family: str
    kind: str = "mutants"
    scheme: str
    problem: str
    order: float | None
    original: str
    findings: list[dict[str, Any]]
    n_paths: int
    required: bool = False
    seconds: float = 0.0

    def faulty(self) -> list[dict[str, Any]]:
        """Mutants whose declared local orders do not hold."""
        return [f for f in self.findings if f["kind"] == "faulty"]

    def survivors(self) -> list[dict[str, Any]]:
        """Faulty mutants that neither an order test nor a limit test flags."""
        return [f for f in self.faulty() if not _flagged(f)]

    def false_alarms(self) -> list[dict[str, Any]]:
        """Equivalent mutants that an order or limit test flags."""
        return [f for f in self.findings if f["kind"] == "equivalent" and _flagged(f)]

    @property
    def verdict(self) -> str:
        """How many faulty mutants survive, or "all caught"."""
        left = len(self.survivors())
        return f"{left} survive" if left else "all caught"

    @property
    def contradicts(self) -> bool:
        """Whether the unmutated scheme itself is refuted, or a mutant survives that must not."""
        return self.original in FLAGS or (self.required and bool(self.survivors()))

    @property
    def explanation(self) -> str:
        """The counts, and what is out of the ordinary."""
        faulty = self.faulty()
        subtle = sum(bool(f["subtle"]) for f in faulty)
        parts = [f"{len(faulty)} faulty ({subtle} subtle), {len(self.findings) - len(faulty)} equivalent"]
        if self.survivors():
            parts.append("not caught: " + ", ".join(f["name"] for f in self.survivors()))
        if self.false_alarms():
            parts.append("flagged though equivalent: " + ", ".join(f["name"] for f in self.false_alarms()))
        return "; ".join([*parts, f"unmutated: {self.original}"] if self.original else parts)

    failed = False


@dataclass(frozen=True, kw_only=True)
class StabilityRow:
    """Mean-square stability of a scheme on the linear test equation.

    Attributes
    ----------
    family, kind, scheme, problem : str
        ``kind`` is "stability".
    deviation : float or None
        Largest relative distance to the closed form of E|R|^2; None where none is known.
    lh, mu2h : list of float
        The grid.
    amplification : list of list of float
        E|R|^2, a row for each mu2h.
    bound : float or None
        mu^2 h at which stability is lost for lambda h = -1; None if never, within the grid.
    seconds : float
    """

    family: str
    kind: str = "stability"
    scheme: str
    problem: str = "linear test equation"
    deviation: float | None
    lh: list[float]
    mu2h: list[float]
    amplification: list[list[float]]
    bound: float | None
    seconds: float = 0.0

    TOLERANCE = 1e-10

    @property
    def verdict(self) -> str:
        """Whether a known closed form is met: "confirmed" or "differs", else "measured"."""
        if self.deviation is None:
            return "measured"
        return "confirmed" if self.deviation < self.TOLERANCE else "differs"

    @property
    def contradicts(self) -> bool:
        """Whether the amplification is not that of the formula."""
        return self.verdict == "differs"

    @property
    def explanation(self) -> str:
        """Where stability ends, and how well the closed form is met."""
        end = "never, on the grid" if self.bound is None else f"at mu^2 h = {self.bound:.4g}"
        known = "" if self.deviation is None else f"; closed form of E|R|^2 met to {self.deviation:.0e}"
        return f"at lambda h = -1 stability ends {end}{known}"

    failed = False


@dataclass(frozen=True, kw_only=True)
class ClaimRow:
    """A published claim, checked by a file of the validation folder.

    Attributes
    ----------
    family, kind, name, statement, source : str
        ``kind`` is "claim".
    holds : bool or None
        None when the check itself failed.
    explanation : str
        What was measured.
    seconds : float
    """

    family: str
    kind: str = "claim"
    name: str
    statement: str
    source: str
    holds: bool | None
    explanation: str
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """The result: "holds", "does not hold" or "failed"."""
        return FAILED if self.holds is None else "holds" if self.holds else "does not hold"

    @property
    def contradicts(self) -> bool:
        """Whether the claim was refuted."""
        return self.holds is False

    @property
    def failed(self) -> bool:
        """Whether the check itself broke."""
        return self.holds is None


@dataclass(frozen=True, kw_only=True)
class CheckRow:
    """A property that holds or does not, with a negative control that must fail.

    Attributes
    ----------
    family, kind, scheme, problem : str
        ``kind`` is "exact" or "invariance".
    holds : bool
    value, threshold : float
        What was measured, and what it was compared with: it holds below.
    control : str
        What was made wrong in the negative control.
    control_fails : bool
        Whether the wrong one was found out.
    explanation : str
    n_paths : int
        Chains; 0 without Monte Carlo.
    false_alarm : float
        Probability that what is right fails; 0 without Monte Carlo.
    seconds : float
    """

    family: str
    kind: str
    scheme: str
    problem: str
    holds: bool
    value: float
    threshold: float
    control: str
    control_fails: bool
    explanation: str
    n_paths: int = 0
    false_alarm: float = 0.0
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """The result: "holds", "does not hold", or "control not caught": the check has no power."""
        if not self.holds:
            return "does not hold"
        return "holds" if self.control_fails else "control not caught"

    @property
    def contradicts(self) -> bool:
        """Whether the property is refuted, or the check is blind."""
        return not (self.holds and self.control_fails)

    failed = False


Row = OrderRow | MutantRow | StabilityRow | CheckRow | ClaimRow


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a run was: enough to do it again.

    Attributes
    ----------
    started : str
        Local date and time.
    options : dict
        Of the command.
    machine : dict
        As `stochsim.doctor.facts` gives it.
    planned : int
        Rows that were to be measured.
    seconds : float
        Wall time; 0 while it runs.
    compiled : int
        Functions compiled in all.
    interrupted : str
        Why it ended early; empty for a complete run.
    """

    started: str
    options: dict[str, Any]
    machine: dict[str, str]
    planned: int
    seconds: float = 0.0
    compiled: int = 0
    interrupted: str = ""


def _flagged(finding: Mapping[str, Any]) -> bool:
    return bool(set(finding["caught_by"]) - {"formula"})


def _floats(values: Any) -> list[float]:
    return [float(v) for v in np.asarray(values, dtype=float).ravel()]
