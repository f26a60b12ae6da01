"""Gotta Go Fast: the law within the errors of Monte Carlo, its published bias, and the Brownian path it keeps."""

import numpy as np
import pytest

from stochsim.densities import Gaussian
from stochsim.diffusion import VP, Model, samplers
from stochsim.diffusion.samplers._brownian_reserve import Reserve
from stochsim.errors import DivergenceError

TARGET, PROCESS, N = Gaussian([1.0], [0.25]), VP(), 20_000


def noise(k, shape):
    return np.random.default_rng([11, k]).standard_normal(shape)


def deviations(**options):
    """Mean and variance at the end, in standard errors, and the rounds; the first states are the law's quantiles."""
    from scipy.special import ndtri

    model = Model(TARGET, PROCESS)
    first, last = model.noised(0.8), model.noised(0.05)
    z = ndtri((np.arange(N) + 0.5) / N)[None]
    x = samplers.gotta_go_fast.with_options(**options)(
        model, first.mean[0] + np.sqrt(first.covariance[0, 0]) * z, [0.8, 0.05], noise
    )
    C = last.covariance[0, 0]
    return (x.mean() - last.mean[0]) / np.sqrt(C / N), (x.var() - C) / (C * np.sqrt(2.0 / N)), model.nfe // 2


def test_the_law_is_right_when_the_path_is_kept():
    """Within 4.5 standard errors each: false alarm 1.4e-5 for the two."""
    mean, variance, _ = deviations(rtol=0.01, atol=0.01)
    assert max(abs(mean), abs(variance)) < 4.5, (mean, variance)


@pytest.mark.parametrize("tolerance", [0.03, 0.01])
def test_numbers_drawn_anew_after_a_rejection_bias_the_law_at_any_tolerance(tolerance):
    """As published; also the negative control of the test above."""
    mean, variance, _ = deviations(rtol=tolerance, atol=tolerance, path="redrawn")
    assert min(abs(mean), abs(variance)) > 10.0, (mean, variance)


def test_a_smaller_tolerance_takes_more_rounds():
    assert deviations(rtol=0.1, atol=0.1)[2] < deviations(rtol=0.02, atol=0.02)[2]


def test_too_few_rounds_are_reported():
    with pytest.raises(DivergenceError, match="in 3 rounds"):
        deviations(most=3)


def test_the_reserve_cuts_increments_without_losing_any():
    """Pieces of an increment add up to it, in time and in space, also when nested ten deep."""
    reserve, who = Reserve(np, 2, 3), np.arange(3)
    rng = np.random.default_rng(0)
    span, move = reserve.take(who, np.ones(3), rng.standard_normal((2, 3)))
    for k in range(1, 11):
        reserve.take(who, np.full(3, 0.5**k), rng.standard_normal((2, 3)))
    spent, moved = np.zeros(3), np.zeros((2, 3))
    while reserve.height.any():
        piece, part = reserve.take(who, np.full(3, 2.0), np.full((2, 3), np.nan))
        spent, moved = spent + piece, moved + part
        reserve.drop(who)
    np.testing.assert_allclose(spent, span, rtol=1e-15)
    np.testing.assert_allclose(moved, move, rtol=0.0, atol=1e-14)


def test_a_bridge_has_the_law_of_brownian_motion():
    """The first part of an increment, a map of two normal numbers: variance 0.3, covariance with the whole 0.3."""
    reserve, who = Reserve(np, 1, 2), np.arange(2)
    reserve.take(who, np.ones(2), np.array([[1.0, 0.0]]))  # the whole is z_1
    _, first = reserve.take(who, np.full(2, 0.3), np.array([[0.0, 1.0]]))  # a z_1 + b z_2, read off
    a, b = first[0]
    assert max(abs(a - 0.3), abs(a**2 + b**2 - 0.3)) < 1e-15
