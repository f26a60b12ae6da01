"""Implicit equations: Newton's method with the exact Jacobian, path by path."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.codegen.arrays import compile_arrays
from stochsim.errors import SchemeError, TraceError
from stochsim.symbolic import graph as g
from stochsim.symbolic.derivative import derivative
from stochsim.symbolic.implicit import eliminate, solve
from stochsim.symbolic.program import Program
from stochsim.symbolic.tracing import Sym, symbols


def run(solution: Sym, **inputs: Any) -> np.ndarray:
    with np.errstate(all="ignore"):
        values = compile_arrays(tuple(solution.flat()), tuple(inputs))(*(np.asarray(v) for v in inputs.values()))
    return np.array(values)


c = symbols("c_", ())


def test_a_scalar_equation_is_solved_to_rounding() -> None:
    y = solve(lambda y: y + y**3 - c, start=c)
    values = np.array([-30.0, -1.0, 0.0, 0.1, 2.0, 1e4])
    (got,) = run(y, c_0=values)
    np.testing.assert_allclose(got + got**3, values, rtol=1e-14, atol=1e-14)


def test_a_system_is_solved_to_rounding() -> None:
    rhs = symbols("r", (3,))

    def residual(y: Sym) -> Any:
        return y + 0.3 * np.stack([np.sin(y[1]), y[0] * y[2], np.tanh(y[0] + y[1])]) - rhs

    values = np.random.default_rng(1).normal(size=(3, 50))
    got = run(solve(residual, start=rhs), **{f"r{i}": v for i, v in enumerate(values)})
    back = got + 0.3 * np.stack([np.sin(got[1]), got[0] * got[2], np.tanh(got[0] + got[1])])
    np.testing.assert_allclose(back, values, rtol=1e-13, atol=1e-13)


def test_a_path_does_not_depend_on_its_neighbours() -> None:
    y = solve(lambda y: y + y**3 - c, start=c)
    values = np.array([0.3, 1e6, -2.0])
    together = run(y, c_0=values)[0]
    alone = [run(y, c_0=values[i : i + 1])[0, 0] for i in range(3)]
    assert together.tolist() == alone


def test_an_equation_without_a_solution_becomes_nan_on_its_path_alone() -> None:
    y = solve(lambda y: y**2 + c, start=1.0 + 0.3 * c)
    got = run(y, c_0=np.array([-4.0, 1.0, -9.0]))[0]
    assert np.isnan(got[1])
    np.testing.assert_allclose(got[[0, 2]], [-2.0, -3.0], rtol=1e-14)


def test_a_drift_implicit_step_satisfies_its_equation() -> None:
    sde = ss.SDE(lambda x, t, p: x - x**3, lambda x, t, p: p.s, params={"s": 0.5}, x0=1.0)
    formula = sde.formula()
    x, h, dW = formula.x, symbols("h", ()), symbols("dW", (1,))
    step = ss.schemes.drift_implicit_euler.step(formula, x, formula.t, h, {"dW": dW})
    start, noise = np.linspace(-2, 2, 9), np.linspace(-0.5, 0.5, 9)
    (y,) = run(step, x0=start, t=0.0, h0=0.1, dW0=noise, **{"p.s": 0.5})
    np.testing.assert_allclose(y - (y - y**3) * 0.1, start + 0.5 * noise, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_elimination_solves_linear_systems_near_the_identity(n: int) -> None:
    rng = np.random.default_rng(n)
    matrix, right = np.eye(n) + 0.1 * rng.normal(size=(n, n)), rng.normal(size=n)
    m, r = symbols("m", (n, n)), symbols("r", (n,))
    solution = Sym(np.array(eliminate(m.nodes, r.nodes), dtype=object))
    inputs = {node.value: v for node, v in zip([*m.flat(), *r.flat()], [*matrix.ravel(), *right], strict=True)}
    np.testing.assert_allclose(run(solution, **inputs), np.linalg.solve(matrix, right), rtol=1e-13)


def test_equal_equations_are_one_node() -> None:
    def equation() -> Sym:
        return solve(lambda y: y + c * y**3 - c, start=c)

    assert equation().flat() == equation().flat()


def test_a_solution_can_be_substituted_into() -> None:
    y = solve(lambda y: y + y**3 - c, start=c)
    (node,) = g.substitute(y.flat(), {"c_0": g.mul(g.const(2.0), g.var("x0"))})
    assert run(Sym(node), x0=np.array([1.0]))[0] == pytest.approx(1.0)
    assert Program((node,)).inputs == {"x0"}


@pytest.mark.parametrize(
    ("build", "error", "sentence"),
    [
        (lambda: solve(lambda y: [y, y], start=c), SchemeError, "2 equations were given for 1 unknowns"),
        (
            lambda: solve(lambda y: solve(lambda z: z - y, start=y) - c, start=c),
            SchemeError,
            "inside the equation of another",
        ),
        (lambda: solve(lambda y: np.floor(y) - c, start=c), TraceError, r"derivative of floor\(\)"),
    ],
)
def test_equations_that_cannot_be_solved_are_refused(
    build: Callable[[], Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        build()
    solve(lambda y: y - c, start=c)  # a refusal leaves nothing behind


def test_an_implicit_step_has_no_derivative() -> None:
    y = solve(lambda y: y + y**3 - c, start=c)
    with pytest.raises(TraceError, match="a derivative of an implicit step"):
        derivative(y.flat(), g.var("c_0"))
