"""Exact moments on linear SDEs: orders to four digits, planted bugs, and what moments cannot see.

Nothing here is random; every tolerance is a bound, no false alarms are possible.
"""

import numpy as np
import pytest

from stochsim.errors import ModelError, ParameterError, SchemeError
from stochsim.orders.linear_sde import LinearSDE, conditional_flow
from stochsim.orders.moments import (
    strong_moments,
    strong_moments_against,
    strong_moments_exact,
    weak_moments,
)
from stochsim.orders.step_maps import StepFunction, affine_maps, noise_rule
from tests.orders.example_steps import (
    GBM,
    OU,
    Problem,
    aggregate_dw,
    aggregate_dw_dz,
    drift_implicit_ou,
    euler_maruyama,
    milstein,
    platen_strong,
    platen_weak,
    taylor_one_and_a_half,
)

GBM_SDE = LinearSDE([[0.5]], [0.0], [[[0.5]]], [[0.0]])
OU_SDE = LinearSDE([[-1.0]], [0.0], [[[0.0]]], [[0.6]])
GBM_EXACT = StepFunction(lambda x, t, h, xi: x * np.exp(0.375 * h + 0.5 * np.sqrt(h) * xi))

A = np.array([[-0.6, 0.4, 0.1], [-0.3, -0.2, 0.2], [0.1, 0.3, -0.7]])
B = 0.4 * np.array([[[0, 1, 0], [0.5, 0, 0], [0, 0.3, 1]], [[1, 0, 0.5], [0, -1, 0], [0.7, 0, 0]]])
NON_COMMUTING = LinearSDE(A, [0.1, 0.0, -0.2], B, [[0.1, 0.2, 0.0], [0.0, -0.1, 0.2]])
START = [1.0, -0.5, 0.7]


def increments_of(sde, x, h, xi):
    fields = [matrix @ x + vector[:, None] for matrix, vector in zip(sde.B, sde.b, strict=True)]
    return x + (sde.A @ x + sde.a[:, None]) * h, fields, np.sqrt(h) * xi[:2]


def linear_euler(sde):
    def step(x, t, h, xi):
        drifted, fields, dw = increments_of(sde, x, h, xi)
        return drifted + sum(b * w for b, w in zip(fields, dw, strict=True))

    return StepFunction(step, sde.a.size, ("normal", "normal"))


def linear_milstein(sde, area_factor=1.0):
    """With the Lévy area h xi[2] / 2 as a third draw (its law is wrong, its coupling by Chen is exact)."""

    def step(x, t, h, xi):
        drifted, fields, dw = increments_of(sde, x, h, xi)
        area = area_factor * h * xi[2] / 2
        out = drifted + sum(b * w for b, w in zip(fields, dw, strict=True))
        for j in range(2):
            for k in range(2):
                integral = (dw[j] * dw[k] - h * (j == k)) / 2 + (k - j) * area
                out = out + sde.B[k] @ fields[j] * integral
        return out

    return StepFunction(step, sde.a.size, ("normal", "normal", "normal"))


def chen(h, first, second):
    """Areas add up with half the cross product of the increments; standardised as in `linear_milstein`."""
    dw = np.sqrt(h) * first[:2], np.sqrt(h) * second[:2]
    area = h * (first[2] + second[2]) / 2 + (dw[0][0] * dw[1][1] - dw[0][1] * dw[1][0]) / 2
    return np.vstack([(first[:2] + second[:2]) / np.sqrt(2), [area / h]])


# --- strong order on geometric Brownian motion -------------------------------


@pytest.mark.parametrize(
    ("step", "order"), [(euler_maruyama(GBM), 0.5), (milstein(GBM), 1.0), (platen_strong(GBM), 1.0)]
)
def test_gbm_strong_order_to_four_digits_by_both_references(step, order):
    between_levels = strong_moments(step, 1.0, 1.0, aggregate_dw)
    against_flow = strong_moments_against(step, GBM_EXACT, 1.0, 1.0)
    assert between_levels.order == pytest.approx(order, abs=1e-4)
    assert against_flow.order == pytest.approx(order, abs=1e-4)
    assert not against_flow.wrong_limit


def test_strong_order_one_and_a_half_needs_dw_and_dz():
    table = strong_moments(taylor_one_and_a_half(), 1.0, 1.0, aggregate_dw_dz)
    assert table.order == pytest.approx(1.5, abs=1e-4)


def test_euler_maruyama_has_strong_order_one_for_additive_noise():
    table = strong_moments(euler_maruyama(OU), 1.0, 1.0, aggregate_dw)
    assert table.order == pytest.approx(1.0, abs=1e-4)


def test_drift_implicit_euler_is_handled():
    assert strong_moments(drift_implicit_ou(), 1.0, 1.0, aggregate_dw).order == pytest.approx(1.0, abs=1e-4)
    assert weak_moments(drift_implicit_ou(), OU_SDE, 1.0, 1.0).order == pytest.approx(1.0, abs=1e-3)


def test_difference_recursion_keeps_relative_accuracy_of_tiny_errors():
    # e = X_h - X_{h/2} of a step that is the exact flow but for a factor 1 + 1e-9 h
    off = StepFunction(lambda x, t, h, xi: GBM_EXACT(x, t, h, xi) * (1 + 1e-9 * h))
    table = strong_moments_against(off, GBM_EXACT, 1.0, 1.0, n_steps=(4, 8, 16))
    second_moment = np.exp(2 * 0.5 + 0.5**2)
    np.testing.assert_allclose(table.errors[:, 0], 1e-9 * np.sqrt(second_moment), rtol=1e-5)


def test_the_exact_flow_against_itself_is_exact():
    table = strong_moments_against(GBM_EXACT, GBM_EXACT, 1.0, 1.0)
    assert table.order == np.inf


# --- strong order on non-commuting noise -------------------------------------


def test_euler_has_order_one_half_on_non_commuting_noise_by_both_references():
    step = linear_euler(NON_COMMUTING)
    assert strong_moments(step, START, 1.0, aggregate_dw).order == pytest.approx(0.5, abs=1e-3)
    exact = strong_moments_exact(step, NON_COMMUTING, START, 1.0)
    assert exact.order == pytest.approx(0.5, abs=1e-3)
    assert not exact.wrong_limit


def test_milstein_with_chen_areas_has_order_one_and_without_areas_one_half():
    levels = tuple(2**k for k in range(3, 11))
    full = strong_moments(linear_milstein(NON_COMMUTING), START, 1.0, chen, n_steps=levels)
    dropped = strong_moments(linear_milstein(NON_COMMUTING, 0.0), START, 1.0, chen, n_steps=levels)
    assert full.order == pytest.approx(1.0, abs=0.01)
    assert dropped.order == pytest.approx(0.5, abs=0.01)


def test_exact_joint_moments_agree_with_the_exact_flow_where_both_apply():
    joint = strong_moments_exact(milstein(GBM), GBM_SDE, 1.0, 1.0)
    flow = strong_moments_against(milstein(GBM), GBM_EXACT, 1.0, 1.0)
    np.testing.assert_allclose(joint.errors, flow.errors, atol=np.max(joint.floor))


def test_conditional_flow_of_gbm_is_its_exact_flow():
    xi = np.linspace(-2.0, 2.0, 9)[None]
    flow = conditional_flow(GBM_SDE, 0.1, xi, degree=14)
    np.testing.assert_allclose(flow[:, 1, 1], GBM_EXACT(np.ones((1, 9)), 0.0, 0.1, xi)[0], rtol=1e-12)


# --- weak order --------------------------------------------------------------


@pytest.mark.parametrize(("step", "order"), [(euler_maruyama(GBM), 1.0), (milstein(GBM), 1.0), (platen_weak(GBM), 2.0)])
def test_gbm_weak_order(step, order):
    table = weak_moments(step, GBM_SDE, 1.0, 1.0)
    assert table.order == pytest.approx(order, abs=1e-3)
    assert not table.wrong_limit


def test_weak_errors_equal_the_closed_form_of_euler_maruyama_on_gbm():
    n = np.array([8, 64, 512])
    table = weak_moments(euler_maruyama(GBM), GBM_SDE, 1.0, 1.0, n_steps=n)
    h = 1.0 / n
    mean, square = (1 + 0.5 * h) ** n, ((1 + 0.5 * h) ** 2 + 0.25 * h) ** n
    expected = np.column_stack([mean - np.exp(0.5), square - np.exp(1.25)])
    np.testing.assert_allclose(table.errors, expected, atol=1e-12)


def test_weak_moments_of_a_coupled_system_converge_and_cover_all_pairs():
    table = weak_moments(linear_euler(NON_COMMUTING), NON_COMMUTING, START, 1.0)
    assert table.names[:4] == ("x1", "x2", "x3", "x1 x1")
    assert len(table.names) == 9
    assert table.order == pytest.approx(1.0, abs=1e-3)


def test_weak_moments_do_not_see_a_missing_area():
    # documented blindness: the area is uncorrelated with the increments to this order
    table = weak_moments(linear_milstein(NON_COMMUTING, 0.0), NON_COMMUTING, START, 1.0)
    assert table.order == pytest.approx(1.0, abs=1e-3)
    assert not table.wrong_limit


# --- planted bugs ------------------------------------------------------------


@pytest.mark.parametrize("factors", [{"drift": 0.99}, {"noise": 0.99}, {"drift": 0.999}, {"noise": 1.001}])
def test_a_wrong_factor_is_a_wrong_limit_in_both_senses(factors):
    step = euler_maruyama(GBM, **factors)
    assert weak_moments(step, GBM_SDE, 1.0, 1.0).wrong_limit
    assert strong_moments_exact(step, GBM_SDE, 1.0, 1.0).wrong_limit


def test_the_weak_limit_test_resolves_one_part_in_a_million():
    table = weak_moments(euler_maruyama(GBM, drift=1 - 1e-6), GBM_SDE, 1.0, 1.0)
    assert table.wrong_limit
    assert table.defects[0].value == pytest.approx(-0.5e-6 * np.exp(0.5), rel=1e-3)


def test_a_wrong_factor_is_invisible_between_levels():
    table = strong_moments(euler_maruyama(GBM, drift=0.9), 1.0, 1.0, aggregate_dw)
    assert table.order == pytest.approx(0.5, abs=1e-3)
    assert table.defects == ()


def test_ito_formula_on_a_stratonovich_problem_is_a_wrong_limit():
    stratonovich = LinearSDE([[0.5 + 0.125]], [0.0], [[[0.5]]], [[0.0]])
    assert weak_moments(euler_maruyama(GBM), stratonovich, 1.0, 1.0).wrong_limit


def test_half_the_milstein_term_has_strong_order_one_half_and_the_right_limit():
    half = Problem(GBM.a, GBM.b, lambda x: 0.5 * GBM.db(x), 1.0)
    table = strong_moments_exact(milstein(half), GBM_SDE, 1.0, 1.0)
    assert table.order == pytest.approx(0.5, abs=1e-3)
    assert not table.wrong_limit


# --- what is refused ---------------------------------------------------------


def test_a_scheme_that_is_not_affine_is_refused():
    tamed = StepFunction(lambda x, t, h, xi: x + x * h / (1 + h * np.abs(x)) + 0.5 * x * np.sqrt(h) * xi)
    with pytest.raises(SchemeError, match="affine"):
        weak_moments(tamed, GBM_SDE, 1.0, 1.0)


def test_a_step_that_is_not_finite_is_refused():
    with pytest.raises(SchemeError, match="not finite"):
        affine_maps(StepFunction(lambda x, t, h, xi: x * np.inf), 0.1, np.ones((1, 1)))


def test_a_step_that_depends_on_time_is_refused():
    with pytest.raises(SchemeError, match="depends on time"):
        strong_moments(StepFunction(lambda x, t, h, xi: x * (1 + t * h)), 1.0, 1.0, aggregate_dw)


def test_too_few_gauss_nodes_are_noticed():
    with pytest.raises(ParameterError, match="raise gauss_nodes"):
        weak_moments(milstein(GBM), GBM_SDE, 1.0, 1.0, gauss_nodes=2)


def test_too_many_draws_are_refused():
    with pytest.raises(ParameterError, match="Monte Carlo"):
        noise_rule(("normal",) * 12, 6)


def test_draws_beyond_the_increments_are_refused_by_the_exact_joint_law():
    with pytest.raises(ParameterError, match="use strong_moments"):
        strong_moments_exact(taylor_one_and_a_half(), GBM_SDE, 1.0, 1.0)


def test_an_exact_flow_with_other_draws_is_refused():
    with pytest.raises(ParameterError, match="same draws"):
        strong_moments_against(taylor_one_and_a_half(), GBM_EXACT, 1.0, 1.0)


@pytest.mark.parametrize("x0", [[1.0, 2.0], np.nan, []])
def test_a_start_of_the_wrong_size_is_refused(x0):
    with pytest.raises(ParameterError, match="finite numbers"):
        weak_moments(euler_maruyama(GBM), GBM_SDE, x0, 1.0)


def test_a_scheme_of_another_dimension_is_refused():
    with pytest.raises(ParameterError, match="give one problem"):
        weak_moments(linear_euler(NON_COMMUTING), GBM_SDE, START, 1.0)


def test_matrices_that_do_not_fit_are_refused():
    with pytest.raises(ModelError, match=r"b of shape \(2,\)"):
        LinearSDE([[1.0]], [0.0], [[[1.0]]], [0.0, 0.0])


# --- expectations over the draws ---------------------------------------------


@pytest.mark.parametrize(
    ("kind", "moments"),
    [
        ("normal", [1, 0, 1, 0, 3, 0, 15]),
        ("two_point", [1, 0, 1, 0, 1]),
        ("three_point", [1, 0, 1, 0, 3, 0, 9]),
    ],
)
def test_noise_rule_reproduces_the_moments_of_each_draw(kind, moments):
    nodes, weights = noise_rule((kind,), 5)
    got = [weights @ nodes[0] ** k for k in range(len(moments))]
    np.testing.assert_allclose(got, moments, atol=1e-12)


def test_noise_rule_is_a_product_rule_in_the_order_of_the_draws():
    nodes, weights = noise_rule(("two_point", "three_point", "normal"), 3)
    assert nodes.shape == (3, 18)
    assert weights.sum() == pytest.approx(1.0, abs=1e-14)
    assert np.unique(np.abs(nodes[0])).tolist() == [1.0]
    assert weights @ (nodes[1] ** 4 * nodes[2] ** 2) == pytest.approx(3.0, abs=1e-12)


@pytest.mark.parametrize(("kinds", "nodes"), [(("uniform",), 6), (("normal",), 1)])
def test_unknown_draws_and_too_few_nodes_are_refused(kinds, nodes):
    with pytest.raises(ParameterError, match="use"):
        noise_rule(kinds, nodes)
