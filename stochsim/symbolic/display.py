"""Equations and schemes as LaTeX and text, the generator, and the Fokker-Planck equation.

The schemes that are shown are the ones that run: a scheme is traced as for a simulation, and every point
at which it evaluates a coefficient is shown as a named stage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np

from stochsim.errors import ModelError
from stochsim.symbolic import graph as g
from stochsim.symbolic.calculus import Diffusion, gradient
from stochsim.symbolic.graph import Node
from stochsim.symbolic.to_sympy import (
    Label,
    indexed,
    latex_names,
    noise_labels,
    parameter_labels,
    state_labels,
    symbol,
    to_sympy,
)
from stochsim.symbolic.tracing import Sym, as_sym, symbols, trace

CALCULI = {"ito": "Itô", "stratonovich": "Stratonovich"}


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


class Steps(Protocol):
    """What display needs of a scheme: a `Scheme`."""

    @property
    def name(self) -> str: ...

    @property
    def is_exact(self) -> bool: ...

    def step(self, sde: Any, x: Sym, t: Any, h: Any, noise: Mapping[str, Sym]) -> Sym: ...

    def plan(self, sde: Any) -> Any: ...


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
        One line, or an ``aligned`` environment with one a component. Stratonovich noise is written with a
        circle.
    """
    circle = "\\circ " if formula.calculus == "stratonovich" else ""
    names = [f"\\,{circle}\\mathrm{{d}}W" + (f"_{{{j + 1}}}" if formula.m > 1 else "") for j in range(formula.m)]
    labels = model_labels(formula, components)
    printer = _latex_printer(labels)
    rows = [
        (
            f"\\mathrm{{d}}{printer(x)}",
            _sum_of_terms([a, *b], ["\\,\\mathrm{d}t", *names], printer, "\\left({}\\right)"),
        )
        for x, a, b in _coefficients(formula, labels)
    ]
    return _aligned(rows)


def sde_text(formula: Formulas, components: Sequence[str] | None = None) -> str:
    """The equation as lines of text: ``dx = mu*x dt + sigma*x dW``."""
    circle = "o " if formula.calculus == "stratonovich" else ""
    names = [f" {circle}dW" + (f"_{j + 1}" if formula.m > 1 else "") for j in range(formula.m)]
    rows = _coefficients(formula, model_labels(formula, components))
    return "\n".join(f"d{x} = {_sum_of_terms([a, *b], [' dt', *names], str, '({})')}" for x, a, b in rows)


def _coefficients(formula: Formulas, labels: Mapping[str, Label]) -> list[tuple[Any, Any, list[Any]]]:
    """(state symbol, drift, diffusions) of every component."""
    state = [symbol(labels[f"x{i}"]) for i in range(formula.d)]
    matrix = formula.b.matrix
    named = _opaque_names(formula, state) if formula.opaque else {}
    flat = to_sympy([*formula.a.flat(), *matrix.flat()], labels, named)
    drift, rest = flat[: formula.d], flat[formula.d :]
    return [(state[i], drift[i], rest[i * formula.m : (i + 1) * formula.m]) for i in range(formula.d)]


def _opaque_names(formula: Formulas, state: list[Any]) -> dict[int, Any]:
    """Coefficients that were not traced, as a(x, t) and b(x, t)."""
    import sympy

    named = {}
    for letter, coefficient in (("a", formula.a), ("b", formula.b)):
        for index in np.ndindex(coefficient.shape):
            node = coefficient.nodes[index]
            one = coefficient.size == 1
            name = letter if one else indexed(letter, index).text
            if node.op == "item":
                named[node.serial] = sympy.Function(name)(*state, symbol(Label("t")))
    return named


def _sum_of_terms(
    coefficients: Sequence[Any], increments: Sequence[str], write: Callable[[Any], str], wrap: str
) -> str:
    """``a dt + b dW`` without zero terms, ones, and doubled signs."""
    terms = []
    for c, increment in zip(coefficients, increments, strict=True):
        if c != 0:
            shown = write(c)
            shown = wrap.format(shown) if c.is_Add else {"1": "", "-1": "-"}.get(shown, shown)
            terms.append((shown + increment).strip() if shown in ("", "-") else shown + increment)
    return " + ".join(terms).replace("+ -", "- ") if terms else "0"


def _latex_printer(labels: Mapping[str, Label]) -> Callable[[Any], str]:
    import sympy

    names = latex_names(labels)
    return lambda expression: sympy.latex(expression, symbol_names=names)  # type: ignore[no-any-return]


def _aligned(rows: Sequence[tuple[str, str]]) -> str:
    if len(rows) == 1:
        return f"{rows[0][0]} = {rows[0][1]}"
    body = " \\\\\n".join(f"{left} &= {right}" for left, right in rows)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


# --- a scheme ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    """One assignment of a scheme; an implicit equation has ``left`` 0."""

    left: Label
    right: Any


def scheme_latex(scheme: Steps, formula: Formulas, components: Sequence[str] | None = None) -> str:
    r"""A scheme written out for a model as LaTeX, stages first: ``x_{n+1} = x_{n} + ...``.

    Parameters
    ----------
    scheme : Scheme
    formula : Formula
        Of the model.
    components : sequence of str, optional
        Names of the components.

    Raises
    ------
    ModelError
        For the exact solution, which is no formula of drift and diffusion.
    """
    lines, labels = _written(scheme, formula, components)
    printer = _latex_printer(labels)
    return _aligned([(line.left.latex or line.left.text, printer(line.right)) for line in lines])


def scheme_text(scheme: Steps, formula: Formulas, components: Sequence[str] | None = None) -> str:
    """A scheme written out for a model as lines of text, stages first: ``x_next = x + ...``.

    Parameters
    ----------
    scheme : Scheme
    formula : Formula
        Of the model.
    components : sequence of str, optional
        Names of the components.

    Raises
    ------
    ModelError
        For the exact solution, which is no formula of drift and diffusion.
    """
    lines, _ = _written(scheme, formula, components)
    return "\n".join(f"{line.left.text} = {line.right}" for line in lines)


def _written(
    scheme: Steps, formula: Formulas, components: Sequence[str] | None
) -> tuple[list[_Line], dict[str, Label]]:
    if scheme.is_exact:
        raise ModelError("the exact solution is no formula of drift and diffusion; show the model's own closed form")
    recorded, stages = _recording(formula)
    noise = scheme.plan(formula).symbols()
    h = Sym(np.array(g.var("h")))
    result = scheme.step(recorded, formula.x, formula.t, h, noise).flat()
    labels = model_labels(formula, components)
    for kind, values in noise.items():
        labels |= noise_labels(kind, values)
    state = state_labels(formula.d, components)
    labels |= {name: Label(label.text, _at_step("n", label)) for name, label in state.items()}
    labels["t"] = Label("t", "t_{n}")
    lines, named, stage_labels = _stages(result, stages, labels)
    labels |= stage_labels
    left = [Label(f"{label.text}_next", _at_step("n+1", label)) for label in state.values()]
    final = to_sympy(result, labels, named)
    return [*lines, *(_Line(n, e) for n, e in zip(left, final, strict=True))], labels


def _at_step(n: str, label: Label) -> str:
    """The LaTeX of a component at a step: x_{n}, x_{1,n}, S_{n+1}."""
    import sympy

    latex = sympy.latex(symbol(label))
    return f"{latex[:-1]},{n}}}" if latex.endswith("}") and "_{" in latex else f"{latex}_{{{n}}}"


def _recording(formula: Any) -> tuple[Any, list[Sym]]:
    """The same formulas, which note at which states they are evaluated."""
    stages: list[Sym] = []

    class Recording(type(formula)):  # type: ignore[misc]
        def drift(self, x: Any, t: Any) -> Sym:
            stages.append(as_sym(x))
            return super().drift(x, t)  # type: ignore[no-any-return]

        def diffusion(self, x: Any, t: Any) -> Diffusion:
            stages.append(as_sym(x))
            return super().diffusion(x, t)  # type: ignore[no-any-return]

    return Recording(**{f.name: getattr(formula, f.name) for f in fields(formula)}), stages


def _stages(
    result: Sequence[Node], points: Sequence[Sym], labels: dict[str, Label]
) -> tuple[list[_Line], dict[int, Any], dict[str, Label]]:
    """Assignments of the stages that the result uses, what each node is called, and the labels of the names."""
    implicit = _implicit(result)
    equations = [r for node in implicit for r in node.value.residual]
    used = {n.serial for n in g.walk([*result, *equations])}
    names: dict[int, Label] = {}
    explicit: list[Node] = []
    groups: list[Sequence[Node]] = [_solutions(node, [*result, *equations]) for node in implicit]
    groups += [p.flat() for p in points]
    groups = _distinct([[n for n in group if _is_stage(n) and n.serial in used] for group in groups])
    for k, group in enumerate(groups):
        for i, node in enumerate(group):
            if node.serial not in names:
                names[node.serial] = _stage_label(k, len(groups), i, len(group))
                explicit += [node] if node.op != "item" else []
    named = {serial: symbol(label) for serial, label in names.items()}
    unknowns = _unknowns(implicit, names)
    lines = [_Line(names[n.serial], to_sympy([n], labels, _without(named, n))[0]) for n in explicit]
    lines += [_Line(Label("0"), e) for e in to_sympy(equations, labels | unknowns, named)]
    return lines, named, {f"stage {k}": label for k, label in enumerate(names.values())}


def _implicit(result: Sequence[Node]) -> list[Node]:
    return [n for n in g.walk(result) if n.op == "solve"]


def _solutions(solve: Node, outputs: Sequence[Node]) -> list[Node]:
    """The items of an implicit solution, in order."""
    return [g.solved(solve.value, solve.args, i) for i in range(solve.value.n)]


def _unknowns(implicit: Sequence[Node], names: Mapping[int, Label]) -> dict[str, Label]:
    """Unknowns of the implicit equations under the names of their solutions."""
    return {
        f"u{i}": names[item.serial]
        for node in implicit
        for i, item in enumerate(_solutions(node, ()))
        if item.serial in names
    }


def _is_stage(node: Node) -> bool:
    return node.op not in ("var", "const")


def _distinct(groups: Sequence[Sequence[Node]]) -> list[Sequence[Node]]:
    seen: dict[tuple[int, ...], Sequence[Node]] = {}
    for group in groups:
        if group:
            seen.setdefault(tuple(n.serial for n in group), group)
    return list(seen.values())


def _without(named: Mapping[int, Any], node: Node) -> dict[int, Any]:
    return {serial: name for serial, name in named.items() if serial != node.serial}


def _stage_label(k: int, count: int, i: int, size: int) -> Label:
    text, latex = ("Y", "Y") if count == 1 else (f"Y{k + 1}", f"Y^{{({k + 1})}}")
    return Label(text, latex) if size == 1 else Label(f"{text}_{i + 1}", f"{latex}_{{{i + 1}}}")


# --- operators -----------------------------------------------------------------------------------------


def generator(formula: Formulas, f: Callable[[Any], Any], scalar: bool = False) -> Any:
    """The generator of an Itô formula applied to f(x): a·∇f + 1/2 tr(b bᵀ ∇²f), as a SymPy expression.

    Parameters
    ----------
    formula : Formula
        With Itô coefficients.
    f : callable
        A smooth function of the state, returning one number.
    scalar : bool
        Whether f takes the state as a number instead of a (1,) array.

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
    return to_sympy(as_sym(result).flat(), model_labels(formula))[0]


def fokker_planck(formula: Formulas, components: Sequence[str] | None = None) -> Any:
    """The Fokker-Planck equation of an Itô formula in conservative form, as a SymPy ``Eq``.

    u_t = - sum_i (a_i u)_{x_i} + 1/2 sum_ij ((b bᵀ)_ij u)_{x_i x_j} for the density u(x, t); the
    derivatives are written, not carried out (``.doit()`` does).

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
    labels = model_labels(formula, components)
    x = [symbol(labels[f"x{i}"]) for i in range(formula.d)]
    t = symbol(labels["t"])
    u = sympy.Function("u")(*x, t)
    matrix = formula.b.matrix
    a = to_sympy(formula.a.flat(), labels)
    D = to_sympy(as_sym(matrix @ matrix.T).flat(), labels)
    right = -sum(sympy.Derivative(a[i] * u, x[i]) for i in range(formula.d))
    for i in range(formula.d):
        for j in range(formula.d):
            right += sympy.Derivative(D[i * formula.d + j] * u, x[i], x[j]) / 2
    return sympy.Eq(sympy.Derivative(u, t), right)


# --- a scheme without a model --------------------------------------------------------------------------


def abstract_coefficients() -> tuple[Sym, Diffusion]:
    """Drift a(x, t) and diffusion b(x, t) of one component and one noise, without formulas."""
    x, t = symbols("x", (1,)).nodes[0], g.var("t")
    a, b = (np.array([g.function(name, (x, t))], dtype=object) for name in "ab")
    return Sym(a), Diffusion(b)
