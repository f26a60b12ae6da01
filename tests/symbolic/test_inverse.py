"""Inverses hold for states of both signs, or are not given."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stochsim.codegen.arrays import compile_arrays
from stochsim.symbolic import graph as g
from stochsim.symbolic.inverse import gives_back, invert
from stochsim.symbolic.tracing import Sym, as_node

x, p = Sym(g.var("x0")), Sym(g.var("p.k"))
INVERTIBLE: list[Callable[[Any], Any]] = [
    lambda x: p * x + 1,
    lambda x: 1 - x,
    lambda x: 2 / x,
    lambda x: x**3,
    lambda x: (x + 1) ** 5,
    lambda x: x**p,
    lambda x: 2.0**x,
    lambda x: np.log(x),
    lambda x: np.exp(0.1 * x),
    lambda x: np.sinh(np.arcsinh(x) + p),
    lambda x: np.sqrt(x),
    lambda x: np.tanh(x / 2),
    lambda x: np.arctan(x),
    lambda x: np.expm1(x),
    lambda x: np.log1p(x),
    lambda x: np.cbrt(x),
    lambda x: x / (1 + x),
    lambda x: x**3 + x,
]
NOT_INVERTIBLE: list[Callable[[Any], Any]] = [
    lambda x: x**2,
    lambda x: np.sin(x),
    lambda x: np.tan(x),
    lambda x: np.cosh(x),
    lambda x: x**3 - x,
    lambda x: x * np.exp(x),
    lambda x: np.abs(x),
    lambda x: np.maximum(x, 0),
]


@pytest.mark.parametrize("f", INVERTIBLE)
def test_an_invertible_formula_is_inverted(f: Callable[[Any], Any]) -> None:
    node = as_node(f(x))
    back = invert(node, "x0", {"p.k": 1.7})
    assert back is not None
    values = np.array([-3.3, -0.6, 0.45, 2.2])
    with np.errstate(all="ignore"):
        (image,) = compile_arrays((node,), ("x0", "p.k"))(values, 1.7)
        (got,) = compile_arrays((back,), ("target", "p.k"))(image, 1.7)
    defined = np.isfinite(image)
    assert defined.sum() >= 2
    np.testing.assert_allclose(got[defined], values[defined], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("f", NOT_INVERTIBLE)
def test_a_formula_that_folds_the_line_is_not_inverted(f: Callable[[Any], Any]) -> None:
    assert invert(as_node(f(x)), "x0", {}) is None


def test_a_wrong_inverse_is_recognised() -> None:
    # negative control: the square root gives back positive states only
    square, root = as_node(x**2), g.unary("sqrt", g.var("target"))
    assert not gives_back(root, square, "x0", {})
    assert gives_back(g.unary("log", g.var("target")), g.unary("exp", as_node(x)), "x0", {})


def test_an_inverse_needs_no_sympy_where_operations_can_be_undone() -> None:
    # accurate for states of both signs, unlike log(y + sqrt(1 + y^2))
    assert invert(g.unary("sinh", as_node(x)), "x0", {}) is g.unary("arcsinh", g.var("target"))
