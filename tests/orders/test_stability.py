"""Mean-square and almost-sure stability against the formulas of Higham and of Saito and Mitsui."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from stochsim.errors import ParameterError, SchemeError
from stochsim.orders.stability import (
    complex_test_equation,
    lyapunov_exponent,
    mean_square_amplification,
    mean_square_boundary,
    stability_region,
)
from stochsim.orders.step_maps import StepFunction

LH = np.linspace(-3.0, 1.0, 9)
MU2H = np.linspace(0.0, 4.0, 6)


def euler(lam, mu):
    return StepFunction(lambda x, t, h, xi: x * (1 + lam * h + mu * np.sqrt(h) * xi[0]))


def weak_euler(lam, mu):
    return StepFunction(euler(lam, mu).function, 1, ("two_point",))


def milstein(lam, mu):
    def step(x, t, h, xi):
        return x * (1 + lam * h + mu * np.sqrt(h) * xi[0] + mu**2 * h * (xi[0] ** 2 - 1) / 2)

    return StepFunction(step)


def drift_implicit(lam, mu):
    return StepFunction(lambda x, t, h, xi: x * (1 + mu * np.sqrt(h) * xi[0]) / (1 - lam * h))


AMPLIFICATIONS = {
    euler: lambda z, v: (1 + z) ** 2 + v,
    weak_euler: lambda z, v: (1 + z) ** 2 + v,
    milstein: lambda z, v: (1 + z) ** 2 + v + v**2 / 2,
    drift_implicit: lambda z, v: (1 + v) / (1 - z) ** 2,
}


@pytest.mark.parametrize("factory", AMPLIFICATIONS)
def test_amplification_is_the_closed_form(factory):
    lh = LH[LH < 1.0]
    region = stability_region(factory, lh, MU2H, scheme="s")
    np.testing.assert_allclose(region.amplification, AMPLIFICATIONS[factory](lh, MU2H[:, None]), rtol=1e-13)
    np.testing.assert_array_equal(region.stable, region.amplification < 1)


@pytest.mark.parametrize(
    ("factory", "boundary"),
    [
        (euler, lambda z: 1 - (1 + z) ** 2),
        (milstein, lambda z: np.sqrt(1 + 2 * (1 - (1 + z) ** 2)) - 1),
        (drift_implicit, lambda z: (1 - z) ** 2 - 1),
    ],
)
def test_boundary_is_the_closed_form(factory, boundary):
    lh = np.array([-1.9, -1.0, -0.5, -0.01])
    np.testing.assert_allclose(mean_square_boundary(factory, lh), boundary(lh), rtol=1e-10)


def test_boundary_is_nan_where_no_noise_is_unstable_already_and_inf_where_none_is_found():
    found = mean_square_boundary(euler, [0.0, -2.5])
    assert np.isnan(found).all()
    assert mean_square_boundary(drift_implicit, [-50.0], mu2h_max=10.0)[0] == np.inf


def test_a_wrong_noise_factor_moves_the_boundary():
    def noisy(lam, mu):
        return euler(lam, 1.01 * mu)

    gap = mean_square_boundary(noisy, [-1.0]) - mean_square_boundary(euler, [-1.0])
    assert gap[0] == pytest.approx(1 / 1.01**2 - 1, rel=1e-9)


@pytest.mark.parametrize("factory", [euler, milstein])
def test_a_factory_of_arrays_gives_the_same_region(factory):
    slow = stability_region(factory, LH, MU2H, almost_sure=True)
    fast = stability_region(factory, LH, MU2H, almost_sure=True, vectorized=True)
    np.testing.assert_allclose(fast.amplification, slow.amplification, rtol=1e-13)
    np.testing.assert_allclose(fast.lyapunov, slow.lyapunov, rtol=1e-12)


def test_complex_lambda_is_a_real_system_of_two():
    def system(lam, mu):
        sde = complex_test_equation(lam, mu)

        def step(x, t, h, xi):
            return x + sde.A @ x * h + sde.B[0] @ x * np.sqrt(h) * xi[0]

        return StepFunction(step, 2)

    lh = np.array([-0.5 + 1j, -1.0 - 0.3j, -0.2 + 0.0j])
    region = stability_region(system, lh, [0.0, 0.5])
    expected = np.abs(1 + lh) ** 2 + np.array([[0.0], [0.5]])
    np.testing.assert_allclose(region.amplification, expected, rtol=1e-12)
    with pytest.raises(ParameterError, match="real"):
        region.plot()


@pytest.mark.parametrize(("lam", "mu"), [(-1.0, 1.0), (0.3, 1.5), (-3.0, 3.0), (0.01, 0.2)])
def test_lyapunov_exponent_of_euler_maruyama(lam, mu):
    root = -(1 + lam) / mu

    def integrand(z):
        return np.log(abs(1 + lam + mu * z)) * norm.pdf(z)

    pieces = np.clip([-12.0, root, 12.0], -12.0, 12.0)
    exact = sum(quad(integrand, a, b, limit=400, epsabs=1e-10)[0] for a, b in pairwise(pieces))
    assert lyapunov_exponent(euler(lam, mu)) == pytest.approx(exact, abs=1e-3)


def test_lyapunov_exponent_of_two_point_noise_is_exact():
    step = weak_euler(-1.5, 1.0)
    assert lyapunov_exponent(step) == pytest.approx(np.log(abs(-0.5 + 1)) / 2 + np.log(1.5) / 2, abs=1e-15)
    assert lyapunov_exponent(weak_euler(0.0, 1.0)) == -np.inf


def test_almost_sure_stability_is_wider_than_mean_square_stability():
    region = stability_region(euler, [-0.5], [1.2], almost_sure=True)
    assert region.amplification[0, 0] > 1.0
    assert region.lyapunov[0, 0] < 0.0


def test_the_region_draws_itself():
    axes = stability_region(euler, LH, MU2H, scheme="euler_maruyama").plot()
    assert axes.get_xlabel()


def test_a_step_that_is_not_homogeneous_is_refused():
    with pytest.raises(SchemeError, match="moves the point 0"):
        mean_square_amplification(StepFunction(lambda x, t, h, xi: x + 0.1))


def test_a_nonlinear_step_is_refused_in_either_form():
    def tamed(lam, mu):
        return StepFunction(lambda x, t, h, xi: x + lam * x / (1 + abs(x)) + mu * x * xi[0])

    with pytest.raises(SchemeError, match="affine"):
        stability_region(tamed, LH, MU2H)
    with pytest.raises(SchemeError, match="linear"):
        stability_region(tamed, LH, MU2H, vectorized=True)


@pytest.mark.parametrize(("lh", "mu2h"), [([], [1.0]), ([0.0], [-1.0]), ([np.nan], [1.0]), ([0.0], [np.inf])])
def test_planes_that_make_no_sense_are_refused(lh, mu2h):
    with pytest.raises(ParameterError, match="finite"):
        stability_region(euler, lh, mu2h)


def test_almost_sure_stability_of_several_normals_is_refused():
    step = StepFunction(lambda x, t, h, xi: x * (1 + xi[0] * xi[1]), 1, ("normal", "normal"))
    with pytest.raises(ParameterError, match="at most one normal"):
        lyapunov_exponent(step)
