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
