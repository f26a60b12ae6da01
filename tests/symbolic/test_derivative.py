"""Derivatives are exact: they agree with 50-digit differences for random formulas."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stochsim.errors import TraceError
from stochsim.symbolic import graph as g
from stochsim.symbolic.derivative import derivative
from stochsim.symbolic.graph import Node
from stochsim.symbolic.numbers import evaluate_at
from stochsim.symbolic.tracing import Sym, as_node

X, Y = g.var("x0"), g.var("x1")
SMOOTH = ("neg", "sqrt", "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "expm1", "log1p")
SMOOTH += ("arctan", "arcsinh")
STEP = mpmath.mpf(10) ** -16


def formulas() -> st.SearchStrategy[Node]:
    leaves = st.one_of(st.just(X), st.just(Y), st.floats(-3, 3).map(lambda v: g.const(round(v, 2))))

    def grow(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            st.tuples(st.sampled_from((*SMOOTH, "abs")), inner).map(lambda v: g.unary(*v)),
            st.tuples(st.sampled_from(("add", "sub", "mul", "div", "pow", "min", "max")), pair).map(
                lambda v: g.binary(v[0], *v[1])
            ),
            st.tuples(pair, pair).map(lambda v: g.where(g.compare("lt", *v[0]), *v[1])),
        )

    return st.recursive(leaves, grow, max_leaves=8)


def at(node: Node, x: Any, y: Any) -> Any:
    return evaluate_at([node], {"x0": x, "x1": y}, mpmath)[0][0]


@settings(max_examples=300, deadline=None)
@given(node=formulas(), x=st.integers(-20, 20), y=st.integers(1, 20))
def test_first_derivatives_agree_with_differences_in_50_digits(node: Node, x: int, y: int) -> None:
    (slope,) = derivative([node], X)
    with mpmath.workdps(50):
        u, v = x * mpmath.pi / 31, y * mpmath.e / 29  # where no condition of simple constants changes
        assume(u != 0)
        exact, here, ahead, behind = at(slope, u, v), at(node, u, v), at(node, u + STEP, v), at(node, u - STEP, v)
        central = (ahead - behind) / (2 * STEP)
        assume(all(q == q and abs(q) < 1e6 for q in (exact, here, ahead, behind)))
        # at a kink or a pole the two one-sided differences disagree: nothing to compare there
        assume(abs((ahead - here) - (here - behind)) <= 1e-8 * STEP * (1 + abs(central)))
        assert abs(exact - central) <= 1e-7 * (1 + abs(central))


@pytest.mark.parametrize("op", SMOOTH)
def test_every_rule_to_second_order(op: str) -> None:
    node = g.unary(op, g.mul(X, Y))
    (slope,) = derivative([node], X)
    (curvature,) = derivative([slope], X)
    with mpmath.workdps(50):
        u, v = mpmath.mpf("0.37"), mpmath.mpf("0.81")
        for formula, order in ((slope, 1), (curvature, 2)):
            expected = mpmath.diff(lambda s: at(node, s, v), u, order)
            assert abs(at(formula, u, v) - expected) < mpmath.mpf(10) ** -15


def test_the_comparison_sees_a_wrong_rule() -> None:
    # negative control: d tanh = 1 + tanh^2 in place of 1 - tanh^2
    node = g.unary("tanh", X)
    wrong = g.add(g.ONE, g.mul(node, node))
    with mpmath.workdps(50):
        u = mpmath.mpf("0.37")
        assert abs(at(wrong, u, u) - mpmath.diff(lambda s: at(node, s, s), u)) > 0.1


def test_shared_parts_are_differentiated_once() -> None:
    node = X
    for _ in range(60):
        node = g.add(g.unary("sin", node), g.unary("cos", node))
    (slope,) = derivative([node], X)
    assert sum(1 for _ in g.walk([slope])) < 60 * 8  # a tree would have 2^60 leaves


def test_an_intermediate_result_counts_as_a_variable() -> None:
    stage = g.unary("sin", X)
    node = g.mul(stage, g.mul(stage, X))
    (slope,) = derivative([node], stage)
    assert slope is g.add(g.mul(stage, X), g.mul(stage, X))


@pytest.mark.parametrize("root", [np.cbrt, np.arcsin, np.arctanh])
def test_composite_functions_have_second_derivatives(root: Any) -> None:
    (slope,) = derivative([as_node(root(Sym(X)))], X)
    (curvature,) = derivative([slope], X)
    functions: dict[Any, Callable[[Any], Any]] = {
        np.cbrt: lambda s: mpmath.sign(s) * abs(s) ** mpmath.mpf(1.0 / 3.0),
        np.arcsin: mpmath.asin,
        np.arctanh: mpmath.atanh,
    }
    with mpmath.workdps(50):
        for u in (mpmath.mpf("0.37"), mpmath.mpf("-0.62")):
            expected = mpmath.diff(functions[root], u, 2)
            assert abs(at(curvature, u, u) - expected) < 1e-14


@pytest.mark.parametrize(
    ("once", "sentence"),
    [
        (g.unary("abs", X), r"a derivative of sign\(\) .*kinked"),
        (g.unary("floor", X), r"a derivative of floor\(\)"),
        (g.binary("min", X, Y), "a second derivative of minimum or maximum"),
        (g.binary("max", g.mul(X, X), Y), "a second derivative of minimum or maximum"),
        (g.extern(len, (X,), 0), "a derivative of a function given with trace=False"),
    ],
)
def test_a_derivative_that_does_not_exist_is_refused(once: Node, sentence: str) -> None:
    with pytest.raises(TraceError, match=f"this needs {sentence}.*use a derivative-free scheme"):
        derivative(derivative([once], X), X)


def test_a_formula_free_of_the_variable_needs_no_rule() -> None:
    assert derivative([g.unary("floor", Y), g.extern(len, (Y,), 0), g.const(2.0)], X) == [g.ZERO] * 3


def test_functions_without_a_formula_have_formal_derivatives() -> None:
    f = g.function("b", (g.mul(X, X), Y))
    (slope,) = derivative([f], X)
    inner = g.function("b", (g.mul(X, X), Y), (1, 0))
    assert slope is g.mul(inner, g.add(X, X))
