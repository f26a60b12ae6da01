"""Programs: a step written as formulas of named inputs, ready for any executor.

Inputs are named ``x0, x1, ...`` (state), ``t``, ``h``, ``p.<name>`` (parameters) and ``n0, n1, ...``
(primitive draws) or ``dW0, dZ0, A0_1, ...`` (noise given as arrays).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node

PARAMETER, STEP, LANE = 0, 1, 2  # how often a value changes: per run, per step, per path


@dataclass(frozen=True)
class Program:
    """Outputs as formulas of inputs; ``parameters`` fixes the order of the parameter vector."""

    outputs: tuple[Node, ...]
    parameters: tuple[str, ...] = ()

    @cached_property
    def inputs(self) -> frozenset[str]:
        return frozenset(g.variables(self.outputs))

    @cached_property
    def is_opaque(self) -> bool:
        """Whether a function that could not be traced takes part (array executor only)."""
        return any(n.op == "extern" for n in g.walk(self.outputs))

    @cached_property
    def size(self) -> int:
        """Number of arithmetic operations a path and step."""
        count = 0
        for n in g.walk(self.outputs):
            if n.op == "solve":
                count += 4 * sum(1 for _ in g.walk(n.value.update))
            elif n.op not in ("const", "var", "item"):
                count += 1
        return count

    def substitute(self, replacement: dict[str, Node]) -> Program:
        return Program(tuple(g.substitute(self.outputs, replacement)), self.parameters)


def rank(name: str) -> int:
    """How often an input changes."""
    if name.startswith("p."):
        return PARAMETER
    return STEP if name in ("t", "h", "T") else LANE


@dataclass
class Ranks:
    """Rank of every node: the highest rank among its inputs."""

    of: dict[int, int] = field(default_factory=dict)

    @staticmethod
    def compute(outputs: Iterable[Node]) -> Ranks:
        ranks = Ranks()
        for n in g.walk(outputs):
            if n.op == "var":
                value = rank(n.value)
            elif n.op in ("extern", "solve"):
                value = LANE
            else:
                value = max((ranks.of[a.serial] for a in n.args), default=PARAMETER)
            ranks.of[n.serial] = value
        return ranks
