"""The one-step operator in two dimensions: values against exact moments, orders, and what it refuses.

Nothing here is random; every tolerance is a bound, no false alarms are possible.
"""

import numpy as np
import pytest

from stochsim.errors import ParameterError
from stochsim.orders.grids import Coordinate, Grid1D, place_grids
from stochsim.orders.linear_sde import LinearSDE
from stochsim.orders.moments import weak_moments
from stochsim.orders.quadrature_2d import expectations_2d, weak_quadrature_2d
from stochsim.orders.step_maps import StepFunction

START = [0.5, 0.2]


def drift(x):
    return np.array([-x[0] + 0.5 * np.sin(x[1]), -0.8 * x[1] + 0.4 * np.cos(x[0])])


def diffusion(x):
    """Full 2 x 2 matrix, not commutative."""
    return np.array(
        [
            [0.5 + 0.1 * np.sin(x[1]), 0.15 * np.cos(x[0])],
            [0.1 * np.sin(x[0]), 0.4 + 0.1 * np.cos(x[1])],
        ]
    )


def times(matrix, vector):
    return np.einsum("ijn,jn->in", matrix, vector)


def euler(x, t, h, xi):
    return x + drift(x) * h + times(diffusion(x), np.sqrt(h) * xi)


def platen_weak(x, t, h, xi):
    """Kloeden & Platen 1992, (15.1.3): weak order 2, draws dW1, dW2 (three-point) and V12 (two-point)."""
    dw, root, a, b = np.sqrt(h) * xi[:2], np.sqrt(h), drift(x), diffusion(x)
    out = x + (drift(x + a * h + times(b, dw)) + a) * h / 2
    v = np.array([[-h + 0 * dw[0], -h * xi[2]], [h * xi[2], -h + 0 * dw[0]]])
    for j in range(2):
        up, down = (diffusion(x + a * h + s * b[:, j] * root)[:, j] for s in (1, -1))
        mean, odd = up + down + 2 * b[:, j], (up - down) * (dw[j] ** 2 - h)
        r = 1 - j
        high, low = (diffusion(x + s * b[:, r] * root)[:, j] for s in (1, -1))
        mean, odd = mean + high + low - 2 * b[:, j], odd + (high - low) * (dw[j] * dw[r] + v[r, j])
        out = out + mean * dw[j] / 4 + odd / (4 * root)
    return out


EULER = StepFunction(euler, 2, ("normal", "normal"))
PLATEN = StepFunction(platen_weak, 2, ("three_point", "three_point", "two_point"))

LINEAR = LinearSDE(
    [[-0.5, 0.3], [-0.2, -0.8]], [0.1, 0.0], [[[0, 0.2], [0.1, 0]], [[0.1, 0], [0, -0.1]]], [[0.4, 0], [0, 0.5]]
)


def linear_euler(x, t, h, xi):
    fields = [m @ x + v[:, None] for m, v in zip(LINEAR.B, LINEAR.b, strict=True)]
    noise = sum(b * np.sqrt(h) * z for b, z in zip(fields, xi, strict=True))
    return x + (LINEAR.A @ x + LINEAR.a[:, None]) * h + noise


LINEAR_EULER = StepFunction(linear_euler, 2, ("normal", "normal"))


def small_grids(step, start, n_nodes=36, width=7.5):
    return place_grids(step, np.array(start), 1.0, width=width, n_nodes=n_nodes, stencil=8)


@pytest.mark.parametrize(("step", "order"), [(EULER, 1.0), (PLATEN, 2.0)])
def test_weak_order_with_non_commuting_noise(step, order):
    result = weak_quadrature_2d(step, START, 1.0)
    assert result.order == pytest.approx(order, abs=0.05)
    assert np.abs(result.clamped).max() < 1e-10


def test_values_are_the_exact_moments_of_a_linear_chain():
    n = (4, 8, 16)
    values, _ = expectations_2d(
        LINEAR_EULER,
        [lambda x: x[0], lambda x: x[1], lambda x: x[0] ** 2, lambda x: x[0] * x[1], lambda x: x[1] ** 2],
        np.array(START),
        1.0,
        n,
        small_grids(LINEAR_EULER, START, 60, 11.0),
    )
    z0 = np.array([1.0, *START])
    exact = (LINEAR.second_moment_flow(1.0) @ np.kron(z0, z0))[[1, 2, 4, 5, 8]]
    chain = exact + weak_moments(LINEAR_EULER, LINEAR, START, 1.0, n_steps=n).errors
    np.testing.assert_allclose(values, chain, rtol=1e-6)


@pytest.mark.parametrize(("factor", "wrong"), [(1.0, False), (0.99, True)])
def test_a_wrong_drift_is_a_wrong_limit(factor, wrong):
    def step(x, t, h, xi):
        return linear_euler(x, t, h, xi) - (1 - factor) * (LINEAR.A @ x + LINEAR.a[:, None]) * h

    z0 = np.array([1.0, *START])
    exact = LINEAR.second_moment_flow(1.0) @ np.kron(z0, z0)
    names = {"x1": exact[1], "x1 x2": exact[5]}
    functionals = {"x1": lambda x: x[0], "x1 x2": lambda x: x[0] * x[1]}
    planted = StepFunction(step, 2, ("normal", "normal"))
    grid = small_grids(planted, START, 44, 11.0)
    levels = (4, 8, 16, 32, 64)
    result = weak_quadrature_2d(planted, START, 1.0, functionals, exact=names, grid=grid, n_steps=levels)
    assert result.table.wrong_limit is wrong


def test_squares_of_one_component_agree_with_one_dimension():
    # two independent Ornstein-Uhlenbeck chains; x1 is Gaussian with a known variance
    step = StepFunction(lambda x, t, h, xi: x - x * h + 0.6 * np.sqrt(h) * xi, 2, ("normal", "normal"))
    values, _ = expectations_2d(
        step, [lambda x: np.cos(x[0])], np.array([1.0, 0.0]), 1.0, (8,), small_grids(step, [1.0, 0.0])
    )
    shrink = 1 - 1 / 8
    variance = 0.36 / 8 * (1 - shrink**16) / (1 - shrink**2)
    assert values[0, 0] == pytest.approx(np.exp(-variance / 2) * np.cos(shrink**8), abs=1e-5)


def test_a_time_dependent_step_is_iterated_step_by_step():
    step = StepFunction(lambda x, t, h, xi: x + (1 + t) * np.sqrt(h) * xi, 2, ("normal", "normal"))
    values, _ = expectations_2d(
        step, [lambda x: x[0] ** 2], np.array([0.3, 0.0]), 1.0, (4,), small_grids(step, [0.3, 0.0], 40)
    )
    assert values[0, 0] == pytest.approx(0.09 + np.sum((1 + np.arange(4) / 4) ** 2) / 4, rel=1e-6)


def test_no_order_is_stated_when_mass_is_clamped():
    narrow = Grid1D(Coordinate.linear(), -1.0, 2.0, 30, 8), Grid1D(Coordinate.linear(), -1.0, 1.5, 30, 8)
    result = weak_quadrature_2d(EULER, START, 1.0, grid=narrow, n_steps=(4, 8, 16))
    assert result.clamped[-1] > 1e-10
    assert np.isnan(result.order)
    assert "clamped" in result.table.reason


def test_noise_must_reach_both_components():
    step = StepFunction(lambda x, t, h, xi: x + np.array([x[1] * 0, np.sqrt(h) * xi[0]]), 2)
    with pytest.raises(ParameterError, match="every component"):
        weak_quadrature_2d(step, START, 1.0)


@pytest.mark.parametrize("x0", [[0.5], 0.5, [0.1, 0.2, 0.3]])
def test_a_start_of_the_wrong_size_is_refused(x0):
    with pytest.raises(ParameterError, match="two numbers"):
        weak_quadrature_2d(EULER, x0, 1.0)


def test_a_start_outside_the_grid_is_refused():
    with pytest.raises(ParameterError, match="wider grid"):
        weak_quadrature_2d(EULER, [50.0, 0.0], 1.0, grid=small_grids(EULER, START))


def test_too_many_noise_nodes_are_refused():
    many = StepFunction(lambda x, t, h, xi: x + np.sqrt(h) * xi[:2], 2, ("normal",) * 6)
    grid = small_grids(EULER, START)
    with pytest.raises(ParameterError, match="fewer draws"):
        expectations_2d(many, [lambda x: x[0]], np.array(START), 1.0, (4,), grid)
