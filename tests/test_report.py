"""The report: rows survive the file, a page holds what was measured, a table says what is declared."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stochsim.errors import ParameterError
from stochsim.report import (
    CheckRow,
    ClaimRow,
    MutantRow,
    OrderRow,
    Row,
    RunFacts,
    StabilityRow,
    Store,
    method_table,
    read_run,
    write_page,
)
from stochsim.report import tables as tables_of
from stochsim.report.figures import group_figures, order_figures, stability_figure
from stochsim.report.page import colour, duration, render
from stochsim.report.store import FILE_NAME, as_line, from_line
from stochsim.report.tables import BEGIN, END, line, measured, readme_faults, readme_table, summary
from stochsim.schemes import REGISTRY

README = Path(__file__).resolve().parent.parent / "README.md"
H = [2.0**-k for k in range(3, 12)]
FACTS = RunFacts(started="2026-01-01 12:00", options={"quick": True, "seed": 0}, machine={"stochsim": "0"}, planned=4)


def order_row(**changes: Any) -> OrderRow:
    values: dict[str, Any] = {
        "family": "sde", "kind": "strong", "scheme": "milstein", "problem": "geometric_brownian_motion",
        "method": "paths", "noise": "scalar", "declared": 1.0, "order": 0.99, "statistical": 0.015, "model": 0.003,
        "verdict": "confirmed", "explanation": "order 0.990 ± 0.018 is inside 1 ± 0.05", "h": list(H),
        "errors": [0.3 * h for h in H], "errors_se": [0.01 * h for h in H], "n_paths": 4096, "seconds": 0.5,
    }  # fmt: skip
    return OrderRow(**values | changes)


def finding(name: str, kind: str = "faulty", caught_by: tuple[str, ...] = ("limit", "formula"), **changes: Any) -> Any:
    values = {"name": name, "kind": kind, "subtle": True, "order": 0.1, "verdict": "wrong limit"}
    return values | {"caught_by": list(caught_by)} | changes


def mutant_row(*findings: Any, original: str = "confirmed") -> MutantRow:
    return MutantRow(
        family="sde",
        scheme="milstein",
        problem="gbm",
        order=1.0,
        original=original,
        findings=list(findings),
        n_paths=64,
    )


def stability_row(scheme: str = "euler_maruyama", deviation: float | None = 1e-15, shift: float = 0.0) -> StabilityRow:
    lh, mu2h = np.linspace(-4, 1, 21), np.linspace(0, 6, 21)
    amplification = ((1 + lh) ** 2 + mu2h[:, None] + shift).tolist()
    return StabilityRow(
        family="sde", scheme=scheme, deviation=deviation, lh=lh.tolist(), mu2h=mu2h.tolist(),
        amplification=amplification, bound=1.0,
    )  # fmt: skip


CLAIM = ClaimRow(family="sde", name="it_holds", statement="It holds.", source="Nobody", holds=True, explanation="4.0")
CHECK = CheckRow(
    family="mcmc", kind="invariance", scheme="MALA", problem="mixture of two", holds=True, value=0.4, threshold=1.0,
    control="uniforms squared", control_fails=True, explanation="0.4 of its threshold", n_paths=64, false_alarm=1e-4,
)  # fmt: skip
ROWS: list[Row] = [order_row(), mutant_row(finding("noise x 0.95")), stability_row(), CHECK, CLAIM]


# --- rows and their file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [FACTS, *ROWS], ids=lambda row: type(row).__name__)
def test_a_row_survives_its_line(row: Any) -> None:
    text = as_line(row)
    assert "\n" not in text
    assert from_line(text) == row


def test_what_is_not_finite_is_null_in_the_file_and_nan_when_read() -> None:
    row = order_row(errors=[math.nan, math.inf, 0.1], h=[1.0, 0.5, 0.25], errors_se=[0.0, 0.0, 0.0])
    text = as_line(row)
    assert json.loads(text)["errors"] == [None, None, 0.1]
    read = from_line(text)
    assert isinstance(read, OrderRow)
    np.testing.assert_array_equal(read.errors, [math.nan, math.nan, 0.1])


@pytest.mark.parametrize("text", ["", "{}", '{"type": "OrderRow"}', '{"type": "Strange"}', "not json", "[]"])
def test_a_line_that_is_no_row_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="is no row of a validation"):
        from_line(text)


def test_a_run_that_was_killed_keeps_every_whole_row(tmp_path: Path) -> None:
    with Store(tmp_path / "new") as store:
        for record in (FACTS, *ROWS):
            store.add(record)
    file = tmp_path / "new" / FILE_NAME
    whole = file.read_text()
    file.write_text(whole[: len(whole) - 20])  # the last line was being written
    facts, rows = read_run(tmp_path / "new")
    assert facts == FACTS
    assert rows == ROWS[:-1]


def test_rows_are_in_the_file_before_the_run_ends(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.add(FACTS)
        store.add(ROWS[0])
        assert read_run(tmp_path)[1] == ROWS[:1]


def test_a_folder_that_cannot_be_written_and_a_run_that_is_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match="cannot be written"):
        Store(tmp_path / "file")
    with pytest.raises(ParameterError, match="does not exist; run stochsim validate"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(ParameterError, match="is empty"):
        read_run(tmp_path / "file")


# --- verdicts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", ["wrong limit", "lower than declared", "diverged"])
def test_only_a_judged_row_contradicts(verdict: str) -> None:
    assert order_row(verdict=verdict).contradicts
    assert not order_row(verdict=verdict, judged=False).contradicts


@pytest.mark.parametrize(
    "verdict",
    ["confirmed", "exact", "higher than declared", "pre-asymptotic", "inconclusive", "measured", "not measured"],
)
def test_no_other_verdict_contradicts(verdict: str) -> None:
    assert not order_row(verdict=verdict).contradicts


def test_a_survey_names_the_mutants_that_survive_and_the_false_alarms() -> None:
    row = mutant_row(
        finding("drift x 0.99", caught_by=("formula",)), finding("noise x 0.95"),
        finding("drift ahead", "equivalent", ("order",)), finding("later", "equivalent", ("formula",)),
    )  # fmt: skip
    assert row.verdict == "1 survive"
    assert "not caught: drift x 0.99" in row.explanation
    assert "flagged though equivalent: drift ahead" in row.explanation
    assert mutant_row(finding("noise x 0.95")).verdict == "all caught"


def test_a_survey_contradicts_when_the_unmutated_scheme_is_flagged() -> None:
    assert mutant_row(original="wrong limit").contradicts
    assert not mutant_row(finding("drift x 0.99", caught_by=()), original="inconclusive").contradicts


# --- lines and tables ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "half_width", "text"),
    [(0.5094, 0.0187, "0.509 ± 0.019"), (1.0, 2.4e-6, "1.00000 (±2e-6)"), (None, 0.0, "–")],
)  # fmt: skip
def test_an_order_is_written_with_the_digits_it_has(order: float | None, half_width: float, text: str) -> None:
    assert measured(order, half_width) == text


def test_lines_of_a_terminal_stand_in_columns() -> None:
    rows = [*ROWS, order_row(judged=False, problem="a" * 60)]
    lengths = {len(line(row)) for row in rows}
    assert lengths == {len(line(ROWS[0]))}
    assert "not judged" in line(rows[-1])
    assert line(ROWS[0]).startswith("strong, paths")


def test_the_summary_names_what_contradicts_or_failed() -> None:
    bad = [order_row(verdict="wrong limit", explanation="offset 0.1"), order_row(verdict="failed", explanation="boom")]
    text = "\n".join(summary([*ROWS, *bad]))
    assert "CONTRADICTS: strong / milstein / geometric_brownian_motion: offset 0.1" in text
    assert "failed: strong / milstein / geometric_brownian_motion: boom" in text
    assert "1 faulty (1 subtle), 0 not caught" in text
    assert "claims: 1 of 1 hold" in text
    assert "checks: 1 of 1 of invariance hold; 0 negative controls not caught" in text
    assert "CONTRADICTS" not in "\n".join(summary(ROWS))


def test_the_method_table_has_every_method_with_declared_and_measured_orders() -> None:
    rows: list[Row] = [
        order_row(order=0.98), order_row(order=1.02, problem="arctan_brownian"),
        order_row(order=0.3, judged=False, problem="cube_brownian"),
        order_row(scheme="euler_maruyama", declared=0.5, order=0.51), order_row(scheme="euler_maruyama", order=1.0),
    ]  # fmt: skip
    cells = {r.split("|")[1].strip(): [c.strip() for c in r.split("|")] for r in method_table(rows).splitlines()}
    assert {f"`{n}`" for n, s in REGISTRY.items() if not s.is_exact} <= set(cells)
    assert cells["`milstein`"][4:6] == ["1", "0.98 to 1.02 on 2"]
    assert cells["`euler_maruyama`"][4:8] == ["0.5 (additive 1)", "0.51 on 1, 1.00 on 1", "1", "–"]
    assert cells["`platen`"][5] == "–"


def test_a_readme_table_of_other_declarations_is_reported() -> None:
    """The negative control of the test below."""
    table = method_table(ROWS)
    good = f"text\n{BEGIN}\n{table}\n{END}\nmore"
    assert readme_table(good) == table
    assert readme_faults(good) == []
    stale = re.sub(r"(\| `milstein` \| Itô \| commutative \|) 1 ", r"\1 1.5 ", good)
    assert len(readme_faults(stale)) == 1
    assert readme_faults(stale)[0].startswith("`milstein` says")
    gone = "\n".join(row for row in good.splitlines() if "platen" not in row)
    assert readme_faults(gone) == ["`platen` is missing"]
    assert readme_faults(good.replace("`platen`", "`plato`")) == [
        "`platen` is missing",
        "`plato` is no registered method",
    ]
    with pytest.raises(ParameterError, match="methods:begin"):
        readme_faults("no markers")


def test_the_table_of_the_readme_says_what_the_records_declare() -> None:
    assert readme_faults(README.read_text("utf-8")) == []


# --- the page ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page() -> str:
    rows: list[Row] = [
        *ROWS, order_row(scheme="platen", same_as="milstein", kind="weak", method="moments", n_paths=0),
        order_row(scheme="euler_maruyama", kind="weak", method="moments", verdict="lower than declared", n_paths=0,
                  explanation="order <0.5> & more"),
        order_row(scheme="tamed_euler", order=None, verdict="not measured", explanation="refused", h=[], errors=[]),
        mutant_row(finding("drift x 0.99", caught_by=()), finding("nan", order=None)), stability_row("milstein", None),
    ]  # fmt: skip
    return render(FACTS, rows)


def test_the_page_needs_nothing_else(page: str) -> None:
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "url(http" not in page
    assert "@import" not in page
    assert page.count("<svg") == page.count("</svg>") >= 3


def test_the_page_says_what_contradicts(page: str) -> None:
    assert "1 row contradicts" in page
    assert "order &lt;0.5&gt; &amp; more" in page
    assert "<0.5>" not in page


def test_the_page_shows_mutants_machine_and_options(page: str) -> None:
    assert "drift x 0.99" in page
    assert "not caught: drift x 0.99" in page
    assert "quick True" in page
    assert "It holds." in page


def test_a_page_has_a_section_for_each_family_of_samplers() -> None:
    wrong = replace(mutant_row(finding("cold start", caught_by=())), family="diffusion", required=True, original="")
    rows: list[Row] = [
        *ROWS, order_row(family="mcmc", kind="bias", scheme="BAOAB", problem="quartic well", declared=2.0, order=2.01),
        order_row(family="diffusion", kind="path", scheme="ddim", problem="two modes", verdict="diverged"), wrong,
    ]  # fmt: skip
    text = render(FACTS, rows)
    assert text.index('id="mcmc"') < text.index('id="diffusion"')
    assert "uniforms squared: found" in text
    assert "bias on quartic well, order 2 declared" in text
    assert "2 rows contradict" in text  # what diverged, and the mutant that survives


def test_figures_of_samplers_are_few() -> None:
    rows = [order_row(kind="path", scheme=f"s{i}", problem=p) for i in range(9) for p in ("one", "two")]
    laws = [order_row(kind="law", scheme="s0"), order_row(kind="law", scheme="noisy", problem="one")]
    titles = [figure.title for figure in group_figures([*rows, *laws])]
    assert titles == ["law on one, order 1 declared", *["path on two, order 1 declared"] * 2]
    assert group_figures([order_row(kind="terminal", declared=None)]) == []


@pytest.mark.parametrize(("holds", "found", "verdict"), [
    (True, True, "holds"), (True, False, "control not caught"), (False, True, "does not hold"),
])  # fmt: skip
def test_a_check_holds_if_its_control_fails(holds: bool, found: bool, verdict: str) -> None:
    row = replace(CHECK, holds=holds, control_fails=found)
    assert (row.verdict, row.contradicts) == (verdict, verdict != "holds")


def test_a_page_without_contradictions_says_so() -> None:
    assert "Nothing that was measured contradicts" in render(FACTS, ROWS)


def test_a_page_of_nothing_is_a_page() -> None:
    text = render(FACTS, [])
    assert "0 of 4 rows" in text
    assert "</html>" in text


def test_a_run_that_ended_early_says_so_on_the_page() -> None:
    facts = RunFacts(**{**vars(FACTS), "interrupted": "interrupted after 1 of 4 rows"})
    assert "This run ended early: interrupted after 1 of 4 rows" in render(facts, ROWS[:1])


def test_the_page_is_written_whole_and_may_be_read_by_all(tmp_path: Path) -> None:
    path = write_page(tmp_path, FACTS, ROWS)
    assert path.read_text("utf-8").rstrip().endswith("</html>")
    assert path.stat().st_mode & 0o044 == 0o044
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with pytest.raises(ParameterError, match="cannot be written"):
        write_page(tmp_path / "nowhere", FACTS, ROWS)


def test_equal_formulas_share_a_curve_and_the_note_says_so() -> None:
    rows = [order_row(), order_row(scheme="platen", same_as="milstein"), order_row(problem="other", errors=[0.0] * 9)]
    (figure,) = order_figures(rows)
    assert figure.note == "Same formula here: platen as milstein."


def test_strong_orders_by_moments_have_no_figure() -> None:
    assert order_figures([order_row(method="moments")]) == []


def test_equal_regions_of_stability_are_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from stochsim import plot

    drawn: list[Any] = []
    original = plot.stability
    monkeypatch.setattr(plot, "stability", lambda regions: drawn.extend(regions) or original(regions))
    assert stability_figure([]) is None
    stability_figure([stability_row("a"), stability_row("b"), stability_row("c", shift=0.5)])
    assert [r.scheme for r in drawn] == ["a, b", "c"]


def test_colours_tell_judged_from_not_judged() -> None:
    assert colour(order_row()) == "good"
    assert colour(order_row(verdict="wrong limit")) == "bad"
    assert colour(order_row(verdict="wrong limit", judged=False)) == "plain"
    assert colour(order_row(verdict="inconclusive")) == "doubt"
    assert colour(order_row(verdict="failed", judged=False)) == "bad"


def test_durations_are_readable() -> None:
    assert (duration(3.21), duration(125.0)) == ("3.2 s", "2 min 5 s")


def test_every_verdict_of_an_order_is_counted() -> None:
    rows = [order_row(verdict=v) for v in tables_of.VERDICTS]
    assert sum(tables_of.counts(rows).values()) == len(rows)
