"""The one-step operator in one dimension: values against closed forms, orders, and what it refuses.

Nothing here is random; every tolerance is a bound, no false alarms are possible.
"""

from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

from stochsim.errors import ParameterError, SchemeError
from stochsim.orders.grids import Coordinate, Grid1D, place_grid
from stochsim.orders.quadrature import expectations, reference_values, weak_quadrature
from stochsim.orders.step_maps import StepFunction, noise_rule
from tests.orders.example_steps import (
    DOUBLE_WELL,
    GBM,
    OU,
    PROBLEMS,
    SINH,
    Problem,
    drift_implicit_ou,
    euler_maruyama,
    milstein,
    platen_weak,
    taylor_one_and_a_half,
)

FUNCTIONALS = {
    "x": lambda x: x,
    "x^2": np.square,
    "arctan x": np.arctan,
    "1/(1+x^2)": lambda x: 1 / (1 + x**2),
}
ORDERS = {"euler_maruyama": (euler_maruyama, 1.0), "milstein": (milstein, 1.0), "platen": (platen_weak, 2.0)}


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("scheme", ORDERS)
def test_weak_order_from_successive_differences(problem, scheme):
    build, order = ORDERS[scheme]
    p = PROBLEMS[problem]
    result = weak_quadrature(build(p), p.x0, 1.0)
    assert result.order == pytest.approx(order, abs=0.02)
    assert abs(result.clamped[-1]) < 1e-10


def test_weak_order_of_drift_implicit_euler_and_of_a_scheme_with_two_normals():
    assert weak_quadrature(drift_implicit_ou(), 1.0, 1.0).order == pytest.approx(1.0, abs=0.02)
    two = weak_quadrature(taylor_one_and_a_half(), 1.0, 1.0, n_steps=(8, 16, 32, 64, 128))
    assert two.order == pytest.approx(2.0, abs=0.02)


def test_values_are_the_moments_of_the_chain_on_gbm():
    n = np.array([8, 64, 512])
    h = 1.0 / n
    result = weak_quadrature(euler_maruyama(GBM), 1.0, 1.0, n_steps=n)
    expected = np.column_stack([(1 + 0.5 * h) ** n, ((1 + 0.5 * h) ** 2 + 0.25 * h) ** n])
    np.testing.assert_allclose(result.values[:, :2], expected, rtol=1e-10)


def test_values_of_a_nonlinear_functional_are_those_of_the_gaussian_chain_on_ou():
    # X_N of Euler-Maruyama on OU is Gaussian, so E cos X_N is exp(-var / 2) cos(mean)
    n = np.array([8, 64, 512])
    h = 1.0 / n
    result = weak_quadrature(euler_maruyama(OU), 1.0, 1.0, {"cos": np.cos}, n_steps=n)
    shrink = 1 - h
    variance = 0.36 * h * (1 - shrink ** (2 * n)) / (1 - shrink**2)
    np.testing.assert_allclose(result.values[:, 0], np.exp(-variance / 2) * np.cos(shrink**n), atol=1e-12)


def test_the_stated_floor_bounds_the_true_deviation_on_gbm():
    n = 2 ** np.arange(3, 11)
    h = 1.0 / n
    result = weak_quadrature(euler_maruyama(GBM), 1.0, 1.0, n_steps=n)
    expected = np.column_stack([(1 + 0.5 * h) ** n, ((1 + 0.5 * h) ** 2 + 0.25 * h) ** n])
    assert np.all(np.abs(result.values[:, :2] - expected) <= 1.1 * result.floor[:, :2])


def test_squaring_the_operator_changes_nothing():
    grid = place_grid(euler_maruyama(OU), 1.0, 1.0, n_nodes=120, stencil=8)
    # a coefficient of size 1e-300 in t makes the step time-dependent for the detector only
    slow = StepFunction(lambda x, t, h, xi: np.where(x < 3.5, euler_maruyama(OU)(x, t, h, xi), x + t * 1e-9))
    fast = expectations(euler_maruyama(OU), [np.cos], 1.0, 1.0, (96,), grid)
    stepped = expectations(slow, [np.cos], 1.0, 1.0, (96,), grid)
    np.testing.assert_allclose(fast[0], stepped[0], atol=1e-13)


def test_a_time_dependent_step_is_iterated_step_by_step():
    # dX = (1 + t) dW: Euler-Maruyama has the variance sum (1 + t_k)^2 h
    step = StepFunction(lambda x, t, h, xi: x + (1 + t) * np.sqrt(h) * xi)
    n = np.array([4, 8, 16])
    result = weak_quadrature(step, 0.3, 1.0, {"x^2": np.square}, n_steps=n)
    variance = [np.sum((1 + np.arange(k) / k) ** 2) / k for k in n]
    np.testing.assert_allclose(result.values[:, 0], 0.09 + np.array(variance), rtol=1e-11)


def test_the_start_time_is_passed_to_the_step():
    step = StepFunction(lambda x, t, h, xi: x + t * np.sqrt(h) * xi)
    result = weak_quadrature(step, 0.0, 3.0, {"x^2": np.square}, n_steps=(2, 4, 8), t0=2.0)
    assert result.values[0, 0] == pytest.approx(0.5 * (2.0**2 + 2.5**2), rel=1e-11)


# --- limits ------------------------------------------------------------------


@cache
def platen_limits(problem: str):
    p = PROBLEMS[problem]
    return reference_values(weak_quadrature(platen_weak(p), p.x0, 1.0, FUNCTIONALS))


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("factors", [{}, {"drift": 0.999}, {"noise": 0.999}])
def test_wrong_factors_are_wrong_limits_against_the_romberg_values_of_another_scheme(problem, factors):
    p, levels = PROBLEMS[problem], (8, 16, 32, 64, 128, 256)
    step = euler_maruyama(p, **factors)
    exact = platen_limits(problem)
    result = weak_quadrature(step, p.x0, 1.0, FUNCTIONALS, exact=exact, n_steps=levels)
    assert result.table.wrong_limit is bool(factors)


def test_two_second_order_schemes_extrapolate_to_the_same_limit():
    a, b, db = DOUBLE_WELL.a, DOUBLE_WELL.b, lambda x: 1 - 3 * x**2

    def taylor(x, t, h, xi):
        """Simplified weak Taylor 2 (Kloeden & Platen 1992, (14.2.2)) for constant b."""
        dw = np.sqrt(h) * xi
        second = a(x) * db(x) + b(x) ** 2 * (-6 * x) / 2
        return x + a(x) * h + b(x) * dw + db(x) * b(x) * dw * h / 2 + second * h**2 / 2

    one = platen_limits("double well")
    other = weak_quadrature(StepFunction(taylor, 1, ("three_point",)), 0.5, 1.0, FUNCTIONALS)
    two = reference_values(other)
    for name in FUNCTIONALS:
        assert abs(one[name].value - two[name].value) <= one[name].uncertainty + two[name].uncertainty
        assert one[name].uncertainty < 1e-9


def test_romberg_values_are_the_closed_form_on_gbm():
    reference = platen_limits("gbm")
    assert reference["x"].value == pytest.approx(np.exp(0.5), abs=reference["x"].uncertainty)
    assert reference["x^2"].value == pytest.approx(np.exp(1.25), abs=reference["x^2"].uncertainty)
    assert reference["x^2"].uncertainty < 1e-9


def test_exact_values_may_be_functions_of_the_end_time():
    exact = {"x": lambda t: np.exp(0.5 * t), "x^2": lambda t: np.exp(1.25 * t)}
    functionals = {name: FUNCTIONALS[name] for name in exact}
    result = weak_quadrature(milstein(GBM), 1.0, 2.0, functionals, exact=exact)
    assert result.order == pytest.approx(1.0, abs=0.02)
    assert not result.table.wrong_limit


def test_an_uncertain_exact_value_cannot_raise_a_defect_below_its_uncertainty():
    from stochsim.orders.richardson import Extrapolation

    functionals = {"x": FUNCTIONALS["x"]}
    off = np.exp(0.5) + 1e-6
    sure = weak_quadrature(milstein(GBM), 1.0, 1.0, functionals, exact={"x": off})
    unsure = weak_quadrature(milstein(GBM), 1.0, 1.0, functionals, exact={"x": Extrapolation(off, 2e-6)})
    assert sure.table.wrong_limit
    assert not unsure.table.wrong_limit


def test_successive_differences_are_blind_to_the_limit_and_say_so():
    result = weak_quadrature(euler_maruyama(OU, drift=0.9), 1.0, 1.0)
    assert result.order == pytest.approx(1.0, abs=0.02)
    assert not result.table.wrong_limit
    assert "blind" in result.table.against


# --- traps -------------------------------------------------------------------


def test_a_functional_whose_error_changes_sign_misleads_alone_but_not_among_several():
    n = 2 ** np.arange(3, 11)
    h = 1.0 / n
    # for Euler-Maruyama on OU, E[X^2] and E[X] have errors of one sign each; a mixture cancels at h = 1/48
    exact = {"x": np.exp(-1.0), "x^2": np.exp(-2.0) + 0.18 * (1 - np.exp(-2.0))}
    chain = weak_quadrature(euler_maruyama(OU), 1.0, 1.0, {"x": lambda x: x, "x^2": np.square}, exact=exact, n_steps=n)
    errors = chain.table.errors
    ratio = np.interp(1 / 48, h[::-1], (errors[:, 1] / errors[:, 0])[::-1])
    trap = {"trap": lambda x: x**2 - ratio * x}
    limit = {"trap": exact["x^2"] - ratio * exact["x"]}
    alone = weak_quadrature(euler_maruyama(OU), 1.0, 1.0, trap, exact=limit)
    slopes = alone.table.fits[0].slopes
    assert slopes.max() > 1.5 or slopes.min() < 0.5
    both = weak_quadrature(euler_maruyama(OU), 1.0, 1.0, trap | {"x": lambda x: x}, exact=limit | {"x": exact["x"]})
    assert both.order == pytest.approx(1.0, abs=0.02)


def test_an_unresolved_functional_has_a_large_floor_and_is_not_judged():
    # X is heavy-tailed: cos x oscillates between nodes far out
    result = weak_quadrature(milstein(SINH), 0.0, 1.0, {"cos": np.cos, "x": lambda x: x})
    assert np.isnan(result.table.fits[0].order)
    assert result.floor[:, 0].min() > 1e4 * result.floor[:, 1].min()
    assert result.order == pytest.approx(1.0, abs=0.02)


def test_coarse_levels_that_are_clamped_are_not_used():
    # Euler-Maruyama on a cubic drift with multiplicative noise explodes from the far nodes at coarse h
    p = Problem(lambda x: x - x**3, lambda x: x, lambda x: np.ones_like(x), 1.0)
    result = weak_quadrature(euler_maruyama(p), 1.0, 1.0)
    assert result.clamped[0] > 1e-3
    assert np.isnan(result.table.errors[0]).all()
    assert result.order == pytest.approx(1.0, abs=0.02)


def test_no_order_is_stated_when_mass_is_clamped_at_the_finest_level():
    grid = Grid1D(Coordinate.linear(), -1.0, 2.5, 200, 8)  # the law of OU reaches beyond -1
    result = weak_quadrature(euler_maruyama(OU), 1.0, 1.0, grid=grid)
    assert result.clamped[-1] > 1e-10
    assert np.isnan(result.order)
    assert "clamped" in result.table.reason


def test_the_clamped_mass_of_one_step_is_a_gaussian_tail():
    grid = Grid1D(Coordinate.linear(), -4.0, 4.0, 401, 8)
    step = StepFunction(lambda x, t, h, xi: x + np.sqrt(h) * xi)
    _, clamped = expectations(step, [np.cos], 0.0, 1.0, (1,), grid, gauss_nodes=200)
    nodes, weights = noise_rule(step.primitives, 200)
    beyond = weights[np.abs(nodes[0]) > 4.0 - 3 * 8.0 / 400].sum()
    assert clamped[0] == pytest.approx(beyond, rel=1e-9)
    assert beyond == pytest.approx(2 * norm.sf(4.0 - 3 * 8.0 / 400), rel=0.3)


# --- grids -------------------------------------------------------------------


@pytest.mark.parametrize("stencil", [4, 8, 10])
def test_interpolation_reproduces_polynomials_below_its_degree(stencil):
    grid = Grid1D(Coordinate.linear(), -1.0, 2.0, 40, stencil)
    points = np.linspace(-0.5, 1.5, 57)
    first, weights, clamped = grid.interpolation(points)
    values = np.polyval(np.arange(1.0, stencil + 1), grid.x)
    got = sum(weights[j] * values[first + j] for j in range(stencil))
    np.testing.assert_allclose(got, np.polyval(np.arange(1.0, stencil + 1), points), rtol=1e-9, atol=1e-9)
    assert not clamped.any()


def test_points_outside_the_central_zone_are_clamped_to_it():
    grid = Grid1D(Coordinate.linear(), 0.0, 1.0, 21, 4)
    first, weights, clamped = grid.interpolation(np.array([-np.inf, 0.02, 0.05, 0.95, 0.97, 1e300]))
    np.testing.assert_array_equal(clamped, [True, True, False, False, True, True])
    landed = sum(weights[j] * grid.x[first + j] for j in range(4))
    np.testing.assert_allclose(landed, [0.05, 0.05, 0.05, 0.95, 0.95, 0.95], atol=1e-12)


@pytest.mark.parametrize(
    ("coordinate", "x"),
    [
        (Coordinate.linear(), [-3.0, 0.0, 5.0]),
        (Coordinate.arcsinh(1.0, 0.1), [-3.0, 1.0, 1e6]),
        (Coordinate.logarithm(0.5), [0.5001, 1.0, 1e6]),
        (Coordinate.logistic(-1.0, 2.0), [-0.999, 0.0, 1.999]),
    ],
)
def test_coordinates_are_inverted(coordinate, x):
    np.testing.assert_allclose(coordinate.forward(coordinate.inverse(np.array(x))), x, rtol=1e-9)


@pytest.mark.parametrize(("problem", "name"), [(OU, "x"), (DOUBLE_WELL, "x"), (SINH, "/ 1)"), (GBM, "/ 0.1)")])
def test_the_coordinate_follows_the_noise(problem, name):
    grid = place_grid(milstein(problem), problem.x0, 1.0)
    assert grid.coordinate.name.endswith(name)


def test_a_half_line_gets_a_logarithm_and_no_node_outside():
    def cir(x, t, h, xi):
        return x + 2 * (1 - x) * h + 0.3 * np.sqrt(np.maximum(x, 0.0) * h) * xi

    result = weak_quadrature(StepFunction(cir), 1.2, 1.0, domain=(0.0, np.inf))
    assert "log" in result.grid
    assert result.order == pytest.approx(1.0, abs=0.02)


def test_a_narrow_automatic_grid_is_widened_once():
    def gamma_like(x, t, h, xi):
        return x + 2 * (1 - x) * h + 0.3 * np.sqrt(np.maximum(x, 0.0) * h) * xi

    # skewed noise in a linear coordinate: 9 closure deviations leave 1e-10 outside, 13.5 do not
    result = weak_quadrature(StepFunction(gamma_like), 1.0, 1.0)
    assert abs(result.clamped[-1]) < 1e-15
    assert result.order == pytest.approx(1.0, abs=0.02)


# --- what is refused ---------------------------------------------------------


def test_a_step_that_is_nan_on_the_grid_names_the_domain():
    step = StepFunction(lambda x, t, h, xi: x + np.sqrt(x) * np.sqrt(h) * xi)
    with pytest.raises(SchemeError, match="domain"):
        weak_quadrature(step, 0.2, 1.0)


def test_a_law_that_reaches_the_boundary_is_refused():
    def cir(x, t, h, xi):
        return x + (0.3 - x) * h + 0.9 * np.sqrt(np.maximum(x, 0.0) * h) * xi

    with pytest.raises(ParameterError, match="give a grid"):
        weak_quadrature(StepFunction(cir), 1.0, 1.0, domain=(0.0, np.inf))


def test_a_step_without_noise_is_refused():
    with pytest.raises(ParameterError, match="noise"):
        weak_quadrature(StepFunction(lambda x, t, h, xi: x * (1 - h) + 0 * xi), 1.0, 1.0)


@pytest.mark.parametrize("domain", [(2.0, np.inf), (-np.inf, 2.0)])
def test_domains_that_do_not_fit_are_refused(domain):
    with pytest.raises(ParameterError, match="domain"):
        weak_quadrature(euler_maruyama(GBM), 1.0, 1.0, domain=domain)


def test_a_start_outside_the_grid_is_refused():
    with pytest.raises(ParameterError, match="x0 well inside"):
        weak_quadrature(euler_maruyama(OU), 9.0, 1.0, grid=Grid1D(Coordinate.linear(), -3.0, 3.0))


@pytest.mark.parametrize("f", [np.sum, lambda x: np.full_like(x, np.nan)])
def test_functionals_that_are_no_functions_of_every_point_are_refused(f):
    with pytest.raises(ParameterError, match="one number for each"):
        weak_quadrature(euler_maruyama(OU), 1.0, 1.0, {"f": f})


def test_a_step_of_two_components_is_refused():
    step = StepFunction(lambda x, t, h, xi: x, 2, ("normal", "normal"))
    with pytest.raises(ParameterError, match="d=1"):
        expectations(step, [np.cos], 0.0, 1.0, (8,), Grid1D(Coordinate.linear(), -3.0, 3.0))


@pytest.mark.parametrize("arguments", [(0.0, 1.0, 30, 7), (0.0, 1.0, 10, 8), (1.0, 0.0, 30, 8), (0.0, np.inf, 30, 8)])
def test_grids_that_make_no_sense_are_refused(arguments):
    with pytest.raises(ParameterError, match="stencil"):
        Grid1D(Coordinate.linear(), *arguments)
