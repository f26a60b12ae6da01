"""What is shown is the model and the scheme that run."""

from typing import Any

import numpy as np
import pytest
import sympy

import stochsim as ss
from stochsim.codegen.arrays import compile_arrays
from stochsim.errors import ModelError, TraceError
from stochsim.symbolic import display, scheme_display
from stochsim.symbolic import graph as g
from stochsim.symbolic.tracing import Sym

GBM = ss.SDE(lambda x, t, p: p.mu * x, lambda x, t, p: p.sigma * x, params={"mu": 0.05, "sigma": 0.2})
HESTON = ss.SDE(
    drift=lambda x, t, p: [p.mu * x[0], p.kappa * (p.theta - x[1])],
    diffusion=lambda x, t, p: [np.sqrt(x[1]) * x[0], p.xi * np.sqrt(x[1])],
    params={"mu": 0.05, "kappa": 1.5, "theta": 0.04, "xi": 0.3},
    x0=[1.0, 0.04],
    components=["S", "v"],
)
LINEAR = ss.SDE(
    drift=lambda x, t, p: p.A @ x,
    diffusion=lambda x, t, p: np.stack([p.B @ x, np.array([0.0, 0.3])], axis=1),
    params={"A": ss.fixed(np.eye(2)), "B": ss.fixed(np.eye(2))},
    x0=[1.0, 2.0],
)
UNTRACED = ss.SDE(lambda x, t, p: np.interp(x, [0, 1], [1, 2]), lambda x, t, p: x, x0=1.0, trace=False)


def test_the_equation_as_latex() -> None:
    assert GBM.latex() == r"\mathrm{d}x = \mu x\,\mathrm{d}t + \sigma x\,\mathrm{d}W"
    assert HESTON.latex().splitlines()[1:3] == [
        r"\mathrm{d}S &= \mu S\,\mathrm{d}t + S \sqrt{v}\,\mathrm{d}W_{1} \\",
        r"\mathrm{d}v &= \kappa \left(\theta - v\right)\,\mathrm{d}t + \xi \sqrt{v}\,\mathrm{d}W_{2}",
    ]
    assert r"A_{1 1} x_{1} + A_{1 2} x_{2}" in LINEAR.latex()
    assert LINEAR.latex().count(r"\mathrm{d}W_{2}") == 1  # no zero terms


def test_the_equation_as_text() -> None:
    assert display.sde_text(GBM.formula()) == "dx = mu*x dt + sigma*x dW"
    assert display.sde_text(HESTON.formula(), HESTON.components).splitlines() == [
        "dS = mu*S dt + S*sqrt(v) dW_1",
        "dv = kappa*(theta - v) dt + xi*sqrt(v) dW_2",
    ]
    assert display.sde_text(LINEAR.formula()).splitlines()[1].endswith("(B_2_1*x_1 + B_2_2*x_2) dW_1 + 0.3 dW_2")


@pytest.mark.parametrize(
    ("drift", "diffusion", "text"),
    [
        (lambda x, t, p: 0.0, lambda x, t, p: 1.0, "dx = dW"),
        (lambda x, t, p: -1.0, lambda x, t, p: -x, "dx = -dt - x dW"),
        (lambda x, t, p: 0 * x, lambda x, t, p: 0 * x, "dx = 0"),
        (lambda x, t, p: 1 - x, lambda x, t, p: -(x + t), "dx = (1 - x) dt + (-x - t) dW"),
        (
            lambda x, t, p: (1e16 + x) - 1e16,
            lambda x, t, p: 0.3,
            "dx = (10000000000000000 + x - 10000000000000000) dt + 0.3 dW",
        ),
    ],
)
def test_terms_stand_in_the_order_of_the_formula(drift: Any, diffusion: Any, text: str) -> None:
    assert display.sde_text(ss.SDE(drift, diffusion, x0=1.0).formula()) == text


def test_stratonovich_noise_has_a_circle() -> None:
    sde = GBM.to_stratonovich()
    assert sde.latex().endswith(r"\sigma x\,\circ \mathrm{d}W")
    assert display.sde_text(sde.formula()) == "dx = (mu*x - sigma**2*x/2) dt + sigma*x o dW"


def test_an_untraced_model_is_shown_by_the_names_of_its_coefficients() -> None:
    assert display.sde_text(UNTRACED.formula()) == "dx = a(x, t) dt + b(x, t) dW"
    assert "a{" in UNTRACED.latex()
    pair = ss.SDE(lambda x, t, p: x, lambda x, t, p: x, x0=[1.0, 2.0], trace=False)
    assert display.sde_text(pair.formula()).splitlines()[1] == "dx_2 = a_2(x_1, x_2, t) dt + b_2(x_1, x_2, t) dW_2"


def test_notebooks_show_models_and_schemes() -> None:
    assert GBM._repr_latex_() == f"$\\displaystyle {GBM.latex()}$"
    assert ss.schemes.euler_maruyama._repr_latex_() == (
        r"$\displaystyle x_{n+1} = x_{n} + h a{\left(x_{n},t_{n} \right)} + \Delta W b{\left(x_{n},t_{n} \right)}$"
    )
    assert ss.schemes.exact._repr_latex_() is None


# --- schemes -------------------------------------------------------------------------------------------


def shown(scheme: ss.schemes.Scheme, sde: ss.SDE) -> list[str]:
    return scheme_display.scheme_text(scheme, sde.formula(), sde.components).splitlines()


def test_milstein_for_geometric_brownian_motion() -> None:
    assert shown(ss.schemes.milstein, GBM) == ["x_next = x + mu*x*h + sigma*x*dW + sigma**2*x*(dW**2 - h)/2"]
    assert scheme_display.scheme_latex(ss.schemes.milstein, GBM.formula()) == (
        r"x_{n+1} = x_{n} + \mu x_{n} h + \sigma x_{n} \Delta W "
        r"+ \frac{\sigma^{2} x_{n} \left(\Delta W^{2} - h\right)}{2}"
    )


def test_stages_are_named() -> None:
    assert shown(ss.schemes.euler_heun, GBM.to_stratonovich()) == [
        "Y = x + sigma*x*dW",
        "x_next = x + h*(mu*x - sigma**2*x/2) + (sigma*x*dW + sigma*Y*dW)/2",
    ]
    kubo = ss.SDE(
        lambda x, t, p: [-x[1], x[0]], lambda x, t, p: [[-x[1]], [x[0]]], x0=[1.0, 0.0], calculus="stratonovich"
    )
    assert [line.split(" = ")[0] for line in shown(ss.schemes.stratonovich_heun, kubo)] == [
        "Y_1",
        "Y_2",
        "x_1_next",
        "x_2_next",
    ]
    latex = scheme_display.scheme_latex(ss.schemes.stratonovich_heun, kubo.formula())
    assert latex.startswith("\\begin{aligned}\nY_{1} &= x_{1,n} - x_{2,n} h - x_{2,n} \\Delta W")


def test_an_implicit_step_is_shown_as_its_equation() -> None:
    sde = ss.SDE(lambda x, t, p: x - x**3, lambda x, t, p: p.s, params={"s": 0.5})
    assert shown(ss.schemes.drift_implicit_euler, sde) == ["0 = Y - x - h*(-Y**3 + Y) - s*dW", "x_next = Y"]


def test_a_scheme_of_several_stages_and_areas_is_shown() -> None:
    @ss.schemes.scheme(strong_order=1.0, calculus="ito", noise="general")
    def with_areas(sde, x, t, h, dW, A):
        y = x + sde.drift(x, t) * h
        z = y + sde.diffusion(y, t) @ dW
        return z + A[0, 1] * sde.drift(z, t)

    heisenberg = ss.SDE(
        lambda x, t, p: [x[1], 0.0, 0.0],
        lambda x, t, p: [[1.0, 0.0], [0.0, 1.0], [-x[1] / 2, x[0] / 2]],
        x0=[0.0, 0.0, 0.0],
    )
    lines = shown(with_areas, heisenberg)
    assert lines[:2] == ["Y1_1 = x_1 + x_2*h", "Y2_1 = Y1_1 + dW_1"]
    assert lines[-3] == "x_1_next = Y2_1 + Y2_2*A_1_2"
    assert r"\Delta W_{1}" in scheme_display.scheme_latex(with_areas, heisenberg.formula())


@pytest.mark.parametrize("name", sorted(set(ss.schemes.REGISTRY) - {"exact"}))
@pytest.mark.parametrize("sde", [GBM, LINEAR, HESTON, GBM.to_stratonovich()], ids=["gbm", "linear", "heston", "strat"])
def test_what_is_shown_is_what_runs(name: str, sde: ss.SDE) -> None:
    """The text, evaluated as Python, steps as the scheme does (implicit equations: their residual is 0)."""
    scheme, formula = ss.schemes.REGISTRY[name], sde.formula()
    if not scheme.fits(formula):
        return
    start = {"x0": 1.1, "x1": 0.3}
    noise = scheme.plan(formula).symbols()
    inputs = scheme.plan(formula).flat(noise)
    values = start | {"t": 0.2, "h0": 0.1, "h": 0.1} | formula.parameters.first_vector()
    values |= {k: 0.1 + 0.07 * i for i, k in enumerate(inputs)}
    result = scheme.step(formula, formula.x, formula.t, Sym(g.var("h")), noise)
    names = tuple(sorted(g.variables(result.flat())))
    expected = compile_arrays(tuple(result.flat()), names)(*(np.float64(values[n]) for n in names))
    labels = display.model_labels(formula, sde.components)
    for kind, symbols in noise.items():
        labels |= scheme_display.noise_labels(kind, symbols)
    scope = {"sqrt": np.sqrt, "Abs": np.abs, "sign": np.sign}
    scope |= {label.text: values[k] for k, label in labels.items() if k in values}
    lines = [line.split(" = ") for line in shown(scheme, sde)]
    final = dict(lines)
    if any(left == "0" for left, _ in lines):
        scope |= {right: v for (left, right), v in zip(lines[-formula.d :], expected, strict=True)}
        residuals = [eval(right, scope) for left, right in lines if left == "0"]
        assert residuals == pytest.approx([0.0] * formula.d, abs=1e-12)
        return
    for left, right in lines:
        scope[left] = eval(right, scope)
    got = [scope[left] for left in final if left.endswith("_next")]
    np.testing.assert_allclose(np.array(got, dtype=float), np.array(expected).ravel(), rtol=1e-12)


def test_the_exact_solution_is_no_scheme_to_show() -> None:
    with pytest.raises(ModelError, match="no formula of drift and diffusion; show the model's own closed form"):
        scheme_display.scheme_text(ss.schemes.exact, GBM.formula())


# --- operators -----------------------------------------------------------------------------------------

x, t, mu, sigma = (sympy.Symbol(name, real=True) for name in ("x", "t", "mu", "sigma"))


def test_the_generator() -> None:
    assert GBM.generator(lambda x: x**2) == 2 * mu * x**2 + sigma**2 * x**2
    strat = GBM.to_stratonovich().generator(lambda x: np.log(x))  # the process is the same
    assert sympy.simplify(strat - (mu - sigma**2 / 2)) == 0
    S, v, kappa, theta = (sympy.Symbol(n, real=True) for n in ("S", "v", "kappa", "theta"))
    assert sympy.expand(HESTON.generator(lambda x: x[0] * x[1]) - (mu * S * v + kappa * S * (theta - v))) == 0


def test_bad_arguments_of_the_generator_are_refused() -> None:
    with pytest.raises(ModelError, match=r"f returned shape \(2,\); return one number"):
        HESTON.generator(lambda x: x)
    with pytest.raises(TraceError, match="second derivative of a kinked function"):
        GBM.generator(lambda x: np.abs(x))
    for operator in (lambda: UNTRACED.generator(lambda x: x), UNTRACED.fokker_planck):
        with pytest.raises(ModelError, match="needs formulas, which a model with trace=False does not have"):
            operator()


def satisfied(equation: sympy.Eq, density: sympy.Expr) -> sympy.Expr:
    u = next(iter(equation.atoms(sympy.core.function.AppliedUndef)))
    return sympy.simplify((equation.lhs - equation.rhs).subs(u, density).doit())


def test_the_fokker_planck_equation_holds_for_a_known_density() -> None:
    theta, s = sympy.Symbol("theta", real=True), sympy.Symbol("s", real=True)
    ou = ss.SDE(lambda x, t, p: -p.theta * x, lambda x, t, p: p.s, params={"theta": 1.0, "s": 0.5})
    equation = ou.fokker_planck()
    variance = s**2 * (1 - sympy.exp(-2 * theta * t)) / (2 * theta)
    mean = 3 * sympy.exp(-theta * t)
    normal = sympy.exp(-((x - mean) ** 2) / (2 * variance)) / sympy.sqrt(variance)
    assert satisfied(equation, normal) == 0
    wrong = sympy.exp(-((x - mean) ** 2) / variance) / sympy.sqrt(variance)  # negative control
    assert satisfied(equation, wrong) != 0


def test_the_fokker_planck_equation_in_two_dimensions_has_mixed_derivatives() -> None:
    x1, x2 = sympy.symbols("x_1 x_2", real=True)
    A, B = np.array([[-1.0, 0.5], [0.0, -2.0]]), np.array([[1.0, 0.0], [0.5, 2.0]])
    sde = ss.SDE(lambda x, t, p: A @ x, lambda x, t, p: B, x0=[1.0, 2.0])
    # A C + C Aᵀ + B Bᵀ = 0 for the stationary covariance C
    covariance = sympy.Matrix(2, 2, sympy.symbols("c11 c12 c12 c22"))
    M, D = sympy.Matrix(A).applyfunc(sympy.nsimplify), sympy.Matrix(B @ B.T).applyfunc(sympy.nsimplify)
    solution = sympy.solve(list(M * covariance + covariance * M.T + D))
    inverse = covariance.subs(solution).inv()
    state = sympy.Matrix([x1, x2])
    density = sympy.exp(-(state.T * inverse * state)[0] / 2)
    assert sympy.nsimplify(satisfied(sde.fokker_planck(), density)) == 0


def test_a_negative_drift_gives_one_sign() -> None:
    # - d/dx (-k x u) is written + d/dx (k x u); a drift of both signs keeps the minus of the equation
    decay = ss.SDE(lambda x, t, p: -p.k * x, lambda x, t, p: 0.5, params={"k": 2.0}, x0=1.0)
    assert str(decay.fokker_planck().rhs) == "Derivative(k*x*u(x, t), x) + Derivative(u(x, t)/4, (x, 2))/2"
    well = ss.SDE(lambda x, t, p: x - x**3, lambda x, t, p: 1.0, x0=1.0)
    assert "-Derivative((-x**3 + x)*u(x, t), x)" in str(well.fokker_planck().rhs)
    coupled = ss.SDE(lambda x, t, p: [x[1], -x[0] - x[1]], lambda x, t, p: [[0.5, -0.5], [-0.5, 1.0]], x0=[0.0, 1.0])
    text = str(coupled.fokker_planck().rhs).replace(" ", "")
    assert "+Derivative((x_1+x_2)*u(x_1,x_2,t),x_2)" in text
    assert "-Derivative(3*u(x_1,x_2,t)/4,x_1,x_2)" in text
    assert "Derivative(-" not in text
