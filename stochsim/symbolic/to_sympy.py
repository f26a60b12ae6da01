"""Expression graphs as SymPy expressions, for display and proofs only; what runs is never simplified.

SymPy is imported inside the functions: nothing here loads it until a formula is shown or proved. All
symbols are real, and nothing is assumed positive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from stochsim.errors import TraceError
from stochsim.symbolic import graph as g
from stochsim.symbolic import signs
from stochsim.symbolic.graph import Node
from stochsim.symbolic.tracing import Sym

SIMPLE_DENOMINATOR = 16  # shown as a fraction: 1/2, 2/3, 5/12 (but 0.2 as it is)
EXACT_DENOMINATOR = 10**6  # read as a fraction in proofs: 0.1 is meant as 1/10


class Label(NamedTuple):
    """How an input of a formula is written: the name of its SymPy symbol, and LaTeX where that differs."""

    text: str
    latex: str = ""


Labels = Mapping[str, Label]  # by input name: "x0", "t", "p.sigma", "dW1"


def indexed(name: str, index: tuple[int, ...], latex: str = "") -> Label:
    """An entry of an array, counted from 1: ``A_1_2``, in LaTeX A_{1 2}."""
    numbers = [str(i + 1) for i in index]
    return Label("_".join([name, *numbers]), f"{latex}_{{{' '.join(numbers)}}}" if latex else "")


def state_labels(d: int, components: Sequence[str] | None = None) -> dict[str, Label]:
    """``x`` for one component, else ``x_1, x_2, ...``, or the names that the model gives them."""
    if components is not None:
        return {f"x{i}": Label(name) for i, name in enumerate(components)}
    if d == 1:
        return {"x0": Label("x")}
    return {f"x{i}": indexed("x", (i,)) for i in range(d)}


def parameter_labels(shapes: Mapping[str, tuple[int, ...]], taken: Iterable[str] = ()) -> dict[str, Label]:
    """Names of the parameters (``p.`` is kept where a name is taken), entries of arrays by their indices."""
    used, labels = set(taken), {}
    for name, shape in shapes.items():
        shown = f"p.{name}" if name in used else name
        latex = f"\\mathrm{{p}}.{name}" if name in used else ""
        for index in np.ndindex(shape):
            entry = f"p.{name}" + "_".join(map(str, index))
            labels[entry] = indexed(shown, index, latex) if shape else Label(shown, latex)
    return labels


def noise_labels(name: str, symbols: Sym) -> dict[str, Label]:
    r"""``dW`` or ``dW_1, ...``, in LaTeX \Delta W, for the input symbols of one kind of noise."""
    latex = f"\\Delta {name[1:]}" if name.startswith("d") else name
    if latex[-1].isdigit():  # the three-point variable dW3
        latex = f"\\Delta \\hat{{{name[1:-1]}}}" if name.endswith("3") else f"\\Delta \\tilde{{{name[1:-1]}}}"
    labels = {}
    for index in np.ndindex(symbols.shape):
        node = symbols.nodes[index]
        if node.op == "var":
            labels[node.value] = Label(name, latex) if symbols.size == 1 else indexed(name, index, latex)
    return labels


def symbol(label: Label) -> Any:
    """The real SymPy symbol of a label."""
    import sympy

    return sympy.Symbol(label.text, real=True)


def plain_symbols(labels: Labels) -> dict[str, Any]:
    """The symbols of all inputs."""
    return {name: symbol(label) for name, label in labels.items()}


# --- from graphs -------------------------------------------------------------------------------------


def to_sympy(
    outputs: Sequence[Node],
    symbols: Mapping[str, Any],
    named: Mapping[int, Any] | None = None,
    *,
    exact: bool = False,
    keep_products: bool = False,
) -> list[Any]:
    """The outputs as SymPy expressions.

    Parameters
    ----------
    outputs : sequence of Node
    symbols : mapping
        SymPy symbols of the inputs, by input name; an input that is missing keeps its own name.
    named : mapping from node serial to expression, optional
        Nodes that are shown as a symbol of their own (stages, solutions of implicit equations).
    exact : bool
        Read every constant as the simplest fraction that rounds to it, and where(a < 0, -1, 1) as the sign
        of a, as a proof needs, instead of showing what was written.
    keep_products : bool
        Leave (dW**2 - h)/2 as it is, of which SymPy makes dW**2/2 - h/2. For printing only.

    Raises
    ------
    TraceError
        If a part has no formula: a function given with ``trace=False``, an implicit stage without a name.
    """
    named, done = named or {}, {}
    for node in g.walk(outputs):
        if node.serial in named:
            done[node.serial] = named[node.serial]
        elif node.op in ("solve", "extern"):
            done[node.serial] = None  # only an item of it can be shown, and only under a name
        elif node.op == "item":
            raise TraceError(_NO_FORMULA[node.args[0].op])
        elif node.op == "const":
            done[node.serial] = number(node.value, exact)
        elif (signed := signs.read(node, done, exact)) is not None:
            done[node.serial] = signed
        elif node.op == "var":
            done[node.serial] = symbols.get(node.value) or symbol(Label(str(node.value)))
        else:
            done[node.serial] = _operation(node, [done[a.serial] for a in node.args], keep_products)
    return [signs.tidied(as_number(done[o.serial]), exact) for o in outputs]


_NO_FORMULA = {
    "extern": "a function given with trace=False has no formula to show; write it so that it can be traced",
    "solve": "the solution of an implicit equation has no formula; it can be shown only under a name",
}


def number(value: float, exact: bool) -> Any:
    """A constant: a fraction where it is one, else a decimal number."""
    import sympy

    if not math.isfinite(value):
        return sympy.nan if math.isnan(value) else (sympy.oo if value > 0 else -sympy.oo)
    found = _meant(value) if exact else _shown(value)
    return sympy.Float(value) if found is None else sympy.Rational(found.numerator, found.denominator)


def _shown(value: float) -> Fraction | None:
    found = Fraction(value).limit_denominator(SIMPLE_DENOMINATOR)
    return found if float(found) == value and found.denominator % 5 else None


def _meant(value: float) -> Fraction | None:
    found = Fraction(value).limit_denominator(SIMPLE_DENOMINATOR)
    if abs(float(found) - value) <= 2 * math.ulp(value):  # 1/3 - 1 is one ulp from -2/3
        return found
    found = Fraction(value).limit_denominator(EXACT_DENOMINATOR)
    return found if float(found) == value else None


def _is_condition(value: Any) -> bool:
    import sympy

    # a symbol is both an Expr and a Boolean to SymPy
    return isinstance(value, sympy.logic.boolalg.Boolean) and not isinstance(value, sympy.Expr)


def as_number(value: Any) -> Any:
    """A condition as 1 or 0, as arithmetic takes it."""
    import sympy

    return sympy.Piecewise((1, value), (0, True)) if _is_condition(value) else value


def as_condition(value: Any) -> Any:
    """A number as the condition that it is not 0."""
    import sympy

    return value if _is_condition(value) else sympy.Ne(value, 0)


@cache
def _builders() -> dict[str, Callable[..., Any]]:
    import sympy

    calls = {"arctan": "atan", "arcsinh": "asinh", "abs": "Abs"}
    elementary = ("sqrt", "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sign", "floor")
    return {
        **{op: getattr(sympy, calls.get(op, op)) for op in (*elementary, *calls)},
        "arcsinh": lambda a: a.args[0] if a.func is sympy.sinh else sympy.asinh(a),  # all symbols are real
        "neg": lambda a: -a,
        "expm1": lambda a: sympy.exp(a) - 1,
        "log1p": lambda a: sympy.log(1 + a),
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "pow": sympy.Pow,
        "min": sympy.Min,
        "max": sympy.Max,
        "lt": sympy.Lt,
        "le": sympy.Le,
        "gt": sympy.Gt,
        "ge": sympy.Ge,
        "eq": sympy.Eq,
        "ne": sympy.Ne,
    }


def _operation(node: Node, args: list[Any], keep_products: bool) -> Any:
    import sympy

    if node.op in g.LOGICAL:
        logic = {"and": sympy.And, "or": sympy.Or, "not": sympy.Not}[node.op]
        return logic(*(as_condition(a) for a in args))
    if node.op == "where":
        return sympy.Piecewise((as_number(args[1]), as_condition(args[0])), (as_number(args[2]), True))
    values = [as_number(a) for a in args]
    if node.op == "function":
        return _abstract(node.value, values)
    if node.op in ("mul", "div") and keep_products:
        factor, rest = (1 / values[1], values[0]) if node.op == "div" and values[1] != 0 else values
        if factor.is_Rational and rest.is_Add:
            return sympy.Mul(factor, rest, evaluate=False)
    return _builders()[node.op](*values)


def _abstract(value: tuple[str, tuple[int, ...]], args: list[Any]) -> Any:
    """A function without a formula; derivatives in (x, t) as subscripts: b_xx(x, t)."""
    import sympy

    name, orders = value
    subscript = "".join(letter * n for letter, n in zip("xt", orders, strict=True))
    return sympy.Function(f"{name}_{subscript}" if subscript else name)(*args)
