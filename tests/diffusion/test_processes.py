"""Processes: levels, their derivatives and inverses; grids that fit."""

from typing import Any

import numpy as np
import pytest

from stochsim.diffusion import EDM, VE, VP, Flow, MeanReverting, PFGMpp, SubVP
from stochsim.errors import ParameterError
from stochsim.schedules import Constant, Cosine

PROCESSES = [
    VP(), VP(Cosine()), VP(Constant(5.0)), SubVP(), SubVP(Cosine()), VE(), EDM(), Flow(), Flow(3.0), Flow(0.4),
    MeanReverting(0.5, 2.0), PFGMpp(16.0),
]  # fmt: skip
STENCIL = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0.0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])  # order 8
every = pytest.mark.parametrize("process", PROCESSES, ids=repr)


def inner(process: Any) -> np.ndarray:
    return np.linspace(0.05, 0.9, 9) * process.t_end


def derivative(function: Any, t: np.ndarray) -> np.ndarray:
    h = 1e-2 * t
    return np.asarray((function(t[:, None] + h[:, None] * np.arange(-4, 5)) @ STENCIL) / h)


@every
def test_derivatives_are_those_of_the_levels(process: Any) -> None:
    t = inner(process)
    np.testing.assert_allclose(derivative(process.alpha, t), process.alpha_dot(t), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(derivative(process.sigma, t), process.sigma_dot(t), rtol=1e-9)


@every
def test_coefficients_of_the_equation_follow_from_the_levels(process: Any) -> None:
    t = inner(process)
    a, s = process.alpha(t), process.sigma(t)
    np.testing.assert_allclose(process.f(t), process.alpha_dot(t) / a, rtol=1e-13)
    np.testing.assert_allclose(process.g2(t), 2.0 * s * (process.sigma_dot(t) - process.f(t) * s), rtol=1e-11)
    np.testing.assert_allclose(process.lam(t), np.log(a / s), rtol=1e-11, atol=1e-12)


@every
def test_the_time_of_a_signal_to_noise_ratio_is_found_back(process: Any) -> None:
    t = np.concatenate([inner(process), [1e-3 * process.t_end]])
    np.testing.assert_allclose(process.t_of_lam(process.lam(t)), t, rtol=1e-11)


@every
def test_numbers_and_arrays_give_the_same(process: Any) -> None:
    t = 0.37 * process.t_end
    for name in ("alpha", "sigma", "lam", "alpha_dot", "sigma_dot", "f", "g2"):
        one, many = getattr(process, name)(t), getattr(process, name)(np.array([t]))
        assert np.shape(one) == ()
        assert one == pytest.approx(many[0], rel=1e-14)


@pytest.mark.parametrize("process", [VP(), SubVP(), EDM(), Flow(), Flow(2.0)], ids=repr)
def test_the_data_is_at_time_zero(process: Any) -> None:
    assert process.alpha(0.0) == 1.0
    assert process.sigma(0.0) == 0.0
    assert process.lam(0.0) == np.inf


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ([0.9, 0.5, 0.5, 0.1], r"repeats a time between places 1 and 2 \(0.5, 0.5\)"),
        ([0.9, 0.5, 0.6, 0.1], r"turns between places 1 and 2 \(0.5, 0.6\)"),
        ([0.1, 0.2, 0.15], "turns between places 1 and 2"),
        ([1.2, 0.5], r"outside of \[0, 1\], where VP is defined"),
        ([0.5, -0.1], r"outside of \[0, 1\]"),
        ([0.5], "give at least two times"),
        ([0.5, float("nan"), 0.1], "between places 0 and 1"),
    ],
)
def test_grids_that_cannot_be_walked_are_refused(grid: list[float], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        VP().check_grid(grid)
