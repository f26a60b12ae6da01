"""Expression graphs as lines of Python, valid both for NumPy arrays and inside a Numba lane loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node

INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "and": "&",
    "or": "|",
}
CALLS = {op: op for op in g.UNARY if op != "neg"} | {
    "pow": "power",
    "min": "minimum",
    "max": "maximum",
    "where": "where",
    "not": "logical_not",
}
LANE_FORMS = {  # single numbers inside a kernel: conditional expressions become selects
    "where": "({1} if {0} else {2})",
    "not": "(not {0})",
    "min": "({0} if ({0} <= {1}) | ({0} != {0}) else {1})",
    "max": "({0} if ({0} >= {1}) | ({0} != {0}) else {1})",
    "sign": "(1.0 if {0} > 0.0 else (-1.0 if {0} < 0.0 else {0}))",
}


def literal(value: float) -> str:
    """A float as source text that reads back to the same bits."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "(-inf)"
    return repr(value) if value >= 0 and not str(value).startswith("-") else f"({value!r})"


@dataclass
class Writer:
    """Writes assignments for nodes; ``names`` holds what is already available, by node serial.

    ``special`` may render nodes that are no plain operation (untraced calls, implicit solutions).
    """

    names: dict[int, str] = field(default_factory=dict)
    special: Callable[[Node, list[str]], str] | None = None
    prefix: str = "v"
    style: str = "array"
    _count: int = 0

    def know(self, node: Node, name: str) -> None:
        self.names[node.serial] = name

    def write(self, outputs: Iterable[Node], keep: Callable[[Node], bool] = lambda n: True) -> list[str]:
        """Lines for everything the outputs need and do not have, restricted to nodes that ``keep`` accepts."""
        lines = []
        for node in self.missing(outputs):
            if node.op in ("const", "var") or not keep(node):
                continue
            name = f"{self.prefix}{self._count}"
            self._count += 1
            lines.append(f"{name} = {self.expression(node)}")
            self.names[node.serial] = name
        return lines

    def missing(self, outputs: Iterable[Node]) -> Iterable[Node]:
        # like graph.walk, but does not descend below what is already available
        seen: set[int] = set()
        for output in outputs:
            stack: list[tuple[Node, bool]] = [(output, False)]
            while stack:
                node, ready = stack.pop()
                if ready:
                    yield node
                elif node.serial not in seen and node.serial not in self.names:
                    seen.add(node.serial)
                    stack.append((node, True))
                    stack.extend((a, False) for a in reversed(node.args))

    def name(self, node: Node) -> str:
        if node.serial in self.names:
            return self.names[node.serial]
        if node.op == "const":
            return literal(node.value)
        return identifier(str(node.value))

    def expression(self, node: Node) -> str:
        args = [self.name(a) for a in node.args]
        if node.op in INFIX:
            return f"{args[0]} {INFIX[node.op]} {args[1]}"
        if node.op == "neg":
            return f"-{args[0]}"
        if self.style == "lane" and node.op in LANE_FORMS:
            return LANE_FORMS[node.op].format(*args)
        if node.op in CALLS:
            return f"{CALLS[node.op]}({', '.join(args)})"
        if node.op == "item":
            return f"{args[0]}[{node.value}]"
        if self.special is None:
            raise ValueError(f"no text for operation {node.op}")
        return self.special(node, args)


def identifier(name: str) -> str:
    """An input name as a Python identifier: ``p.sigma`` becomes ``p_sigma``."""
    return name.replace(".", "_")
