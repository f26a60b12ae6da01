"""Orders and limits from deterministic errors: known expansions, floors, sign changes, planted defects."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stochsim.errors import ParameterError
from stochsim.orders.richardson import (
    HALF_POWERS,
    extrapolate,
    fit_order,
    limit_defect,
    local_slopes,
    smallest_order,
)
from stochsim.orders.tables import check_step_counts, order_table, table_from_values

H = 2.0 ** -np.arange(3, 13)
coefficient = st.floats(-1.0, 1.0)


def test_local_slopes_of_a_pure_power_are_its_exponent():
    np.testing.assert_allclose(local_slopes(H, -3.0 * H**1.5), 1.5, atol=1e-12)


def test_local_slopes_ignore_zero_and_non_finite_errors():
    errors = H.copy()
    errors[2], errors[7] = 0.0, np.inf
    assert np.flatnonzero(np.isnan(local_slopes(H, errors))).tolist() == [1, 2, 6, 7]


@given(st.sampled_from([0.5, 1.0, 2.0]), coefficient, coefficient, coefficient)
def test_order_with_integer_corrections_is_bounded_by_its_uncertainty(p, c1, c2, c3):
    fit = fit_order(H, H**p * (1 + c1 * H + c2 * H**2 + c3 * H**3))
    assert abs(fit.order - p) <= fit.uncertainty + 1e-9
    assert fit.uncertainty < 1e-4


@given(st.sampled_from([0.5, 1.0, 1.5]), coefficient, coefficient, coefficient)
def test_order_with_half_integer_corrections_is_found(p, c1, c2, c3):
    fit = fit_order(H, H**p * (1 + 0.5 * c1 * H**0.5 + c2 * H + c3 * H**1.5))
    assert abs(fit.order - p) < 0.01


def test_removing_integer_powers_alone_is_biased_when_half_powers_are_there():
    errors = H * (1 + H**0.5)
    naive = fit_order(H, errors, exponents=(1.0, 2.0, 3.0))
    both = fit_order(H, errors)
    assert abs(naive.order - 1.0) > 1e-3
    assert abs(both.order - 1.0) < 1e-6


def test_a_tableau_that_stands_still_by_accident_is_contradicted_by_the_other():
    # three slopes of a weak scheme of order 2; half powers alone read 1.84 from them and barely move
    h, errors = H[:4], np.array([-1.67356731e-05, -2.80968588e-06, -5.46462022e-07, -1.18061380e-07])
    misled = fit_order(h, errors, exponents=HALF_POWERS)
    fit = fit_order(h, errors)
    assert abs(misled.order - 2.0) > 0.1
    assert misled.uncertainty < 0.02
    assert fit.uncertainty > 0.1


def test_levels_at_the_numerical_floor_are_not_used():
    floor = 1e-9
    errors = H**2 + floor * np.cos(np.arange(H.size))
    fit = fit_order(H, errors, floor)
    assert fit.levels == (0, 1, 2, 3, 4, 5, 6)
    assert abs(fit.order - 2.0) <= fit.uncertainty < 0.02
    assert abs(local_slopes(H, errors)[-1] - 2.0) > 0.01


def test_an_error_within_the_floor_everywhere_is_called_exact():
    fit = fit_order(H, 1e-15 * np.ones(H.size), 1e-14)
    assert (fit.status, fit.order) == ("exact", np.inf)


def test_too_few_levels_above_the_floor_give_no_order_and_a_reason():
    fit = fit_order(H, H**2, 3e-6)
    assert fit.status == "undetermined"
    assert np.isnan(fit.order)
    assert "3 are needed" in fit.reason


def test_levels_coarser_than_a_sign_change_are_not_used():
    errors = H * (1 - 20 * H)  # changes sign between h = 1/16 and h = 1/32
    fit = fit_order(H, errors)
    assert local_slopes(H, errors)[0] > 3.0
    assert local_slopes(H, errors)[1] < 0.5
    assert fit.levels[0] == 2
    assert abs(fit.order - 1.0) < 1e-3


def test_the_smallest_settled_order_counts_and_unsettled_ones_do_not():
    good, better = fit_order(H, H), fit_order(H, H**2)
    unsettled = fit_order(H[:4], H[:4] * (1 - 5 * H[:4]))
    order, _, reason = smallest_order([better, unsettled, good])
    assert unsettled.uncertainty > 0.02
    assert order == pytest.approx(1.0, abs=1e-9)
    assert reason == ""


def test_no_settled_functional_gives_no_order():
    order, _, reason = smallest_order([fit_order(H, H**2, 3e-6)])
    assert np.isnan(order)
    assert "settles" in reason


def test_an_exact_functional_does_not_hide_the_order_of_another():
    fits = [fit_order(H, 0.0 * H, 1e-14), fit_order(H, H)]
    assert smallest_order(fits)[0] == pytest.approx(1.0, abs=1e-9)
    assert smallest_order(fits[:1])[0] == np.inf


def test_romberg_reaches_rounding_where_plain_values_are_far_off():
    values = np.pi + 0.3 * H**2 - 2 * H**3 + H**4
    limit = extrapolate(H, values, exponents=(2.0, 3.0, 4.0))
    assert abs(values[-1] - np.pi) > 1e-8
    assert abs(limit.value - np.pi) <= limit.uncertainty < 1e-11


@given(st.sampled_from([0.5, 1.0, 1.5, 2.0]), coefficient, coefficient)
def test_no_limit_defect_is_reported_for_an_error_that_vanishes(p, c1, c2):
    assert not limit_defect(H, H**p * (1 + c1 * H + c2 * H**2), 1e-14).detected


@pytest.mark.parametrize("offset", [1e-2, -1e-4, 1e-7])
def test_a_limit_defect_far_below_the_coarse_errors_is_reported(offset):
    defect = limit_defect(H, 0.4 * H - 0.7 * H**2 + offset, 1e-14)
    assert defect.detected
    assert defect.value == pytest.approx(offset, rel=1e-3)


def test_a_limit_defect_below_the_floor_is_not_reported():
    assert not limit_defect(H, 0.4 * H + 1e-7, 1e-6).detected


def test_successive_differences_keep_the_order_and_cannot_see_the_limit():
    values = (2.0 + 0.01 + H)[:, None]
    blind = table_from_values(H, values, 1e-14 * np.ones_like(values), ["f"], {})
    seeing = table_from_values(H, values, 1e-14 * np.ones_like(values), ["f"], {"f": 2.0})
    assert blind.order == pytest.approx(1.0, abs=1e-6)
    assert not blind.wrong_limit
    assert seeing.wrong_limit
    assert "blind" in blind.against


def test_a_table_prints_every_functional_and_the_wrong_limit():
    table = order_table(H, np.column_stack([H, H**2 + 0.1]), 1e-14, ["f", "g"], "exact values")
    text = str(table)
    assert "f: 1.0000" in text
    assert "wrong limit" in text


def test_levels_that_are_nan_are_left_out():
    values = (2.0 + H)[:, None]
    values[:3] = np.nan
    table = table_from_values(H, values, 1e-14 * np.ones_like(values), ["f"], {"f": 2.0})
    assert table.fits[0].levels[0] == 3
    assert table.order == pytest.approx(1.0, abs=1e-6)
    assert not table.wrong_limit


@pytest.mark.parametrize(
    ("h", "errors"),
    [
        (H, H[:-1]),
        (H[::-1], H),
        ([0.1, 0.05, 0.04], [1.0, 1.0, 1.0]),
        ([0.1], [1.0]),
        ([0.1, -0.05], [1.0, 1.0]),
    ],
)
def test_steps_that_do_not_fall_geometrically_are_refused(h, errors):
    with pytest.raises(ParameterError, match="give"):
        fit_order(h, errors)


@pytest.mark.parametrize("n_steps", [(8, 16), (8, 16, 24), (8.0, 16.0, 32.0), (0, 1, 2), (32, 16, 8)])
def test_step_counts_that_give_no_order_are_refused(n_steps):
    with pytest.raises(ParameterError, match="at least 3 whole numbers"):
        check_step_counts(n_steps)


def test_exact_values_for_some_functionals_only_are_refused():
    with pytest.raises(ParameterError, match="for every functional"):
        table_from_values(H, np.column_stack([H, H]), np.zeros((H.size, 2)), ["f", "g"], {"f": 0.0})
