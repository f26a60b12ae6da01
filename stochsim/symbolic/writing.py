"""Formulas as people write them: terms in the order of the formula, parameters before states before noise.

SymPy collects each term; the order of the terms, and how symbols look, is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stochsim.symbolic.graph import Node
from stochsim.symbolic.to_sympy import Label, Labels, symbol, to_sympy

Named = Mapping[int, Any]  # symbols of nodes that have a name of their own, by node serial


class Shown(NamedTuple):
    """A written formula, and whether it is a sum (and needs brackets in a product)."""

    text: str
    is_sum: bool


class Writing:
    """Writes formulas with given labels, as LaTeX or as text.

    Parameters
    ----------
    labels : mapping
        How inputs are written, by input name.
    style : {"latex", "text"}
    """

    def __init__(self, labels: Labels, style: str) -> None:
        self.style = style
        self.symbols: dict[str, Any] = {}
        self._names: dict[Any, str] = {}
        for name, label in labels.items():
            self.symbols[name] = self.symbol(label, rank(name))
        self._print = self._printer()

    def symbol(self, label: Label, place: int) -> Any:
        """A symbol that SymPy sorts by its place in a product, written as its label says."""
        import sympy

        made = sympy.Symbol(f"{place}{label.text}", real=True)
        self._names[made] = self.label(label)
        return made

    def label(self, label: Label) -> str:
        """A label in the style of this writing."""
        import sympy

        if self.style == "text":
            return label.text
        return label.latex or str(sympy.latex(symbol(label)))

    def _printer(self) -> Callable[[Any], str]:
        import sympy
        from sympy.printing.str import StrPrinter

        names = self._names
        if self.style == "latex":
            return lambda e: str(sympy.latex(e, symbol_names=names))

        class Text(StrPrinter):  # type: ignore[misc]
            def _print_Symbol(self, e: Any) -> str:
                return str(names.get(e, e.name))

        return lambda e: str(Text({"full_prec": False}).doprint(e))

    def write(self, node: Node, named: Named | None = None) -> Shown:
        """One formula, terms in the order in which it adds them."""
        parts: list[tuple[int, str]] = []
        inner_sum = False
        for sign, term in terms(node, named or {}):
            (e,) = to_sympy([term], self.symbols, named, keep_products=True)
            if e == 0:
                continue
            if e.as_coeff_Mul()[0].is_negative:
                sign, e = -sign, -e
            brackets = e.is_Add and sign < 0
            parts.append((sign, self.brackets(self._print(e)) if brackets else self._print(e)))
            inner_sum = inner_sum or (e.is_Add and not brackets)
        return Shown(signed_sum(parts), inner_sum or len(parts) > 1) if parts else Shown("0", False)

    def brackets(self, text: str) -> str:
        """The text in brackets."""
        return f"\\left({text}\\right)" if self.style == "latex" else f"({text})"


def signed_sum(parts: Sequence[tuple[int, str]]) -> str:
    """``a - b + c`` from signs and terms."""
    (sign, text), *rest = parts
    return ("-" if sign < 0 else "") + text + "".join(f" {'-' if s < 0 else '+'} {v}" for s, v in rest)


def terms(node: Node, named: Named) -> Iterator[tuple[int, Node]]:
    """Signs and terms of a sum, left to right; a node with a name is a term."""
    stack = [(1, node)]
    while stack:
        sign, n = stack.pop()
        if n.serial in named or n.op not in ("add", "sub", "neg"):
            yield sign, n
        elif n.op == "neg":
            stack.append((-sign, n.args[0]))
        else:
            stack.append((sign if n.op == "add" else -sign, n.args[1]))
            stack.append((sign, n.args[0]))


def rank(name: str) -> int:
    """Place of an input in a product: parameters, state, stages, time, noise, step."""
    if name.startswith("p."):
        return 0
    return {"x": 1, "u": STAGE_RANK, "t": 3, "h": 5}.get(name.rstrip("0123456789"), 4)


STAGE_RANK = 2
