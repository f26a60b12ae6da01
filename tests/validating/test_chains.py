"""The rows of Markov-chain samplers: from their records alone, true of right ones, and wrong ones are contradicted.

Invariance tests have the false-alarm rate 1e-4, with fixed seeds.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from stochsim.mcmc import ABOBA, MALA, REGISTRY, ULA, Claims
from stochsim.report.rows import CheckRow, OrderRow
from stochsim.validating.chain_cases import cases, find
from stochsim.validating.chain_laws import judged
from stochsim.validating.plan import plan
from stochsim.validating.run import measure
from stochsim.validating.task import Task

FULL, QUICK = plan("mcmc"), plan("mcmc", quick=True)


def task(only: str, *, quick: bool = False) -> Task:
    """The one task of a plan that holds a pattern."""
    (found,) = [t for t in (QUICK if quick else FULL) if t.matches(only)]
    return found


def planned(kind: str, tasks: list[Task]) -> set[str]:
    return {t.scheme.split("(")[0] for t in tasks if t.kind == kind}


def claims_of(label: str) -> Claims:
    claims: Claims = find(label)(0.1).claims
    return claims


def test_every_sampler_can_be_made_from_the_names_of_its_fields() -> None:
    for case in cases():
        assert isinstance(case(0.1), case.cls)


def test_every_claim_has_its_rows() -> None:
    everyone = [(c.label, claims_of(c.label)) for c in cases()]
    biased = {label for label, claims in everyone if not claims.adjusted}
    assert {t.scheme for t in FULL if t.kind == "bias"} == biased
    assert {t.scheme for t in FULL if t.kind == "invariance"} == {label for label, _ in everyone} - biased
    assert planned("strong", FULL) == {n for n, c in REGISTRY.items() if c.claims.strong_order is not None}
    exact = {label for label, claims in everyone if claims.exact_gaussian and not claims.adjusted}
    assert {t.scheme for t in FULL if t.kind == "exact"} == exact


def test_a_quick_plan_leaves_out_what_is_slow_alone() -> None:
    left_out = {(t.kind, t.scheme, t.method) for t in FULL} - {(t.kind, t.scheme, t.method) for t in QUICK}
    assert {kind for kind, _, method in left_out if method != "quadrature"} <= {"invariance"}
    assert planned("bias", QUICK) == planned("bias", FULL)
    assert all(t.quick for t in QUICK)


@pytest.mark.parametrize(
    ("only", "order"),
    [("bias/OBABO/Gaussian", 2.0), ("bias/UnadjustedHMC(yoshida)/quartic", 4.0), ("bias/SGNHT/", 1.0),
     ("bias/SGLD/", 1.0), ("bias/DenoisingGibbs/", 1.0), ("strong/UBU/", 2.0), ("strong/RandomizedMidpoint/", 1.0),
     ("strong/KineticEuler/", 1.0)],
)  # fmt: skip
def test_orders_are_confirmed(only: str, order: float) -> None:
    (row,) = measure(task(only, quick=True))
    assert isinstance(row, OrderRow)
    assert row.verdict == "confirmed", row.explanation
    assert row.order == pytest.approx(order, abs=0.05)
    assert len(row.h) == len(row.errors) > 3


def test_a_law_without_bias_is_exact() -> None:
    (row,) = measure(task("bias/BAOAB/Gaussian"))
    assert row.verdict == "exact"
    (row,) = measure(task("exact/BAOAB/"))
    assert isinstance(row, CheckRow)
    assert row.verdict == "holds"
    assert row.value < 1e-12


def test_a_marginal_that_is_not_exact_contradicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: momenta of ABOBA are too hot."""

    class Wrong(ABOBA):
        claims = replace(ABOBA.claims, exact_gaussian=("position", "momentum"))

    monkeypatch.setitem(REGISTRY, "Wrong", Wrong)
    (row,) = measure(replace(task("exact/ABOBA/"), scheme="Wrong"))
    assert row.verdict == "does not hold"
    assert row.contradicts


def test_a_strong_order_that_is_too_high_contradicts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(ULA):
        claims = replace(ULA.claims, strong_order=1.5)

    monkeypatch.setitem(REGISTRY, "Wrong", Wrong)
    (row,) = measure(replace(task("strong/ULA/"), scheme="Wrong"))
    assert row.verdict == "lower than declared"


@pytest.mark.parametrize("name", ["MALA", "ParallelTempering", "EllipticalSlice", "GHMC"])
def test_adjusted_samplers_are_invariant_and_the_control_is_found(name: str) -> None:
    (row,) = measure(task(f"invariance/{name}/", quick=True))
    assert isinstance(row, CheckRow)
    assert row.verdict == "holds", row.explanation
    assert row.false_alarm == 1e-4


def test_a_wrong_acceptance_contradicts(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Wrong(MALA):
        """Its proposal counted as symmetric, by a step that is accepted whatever happens."""

        def step(self, target: Any, state: Any, noise: Any) -> Any:
            new, info = super().step(target, state, noise)
            y = state.x + self.step_size * state.score + np.sqrt(2.0 * self.step_size) * noise.normal(state.x)
            return type(new)(y, *target.log_prob_and_score(y)), info

    monkeypatch.setitem(REGISTRY, "Wrong", Wrong)
    (row,) = measure(replace(task("invariance/MALA/", quick=True), scheme="Wrong"))
    assert row.verdict == "does not hold"


def test_a_check_whose_control_is_not_found_contradicts() -> None:
    values: dict[str, Any] = {"family": "mcmc", "kind": "exact", "scheme": "s", "problem": "p", "explanation": ""}
    row = CheckRow(holds=True, value=0.0, threshold=1.0, control="c", control_fails=False, **values)
    assert row.verdict == "control not caught"
    assert row.contradicts


def test_a_field_without_a_value_becomes_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Strange(ULA):
        colour: str

        claims = ULA.claims

        def __init__(self, step_size: float, colour: str) -> None:
            raise AssertionError(colour)

    monkeypatch.setitem(REGISTRY, "Strange", Strange)
    (row,) = measure(*plan("mcmc", only="/Strange/"))
    assert row.verdict == "not measured"
    assert "has the field" in row.explanation


def test_a_new_sampler_gets_its_rows_from_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine(ULA):
        claims = Claims("me", bias_order=1, strong_order=1)

    monkeypatch.setitem(REGISTRY, "Mine", Mine)
    found = plan("mcmc", only="/Mine/")
    assert {(t.kind, t.problem) for t in found} == {
        ("bias", "Gaussian"), ("bias", "quartic well"), ("strong", "Gaussian"),
    }  # fmt: skip


def test_verdicts_of_fits() -> None:
    from stochsim.orders.richardson import fit_order

    h = 0.1 / 2.0 ** np.arange(6)
    fit = fit_order(h, 3.0 * h**2 * (1.0 + h), 1e-15)
    assert [judged(fit, p)[0] for p in (2.0, 3.0, 1.0, None)] == [
        "confirmed", "lower than declared", "higher than declared", "measured",
    ]  # fmt: skip
    assert judged(fit_order(h, 0.0 * h, 1e-15), 2.0)[0] == "exact"
    assert judged(fit_order(h, 1e-15 * np.array([2, -3, 2, -3, 2, -3]), 1e-15), 2.0)[0] == "inconclusive"
