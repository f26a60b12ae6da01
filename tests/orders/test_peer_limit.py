"""Claims of the choice of a partner for the limit: it fits, and its step is another formula."""

from __future__ import annotations

from typing import Any

import pytest

import stochsim as ss
from stochsim.orders.mutants import mutants
from stochsim.orders.peer_limit import certified_other, same_step
from tests.problems import gbm, non_commuting

S = ss.schemes


def double_well(calculus: str = "ito", **options: Any) -> ss.SDE:
    return ss.SDE(
        lambda x, t, p: x - x**3, lambda x, t, p: 0.5, x0=0.5, name="double well", calculus=calculus, **options
    )


@pytest.mark.parametrize("scheme", [S.euler_maruyama, S.milstein, S.platen], ids=lambda s: s.name)
def test_schemes_that_are_one_formula_are_no_partners(scheme: Any) -> None:
    # for additive noise the three are x + a h + b dW
    assert certified_other(scheme, double_well()) is S.drift_implicit_euler


def test_a_partner_of_another_formula_is_taken_as_before() -> None:
    assert certified_other(S.milstein, gbm()) is S.platen
    assert certified_other(S.platen, gbm()) is S.milstein
    assert certified_other(S.euler_maruyama, non_commuting()) is S.drift_implicit_euler
    assert certified_other(S.euler_heun, double_well("stratonovich")) is S.stratonovich_heun


def test_the_order_of_operations_makes_no_other_formula() -> None:
    @S.scheme(strong_order=0.5)
    def reordered(sde, x, t, h, dW):  # type: ignore[no-untyped-def]
        return dW @ sde.diffusion(x, t).matrix.T + (h * sde.drift(x, t) + x)

    assert same_step(reordered, S.euler_maruyama, gbm())
    assert not same_step(S.milstein, S.euler_maruyama, gbm())
    assert all(m.lag or not same_step(m.scheme, S.milstein, gbm()) for m in mutants(S.milstein, gbm()))


def test_a_model_without_formulas_has_a_derivative_free_partner_or_none() -> None:
    opaque = ss.SDE(lambda x, t, p: x - x**3, lambda x, t, p: 0.5 * x, x0=0.5, trace=False)
    assert certified_other(S.platen, opaque) is S.euler_maruyama


def test_the_result_names_the_partner_or_says_that_there_is_none() -> None:
    known = ss.strong_order(double_well(), S.euler_maruyama, n_paths=64, executor="arrays")
    assert known.extra["limit_against"] == "drift_implicit_euler"
    assert known.limit is not None
    noise_only = ss.SDE(lambda x, t, p: 0.0 * x, lambda x, t, p: 1.0 + t, x0=0.0)
    alone = ss.strong_order(noise_only, S.euler_maruyama, n_paths=64, executor="arrays")
    assert alone.limit is None
    assert "limit is not tested" in alone.reference
