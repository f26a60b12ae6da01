"""Graphs: equal expressions are one object, and no rounding changes."""

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stochsim.codegen.arrays import compile_arrays
from stochsim.symbolic import graph as g

x, y = g.var("x0"), g.var("x1")
finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


def value(node: g.Node, **inputs: float) -> float:
    with np.errstate(all="ignore"):
        return float(compile_arrays((node,), tuple(inputs))(*(np.float64(v) for v in inputs.values()))[0])


def test_equal_expressions_are_one_object() -> None:
    assert g.add(x, y) is g.add(x, y)
    assert g.mul(g.unary("exp", x), y) is g.mul(g.unary("exp", x), y)
    assert g.add(x, y) is not g.add(y, x)  # written order is kept: kernel texts depend on the formula alone
    assert g.const(0.0) is not g.const(-0.0)
    assert g.const(float("nan")) is g.const(float("nan"))


def test_unused_nodes_are_forgotten() -> None:
    gc.collect()
    table = len(g._TABLE)
    node = g.add(g.var("only here"), x)
    assert len(g._TABLE) == table + 2
    del node
    gc.collect()
    assert len(g._TABLE) == table


def test_a_large_number_added_and_taken_away_is_kept() -> None:
    big = g.const(1e16)
    node = g.sub(g.add(big, x), big)
    assert node is not x
    assert value(node, x0=1.0) == (1e16 + 1.0) - 1e16 == 0.0


@given(a=finite, b=finite, c=finite)
def test_sums_and_products_keep_the_order_of_the_formula(a: float, b: float, c: float) -> None:
    ca, cb = g.const(a), g.const(b)
    u, v, w = np.float64(a), np.float64(b), np.float64(c)
    with np.errstate(all="ignore"):
        for node, expected in (
            (g.add(g.add(ca, x), cb), (u + w) + v),
            (g.add(ca, g.add(x, cb)), u + (w + v)),
            (g.mul(ca, g.sub(x, cb)), u * (w - v) if a else 0.0),  # 0 * e is 0 by construction
            (g.sub(g.mul(ca, x), g.mul(ca, cb)), (u * w if a else 0.0) - (u * v if a and b else 0.0)),
        ):
            np.testing.assert_array_equal(value(node, x0=c), expected)


def test_only_neutral_elements_are_dropped() -> None:
    assert g.add(x, g.ZERO) is x
    assert g.mul(g.ONE, x) is x
    assert g.mul(x, g.ZERO) is g.ZERO
    assert g.sub(x, x) is g.ZERO
    assert g.unary("neg", g.unary("neg", x)) is x
    assert g.div(x, x).op == "div"  # x / x is nan at 0


def test_functions_of_constants_wait_for_run_time() -> None:
    # math.exp and the library's own exp may differ in the last bit
    assert g.unary("exp", g.ONE).op == "exp"
    assert g.unary("sqrt", g.const(2.0)).is_const  # correctly rounded everywhere
    assert g.div(g.ONE, g.ZERO).op == "div"


@pytest.mark.parametrize(("exponent", "expected"), [(2.0, 1.7**2), (-3.0, 1 / (1.7 * (1.7 * 1.7))), (0.5, 1.7**0.5)])
def test_simple_powers_are_products_and_roots(exponent: float, expected: float) -> None:
    node = g.power(x, g.const(exponent))
    assert "pow" not in {n.op for n in g.walk([node])}
    assert value(node, x0=1.7) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("exponent", [float("inf"), float("nan"), 1e300, 65.0, 0.3])
def test_other_powers_are_left_to_run_time(exponent: float) -> None:
    assert g.power(x, g.const(exponent)).op == "pow"


def test_conditions_of_constants_are_decided() -> None:
    assert g.where(g.compare("lt", g.ONE, g.ZERO), x, y) is y
    below = g.compare("lt", x, g.ZERO)
    assert g.logical("and", g.const(1.0), below) is below
    assert g.logical("and", below, g.const(0.0)) is g.ZERO
    assert g.logical("or", below, g.const(1.0)) is g.ONE
    assert g.logical("not", g.const(0.0)) is g.ONE


def test_a_number_in_a_condition_is_true_unless_zero() -> None:
    node = g.where(g.logical("and", x, y), g.const(2.0), g.const(3.0))
    assert [value(node, x0=a, x1=b) for a, b in ((1.0, -2.0), (0.0, 1.0))] == [2.0, 3.0]


def test_substitution_folds_and_shares() -> None:
    node = g.add(g.mul(x, y), g.unary("exp", g.mul(x, y)))
    (result,) = g.substitute([node], {"x0": g.ONE})
    assert result is g.add(y, g.unary("exp", y))
    assert g.substitute([g.where(g.compare("lt", x, y), x, y)], {"x0": g.ZERO, "x1": g.ONE}) == [g.ZERO]


def test_substitution_is_simultaneous() -> None:
    assert g.substitute([g.sub(x, y)], {"x0": y, "x1": x}) == [g.sub(y, x)]


def test_a_long_chain_needs_no_recursion() -> None:
    node = x
    for _ in range(20_000):
        node = g.add(node, y)
    assert sum(1 for _ in g.walk([node])) == 20_002
    assert g.variables([node]) == {"x0", "x1"}
