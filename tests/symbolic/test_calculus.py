"""Itô's operators and the conversion between the calculi, against SymPy's own derivatives."""

from typing import Any

import numpy as np
import pytest
import sympy

import stochsim as ss
from stochsim.errors import SchemeError
from stochsim.formula import Formula
from stochsim.symbolic import graph as g
from stochsim.symbolic.calculus import diff, gradient
from stochsim.symbolic.numbers import is_zero
from stochsim.symbolic.to_sympy import to_sympy
from stochsim.symbolic.tracing import Sym, symbols

HESTON = ss.SDE(
    drift=lambda x, t, p: [p.mu * x[0], p.kappa * (p.theta - x[1])],
    diffusion=lambda x, t, p: [
        [np.sqrt(x[1]) * x[0], 0.0],
        [p.rho * p.xi * np.sqrt(x[1]), p.xi * np.sqrt((1 - p.rho**2) * x[1])],
    ],
    params={"mu": 0.05, "kappa": 1.5, "theta": 0.04, "xi": 0.3, "rho": -0.6},
    x0=[1.0, 0.04],
)
SEVERAL = {
    "gbm": ss.SDE(lambda x, t, p: p.mu * x, lambda x, t, p: p.s * x, params={"mu": 0.1, "s": 0.3}),
    "time": ss.SDE(lambda x, t, p: np.sin(t) * x, lambda x, t, p: np.exp(-t) * np.sqrt(1 + x**2), x0=0.3),
    "flat": ss.SDE(lambda x, t, p: [x[1], -x[0]], lambda x, t, p: np.stack([x[0] * x[1], np.cos(x[1])]), x0=[1.0, 2.0]),
    "wide": ss.SDE(lambda x, t, p: x**3, lambda x, t, p: [[x, 1 + x**2, t * np.sin(x)]], x0=0.7),
    "heston": HESTON,
}
FUNCTIONS = [
    lambda x, t: x[0] ** 3,
    lambda x, t: np.exp(-t) * np.sin(x[0]) * x[-1],
    lambda x, t: np.stack([x[0] * x[-1], np.log(1 + x[0] ** 2)]),
]


def sympy_view(formula: Formula) -> tuple[list[Any], Any, list[Any], sympy.Matrix]:
    x = [sympy.Symbol(f"x{i}", real=True) for i in range(formula.d)]
    t = sympy.Symbol("t", real=True)
    a = to_sympy(formula.a.flat(), {}, exact=True)
    b = sympy.Matrix(formula.d, formula.m, to_sympy(formula.b.matrix.flat(), {}, exact=True))
    return x, t, a, b


def equal(ours: Sym, expected: list[Any], formula: Formula) -> None:
    """Equal at random points to 12 digits (SymPy's evaluation is independent of ours)."""
    rng = np.random.default_rng(0)
    mine = to_sympy(ours.flat(), {}, exact=True)
    for _ in range(4):
        names = {s for e in [*mine, *expected] for s in sympy.sympify(e).free_symbols}
        point = {s: rng.uniform(0.1, 0.9) for s in sorted(names, key=str)}
        for u, v in zip(mine, expected, strict=True):
            assert complex(sympy.N(u.subs(point))) == pytest.approx(
                complex(sympy.N(sympy.sympify(v).subs(point))), rel=1e-12
            )


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("f", FUNCTIONS)
def test_the_operators_are_those_of_itos_formula(name: str, f: Any) -> None:
    formula = SEVERAL[name].formula()
    x, t, a, b = sympy_view(formula)
    value = f(formula.x, formula.t)
    expected = to_sympy(value.flat(), {}, exact=True)
    for j in range(formula.m):
        slopes = [sum(b[i, j] * sympy.diff(e, x[i]) for i in range(formula.d)) for e in expected]
        equal(formula.L(j, value), slopes, formula)
    second = b * b.T
    generator = [
        sympy.diff(e, t)
        + sum(a[i] * sympy.diff(e, x[i]) for i in range(formula.d))
        + sum(second[i, k] * sympy.diff(e, x[i], x[k]) for i in range(formula.d) for k in range(formula.d)) / 2
        for e in expected
    ]
    equal(formula.L0(value), generator, formula)


def test_l0_of_a_stratonovich_equation_has_no_second_derivatives() -> None:
    sde = SEVERAL["gbm"].to_stratonovich()
    formula = sde.formula()
    value = formula.x[0] ** 2
    assert is_zero((formula.L0(value) - 2 * formula.x[0] * formula.a[0]).flat(), formula.points)


@pytest.mark.parametrize("name", SEVERAL)
def test_the_stratonovich_drift_is_the_ito_drift_less_half_b_grad_b(name: str) -> None:
    sde = SEVERAL[name]
    x, _, a, b = sympy_view(sde.formula())
    d, m = b.shape
    expected = [
        a[i] - sum(b[k, j] * sympy.diff(b[i, j], x[k]) for j in range(m) for k in range(d)) / 2 for i in range(d)
    ]
    equal(sde.to_stratonovich().formula().a, expected, sde.formula())
    equal(sde.formula().converted("stratonovich").a, expected, sde.formula())


@pytest.mark.parametrize("name", SEVERAL)
def test_converting_there_and_back_changes_nothing(name: str) -> None:
    sde = SEVERAL[name]
    there = sde.to_stratonovich()
    back = there.to_ito()
    assert (there.calculus, back.calculus) == ("stratonovich", "ito")
    for first, second in ((sde.formula(), back.formula()), (sde.formula(), there.formula().converted("ito"))):
        assert is_zero((second.a - first.a).flat(), first.points)
        assert first.b.flat() == second.b.flat()


def test_the_conversion_test_sees_a_wrong_sign() -> None:
    sde = SEVERAL["gbm"]
    formula = sde.formula()
    wrong = formula.a + (formula.a - sde.to_stratonovich().formula().a)  # negative control
    assert not is_zero((wrong - sde.to_stratonovich().formula().a).flat(), formula.points)


def test_additive_noise_needs_no_conversion() -> None:
    sde = ss.SDE(lambda x, t, p: -x, lambda x, t, p: 1 + t, x0=0.3)
    assert sde.to_stratonovich().formula().a.flat() == sde.formula().a.flat()
    assert sde.to_ito() is sde


def test_diff_is_componentwise_and_gradient_is_the_jacobian() -> None:
    x = symbols("x", (2,))
    f = np.stack([x[0] * x[1], np.sin(x[1])])
    assert diff(f, x).flat() == [x.nodes[1], g.unary("cos", x.nodes[1])]
    jacobian = gradient(f, x)
    assert jacobian.shape == (2, 2)
    assert jacobian.flat() == [x.nodes[1], x.nodes[0], g.ZERO, g.unary("cos", x.nodes[1])]
    with pytest.raises(SchemeError, match=r"diff of shape \(2, 2\) by shape \(2,\): use gradient"):
        diff(jacobian, x)
