"""Orders from coupled errors: exactness on exact data, bias and coverage on real schemes, level rules.

Statistical tests use 200 disjoint batches of fixed seeds; each states its false-alarm rate.
"""

import math
from itertools import permutations

import numpy as np
import pytest

from stochsim.errors import ParameterError
from stochsim.orders.bases import BASES, Basis
from stochsim.orders.estimators import (
    ErrorSums,
    Fit,
    disagreement,
    fit_means,
    fit_order,
    is_exact,
    normal_quantile,
    paths_needed,
)
from tests.orders.coupled_paths import ORDERS, SCHEMES, run, sums_of_batches

H = 2.0 ** -np.arange(3, 12)


def noisy(mean: np.ndarray, n_paths: int = 4096, seed: int = 0, spread: float = 0.5) -> np.ndarray:
    """Log-normal errors with the given means, correlated across levels like a first-order autoregression."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((len(mean), n_paths))
    for level in range(1, len(mean)):
        z[level] = 0.8 * z[level - 1] + 0.6 * z[level]
    return mean[:, None] * np.exp(spread * z - spread**2 / 2)


def constant(mean: np.ndarray) -> ErrorSums:
    """Errors that do not vary over the paths."""
    return ErrorSums.of(H[: len(mean)], np.repeat(mean[:, None], 512, axis=1))


def batch_fits(scheme: str, basis: str, metric: str = "l1") -> list[Fit]:
    return [fit_order(errors, basis, metric=metric) for errors, _ in sums_of_batches()[scheme]]


# exactness


@pytest.mark.parametrize("order", [0.5, 1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize(("basis", "relative"), [("C", 0.7 * H), ("H", 0.7 * H), ("A", 0.7 * H - 0.4 * np.sqrt(H))])
def test_an_error_inside_the_model_gives_its_order_to_rounding(order: float, basis: str, relative: np.ndarray) -> None:
    fit = fit_order(constant(3 * H**order * np.exp(relative)), basis)
    assert fit.order == pytest.approx(order, abs=1e-8)
    assert fit.fit_p > 0.999


@pytest.mark.parametrize("half_power", [-0.5, 0.5])
def test_basis_h_stays_within_its_stated_bias_for_a_half_power_within_its_bound(half_power: float) -> None:
    # .5 sqrt(h) is .177 at h = 1/8, inside the bound .18; basis C has no allowance for it
    sums = constant(H * np.exp(half_power * np.sqrt(H) + H))
    assert abs(fit_order(sums, "H").order - 1) < fit_order(sums, "H").model
    assert abs(fit_order(sums, "C").order - 1) > fit_order(sums, "C").model


def test_the_order_does_not_depend_on_the_units_of_time_and_error() -> None:
    errors = noisy(H)
    fits = [fit_order(ErrorSums.of(c * H, k * errors), "H") for c, k in ((1, 1), (7.3, 1e-6))]
    assert fits[0].order == pytest.approx(fits[1].order, abs=1e-10)
    assert fits[0].half_width == pytest.approx(fits[1].half_width, abs=1e-10)


def test_the_weights_give_the_order_and_the_standard_error() -> None:
    fit = fit_order(ErrorSums.of(H, noisy(H)), "C")
    assert fit.weights @ fit.log_errors == pytest.approx(fit.order, abs=1e-10)
    assert fit.weights @ fit.log_cov @ fit.weights == pytest.approx(fit.se**2, rel=1e-10)


def test_local_orders_are_the_slopes_between_neighbours_with_their_covariance() -> None:
    mean = H * np.exp(H)
    fits = [fit_order(ErrorSums.of(H, noisy(mean, 256, seed)), "C") for seed in range(400)]
    slopes = np.array([fit.local_orders for fit in fits])
    assert slopes.mean(axis=0) == pytest.approx(np.diff(np.log(mean)) / np.diff(np.log(H)), abs=0.01)
    # the sd of 400 values is known to 3.5 %; 15 % is four of these
    assert slopes.std(axis=0) == pytest.approx(np.mean([fit.local_orders_se for fit in fits], 0), rel=0.15)


# sums over chunks


def test_chunks_add_up_to_the_whole_in_any_grouping() -> None:
    errors = noisy(H, 3000)
    whole = ErrorSums.of(H, errors)
    chunks = [ErrorSums.of(H, part) for part in np.split(errors, [100, 1100], axis=1)]
    for a, b, c in permutations(chunks):
        for total in ((a + b) + c, a + (b + c)):
            assert total.n_paths == whole.n_paths
            for name in ("first", "second", "fourth"):
                np.testing.assert_allclose(getattr(total, name), getattr(whole, name), rtol=1e-12)


def test_chunks_added_in_one_order_give_the_same_bits() -> None:
    parts = np.split(noisy(H, 2048), 8, axis=1)
    fits = [fit_order(sum((ErrorSums.of(H, p) for p in parts[1:]), ErrorSums.of(H, parts[0]))) for _ in "ab"]
    assert fits[0].order == fits[1].order
    assert fits[0].se == fits[1].se


def test_sums_of_other_levels_are_refused() -> None:
    with pytest.raises(ParameterError, match="different step sizes"):
        ErrorSums.of(H, noisy(H)) + ErrorSums.of(2 * H, noisy(H))


# bias, coverage, lack of fit on real schemes


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("basis", ["C", "H"])
def test_intervals_cover_the_true_order(scheme: str, basis: str) -> None:
    # a true coverage of .95 falls below .91 over 200 batches with probability .008
    fits = batch_fits(scheme, basis)
    covered = np.array([abs(fit.order - ORDERS[scheme]) <= fit.half_width for fit in fits])
    assert covered.mean() >= 0.91, f"{covered.mean()} of {len(fits)} intervals"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("basis", ["C", "H", "A"])
def test_bias_is_within_the_model_half_width_and_se_is_the_spread(scheme: str, basis: str) -> None:
    fits = batch_fits(scheme, basis)
    orders = np.array([fit.order for fit in fits])
    noise = orders.std() / math.sqrt(len(fits))
    assert abs(orders.mean() - ORDERS[scheme]) < fits[0].model + 3.3 * noise  # false alarm .001 each
    # the sd of 200 values is known to 5 %, the mean se to 1 %
    assert np.mean([fit.se for fit in fits]) == pytest.approx(orders.std(), rel=0.2)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_residuals_of_a_plain_regression_cover_too_rarely(scheme: str) -> None:
    """Negative control: the interval that treats six dependent levels as six observations."""
    x = np.log(H[3:])
    columns = np.stack([np.ones_like(x), x], axis=1)
    y = np.log([errors.first / errors.n_paths for errors, _ in sums_of_batches()[scheme]])[:, 3:].T
    coefficients, square, *_ = np.linalg.lstsq(columns, y, rcond=None)
    se = np.sqrt(square / 4 * np.linalg.inv(columns.T @ columns)[1, 1])
    assert np.mean(abs(coefficients[1] - ORDERS[scheme]) < 1.96 * se) < 0.85


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("basis", ["C", "H", "A"])
def test_lack_of_fit_is_silent_where_the_model_holds(scheme: str, basis: str) -> None:
    # nominal 1 %: more than 7 of 200 has probability .001; the alarm level 1e-4 is never reached
    p = np.array([fit.fit_p for fit in batch_fits(scheme, basis)])
    assert np.sum(p < 0.01) <= 7
    assert p.min() > 1e-4


def test_a_straight_line_through_all_levels_is_rejected() -> None:
    """Negative control of the lack of fit: no correction column, 16 384 paths."""
    batches = [errors for errors, _ in sums_of_batches()["milstein"]]
    line = Basis("line", (), 9, 0.0, 0.0)
    for start in range(0, 192, 16):
        sums = sum(batches[start + 1 : start + 16], batches[start])
        assert fit_order(sums, line).fit_p < 1e-4
        assert fit_order(sums, "C").fit_p > 1e-4


def test_independent_noise_at_each_level_shows_no_order() -> None:
    """Negative control: levels compared with the solution on other paths have errors that do not fall."""
    batch = run(1024, 1)
    rng = np.random.default_rng(0)
    x_h = [batch.x + e for e in batch.errors["milstein"]]
    unpaired = np.abs([rng.permutation(x) - batch.x for x in x_h])
    assert abs(fit_order(ErrorSums.of(H, unpaired), "H").order) < 0.1


def test_root_mean_square_errors_give_the_same_order_and_say_their_kurtosis() -> None:
    # GBM at sigma = .5 has moderate tails: coverage of the L2 interval; false alarm as above
    fits = batch_fits("milstein", "C", "l2")
    assert np.mean([abs(fit.order - 1) <= fit.half_width for fit in fits]) >= 0.9
    assert fits[0].errors[0] > batch_fits("milstein", "C")[0].errors[0]
    assert 3 < np.median([fit.kurtosis.max() for fit in fits]) < 60


# signed means: weak errors


def test_signed_means_give_the_weak_order() -> None:
    rng = np.random.default_rng(3)
    values = -0.3 * H[:, None] * np.exp(-H)[:, None] + 0.05 * np.sqrt(H)[:, None] * rng.standard_normal((9, 40_000))
    sums = ErrorSums.of(H, values)
    fit = fit_order(sums, "C", metric="mean")
    assert abs(fit.order - 1) < fit.half_width
    mean, covariance, _ = sums.moments("mean")
    assert fit_means(H, mean, covariance, "C").order == fit.order
    # a mean far below its spread is noise, not heavy tails: the plan is not doubled
    assert paths_needed(fit, 1.5 * fit.half_width) < fit.n_paths
    with pytest.raises(ParameterError, match="both signs"):
        fit_order(sums, "C")


def test_signed_means_below_four_standard_errors_are_not_used() -> None:
    mean, se = H.copy(), np.full(9, 1e-6)
    se[7:] = H[7:] / 2
    fit = fit_means(H, mean, np.diag(se**2), "C")
    assert [level for level, _ in fit.dropped] == [7, 8]
    assert {reason for _, reason in fit.dropped} == {"mean not resolved from zero"}


def test_a_leading_constant_that_changes_sign_ends_the_run_of_levels() -> None:
    fit = fit_means(H, H - 20 * H**2, np.diag((1e-6 * H) ** 2), "C")
    assert [level for level, _ in fit.dropped] == [0, 1]
    assert fit.dropped[1][1] == "the mean changes sign"


# which levels


def test_errors_at_the_rounding_floor_are_dropped_at_the_fine_end() -> None:
    mean = np.maximum(H**4, 1e-14)
    fit = fit_order(ErrorSums.of(H, noisy(mean)), "C", scale=1.0)
    assert fit.order == pytest.approx(4, abs=0.1)
    assert [reason for _, reason in fit.dropped] == ["error at the rounding floor"] * len(fit.dropped)
    assert fit.dropped[-1][0] == 8


def test_exact_zeros_need_no_scale() -> None:
    mean = H.copy()
    mean[6:] = 0
    assert fit_order(ErrorSums.of(H, noisy(mean)), "C").used == tuple(range(6))


def test_a_scheme_that_is_exact_is_seen_to_be() -> None:
    sums = ErrorSums.of(H, 1e-13 * np.abs(noisy(np.ones(9))))
    assert is_exact(sums, scale=1.0)
    assert not is_exact(sums, scale=1e-4)
    with pytest.raises(ParameterError, match="rounding floor"):
        fit_order(sums, scale=10.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_levels_that_blew_up_are_dropped_with_all_coarser_ones(bad: float) -> None:
    errors = noisy(H)
    errors[1, 17] = bad
    fit = fit_order(ErrorSums.of(H, errors), "A")
    assert [level for level, _ in fit.dropped] == [0, 1]
    assert fit.dropped[0][1] == "beyond a dropped level"
    assert fit.usable == fit.used == tuple(range(2, 9))
    assert abs(fit.order - 1) < fit.half_width


@pytest.mark.parametrize(
    ("factor", "one_path", "reason"),
    [(40.0, 0.0, "the local order jumps"), (1.0, 100.0, "rare explosions")],
)
def test_a_finite_explosion_is_dropped_too(factor: float, one_path: float, reason: str) -> None:
    errors = noisy(H)
    errors[0] *= factor
    errors[0, 17] += one_path
    assert fit_order(ErrorSums.of(H, errors), "A").dropped == ((0, reason),)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_level_of_a_stable_run_is_dropped(scheme: str) -> None:
    assert all(not fit.dropped for fit in batch_fits(scheme, "A"))


@pytest.mark.parametrize("n_levels", range(4, 13))
@pytest.mark.parametrize("basis", ["A", "C", "H"])
def test_any_number_of_levels_from_four_gives_an_order(n_levels: int, basis: str) -> None:
    h = 2.0 ** -np.arange(3, 3 + n_levels)
    fit = fit_order(ErrorSums.of(h, noisy(h)), basis)
    assert len(fit.used) == min(n_levels, BASES[basis].n_levels)
    assert abs(fit.order - 1) < normal_quantile(1e-4) * fit.se + fit.model
    assert 1e-4 < fit.fit_p <= 1


def test_levels_whose_errors_are_all_equal_or_proportional_do_not_break_the_algebra() -> None:
    one = np.abs(np.random.default_rng(0).standard_normal(1000)) + 0.1
    fit = fit_order(ErrorSums.of(H, H[:, None] * one), "A")
    assert fit.order == pytest.approx(1, abs=1e-6)
    assert fit.half_width >= BASES["A"].allowance


# planning


@pytest.mark.parametrize("basis", ["C", "H"])
def test_the_planned_number_of_paths_gives_the_wanted_half_width(basis: str) -> None:
    batches = [errors for errors, _ in sums_of_batches()["euler_maruyama"]]
    pilot = fit_order(batches[0] + batches[1], basis)
    needed = paths_needed(pilot, 0.03)
    assert needed % 256 == 0
    k = round(needed / 1024)
    planned = fit_order(sum(batches[1:k], batches[0]), basis)
    assert planned.half_width == pytest.approx(0.03, rel=0.15)


def test_heavy_tails_double_the_plan() -> None:
    light, heavy = (fit_order(ErrorSums.of(H, noisy(H, 2048, 5, spread)), "C") for spread in (0.3, 1.9))
    assert light.kurtosis.max() < 15 < heavy.kurtosis.max()
    per_variance = [paths_needed(fit, 0.03, block=1) / fit.se**2 for fit in (light, heavy)]
    assert per_variance[1] == pytest.approx(2 * per_variance[0], rel=0.02)


def test_a_half_width_within_the_model_part_is_refused() -> None:
    pilot = fit_order(ErrorSums.of(H, noisy(H)), "A")
    with pytest.raises(ParameterError, match=r"model part leaves 0\.01"):
        paths_needed(pilot, 0.008)
    with pytest.raises(ParameterError, match="wider"):
        paths_needed(fit_order(ErrorSums.of(H, noisy(H)), "C"), 0.004)


def test_no_half_width_below_five_thousandths_is_claimed() -> None:
    assert fit_order(constant(H), "C").half_width == 0.005


# comparing fits, bad input


def test_the_disagreement_of_two_bases_has_the_spread_it_states() -> None:
    pairs = [
        disagreement(fit_order(errors, "C"), fit_order(errors, "A")) for errors, _ in sums_of_batches()["milstein"]
    ]
    difference, se, _ = np.array(pairs).T
    assert se.mean() == pytest.approx(difference.std(), rel=0.2)


def test_fits_of_different_paths_are_not_compared() -> None:
    fits = [fit_order(ErrorSums.of(H, noisy(H, seed=seed))) for seed in (1, 2)]
    with pytest.raises(ParameterError, match="different paths"):
        disagreement(*fits)


@pytest.mark.parametrize(
    ("h", "shape", "message"),
    [
        (H[::-1], (9, 5), "from coarse to fine"),
        (-H, (9, 5), "positive"),
        (H[:3], (3, 5), "four|4 levels"),
        (H, (8, 5), "one row per step size"),
        (H, (9,), "one column per path"),
        (H, (9, 0), "one column per path"),
    ],
)
def test_bad_shapes_are_refused(h: np.ndarray, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        ErrorSums.of(h, np.ones(shape))


def test_an_unknown_basis_is_refused() -> None:
    with pytest.raises(ParameterError, match="use one of A, C, H"):
        fit_order(constant(H), "Z")


def test_means_without_their_full_covariance_are_refused() -> None:
    with pytest.raises(ParameterError, match="full covariance"):
        fit_means(H, H, H)
