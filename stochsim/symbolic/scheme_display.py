"""Schemes as LaTeX and text.

What is shown is what runs: a scheme is traced as for a simulation, and every point at which it evaluates a
coefficient is shown as a named stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np

from stochsim.errors import ModelError
from stochsim.symbolic import graph as g
from stochsim.symbolic.calculus import Diffusion
from stochsim.symbolic.display import Formulas, aligned, model_labels
from stochsim.symbolic.graph import Node
from stochsim.symbolic.to_sympy import Label, noise_labels, state_labels, symbol
from stochsim.symbolic.tracing import Sym, as_sym
from stochsim.symbolic.writing import STAGE_RANK, Writing


class Steps(Protocol):
    """What display needs of a scheme: a `Scheme`."""

    @property
    def is_exact(self) -> bool: ...

    def step(self, sde: Any, x: Sym, t: Any, h: Any, noise: Mapping[str, Sym]) -> Sym: ...

    def plan(self, sde: Any) -> Any: ...


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
    return aligned(_Assignments.of(scheme, formula, components).lines("latex"))


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
    lines = _Assignments.of(scheme, formula, components).lines("text")
    return "\n".join(f"{left} = {right}" for left, right in lines)


@dataclass(frozen=True)
class _Assignments:
    """A traced step: how its inputs and stages are called, and what is assigned in which order.

    ``implicit`` are residuals (shown as 0 = ...), ``unknowns`` the names of their unknowns.
    """

    labels: Mapping[str, Label]
    stages: Mapping[int, Label]
    explicit: Sequence[Node]
    implicit: Sequence[Node]
    unknowns: Mapping[str, int]
    final: Sequence[tuple[Label, Node]]

    @staticmethod
    def of(scheme: Steps, formula: Formulas, components: Sequence[str] | None) -> _Assignments:
        if scheme.is_exact:
            raise ModelError(
                "the exact solution is no formula of drift and diffusion; show the model's own closed form"
            )
        recorded, points = _recording(formula)
        noise = scheme.plan(formula).symbols()
        h = Sym(np.array(g.var("h")))
        result = scheme.step(recorded, formula.x, formula.t, h, noise).flat()
        state = state_labels(formula.d, components)
        labels = model_labels(formula, components) | {"t": Label("t", "t_{n}")}
        labels |= {name: Label(label.text, _at_step("n", label)) for name, label in state.items()}
        for kind, values in noise.items():
            labels |= noise_labels(kind, values)
        solves = [n for n in g.walk(result) if n.op == "solve"]
        residuals = [r for node in solves for r in node.value.residual]
        stages = _name_stages([_solutions(s) for s in solves] + [p.flat() for p in points], [*result, *residuals])
        nodes = {n.serial: n for n in g.walk([*result, *residuals])}
        explicit = [nodes[serial] for serial in stages if nodes[serial].op != "item"]
        unknowns = {f"u{i}": item.serial for s in solves for i, item in enumerate(_solutions(s))}
        left = [Label(f"{label.text}_next", _at_step("n+1", label)) for label in state.values()]
        return _Assignments(labels, stages, explicit, residuals, unknowns, list(zip(left, result, strict=True)))

    def lines(self, style: str) -> list[tuple[str, str]]:
        """Left and right sides."""
        writing = Writing(self.labels, style)
        named = {serial: writing.symbol(label, STAGE_RANK) for serial, label in self.stages.items()}
        writing.symbols |= {name: named[serial] for name, serial in self.unknowns.items()}
        rows = []
        for node in self.explicit:
            others = {serial: name for serial, name in named.items() if serial != node.serial}
            rows.append((writing.label(self.stages[node.serial]), writing.write(node, others).text))
        rows += [("0", writing.write(node, named).text) for node in self.implicit]
        return rows + [(writing.label(label), writing.write(node, named).text) for label, node in self.final]


def _at_step(n: str, label: Label) -> str:
    """The LaTeX of a component at a step: x_{n}, x_{1,n}, S_{n+1}."""
    import sympy

    latex = sympy.latex(symbol(label))
    return f"{latex[:-1]},{n}}}" if latex.endswith("}") and "_{" in latex else f"{latex}_{{{n}}}"


def _recording(formula: Any) -> tuple[Any, list[Sym]]:
    """The same formulas, which note at which states they are evaluated."""
    points: list[Sym] = []

    class Recording(type(formula)):  # type: ignore[misc]
        def drift(self, x: Any, t: Any) -> Sym:
            points.append(as_sym(x))
            return super().drift(x, t)  # type: ignore[no-any-return]

        def diffusion(self, x: Any, t: Any) -> Diffusion:
            points.append(as_sym(x))
            return super().diffusion(x, t)  # type: ignore[no-any-return]

    return Recording(**{f.name: getattr(formula, f.name) for f in fields(formula)}), points


def _solutions(solve: Node) -> list[Node]:
    """The components of the solution of an implicit equation."""
    return [g.solved(solve.value, solve.args, i) for i in range(solve.value.n)]


def _name_stages(points: Sequence[Sequence[Node]], outputs: Sequence[Node]) -> dict[int, Label]:
    """Names Y, or Y1, Y2, ..., of the points that the outputs depend on, by node serial."""
    used = {n.serial for n in g.walk(outputs)}
    groups: dict[tuple[int, ...], int] = {}
    for point in points:
        new = tuple(n.serial if n.op not in ("var", "const") and n.serial in used else 0 for n in point)
        if any(new):
            groups.setdefault(new, len(groups))
    labels: dict[int, Label] = {}
    for group, k in groups.items():
        text, latex = ("Y", "Y") if len(groups) == 1 else (f"Y{k + 1}", f"Y^{{({k + 1})}}")
        for i, serial in enumerate(group):
            if serial and serial not in labels:
                one = len(group) == 1
                labels[serial] = Label(text, latex) if one else Label(f"{text}_{i + 1}", f"{latex}_{{{i + 1}}}")
    return labels


def abstract_coefficients() -> tuple[Sym, Diffusion]:
    """Drift a(x, t) and diffusion b(x, t) of one component and one noise, without formulas."""
    arguments = (g.var("x0"), g.var("t"))
    a, b = (np.array([g.function(name, arguments)], dtype=object) for name in "ab")
    return Sym(a), Diffusion(b)
