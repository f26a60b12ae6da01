"""The rows of diffusion samplers: a certificate of every variant, and mutants that are found out. Nothing is random."""

from collections.abc import Iterator
from typing import Any

import pytest

from stochsim.diffusion import REGISTRY, sampler
from stochsim.report.rows import MutantRow, OrderRow
from stochsim.validating import particles
from stochsim.validating.plan import plan
from stochsim.validating.run import measure


def test_every_variant_and_every_mutant_is_planned() -> None:
    full = plan("diffusion")
    variants = {(n, i) for n, r in REGISTRY.items() for i in range(len(r.variants))}
    assert {(t.scheme, t.variant) for t in full if t.kind == "certificate"} == variants
    wrong = {(n, i) for n, r in particles.mutants().items() for i in range(len(r.variants))}
    assert {(t.scheme, t.variant) for t in full if t.kind == "mutants"} == wrong
    assert len(wrong) > 10
    assert {t.kind for t in plan("diffusion", quick=True)} == {"certificate"}


def test_a_certificate_becomes_rows() -> None:
    (task,) = plan("diffusion", quick=True, only="certificate/ddim/")
    (row,) = measure(task)
    assert isinstance(row, OrderRow)
    assert (row.kind, row.scheme, row.problem, row.declared, row.verdict) == (
        "path",
        "ddim",
        "two modes",
        1,
        "confirmed",
    )
    assert row.order == pytest.approx(1.0, abs=0.05)
    assert row.h == [1 / 16, 1 / 32, 1 / 64]
    assert row.seconds > 0.0


def test_a_full_certificate_has_paths_and_laws_and_reports_the_end_of_the_noise() -> None:
    (task,) = plan("diffusion", only="certificate/ddim/")
    rows = [row for row in measure(task) if isinstance(row, OrderRow)]
    assert [row.kind for row in rows] == ["path", "path", "terminal", "law"]
    assert [row.judged for row in rows] == [True, True, False, True]
    assert {row.verdict for row in rows if row.judged} == {"confirmed"}
    assert not any(row.contradicts for row in rows)


def test_what_cannot_be_certified_says_why() -> None:
    (task, *_) = plan("diffusion", quick=True, only="certificate/gotta_go_fast")
    (row,) = measure(task)
    assert row.verdict == "not measured"
    assert "no law in closed form" in row.explanation


@pytest.mark.parametrize("name", ["er_sde_3_sum", "sa_3_cold"])
def test_mutants_are_found_out(name: str) -> None:
    (row,) = measure(*plan("diffusion", only=f"mutants/{name}/"))
    assert isinstance(row, MutantRow)
    assert row.verdict == "all caught", row.explanation
    assert not row.contradicts


def test_a_mutant_that_is_not_wrong_contradicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: a right sampler among the mutants survives, and that is a contradiction."""
    monkeypatch.setattr(particles, "mutants", lambda: {"ddim": REGISTRY["ddim"]})
    (row,) = measure(*plan("diffusion", only="mutants/ddim/"))
    assert row.verdict == "1 survive"
    assert row.contradicts


def test_a_sampler_that_claims_too_much_contradicts(monkeypatch: pytest.MonkeyPatch) -> None:
    @sampler(kind="ode", path_order=2, reference="nobody", register=False)
    def boastful(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
        """DDIM with a claim that is not its own."""
        yield from REGISTRY["ddim"].steps(model, x, grid, noise)

    monkeypatch.setitem(REGISTRY, "boastful", boastful)
    (row,) = measure(*plan("diffusion", quick=True, only="certificate/boastful/"))
    assert row.verdict == "lower than declared"
    assert row.contradicts
