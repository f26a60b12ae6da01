"""Graphs as SymPy expressions and back: the same values, real symbols, readable names."""

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stochsim.errors import TraceError
from stochsim.symbolic import graph as g
from stochsim.symbolic.from_sympy import from_sympy, simplified
from stochsim.symbolic.graph import Node
from stochsim.symbolic.numbers import evaluate_at
from stochsim.symbolic.to_sympy import Label, parameter_labels, state_labels, symbol, to_sympy
from stochsim.symbolic.tracing import Sym, as_node

x, y = g.var("x0"), g.var("x1")
X, Y = (sympy.Symbol(name, real=True) for name in ("x0", "x1"))


def formulas() -> st.SearchStrategy[Node]:
    leaves = st.one_of(st.just(x), st.just(y), st.integers(-3, 3).map(lambda v: g.const(float(v))))

    def grow(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            st.tuples(st.sampled_from(sorted(g.UNARY)), inner).map(lambda v: g.unary(*v)),
            st.tuples(st.sampled_from(("add", "sub", "mul", "div")), pair).map(lambda v: g.binary(v[0], *v[1])),
            st.tuples(st.sampled_from(("lt", "ge", "eq")), pair, pair).map(
                lambda v: g.where(g.compare(v[0], *v[1]), *v[2])
            ),
        )

    return st.recursive(leaves, grow, max_leaves=6)


def both(node: Node, u: float, v: float) -> tuple[complex, complex]:
    """The value of a graph and of its SymPy expression at a point, in 30 digits."""
    (expression,) = to_sympy([node], {}, exact=True)
    with mpmath.workdps(30):
        (ours,), _ = evaluate_at([node], {"x0": mpmath.mpf(u), "x1": mpmath.mpf(v)}, mpmath)
        theirs = sympy.N(sympy.sympify(expression).subs({X: sympy.Rational(u), Y: sympy.Rational(v)}), 30)
        return complex(ours), complex(theirs) if theirs.is_number and theirs.is_finite else complex("nan")


@settings(max_examples=150, deadline=None)
@given(node=formulas(), u=st.sampled_from([-1.375, -0.625, 0.375, 1.625]), v=st.sampled_from([0.25, 0.875, 2.125]))
def test_the_expression_has_the_value_of_the_graph(node: Node, u: float, v: float) -> None:
    try:
        ours, theirs = both(node, u, v)
    except TypeError as error:  # a condition that compares x / 0, or a root of a negative number
        assume("Invalid comparison of" not in str(error) and "not determined" not in str(error))
        raise
    if ours == ours and theirs == theirs:  # SymPy may cancel a part that is undefined at the point
        assert theirs == pytest.approx(ours, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    "node",
    [
        g.binary("min", g.mul(x, y), g.binary("max", x, g.const(0.3))),
        g.mul(g.compare("gt", x, g.ZERO), y),  # a condition used as a number
        g.where(x, y, g.ONE),  # a number used as a condition
        g.where(g.logical("not", g.logical("or", g.compare("gt", x, y), g.compare("lt", x, g.ZERO))), x, y),
        as_node(np.cbrt(Sym(x))),
        g.where(g.compare("lt", x, g.ZERO), g.const(-1.0), g.ONE),
        g.power(g.unary("abs", x), g.const(2 / 3)),
    ],
)
@pytest.mark.parametrize("point", [(-1.5, 0.25), (0.5, 2.0)])
def test_conditions_roots_and_signs_keep_their_values(node: Node, point: tuple[float, float]) -> None:
    ours, theirs = both(node, *point)
    assert theirs == pytest.approx(ours, rel=1e-12)


def test_no_symbol_is_assumed_positive() -> None:
    (root,) = to_sympy([g.unary("sqrt", g.mul(x, x))], {})
    assert root == sympy.Abs(X)
    assert X.is_positive is None


@pytest.mark.parametrize(
    ("value", "shown", "meant"),
    [
        (0.5, sympy.Rational(1, 2), sympy.Rational(1, 2)),
        (1 / 3, sympy.Rational(1, 3), sympy.Rational(1, 3)),
        (1 / 3 - 1, sympy.Float(1 / 3 - 1), sympy.Rational(-2, 3)),
        (0.05, sympy.Float(0.05), sympy.Rational(1, 20)),
        (1e16, sympy.Integer(10**16), sympy.Integer(10**16)),
        (np.pi, sympy.Float(np.pi), sympy.Float(np.pi)),
        (float("inf"), sympy.oo, sympy.oo),
    ],
)
def test_constants_are_shown_as_written_and_meant_as_fractions(
    value: float, shown: sympy.Expr, meant: sympy.Expr
) -> None:
    node = g.const(value)
    assert to_sympy([node], {}) == [shown]
    assert to_sympy([node], {}, exact=True) == [meant]


def test_names_are_readable() -> None:
    assert state_labels(1) == {"x0": Label("x")}
    assert [v.text for v in state_labels(2).values()] == ["x_1", "x_2"]
    assert [v.text for v in state_labels(2, ["S", "v"]).values()] == ["S", "v"]
    labels = parameter_labels({"sigma": (), "A": (2, 2), "x": (), "t": (2,)}, taken={"x", "t"})
    assert labels["p.sigma"].text == "sigma"
    assert labels["p.A0_1"].text == "A_1_2"
    assert sympy.latex(symbol(labels["p.A0_1"])) == "A_{1 2}"
    assert (labels["p.x"].text, labels["p.t1"].text) == ("p.x", "p.t_2")  # not the state, not the time


@pytest.mark.parametrize("node", [g.extern(len, (x,), 0), g.solved(object(), (x,), 0)])
def test_a_part_without_a_formula_is_refused_unless_named(node: Node) -> None:
    with pytest.raises(TraceError, match="formula"):
        to_sympy([g.add(x, node)], {})
    name = sympy.Symbol("Y", real=True)
    assert to_sympy([g.add(x, node)], {}, {node.serial: name}) == [X + name]


# --- and back ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        X**2 * Y / (1 + X**2) - 3,
        sympy.exp(-X) * sympy.sin(Y) + sympy.pi * sympy.sqrt(2),
        sympy.Rational(2, 3) * sympy.Abs(X) + sympy.sign(Y),
        sympy.atan(X) + sympy.asinh(Y) + sympy.tanh(X),
        sympy.asin(X) + sympy.acos(Y) + sympy.atanh(X),
    ],
)
def test_an_expression_comes_back_with_its_values(expression: sympy.Expr) -> None:
    node = from_sympy(expression, {"x0": x, "x1": y})
    point = {"x0": -0.375, "x1": 0.625}
    (ours,), _ = evaluate_at([node], point)
    assert ours == pytest.approx(float(expression.subs({X: point["x0"], Y: point["x1"]})), rel=1e-14)


@pytest.mark.parametrize("exponent", [sympy.Rational(1, 3), sympy.Rational(2, 3), sympy.Rational(-1, 5)])
def test_odd_roots_are_real(exponent: sympy.Rational) -> None:
    node = from_sympy(X**exponent, {"x0": x})
    for u in (-1.7, 1.7):
        (value,), _ = evaluate_at([node], {"x0": u})
        assert value == pytest.approx(np.sign(u) ** exponent.p * abs(u) ** float(exponent), rel=1e-14)


@pytest.mark.parametrize("expression", [sympy.LambertW(X), sympy.gamma(X), sympy.I * X, sympy.zoo + 0 * X])
def test_what_graphs_cannot_say_is_refused(expression: sympy.Expr) -> None:
    with pytest.raises(TraceError, match=r"SymPy|not a real number"):
        from_sympy(expression, {"x0": x})


def test_only_equal_and_shorter_forms_replace_a_formula() -> None:
    points = [{"x0": u, "x1": u + 0.3} for u in (-0.7, 0.2, 1.9)]
    sine, cosine = g.unary("sin", x), g.unary("cos", x)
    long = g.add(g.mul(sine, sine), g.mul(cosine, cosine))
    assert simplified([long], points, 100) == [g.ONE]
    assert simplified([long], points, 1) == [long]  # too long to be tried
    kept = g.unary("exp", x)
    assert simplified([kept], points, 100) == [kept]
