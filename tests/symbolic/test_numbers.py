"""Identity tests: zero is recognised to 38 digits, and nothing else is."""

import math

import mpmath
import numpy as np
import pytest

from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node
from stochsim.symbolic.numbers import DATA_TOLERANCE, HARD_TOLERANCE, evaluate_at, is_zero, tolerance
from stochsim.symbolic.structure import sample_points
from stochsim.symbolic.tracing import Sym, as_node

X = Sym(g.var("x0"))
POINTS = sample_points([1.0], {})


def node(value: object) -> Node:
    return as_node(value)


def sin2_cos2(factor: float) -> Node:
    return node(np.sin(X) ** 2 + np.cos(X) ** 2 - factor)


def test_an_identity_that_is_no_zero_by_construction_is_recognised() -> None:
    assert is_zero([sin2_cos2(1.0)], POINTS)


@pytest.mark.parametrize("off", [2.0**-10, 2.0**-20])
def test_an_identity_off_by_a_little_is_not_zero(off: float) -> None:
    assert not is_zero([sin2_cos2(1.0 + off)], POINTS)  # negative control


def test_one_part_in_2_to_the_100_is_seen_where_constants_are_exact() -> None:
    tiny = g.mul(g.const(2.0**-100), node(X))  # 2^-100 is not a multiple of 2^-20: held to 13 digits only
    assert tolerance([tiny]) == DATA_TOLERANCE
    power = node(X)
    for _ in range(100):
        power = g.div(power, g.const(2.0))
    assert tolerance([power]) == HARD_TOLERANCE
    assert not is_zero([g.add(sin2_cos2(1.0), power)], POINTS)


def test_constants_known_to_rounding_are_compared_to_rounding() -> None:
    x = node(X)
    rounding = g.sub(g.mul(g.const(0.1 * 3), x), g.mul(g.const(0.3), x))  # 0.1 * 3 is not 0.3 in binary
    assert 0.1 * 3 != 0.3
    assert is_zero([rounding], POINTS)
    assert not is_zero([g.sub(g.mul(g.const(0.3 + 1e-12), x), g.mul(g.const(0.3), x))], POINTS)


def test_the_pieces_of_a_formula_are_tried_where_others_hold_at_the_points() -> None:
    below = g.compare("lt", node(X), g.const(100.0))  # true at every point
    assert not is_zero([g.where(below, g.ZERO, node(X))], POINTS)
    assert is_zero([g.where(below, g.ZERO, node(X))], POINTS, every_piece=False)
    assert not is_zero([g.add(node(X), g.unary("neg", g.unary("abs", node(X))))], POINTS)


def test_a_piece_that_is_defined_nowhere_is_not_taken_for_zero() -> None:
    below = g.compare("lt", node(X), g.const(100.0))
    assert not is_zero([g.where(below, g.ZERO, g.unary("sqrt", g.sub(node(X), g.const(100.0))))], POINTS)


def test_conditions_on_parameters_alone_are_decided_by_their_values() -> None:
    p = g.var("p.k")
    series = g.where(g.compare("lt", g.unary("abs", p), g.const(0.5)), node(X), g.ZERO)
    assert is_zero([series], [{"x0": 1.3, "p.k": 2.0}])


def test_many_conditions_are_sampled() -> None:
    total = node(0.0)
    for k in range(7):
        total = g.add(total, g.unary("abs", g.sub(node(X), g.const(float(k)))))
    assert not is_zero([total], POINTS)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (g.unary("sqrt", node(-X)), "nan"),
        (g.unary("log", node(-X)), "nan"),
        (g.power(node(-X), g.const(0.3)), "nan"),
        (g.binary("min", node(X), g.unary("log", node(-X))), "nan"),
        (g.div(node(X), g.sub(node(X), g.const(2.0))), "nan"),
        (g.unary("sign", node(-X)), -1.0),
        (g.unary("floor", node(-X)), -2.0),
        (g.logical("and", g.compare("gt", node(X), g.ZERO), g.compare("lt", node(X), g.const(3.0))), 1.0),
    ],
)
@pytest.mark.parametrize("library", ["math", "mpmath"])
def test_points_outside_the_real_domain_give_nan(expression: Node, expected: object, library: str) -> None:
    module = math if library == "math" else mpmath
    point = {"x0": 2.0 if library == "math" else mpmath.mpf(2)}
    (value,), _ = evaluate_at([expression], point, module)
    assert value != value if expected == "nan" else value == expected
