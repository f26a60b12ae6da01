"""The plan of a validation: nothing that fits is left out, and what is said of a task is true."""

import json
from pathlib import Path

import numpy as np
import pytest

from stochsim import models
from stochsim.errors import ParameterError
from stochsim.report.rows import ClaimRow, OrderRow, StabilityRow
from stochsim.schemes import REGISTRY
from stochsim.schemes.record import scheme
from stochsim.validating import equations
from stochsim.validating.equation_problems import PROBLEMS, QUICK, problem, settings, surveyed
from stochsim.validating.equation_rows import AMPLIFICATIONS
from stochsim.validating.equations import keeps_linear
from stochsim.validating.plan import FAMILIES, family, plan
from stochsim.validating.run import measure, run
from stochsim.validating.task import Task
from stochsim.validation_claims import claims_of, find_claim, validation_folder

SCHEMES = [s for s in REGISTRY.values() if not s.is_exact]
FULL = plan("sde")


def rows_of(kind: str, tasks: list[Task]) -> set[tuple[str, str]]:
    return {(name, t.problem) for t in tasks if t.kind == kind for name in t.schemes}


@pytest.mark.parametrize("name", sorted(models.REGISTRY))
def test_every_scheme_that_fits_a_model_with_a_solution_has_its_strong_row(name: str) -> None:
    fitting = {s.name for s in SCHEMES if s.fits(problem(name, s.calculus).formula())}
    planned = {scheme for scheme, where in rows_of("strong", FULL) if where == name}
    has_reference = models.REGISTRY[name].default.solution is not None or settings(name).strong == "differences"
    if has_reference:
        assert planned == fitting
    else:
        assert planned <= fitting  # moments alone, where the model is linear


@pytest.mark.parametrize("name", sorted(models.REGISTRY))
def test_every_scheme_that_fits_a_model_has_its_weak_row(name: str) -> None:
    fitting = {s.name for s in SCHEMES if s.fits(problem(name, s.calculus).formula())}
    planned = {scheme for scheme, where in rows_of("weak", FULL) if where == name}
    assert planned == (fitting if settings(name).weak else set())


def test_every_scheme_is_surveyed_with_mutants_and_every_linear_one_for_stability() -> None:
    assert {s for s, _ in rows_of("mutants", FULL)} == {s.name for s in SCHEMES}
    assert {s for s, _ in rows_of("stability", FULL)} == {s.name for s in SCHEMES if keeps_linear(s.name)}


def test_a_quick_run_has_every_scheme_and_is_a_small_part() -> None:
    quick = plan("sde", quick=True)
    assert all(t.quick for t in quick)
    assert {s for s, _ in rows_of("strong", quick)} == {s.name for s in SCHEMES}
    assert {where for _, where in rows_of("weak", quick)} == set(QUICK)
    assert len(quick) < len(FULL) / 3


def test_a_new_scheme_gets_its_rows_from_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    @scheme(strong_order=0.5, weak_order=1.0, name="mine")
    def mine(sde, x, t, h, dW):  # type: ignore[no-untyped-def]
        return x + sde.drift(x, t) * h + 1.0 * sde.diffusion(x, t) @ dW

    before = rows_of("strong", FULL)
    monkeypatch.setitem(REGISTRY, "mine", mine)
    added = rows_of("strong", plan("sde")) - before
    assert {s for s, _ in added} == {"mine"}
    assert {where for s, where in added} == {where for s, where in before if s == "euler_maruyama"}


def test_a_scheme_for_additive_noise_alone_is_measured_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    @scheme(strong_order=1.0, weak_order=1.0, noise="additive", name="narrow")
    def narrow(sde, x, t, h, dW):  # type: ignore[no-untyped-def]
        return x + sde.drift(x, t) * h + 1.0 * sde.diffusion(x, t) @ dW

    monkeypatch.setitem(REGISTRY, "narrow", narrow)
    keeps_linear.cache_clear()
    tasks = [t for t in plan("sde") if "narrow" in t.schemes]
    additive = {n for n in models.REGISTRY if "additive" in problem(n, "ito").noise_classes}
    assert {t.problem for t in tasks if t.kind == "strong"} == additive
    assert [t.problem for t in tasks if t.kind == "mutants"] == ["ornstein_uhlenbeck"]
    assert not [t for t in tasks if t.kind == "stability"]


def test_a_scheme_of_weak_variables_has_weak_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    @scheme(weak_order=1.0, name="coin")
    def coin(sde, x, t, h, dW2):  # type: ignore[no-untyped-def]
        return x + sde.drift(x, t) * h + sde.diffusion(x, t) @ dW2

    monkeypatch.setitem(REGISTRY, "coin", coin)
    keeps_linear.cache_clear()
    assert {t.kind for t in plan("sde") if "coin" in t.schemes} == {"weak", "stability"}


def test_settings_name_models_that_exist() -> None:
    assert set(PROBLEMS) <= set(models.REGISTRY)
    assert set(QUICK) <= set(models.REGISTRY)


def test_outside_its_hypotheses_a_scheme_is_not_judged() -> None:
    judged = {(t.problem, s): t.judged for t in FULL if t.kind == "strong" for s in t.schemes}
    assert judged["geometric_brownian_motion", "milstein"]
    assert not judged["ginzburg_landau", "milstein"]  # the drift is not Lipschitz
    assert judged["ginzburg_landau", "tamed_euler"]  # which is made for such drifts
    assert not judged["cube_brownian", "tamed_euler"]  # neither Lipschitz nor smooth


def test_schemes_that_are_one_formula_on_a_problem_share_a_task() -> None:
    (additive,) = [
        t for t in FULL if t.kind == "weak" and t.problem == "ornstein_uhlenbeck" and "milstein" in t.schemes
    ]
    assert {"euler_maruyama", "milstein", "platen"} <= set(additive.schemes)
    assert "tamed_euler" not in additive.schemes


def test_schemes_that_differ_on_a_problem_do_not_share_a_task() -> None:
    """The negative control: with multiplicative noise no two of them are the same formula."""
    assert all(t.also == () for t in FULL if t.problem == "geometric_brownian_motion")


def test_shared_rows_say_so_and_hold_the_same_numbers() -> None:
    (task,) = list(plan("sde", quick=True, only="weak/milstein/ornstein_uhlenbeck"))
    first, *others = measure(task)
    assert isinstance(first, OrderRow)
    assert first.same_as == ""
    assert {r.scheme for r in others if isinstance(r, OrderRow) and r.same_as == first.scheme} == set(task.also)
    assert {r.order for r in others if isinstance(r, OrderRow)} == {first.order}


def test_the_tamed_scheme_does_not_keep_linear_equations_linear() -> None:
    assert keeps_linear("euler_maruyama")
    assert not keeps_linear("tamed_euler")


def test_a_pattern_keeps_what_matches_kind_scheme_and_problem() -> None:
    assert {t.kind for t in plan("sde", only="stability")} == {"stability"}
    one = plan("sde", only="strong/milstein/arctan_brownian")
    assert [(t.kind, t.scheme, t.problem) for t in one] == [("strong", "milstein", "arctan_brownian")]
    assert {t.problem for t in plan("sde", only="weak/*/sinh_")} == {"sinh_brownian"}
    assert plan("sde", only="no such thing") == []


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(ParameterError, match="family is 'sdes'; give one of sde, mcmc, diffusion"):
        plan("sdes")


def test_every_family_offers_what_a_plan_needs() -> None:
    for name in FAMILIES:
        module = family(name)
        tasks = list(module.tasks(True, 7))
        assert {t.family for t in tasks} == {name}
        assert {t.kind for t in tasks} <= set(module.MEASURES)
        assert {t.seed for t in tasks} == {7}
        assert {t.family for t in plan(name, quick=True)} == {name}


def test_surveyed_models_fit_their_calculus() -> None:
    for task in FULL:
        if task.kind == "mutants":
            calculus = REGISTRY[task.scheme].calculus
            assert surveyed(task.problem, calculus).calculus == calculus


def test_every_linear_scheme_has_a_closed_form_of_its_amplification_and_meets_it() -> None:
    stability = [t for t in plan("sde", quick=True) if t.kind == "stability"]
    assert {t.scheme for t in stability} == set(AMPLIFICATIONS)
    for task in stability:
        (row,) = measure(task)
        assert isinstance(row, StabilityRow)
        assert row.verdict == "confirmed", row.explanation


def test_the_amplification_of_another_scheme_is_not_met(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: Euler's closed form is off by u^2/2 for Milstein's scheme."""
    monkeypatch.setitem(AMPLIFICATIONS, "milstein", AMPLIFICATIONS["euler_maruyama"])
    (row,) = measure(*plan("sde", quick=True, only="stability/milstein"))
    assert row.contradicts


def test_known_ends_of_stability() -> None:
    """At lambda h = -1, E|R|^2 = u for Euler's method and u + u^2/2 for Milstein's, so u = 1 and sqrt(3) - 1."""
    bounds = {}
    for name in ("euler_maruyama", "milstein"):
        (row,) = measure(*plan("sde", quick=True, only=f"stability/{name}"))
        assert isinstance(row, StabilityRow)
        bounds[name] = row.bound
    assert bounds["euler_maruyama"] == pytest.approx(1.0, abs=1e-9)
    assert bounds["milstein"] == pytest.approx(np.sqrt(3.0) - 1.0, abs=1e-9)


def test_a_refused_measurement_becomes_a_row_with_the_reason() -> None:
    (row, *_) = measure(Task("strong", "milstein", "geometric_brownian_motion", "no_such_method", 0))
    assert isinstance(row, OrderRow)
    assert (row.verdict, row.order, row.declared) == ("not measured", None, 1.0)
    assert "no_such_method" in row.explanation
    assert not row.failed


def test_a_broken_measurement_becomes_a_failed_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(equations.MEASURES, "weak", lambda task: 1 / 0)
    (row,) = measure(Task("weak", "milstein", "geometric_brownian_motion", "auto", 0))
    assert row.failed
    assert "ZeroDivisionError" in row.explanation


# --- claims --------------------------------------------------------------------------------------------------

CLAIMS = '''
from stochsim.validation_claims import claim


@claim("Euclid, Elements VII", quick=True)
def two_and_two(seed: int) -> tuple[bool, str]:
    """Two and two
    are four.

    More words.
    """
    return 2 + 2 == 4, f"4, with seed {seed}"


@claim("nobody")
def two_and_three(seed: int) -> tuple[bool, str]:
    """Two and three are six."""
    return 2 + 3 == 6, "5"


@claim("nobody")
def broken(seed: int) -> tuple[bool, str]:
    """A check that does not run."""
    return 1 / 0 > 0, ""
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sde").mkdir()
    (tmp_path / "sde" / "sums.py").write_text(CLAIMS)
    (tmp_path / "sde" / "_shared.py").write_text("raise AssertionError('not to be run')")
    return tmp_path


def claim_tasks(folder: Path) -> list[Task]:
    return [Task("claim", c.name, str(file), "check", 3, family=family) for family, file, c in claims_of(folder)]


def test_claims_are_found_by_their_decorator(folder: Path) -> None:
    found = {c.name: (family, c.quick, c.statement) for family, _, c in claims_of(folder)}
    assert found["two_and_two"] == ("sde", True, "Two and two are four.")
    assert set(found) == {"two_and_two", "two_and_three", "broken"}
    assert list(claims_of(folder, "jumps")) == []


def test_a_claim_holds_or_does_not_or_breaks(folder: Path) -> None:
    rows = {row.name: row for task in claim_tasks(folder) for row in measure(task) if isinstance(row, ClaimRow)}
    assert (rows["two_and_two"].verdict, rows["two_and_two"].explanation) == ("holds", "4, with seed 3")
    assert rows["two_and_three"].contradicts
    assert rows["broken"].failed
    assert "ZeroDivisionError" in rows["broken"].explanation


def test_a_claim_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(ParameterError, match="no claim 'three'"):
        find_claim(folder / "sde" / "sums.py", "three")


def test_processes_give_the_rows_that_one_process_gives(folder: Path) -> None:
    tasks = claim_tasks(folder)[:2] + plan("sde", quick=True, only="weak/euler_maruyama/ornstein_uhlenbeck")

    def plain(processes: int) -> list[str]:
        rows = [row for done in run(tasks, processes) for row in done.rows]
        return sorted(json.dumps({**vars(row), "seconds": 0}, default=str) for row in rows)

    assert plain(2) == plain(1)


def test_the_checkout_knows_its_validation_folder() -> None:
    folder = validation_folder()
    assert folder is not None
    assert (folder / "README.md").is_file()
