"""Claims of `strong_order`: right verdicts for right schemes, flags for wrong ones, sentences for bad input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.orders.mutants import Mutant, mutants
from tests.problems import cubic, gbm, non_commuting, stratonovich_gbm, two_noises

S = ss.schemes


@pytest.mark.parametrize(
    ("sde", "scheme", "order", "width"),
    [
        (gbm(), S.euler_maruyama, 0.5, 0.02),
        (gbm(), S.milstein, 1.0, 0.02),
        (cubic(), S.platen, 1.0, 0.03),
        (stratonovich_gbm(), S.euler_heun, 1.0, 0.02),
        (two_noises(), S.milstein, 1.0, 0.02),
    ],
)
def test_declared_order_is_confirmed(sde: ss.SDE, scheme: Any, order: float, width: float) -> None:
    # false-alarm rate of a test: below 5 % by construction of the interval, the seed is fixed
    estimate = ss.strong_order(sde, scheme, seed=1)
    assert estimate.verdict == "confirmed", str(estimate)
    assert abs(estimate.order - order) <= estimate.half_width + 0.01
    assert estimate.half_width <= width


def planted(scheme: Any, sde: ss.SDE, name: str) -> Mutant:
    return next(m for m in mutants(scheme, sde) if m.name == name)


@pytest.mark.parametrize(
    ("scheme", "name", "verdict"),
    [
        (S.euler_maruyama, "noise x 0.99", "wrong limit"),
        (S.euler_maruyama, "drift x 1.01", "wrong limit"),
        (S.milstein, "other calculus", "wrong limit"),
        (S.milstein, "term 3 dropped", "lower than declared"),
        (S.milstein, "term 3 halved", "lower than declared"),
    ],
)
def test_planted_bugs_are_flagged(scheme: Any, name: str, verdict: str) -> None:
    sde = gbm()
    assert ss.strong_order(sde, planted(scheme, sde, name).scheme, n_paths=4096, seed=2).verdict == verdict


def test_an_equivalent_change_is_not_flagged() -> None:
    sde = gbm()
    changed = planted(S.milstein, sde, "drift at half a noise step ahead").scheme
    assert ss.strong_order(sde, changed, n_paths=4096, seed=2).verdict == "confirmed"


def test_the_exact_solution_as_a_solver_is_exact() -> None:
    def exact(x0: Any, t: Any, noise: Any, params: Any) -> Any:
        w = noise.dW.sum(axis=1)
        return x0 * np.exp((params.mu - params.sigma**2 / 2) * (t[-1] - t[0]) + params.sigma * w)

    assert ss.strong_order(gbm(), solver=exact, n_paths=256).verdict == "exact"


def test_moments_give_the_mean_square_order_to_four_digits() -> None:
    for scheme, order in ((S.euler_maruyama, 0.5), (S.milstein, 1.0)):
        assert abs(ss.strong_order(gbm(), scheme, method="moments").order - order) < 1e-3
    assert abs(ss.strong_order(non_commuting(), S.euler_maruyama, method="moments").order - 0.5) < 1e-2


def test_l2_and_sup_norms() -> None:
    l2 = ss.strong_order(gbm(sigma=0.5), S.milstein, norm="l2", n_paths=4096)
    sup = ss.strong_order(gbm(sigma=0.5), S.milstein, norm="sup", n_paths=2048)
    assert abs(l2.order - 1) < 0.05
    assert abs(sup.order - 1) < 0.1
    assert np.isfinite(l2.kurtosis)


def test_result_is_the_same_for_any_threads_and_executor() -> None:
    a = ss.strong_order(gbm(), S.milstein, n_paths=4096, threads=1, executor="arrays")
    b = ss.strong_order(gbm(), S.milstein, n_paths=4096, threads=2, executor="lanes")
    assert a.order == b.order
    assert np.array_equal(a.errors, b.errors)


SOLVER_MISTAKES = [
    (lambda x0, t, noise, p: x0[:, 0:1].T, "shape"),
    (lambda x0, t, noise, p: np.full_like(x0, np.nan), "NaN"),
    (lambda x0, t, noise, p: x0.astype(np.float32), "float32"),
    (lambda x0, t, noise, p: x0.astype(complex), "dtype"),
]


@pytest.mark.parametrize(("solver", "word"), SOLVER_MISTAKES, ids=[w for _, w in SOLVER_MISTAKES])
def test_a_wrong_answer_of_a_solver_gets_one_sentence(solver: Any, word: str) -> None:
    with pytest.raises(ss.errors.SolverError, match=word):
        ss.strong_order(gbm(), solver=solver, n_paths=64)


@pytest.mark.parametrize(("t0", "t_end"), [(0.0, 0.0), (1.0, 0.5), (0.0, np.nan), (0.0, np.inf), (np.nan, 1.0)])
@pytest.mark.parametrize("method", ["auto", "paths", "differences", "moments"])
def test_an_interval_without_length_is_refused(t0: float, t_end: float, method: str) -> None:
    with pytest.raises(ss.errors.ParameterError, match=r"give (t_end > t0|a finite number)"):
        ss.strong_order(gbm(), S.milstein, t0=t0, t_end=t_end, method=method)


def test_bad_requests_get_one_sentence() -> None:
    in_law = replace(gbm(), exact=None, transition=ss.Transition(lambda x, t, h, u, p: x, 1))
    for sentence, arguments in {
        "one of them": {},
        "method is": {"scheme": S.milstein, "method": "guess"},
        "norm is": {"scheme": S.milstein, "norm": "l7"},
        "no order": {"scheme": S.exact},
    }.items():
        with pytest.raises(ss.errors.ParameterError, match=sentence):
            ss.strong_order(gbm(), **arguments)  # type: ignore[arg-type]
    with pytest.raises(ss.errors.ModelError, match="in law only"):
        ss.strong_order(in_law, S.milstein)
    with pytest.raises(ss.errors.ModelError, match="affine"):
        ss.strong_order(cubic(), S.milstein, method="moments")
