"""Verdicts in their order of precedence, on made-up errors and on coupled runs of real schemes.

No unmutated scheme may be called lower or wrong: with flags at level 1e-4, 800 verdicts err once with
probability .08 at most; the seeds are fixed.
"""

import math
from collections import Counter

import numpy as np
import pytest

from stochsim.errors import ParameterError
from stochsim.orders.estimators import ErrorSums, Fit, fit_order
from stochsim.orders.limits import LimitResult, LimitSums, limit_test
from stochsim.orders.verdicts import Verdict, decide
from tests.orders.coupled_paths import ORDERS, SCHEMES, SD_X, run, sums_of_batches

H = 2.0 ** -np.arange(3, 12)


def sums(mean: np.ndarray, n_paths: int = 4096, spread: float = 0.3) -> ErrorSums:
    rng = np.random.default_rng(1)
    common, own = rng.standard_normal((1, n_paths)), rng.standard_normal((len(H), n_paths))
    return ErrorSums.of(H, mean[:, None] * np.exp(spread * (0.9 * common + 0.4 * own)))


def both(errors: ErrorSums) -> tuple[Fit, Fit]:
    return fit_order(errors, "C"), fit_order(errors, "H")


def limit(offset: float) -> LimitResult:
    z = np.random.default_rng(2).standard_normal(4096)
    errors = offset + H[:, None] * (1 + 0.1 * np.random.default_rng(3).standard_normal((9, 4096)))
    return limit_test(LimitSums.of(H, errors[:, None], z[None]), 1.0)


# the table


@pytest.mark.parametrize(
    ("mean", "declared", "name"),
    [
        (H * np.exp(H), 1.0, "confirmed"),
        (H**0.5, 1.0, "lower than declared"),
        (H**1.5, 1.0, "higher than declared"),
        (H**1.048, 1.0, "inconclusive"),
        (H + 3 * H**2 * np.sin(40 * H**0.4), 1.0, "pre-asymptotic"),
        (0.02 * H**0.5 + H, 0.5, "pre-asymptotic"),  # a weak noise: order one half hides below order one
        (0.1 * H**0.5 + H, 1.0, "lower than declared"),
        (H * np.exp(H), None, "measured"),
    ],
)
def test_each_verdict_is_reached(mean: np.ndarray, declared: float | None, name: str) -> None:
    verdict = decide(*both(sums(mean)), declared=declared)
    assert verdict.name == name, str(verdict)
    assert verdict.contradicts == (name == "lower than declared")


def test_too_few_paths_are_inconclusive_and_more_of_the_same_confirm() -> None:
    batches = [errors for errors, _ in sums_of_batches()["euler_maruyama"][:8]]
    names = {decide(*both(errors), declared=0.5).name for errors in batches}
    assert "inconclusive" in names
    assert decide(*both(sum(batches[1:], batches[0])), declared=0.5).name == "confirmed"


def test_exact_comes_before_everything_else() -> None:
    assert decide(None, declared=1.0, exact=True, limit=limit(0.1)).name == "exact"


def test_a_wrong_limit_comes_before_the_order() -> None:
    fit, cross = both(sums(H**0.5))
    wrong = decide(fit, cross, declared=1.0, limit=limit(0.1))
    assert wrong.name == "wrong limit"
    assert wrong.contradicts
    assert "standard errors" in wrong.explanation
    assert decide(fit, cross, declared=1.0, limit=limit(0.0)).name == "lower than declared"


def test_a_second_estimator_that_disagrees_turns_a_flag_into_a_doubt() -> None:
    # a half power four times the bound of H biases C by .028, and C fits well
    fit, cross = both(sums(H * np.exp(2 * H**0.5), 40_000))
    assert decide(fit, declared=0.96).name == "higher than declared"
    assert decide(fit, cross, declared=0.96).name == "pre-asymptotic"
    assert "disagree" in decide(fit, cross, declared=0.96).explanation


@pytest.mark.parametrize("declared", [None, 1.0])
def test_a_half_power_within_the_bound_is_no_disagreement_at_any_number_of_paths(
    declared: float | None,
) -> None:
    fit, cross = both(sums(H * np.exp(0.5 * H**0.5), 400_000))
    for pair in ((fit, cross), (cross, fit)):
        assert decide(*pair, declared=declared).name == ("confirmed" if declared else "measured")


def test_an_l2_order_of_heavy_tailed_errors_is_not_judged() -> None:
    for spread, name in ((0.3, "lower than declared"), (1.8, "inconclusive")):
        fit = fit_order(sums(H**0.5, spread=spread), "C", metric="l2")
        assert decide(fit, declared=1.0).name == name
    assert "ask for the L1 order" in decide(fit, declared=1.0).explanation


def test_the_sentence_carries_the_numbers_that_decided() -> None:
    text = str(decide(*both(sums(H**0.5)), declared=1.0))
    assert text.startswith("lower than declared: order 0.5")
    assert "1 is declared" in text
    assert str(Verdict("exact", "why")) == "exact: why"


def test_a_missing_fit_is_refused() -> None:
    with pytest.raises(ParameterError, match="give the fit to judge"):
        decide(None, declared=1.0)


# real schemes


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(("basis", "cross"), [("C", "H"), ("H", "C")])
def test_no_unmutated_scheme_is_flagged(scheme: str, basis: str, cross: str) -> None:
    names = Counter(
        decide(
            fit_order(errors, basis, scale=SD_X),
            fit_order(errors, cross, scale=SD_X),
            declared=ORDERS[scheme],
            limit=limit_test(limits, SD_X),
        ).name
        for errors, limits in sums_of_batches()[scheme]
    )
    assert set(names) <= {"confirmed", "inconclusive"}, names
    if scheme == "milstein":
        assert names["confirmed"] == 200


def test_200_000_paths_confirm_both_schemes() -> None:
    for scheme in SCHEMES:
        errors = [errors for errors, _ in sums_of_batches()[scheme]]
        for pair in (("C", "H"), ("H", "C")):
            fits = [fit_order(sum(errors[1:], errors[0]), basis) for basis in pair]
            assert decide(*fits, declared=ORDERS[scheme]).name == "confirmed"


@pytest.mark.parametrize("part", [0.0, 0.5, 0.9])
def test_a_correction_term_dropped_or_too_small_is_flagged(part: float) -> None:
    # the scheme with `part` of the correction is that mixture of the two linear schemes' errors to first order
    batch = run(4096, 5)
    euler, milstein = (batch.errors[scheme] for scheme in SCHEMES)
    errors = ErrorSums.of(H, np.abs(part * milstein + (1 - part) * euler))
    verdict = decide(*both(errors), declared=1.0)
    assert verdict.name == "lower than declared", str(verdict)


def test_one_per_cent_of_noise_is_a_wrong_limit_although_the_errors_still_fall() -> None:
    batch = run(4096, 6, noise=0.99)
    verdict = decide(
        *both(batch.error_sums("euler_maruyama")),
        declared=0.5,
        limit=limit_test(batch.limit_sums("euler_maruyama"), SD_X),
    )
    assert verdict.name == "wrong limit"


def test_nan_is_no_lack_of_fit() -> None:
    fit = fit_order(sums(H * np.exp(H)), "C")
    object.__setattr__(fit, "fit_p", math.nan)
    assert decide(fit, declared=1.0).name == "confirmed"
