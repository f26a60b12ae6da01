"""Claims of the mutant survey: planted bugs are classified rightly and flagged; sound schemes are not."""

from __future__ import annotations

import pytest

import stochsim as ss
from stochsim.levels import Levels
from stochsim.orders.mutants import classify, mutants
from stochsim.orders.survey import survey
from tests.problems import cubic, gbm

S = ss.schemes


@pytest.mark.parametrize("scheme", [S.euler_maruyama, S.milstein], ids=lambda s: s.name)
def test_every_faulty_mutant_is_flagged_and_no_sound_one(scheme: object) -> None:
    findings = survey(gbm(), scheme, n_paths=2048, levels=Levels(finest=10, n_levels=8))  # type: ignore[arg-type]
    for f in findings:
        assert f.flagged == (f.kind == "faulty"), f
        assert (f.kind == "original") or "formula" in f.caught_by
    assert sum(f.kind == "faulty" for f in findings) >= 20


def test_a_scheme_that_is_not_affine_is_surveyed_without_moments() -> None:
    findings = survey(gbm(), S.tamed_euler, n_paths=1024, levels=Levels(finest=8, n_levels=6))
    assert not findings[0].flagged, findings[0]
    # dropping the drift term, and the taming with it, makes an affine mutant; its moments are looked at
    assert {"moments" in f.caught_by for f in findings} == {True, False}


def test_classification_by_the_one_step_expansion() -> None:
    sde = cubic()
    kinds = {m.name: classify(m, S.milstein, sde)[0] for m in mutants(S.milstein, sde)}
    assert kinds["drift at half a noise step ahead"] == "equivalent"
    assert kinds["term 3 halved"] == "faulty"
    assert kinds["noise x 1.01"] == "faulty"
    assert kinds["increments shifted"] == "faulty"
    lagged = {m.name: classify(m, S.euler_maruyama, sde)[0] for m in mutants(S.euler_maruyama, sde)}
    assert lagged["increments shifted"] == "equivalent"  # telescopes: strong 1/2 and weak 1 survive
