"""Claims of `weak_order`: noise-free where possible, Monte Carlo elsewhere, several functionals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.orders.mutants import mutants
from tests.problems import bounded, gbm, non_commuting, rotation, stratonovich_gbm

S = ss.schemes


@pytest.mark.parametrize("scheme", [S.euler_maruyama, S.milstein, S.platen, S.tamed_euler, S.drift_implicit_euler])
def test_weak_order_one_without_noise_on_a_nonlinear_problem(scheme: Any) -> None:
    estimate = ss.weak_order(bounded(), scheme)
    assert estimate.method == "quadrature"
    assert estimate.verdict == "confirmed", str(estimate)


def test_linear_problems_use_exact_moments() -> None:
    estimate = ss.weak_order(gbm(), S.milstein, lambda x: x**2)
    assert estimate.method == "moments"
    assert abs(estimate.order - 1) < 1e-4
    assert ss.weak_order(non_commuting(), S.euler_maruyama).verdict == "confirmed"
    assert ss.weak_order(stratonovich_gbm(), S.euler_heun).verdict == "confirmed"


def test_a_scheme_that_is_not_affine_on_a_linear_problem_falls_back() -> None:
    # taming makes the step of a linear equation nonlinear, so its moments do not close
    one = ss.weak_order(gbm(), S.tamed_euler)
    assert (one.method, one.verdict) == ("quadrature", "confirmed"), str(one)
    assert abs(one.order - 1.0) < 0.02
    with pytest.raises(ss.errors.SchemeError, match="affine"):
        ss.weak_order(gbm(), S.tamed_euler, method="moments")
    three = ss.SDE(lambda x, t, p: -x, lambda x, t, p: [0.5, 0.4, 0.3], x0=[1.0, 2.0, 3.0], name="three")
    many = ss.weak_order(three, S.tamed_euler, lambda x: x[0], n_paths=2000)
    assert many.method == "monte carlo"


def test_moments_hold_over_any_interval_of_the_same_length() -> None:
    late, early = (ss.weak_order(gbm(), S.milstein, t0=a, t_end=a + 0.5) for a in (2.0, 0.0))
    assert late.method == early.method == "moments"
    assert np.array_equal(late.errors, early.errors)
    assert not np.array_equal(late.errors, ss.weak_order(gbm(), S.milstein, t_end=2.5).errors)


@pytest.mark.parametrize(("t0", "t_end"), [(0.0, 0.0), (1.0, 0.5), (0.0, np.nan), (0.0, np.inf), (np.nan, 1.0)])
@pytest.mark.parametrize("method", ["auto", "moments", "quadrature", "monte_carlo"])
def test_an_interval_without_length_is_refused(t0: float, t_end: float, method: str) -> None:
    with pytest.raises(ss.errors.ParameterError, match=r"give (t_end > t0|a finite number)"):
        ss.weak_order(gbm(), S.milstein, t0=t0, t_end=t_end, method=method)


def test_two_dimensions_by_quadrature() -> None:
    estimate = ss.weak_order(rotation(), S.euler_maruyama)
    assert estimate.method == "quadrature"
    assert abs(estimate.order - 1) < 0.05


def test_a_wrong_limit_is_seen_without_noise() -> None:
    for sde in (gbm(), bounded()):
        wrong = next(m for m in mutants(S.euler_maruyama, sde) if m.name == "noise x 0.99").scheme
        assert ss.weak_order(sde, wrong).verdict == "wrong limit"


def test_monte_carlo_with_the_exact_solution_as_control() -> None:
    estimate = ss.weak_order(gbm(), S.euler_maruyama, lambda x: x**2, method="monte_carlo", n_paths=40_000)
    assert estimate.method == "monte carlo"
    assert abs(estimate.order - 1) < max(0.1, 1.5 * estimate.half_width)


def test_a_sampler_with_its_own_noise() -> None:
    def sampler(x0: Any, t: Any, rng: Any, params: Any) -> Any:
        x = x0.copy()
        for h in np.diff(t):
            x = x + params.mu * x * h + params.sigma * x * np.sqrt(h) * rng.standard_normal(x.shape)
        return x

    estimate = ss.weak_order(gbm(mu=1.5, sigma=0.1), sampler=sampler, n_paths=20_000)
    assert estimate.n_paths == 20_000
    assert estimate.verdict in ("measured", "inconclusive", "pre-asymptotic")
    with pytest.raises(ss.errors.SolverError, match="sampler"):
        ss.weak_order(gbm(), sampler=lambda x0, t, rng, p: x0[:3], n_paths=1000)


def test_bad_requests_get_one_sentence() -> None:
    with pytest.raises(ss.errors.ParameterError, match="one of them"):
        ss.weak_order(gbm())
    with pytest.raises(ss.errors.ParameterError, match="method is"):
        ss.weak_order(gbm(), S.milstein, method="guess")
    with pytest.raises(ss.errors.ModelError, match="degree 2"):
        ss.weak_order(gbm(), S.milstein, lambda x: x**3, method="moments")
