"""Schedules: the rate is the derivative of the integral, and time its inverse."""

import numpy as np
import pytest

from stochsim.errors import ParameterError
from stochsim.schedules import Constant, Cosine, Geometric, LinearBeta, LogLinear, Schedule

SCHEDULES = [Constant(2.0), LinearBeta(), LinearBeta(1.0, 1.0), Cosine(), LogLinear(), Geometric()]
STENCIL = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0.0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])  # order 8
named = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)


@named
def test_the_rate_is_the_derivative_of_the_integral(schedule: Schedule) -> None:
    t, h = np.linspace(0.05, 0.9, 9) * schedule.t_end, 2e-3
    points = t[:, None] + h * np.arange(-4, 5)
    difference = schedule.integral(points) @ STENCIL / h
    np.testing.assert_allclose(difference, schedule.rate(t), rtol=1e-9)


@named
def test_time_inverts_the_integral_down_to_tiny_times(schedule: Schedule) -> None:
    t = np.concatenate([10.0 ** -np.arange(2.0, 12.0), np.linspace(0.1, 1.0, 10)]) * schedule.t_end
    np.testing.assert_allclose(schedule.time(schedule.integral(t)), t, rtol=2e-12)


@named
def test_nothing_is_forgotten_at_zero(schedule: Schedule) -> None:
    assert schedule.integral(0.0) == 0.0
    assert schedule.time(0.0) == pytest.approx(0.0, abs=1e-16)


def test_the_cosine_schedule_is_the_cosine_of_its_paper() -> None:
    t = np.linspace(0.0, 0.99, 12)
    kept = np.cos(0.5 * np.pi * (t + 0.008) / 1.008) / np.cos(0.5 * np.pi * 0.008 / 1.008)
    np.testing.assert_allclose(np.exp(-0.5 * Cosine().integral(t)), kept, rtol=1e-13)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LinearBeta(beta_min=0.0), "beta_min is 0.0; give a positive number"),
        (lambda: Cosine(t_end=1.0), "forgets all at 1"),
        (lambda: LogLinear(rest=1.5), "rest is 1.5"),
        (lambda: Geometric(first=2.0, last=1.0), "first below last"),
        (lambda: Constant(float("nan")), "beta is nan"),
    ],
)
def test_numbers_out_of_range_are_refused(make: object, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        make()  # type: ignore[operator]
