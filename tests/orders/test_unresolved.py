"""Claims of the unresolved moments: known closed forms to many digits, where a subtraction has none."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import stochsim as ss
from stochsim.orders.linear_sde import LinearSDE
from stochsim.orders.unresolved import _projected, unresolved_moments

S = ss.schemes
OU = LinearSDE([[-1.0]], [0.3], [[[0.0]]], [[1.0]])
GBM = LinearSDE([[0.05]], [0.0], [[[0.2]]], [[0.0]])
COUPLED = LinearSDE(
    [[-1.0, 0.2], [0.0, -0.5]],
    [0.1, 0.0],
    [[[0.0, 0.5], [0.1, 0.0]], [[0.3, 0.0], [0.0, 0.4]]],
    [[0.2, 0.0], [0.0, 0.1]],
)


def ou_rest(h: float) -> float:
    """Var of the integral of exp(-(h - t)) dW given its increment: (1 - e^-2h)/2 - (1 - e^-h)^2 / h."""
    with mpmath.workdps(60):
        t = mpmath.mpf(h)
        return float((1 - mpmath.exp(-2 * t)) / 2 - (1 - mpmath.exp(-t)) ** 2 / t)


def test_ornstein_uhlenbeck_meets_its_closed_form_at_any_step() -> None:
    h = np.array([0.2, 1e-2, 1e-3, 1e-5])
    moments, rounding = unresolved_moments(OU, h, 5)
    expected = np.array([ou_rest(v) for v in h])  # at 1e-5 it is 8e-17
    assert (np.abs(moments[:, 3, 0] - expected) <= 4 * np.finfo(float).eps * rounding).all()
    np.testing.assert_allclose(moments[:, 3, 0], expected, rtol=1e-9)


def test_noise_that_commutes_leaves_nothing_but_the_tail_of_the_series() -> None:
    # GBM is a function of W alone: the rest is sum_{k > 5} (sigma^2 h)^k / k! times its mean square
    moments, _ = unresolved_moments(GBM, np.array([0.5, 1e-3]), 5)
    tail = sum((0.04 * 0.5) ** k / float(mpmath.factorial(k)) for k in range(6, 20)) * np.exp(0.05)
    assert moments[0, 3, 3] == pytest.approx(tail, rel=1e-3, abs=1e-19)
    assert np.abs(moments[1]).max() < 1e-21
    direct = [GBM.second_moment_flow(h) - _projected(GBM, h, 5) for h in np.linspace(1e-3, 2e-3, 20)]
    assert np.abs(direct).max() > 1e-17  # what a subtraction makes of it


def test_series_and_subtraction_agree_where_both_hold() -> None:
    h = np.array([0.05, 0.3, 2.0])
    moments, rounding = unresolved_moments(COUPLED, h, 5)
    for value, length in zip(moments, h, strict=True):
        direct = COUPLED.second_moment_flow(length) - _projected(COUPLED, length, 5)
        np.testing.assert_allclose(value, direct, atol=3e-15 * np.abs(COUPLED.second_moment_flow(length)).max())
    assert rounding[0] < rounding[1] <= rounding[2] == 1.0


def mean_square_error(scheme: str, mu: float, sigma: float, n: int) -> float:
    """E (X_h - X)^2 at T = 1 on GBM from x0 = 1, in 60 digits."""
    with mpmath.workdps(60):
        m, s, h = mpmath.mpf(mu), mpmath.mpf(sigma), mpmath.mpf(1) / n
        extra = s**4 * h**2 / 2 if scheme == "milstein" else 0
        own = ((1 + m * h) ** 2 + s**2 * h + extra) ** n
        cross = (mpmath.exp(m * h) * (1 + m * h + s**2 * h + extra)) ** n
        return float(own - 2 * cross + mpmath.exp(2 * m + s**2))


@pytest.mark.parametrize("scheme", ["euler_maruyama", "milstein"])
def test_weak_noise_keeps_its_finest_levels(scheme: str) -> None:
    model = ss.models.geometric_brownian_motion(mu=0.05, sigma=0.2, x0=1.0)
    estimate = ss.strong_order(model, getattr(S, scheme), method="moments")
    exact = [np.sqrt(mean_square_error(scheme, 0.05, 0.2, round(1 / h))) for h in estimate.h]
    np.testing.assert_allclose(estimate.errors, exact, rtol=1e-5)
    assert estimate.half_width < 1e-4
    assert estimate.verdict == "confirmed"
