"""Claimed solutions: right ones are proved, every wrong one is refuted, by name of what fails."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.errors import ModelError
from stochsim.symbolic.proofs import DIGITS_50, REFUTED, ROUNDING, SYMBOLIC, check_solution, prove_solution
from stochsim.symbolic.tracing import as_sym

GBM = {"params": {"mu": 0.05, "s": 0.2}, "x0": 1.0}


def gbm(exact: Callable[..., Any], **changes: Any) -> ss.SDE:
    return ss.SDE(lambda x, t, p: p.mu * x, lambda x, t, p: p.s * x, exact=exact, name="gbm", **(GBM | changes))


def tanh_exact(x0: Any, t: Any, W: Any, p: Any) -> Any:
    up = (1 + x0) * np.exp(-2 * p.a * t + 2 * p.b * W)
    return (up + x0 - 1) / (up + 1 - x0)


PROVED = {
    "geometric": (gbm(lambda x0, t, W, p: x0 * np.exp((p.mu - p.s**2 / 2) * t + p.s * W)), SYMBOLIC),
    "geometric, Stratonovich": (
        gbm(lambda x0, t, W, p: x0 * np.exp(p.mu * t + p.s * W), calculus="stratonovich"),
        SYMBOLIC,
    ),
    "constants written as decimals": (
        ss.SDE(
            lambda x, t, p: 0.05 * x,
            lambda x, t, p: 0.2 * x,
            exact=lambda x0, t, W, p: x0 * np.exp((0.05 - 0.5 * 0.2**2) * t + 0.2 * W),
        ),
        SYMBOLIC,
    ),
    "constants that are no fractions": (
        ss.SDE(
            lambda x, t, p: np.pi * x,
            lambda x, t, p: np.e * x,
            exact=lambda x0, t, W, p: x0 * np.exp((np.pi - np.e**2 / 2) * t + np.e * W),
        ),
        ROUNDING,
    ),
    "time-dependent": (
        ss.SDE(
            lambda x, t, p: p.b / np.sqrt(1 + t) - x / (2 * (1 + t)),
            lambda x, t, p: p.a * p.b / np.sqrt(1 + t),
            params={"a": 0.1, "b": 0.05},
            exact=lambda x0, t, W, p: (x0 + p.b * (t + p.a * W)) / np.sqrt(1 + t),
        ),
        SYMBOLIC,
    ),
    "tanh": (
        ss.SDE(
            lambda x, t, p: -(p.a + p.b**2 * x) * (1 - x**2),
            lambda x, t, p: p.b * (1 - x**2),
            params={"a": 0.5, "b": 0.3},
            x0=0.1,
            exact=tanh_exact,
        ),
        SYMBOLIC,
    ),
    "arctan, where only numbers decide": (
        ss.SDE(
            lambda x, t, p: -(p.a**2) * np.sin(x) * np.cos(x) ** 3,
            lambda x, t, p: p.a * np.cos(x) ** 2,
            params={"a": 0.1},
            x0=0.3,
            exact=lambda x0, t, W, p: np.arctan(p.a * W + np.tan(x0)),
        ),
        DIGITS_50,
    ),
    "cube": (
        ss.SDE(
            lambda x, t, p: np.cbrt(x) / 3 + 6 * np.cbrt(x) ** 2,
            lambda x, t, p: np.cbrt(x) ** 2,
            exact=lambda x0, t, W, p: (np.cbrt(x0) + 2 * t + W / 3) ** 3,
        ),
        SYMBOLIC,
    ),
    "two noises": (
        ss.SDE(
            lambda x, t, p: p.a * x,
            lambda x, t, p: [[p.b * x, p.c * x]],
            params={"a": 0.1, "b": 0.2, "c": 0.3},
            exact=lambda x0, t, W, p: x0 * np.exp((p.a - (p.b**2 + p.c**2) / 2) * t + p.b * W[0] + p.c * W[1]),
        ),
        SYMBOLIC,
    ),
    "rotation, Stratonovich": (
        ss.SDE(
            lambda x, t, p: [-p.w * x[1], p.w * x[0]],
            lambda x, t, p: [[-p.s * x[1]], [p.s * x[0]]],
            params={"w": 1.0, "s": 0.3},
            x0=[1.0, 0.0],
            calculus="stratonovich",
            exact=lambda x0, t, W, p: [
                np.cos(p.w * t + p.s * W) * x0[0] - np.sin(p.w * t + p.s * W) * x0[1],
                np.sin(p.w * t + p.s * W) * x0[0] + np.cos(p.w * t + p.s * W) * x0[1],
            ],
        ),
        SYMBOLIC,
    ),
}


@pytest.mark.parametrize("name", PROVED)
def test_a_right_claim_is_proved(name: str) -> None:
    sde, method = PROVED[name]
    proof = prove_solution(sde)
    assert proof, str(proof)
    assert proof.method == method
    assert proof.failure is None
    assert check_solution(sde) == proof
    assert f"is proved ({method})" in str(proof)


@pytest.mark.parametrize("name", PROVED)
@pytest.mark.parametrize(
    ("change", "identity"),
    [
        (lambda F: lambda x0, t, W, p: as_sym(F(x0, t, W, p)) + 0.001 * t, "drift identity"),
        (lambda F: lambda x0, t, W, p: F(x0, t, 1.001 * W, p), "identity"),
        (lambda F: lambda x0, t, W, p: F(x0, t, -W, p), "identity"),
        (lambda F: lambda x0, t, W, p: as_sym(F(x0, t, W, p)) * 1.001, "initial value"),
    ],
)
def test_a_claim_that_is_off_by_a_thousandth_is_refuted(
    name: str, change: Callable[[Callable[..., Any]], Callable[..., Any]], identity: str
) -> None:
    sde, _ = PROVED[name]
    assert sde.solution is not None
    proof = prove_solution(replace(sde, exact=change(sde.solution.readout)))
    assert not proof
    assert proof.method == REFUTED
    assert proof.failure is not None
    assert identity in proof.failure.statement
    assert proof.failure.residual > 1e-6


@pytest.mark.parametrize(
    ("exact", "statement"),
    [
        (
            lambda x0, t, W, p: x0 * np.exp(p.mu * t + p.s * W),
            r"drift identity F_t \+ 1/2 sum_j F_{w_j w_j} = a\(F, t\)",
        ),
        (lambda x0, t, W, p: x0 * np.exp((p.mu - p.s / 2) * t + p.s * W), "drift identity"),
        (lambda x0, t, W, p: x0 * np.exp((p.mu - p.s**2 / 2) * t + W), "drift identity"),
        (lambda x0, t, W, p: x0 + p.mu * x0 * t + p.s * x0 * W, "drift identity"),
        (lambda x0, t, W, p: np.exp((p.mu - p.s**2 / 2) * t + p.s * W), r"initial value F\(x0, 0, 0\) = x0"),
    ],
    ids=["no correction", "s for s squared", "sigma forgotten", "first order only", "start forgotten"],
)
def test_the_sentence_names_the_identity_and_a_point(exact: Callable[..., Any], statement: str) -> None:
    sentence = f"exact solution of gbm is wrong: the {statement} .*fails at x0=.* on the left, .* on the right; correct"
    with pytest.raises(ModelError, match=sentence):
        check_solution(gbm(exact))


def test_ito_and_stratonovich_are_told_apart() -> None:
    right, _ = PROVED["geometric"]
    assert not prove_solution(replace(right, calculus="stratonovich"))
    assert prove_solution(right.to_stratonovich())


def test_a_claim_that_holds_at_the_given_parameters_only_is_refuted() -> None:
    forgotten = ss.SDE(lambda x, t, p: 0.0, lambda x, t, p: p.s, params={"s": 1.0}, exact=lambda x0, t, W, p: x0 + W)
    proof = prove_solution(forgotten)
    assert not proof
    assert proof.failure is not None
    assert proof.failure.point["s"] != 1.0


def commuting(second: np.ndarray) -> ss.SDE:
    # exp of A W_1 + B W_2 through the common eigenvectors (1, 1) and (1, -1)
    def exact(x0: Any, t: Any, W: Any, p: Any) -> Any:
        plus = [p.A[0, 0] + p.A[0, 1], p.B[0, 0] + p.B[0, 1]]
        minus = [p.A[0, 0] - p.A[0, 1], p.B[0, 0] - p.B[0, 1]]
        u = (x0[0] + x0[1]) * np.exp(-(plus[0] ** 2 + plus[1] ** 2) / 2 * t + plus[0] * W[0] + plus[1] * W[1])
        v = (x0[0] - x0[1]) * np.exp(-(minus[0] ** 2 + minus[1] ** 2) / 2 * t + minus[0] * W[0] + minus[1] * W[1])
        return [(u + v) / 2, (u - v) / 2]

    return ss.SDE(
        lambda x, t, p: 0.0 * x,
        lambda x, t, p: np.stack([p.A @ x, p.B @ x], axis=1),
        params={"A": ss.fixed([[0.2, 0.1], [0.1, 0.2]]), "B": ss.fixed(second)},
        x0=[1.0, 2.0],
        exact=exact,
    )


def test_matrices_are_taken_as_given_where_the_claim_needs_it() -> None:
    proof = prove_solution(commuting(np.array([[0.3, -0.1], [-0.1, 0.3]])))
    assert proof
    assert not proof.for_all_arrays
    assert "for array parameters as given" in str(proof)
    assert not prove_solution(commuting(np.array([[0.3, -0.1], [-0.1, 0.301]])))  # no common eigenvectors


def test_array_parameters_are_variables_where_the_claim_allows_it() -> None:
    sde = ss.SDE(
        lambda x, t, p: 0.0 * x,
        lambda x, t, p: p.s * x,
        params={"s": ss.fixed([0.1, 0.2])},
        x0=[1.0, 2.0],
        exact=lambda x0, t, W, p: x0 * np.exp(-(p.s**2) / 2 * t + p.s * W),
    )
    proof = prove_solution(sde)
    assert (proof.method, proof.for_all_arrays) == (SYMBOLIC, True)


@pytest.mark.parametrize(
    ("sde", "sentence"),
    [
        (ss.SDE(lambda x, t, p: -x, lambda x, t, p: 1.0), "has no exact solution"),
        (gbm(lambda x0, t, W, p: [x0, x0]), r"exact returned shape \(2,\) for a state of 1"),
        (gbm(lambda x0, t, W, p: np.abs(x0 + W)), r"piecewise in \(t, W\) .* two continuous derivatives"),
        (gbm(lambda x0, t, W, p: np.where(W > 0, x0 + W, x0)), "piecewise"),
        (gbm(lambda x0, t, W, p: np.log(x0 * np.exp(W)), x0=-1.0), "not defined at enough of the 12 random points"),
        (
            ss.SDE(lambda x, t, p: -x, lambda x, t, p: x, x0=1.0, trace=False, exact=lambda x0, t, W, p: x0),
            "trace=False",
        ),
        (
            gbm(ss.Solution(readout=lambda x0, t, y, p: y[0], functionals=lambda y, t, h, n, p: y, n=1)),
            "an exact solution by path functionals",
        ),
    ],
)
def test_what_cannot_be_proved_says_so(sde: ss.SDE, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        prove_solution(sde)


def test_the_local_time_of_the_absolute_value_is_not_overlooked() -> None:
    # |W| has drift 0 and diffusion sign(W) almost everywhere, and yet solves no such SDE (Tanaka)
    sde = ss.SDE(
        lambda x, t, p: 0.0,
        lambda x, t, p: 1.0,
        x0=1.0,
        exact=lambda x0, t, W, p: np.where(x0 + W > 0, x0 + W, -x0 - W),
    )
    with pytest.raises(ModelError, match="piecewise"):
        prove_solution(sde)
