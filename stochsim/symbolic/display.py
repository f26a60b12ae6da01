"""An equation as LaTeX and text, its generator, and its Fokker-Planck equation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from stochsim.errors import ModelError
from stochsim.symbolic.calculus import Diffusion, gradient
from stochsim.symbolic.to_sympy import (
    Label,
    indexed,
    parameter_labels,
    plain_symbols,
    state_labels,
    to_sympy,
)
from stochsim.symbolic.tracing import Sym, as_sym, trace
from stochsim.symbolic.writing import Shown, Writing, signed_sum


class Formulas(Protocol):
    """What display needs of a model: a `Formula`."""

    @property
    def d(self) -> int: ...

    @property
    def m(self) -> int: ...

    @property
    def a(self) -> Sym: ...

    @property
    def b(self) -> Diffusion: ...

    @property
    def calculus(self) -> str: ...

    @property
    def parameters(self) -> Any: ...

    @property
    def x(self) -> Sym: ...

    @property
    def t(self) -> Sym: ...

    @property
    def opaque(self) -> bool: ...


def model_labels(formula: Formulas, components: Sequence[str] | None = None) -> dict[str, Label]:
    """How the inputs of a model are written: x or component names, t, h, parameters by name."""
    state = state_labels(formula.d, components)
    shapes = {
        name: () if name in formula.parameters.swept else value.shape
        for name, value in formula.parameters.values.items()
    }
    taken = {label.text for label in state.values()} | {"t", "h"}
    return state | {"t": Label("t"), "h": Label("h")} | parameter_labels(shapes, taken)


# --- the equation --------------------------------------------------------------------------------------


def sde_latex(formula: Formulas, components: Sequence[str] | None = None) -> str:
    r"""The equation as LaTeX: ``\mathrm{d}x = \mu x\,\mathrm{d}t + \sigma x\,\mathrm{d}W``.

    Parameters
    ----------
    formula : Formula
    components : sequence of str, optional
        Names of the components.

    Returns
    -------
    str
        One line, or an ``aligned`` environment with one a component. Stratonovich noise has a circle.
    """
    circle = "\\circ " if formula.calculus == "stratonovich" else ""
    writing = Writing(model_labels(formula, components), "latex")
    noise = [f"{circle}\\mathrm{{d}}W{i}" for i in _subscripts(formula.m, "_{{{}}}")]
    return aligned(_equations(formula, components, writing, "\\mathrm{d}", noise, "\\,"))


def sde_text(formula: Formulas, components: Sequence[str] | None = None) -> str:
    """The equation as lines of text: ``dx = mu*x dt + sigma*x dW``; Stratonovich noise as ``o dW``.

    Parameters
    ----------
    formula : Formula
    components : sequence of str, optional
        Names of the components.
    """
    circle = "o " if formula.calculus == "stratonovich" else ""
    writing = Writing(model_labels(formula, components), "text")
    noise = [f"{circle}dW{i}" for i in _subscripts(formula.m, "_{}")]
    rows = _equations(formula, components, writing, "d", noise, " ")
    return "\n".join(f"{left} = {right}" for left, right in rows)


def _subscripts(m: int, form: str) -> list[str]:
    return [form.format(j + 1) for j in range(m)] if m > 1 else [""]


def _equations(
    formula: Formulas,
    components: Sequence[str] | None,
    writing: Writing,
    d: str,
    noise: Sequence[str],
    space: str,
) -> list[tuple[str, str]]:
    named = _opaque_names(formula, writing) if formula.opaque else {}
    matrix = formula.b.matrix.nodes
    rows = []
    for i, label in enumerate(state_labels(formula.d, components).values()):
        shown = [writing.write(n, named) for n in (formula.a.nodes[i], *matrix[i])]
        rows.append((d + writing.label(label), _linear(shown, [f"{d}t", *noise], writing, space)))
    return rows


def _opaque_names(formula: Formulas, writing: Writing) -> dict[int, Any]:
    """Coefficients that were not traced, as a(x, t) and b(x, t)."""
    import sympy

    arguments = [writing.symbols[f"x{i}"] for i in range(formula.d)] + [writing.symbols["t"]]
    named = {}
    for letter, coefficient in (("a", formula.a), ("b", formula.b)):
        for index in np.ndindex(coefficient.shape):
            node = coefficient.nodes[index]
            name = letter if coefficient.size == 1 else indexed(letter, index).text
            if node.op == "item":
                named[node.serial] = sympy.Function(name)(*arguments)
    return named


def _linear(shown: Sequence[Shown], increments: Sequence[str], writing: Writing, space: str) -> str:
    """``a dt + b dW`` without zero terms and factors 1."""
    parts = []
    for (text, is_sum), increment in zip(shown, increments, strict=True):
        if text == "0":
            continue
        sign = -1 if text.startswith("-") and not is_sum else 1
        factor = writing.brackets(text) if is_sum else text.removeprefix("-")
        parts.append((sign, increment if factor == "1" else factor + space + increment))
    return signed_sum(parts) if parts else "0"


def aligned(rows: Sequence[tuple[str, str]]) -> str:
    """Equations below one another, in LaTeX."""
    if len(rows) == 1:
        return f"{rows[0][0]} = {rows[0][1]}"
    body = " \\\\\n".join(f"{left} &= {right}" for left, right in rows)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


# --- operators -----------------------------------------------------------------------------------------


def generator(
    formula: Formulas,
    f: Callable[[Any], Any],
    scalar: bool = False,
    components: Sequence[str] | None = None,
) -> Any:
    """The generator of an Itô formula applied to f(x): a·∇f + 1/2 tr(b bᵀ ∇²f), as a SymPy expression.

    Parameters
    ----------
    formula : Formula
        With Itô coefficients.
    f : callable
        A smooth function of the state, returning one number.
    scalar : bool
        Whether f takes the state as a number instead of a (1,) array.
    components : sequence of str, optional
        Names of the components. All symbols of the result are real.

    Raises
    ------
    ModelError
        If f does not return one number, or the model has ``trace=False``.
    TraceError
        If f cannot be traced or is not twice differentiable.
    """
    if formula.opaque:
        raise ModelError("the generator needs formulas, which a model with trace=False does not have")
    x = formula.x
    value = trace(f, (x[0] if scalar else x,), "f")
    if value.size != 1:
        raise ModelError(f"f returned shape {value.shape}; return one number")
    slope = gradient(value.reshape(()), x)
    hessian = gradient(slope, x)
    result: Any = slope @ formula.a
    matrix = formula.b.matrix
    for j in range(formula.m):
        result = result + 0.5 * (hessian @ matrix[:, j] @ matrix[:, j])
    return to_sympy(as_sym(result).flat(), plain_symbols(model_labels(formula, components)))[0]


def fokker_planck(formula: Formulas, components: Sequence[str] | None = None) -> Any:
    """The Fokker-Planck equation of an Itô formula in conservative form, as a SymPy ``Eq``.

    u_t = - sum_i (a_i u)_{x_i} + 1/2 sum_ij ((b bᵀ)_ij u)_{x_i x_j} for the density u(x, t) (Øksendal 2003,
    eq. (8.6.34)); the derivatives are written, not carried out (``.doit()`` does).

    Parameters
    ----------
    formula : Formula
        With Itô coefficients.
    components : sequence of str, optional
        Names of the components.

    Raises
    ------
    ModelError
        If the model has ``trace=False``.
    """
    import sympy

    if formula.opaque:
        raise ModelError("the Fokker-Planck equation needs formulas, which a model with trace=False does not have")
    symbols, d = plain_symbols(model_labels(formula, components)), formula.d
    x, t = [symbols[f"x{i}"] for i in range(d)], symbols["t"]
    u = sympy.Function("u")(*x, t)
    matrix = formula.b.matrix
    a = to_sympy(formula.a.flat(), symbols)
    D = np.array(to_sympy(as_sym(matrix @ matrix.T).flat(), symbols), dtype=object).reshape(d, d)
    flows = [-_derivative(a[i], u, x[i]) for i in range(d) if a[i] != 0]
    spread = [_derivative(D[i, i], u, (x[i], 2)) / 2 for i in range(d) if D[i, i] != 0]
    mixed = [_derivative(D[i, j], u, x[i], x[j]) for i in range(d) for j in range(i + 1, d) if D[i, j] != 0]
    return sympy.Eq(sympy.Derivative(u, t), sympy.Add(*flows, *spread, *mixed))


def _derivative(coefficient: Any, u: Any, *variables: Any) -> Any:
    """The derivative of coefficient * u, not carried out; a minus of the whole coefficient stands before it."""
    import sympy

    negative = all(term.as_coeff_Mul()[0].is_negative for term in sympy.Add.make_args(coefficient))
    sign = -1 if negative else 1
    return sign * sympy.Derivative(sign * coefficient * u, *variables)
