"""In which order a block computes: whole-block operations, and loops over rows that fuse what lies between them.

A value made row by row joins the loop in which it is needed first; sums over rows are ready after the loop they are
gathered in; products, draws, loops and scalar programs stand between loops and read their operands from memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stochsim.columns.graph import ELEMENTWISE, REDUCTIONS, Column


@dataclass(frozen=True)
class Phases:
    """For each node its level; loops over rows of a level come after its whole-block operations."""

    nodes: list[Column]
    level: dict[int, int]
    last: int
    stored: set[int]

    def whole(self, level: int) -> list[Column]:
        """Operations on whole blocks at the beginning of a level."""
        return [n for n in self.nodes if self.level[n.serial] == level and not is_row_wise(n)]

    def loops(self, level: int) -> list[list[Column]]:
        """Groups of nodes computed in one loop each: numbers first, then vectors by their length."""
        members = [n for n in self.nodes if self.level[n.serial] == level and is_row_wise(n)]
        sizes = sorted({loop_rows(n) for n in members}, key=lambda rows: -1 if rows is None else rows)
        return [[n for n in members if loop_rows(n) == rows] for rows in sizes]

    def ends(self, outputs: set[int]) -> dict[int, list[Column]]:
        """For each level, the values with rows of their own that nobody reads after it; outputs are read at the end."""
        last_read: dict[int, int] = {}
        for node in self.nodes:
            for a in node.args:
                for source in _sources(a):
                    last_read[source.serial] = max(last_read.get(source.serial, 0), self.level[node.serial])
        kept = {source.serial for n in self.nodes if n.serial in outputs for source in _sources(n)}
        found: dict[int, list[Column]] = {}
        for node in self.nodes:
            if node.serial not in kept and node.op not in ALIASES and node.op != "loop":
                found.setdefault(last_read.get(node.serial, self.level[node.serial]), []).append(node)
        return found


ALIASES = frozenset({"row", "rows", "item"})  # they are where their operand is


def _sources(node: Column) -> list[Column]:
    """A value, and what it is an alias of."""
    found = [node]
    while found[-1].op in ALIASES:
        found.append(found[-1].args[0])
    return found


def is_row_wise(node: Column) -> bool:
    """Whether it is computed inside a loop over rows."""
    return node.op in ELEMENTWISE or node.op in REDUCTIONS


def loop_rows(node: Column) -> int | None:
    """The rows of the loop in which it is computed."""
    return node.args[0].rows if node.op in REDUCTIONS else node.rows


def schedule(outputs: Sequence[Column], available: set[int]) -> Phases:
    """Phases for what the outputs need and is neither available nor the same for all columns."""
    nodes = _needed(outputs, available)
    level = _earliest(nodes)
    last = max([*level.values(), 0])
    consumers = _consumers(nodes)
    wanted = {o.serial for o in outputs}
    for node in reversed(nodes):  # as late as possible: shorter lives, fewer trips to memory
        if node.op in ELEMENTWISE:
            uses = [level[c.serial] - (not is_row_wise(c) or _crosses(node, c)) for c in consumers.get(node.serial, ())]
            level[node.serial] = min([*uses, *([last] if node.serial in wanted else [])])
    return Phases(nodes, level, last, _stored(nodes, level, consumers))


def _needed(outputs: Sequence[Column], available: set[int]) -> list[Column]:
    found: list[Column] = []
    seen: set[int] = set()
    for output in outputs:
        stack = [(output, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                found.append(node)
            elif node.serial not in seen and node.serial not in available and not node.uniform:
                seen.add(node.serial)
                stack.append((node, True))
                stack.extend((a, False) for a in reversed(node.args))
    return found


def _earliest(nodes: list[Column]) -> dict[int, int]:
    level: dict[int, int] = {}
    for node in nodes:
        ready = 0
        for a in node.args:
            if a.serial not in level:
                continue
            if (
                a.op in REDUCTIONS
                or (a.op in ELEMENTWISE and not is_row_wise(node))
                or (a.op in ELEMENTWISE and _crosses(a, node))
            ):
                ready = max(ready, level[a.serial] + 1)
            else:
                ready = max(ready, level[a.serial])
        level[node.serial] = ready
    return level


def _crosses(a: Column, node: Column) -> bool:
    """Whether a value of one loop is read by another loop that may come before it in the level."""
    return a.rows is not None and a.rows != loop_rows(node)


def _consumers(nodes: list[Column]) -> dict[int, list[Column]]:
    found: dict[int, list[Column]] = {}
    for node in nodes:
        for a in node.args:
            found.setdefault(a.serial, []).append(node)
    return found


def _stored(nodes: list[Column], level: dict[int, int], consumers: dict[int, list[Column]]) -> set[int]:
    """Row-wise values that are read outside the loop that computes them."""
    return {
        n.serial
        for n in nodes
        if n.op in ELEMENTWISE
        and any(
            not is_row_wise(c) or level[c.serial] != level[n.serial] or loop_rows(c) != loop_rows(n)
            for c in consumers.get(n.serial, ())
        )
    }
