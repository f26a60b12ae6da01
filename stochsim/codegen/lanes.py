"""Numba kernels written from programs: blocks of 256 paths (lanes), the innermost loop over the lanes.

The text is meant to be read (``stochsim explain`` shows it). Every lane computes alone: no value of one
path reaches another. No fast-math flag is set in a kernel, so it rounds as NumPy does, operation by
operation, and the array executor returns the same bits; the speed comes from the vector width.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stochsim.codegen.blocks import LANES
from stochsim.codegen.text import CALLS, Writer, identifier
from stochsim.noise.increments import Primitive
from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node
from stochsim.symbolic.implicit import MAX_ITERATIONS, TOLERANCE, Implicit
from stochsim.symbolic.program import LANE, PARAMETER, STEP, Ranks

FILL = {"normal": "normals", "uniform": "uniforms", "two_point": "two_point", "three_point": "three_point"}
INLINE = {"sqrt", "abs", "floor", "where", "minimum", "maximum", "sign", "logical_not"}  # not from vecmath


@dataclass
class Rows:
    """Layout of the work buffer: named rows of 256 numbers."""

    names: list[str] = field(default_factory=list)

    def add(self, name: str) -> int:
        self.names.append(name)
        return len(self.names) - 1

    def at(self, row: int, lane: str = "l") -> str:
        return f"w[{row * LANES} + {lane}]" if row else f"w[{lane}]"


@dataclass
class LaneLoops:
    """Writes the loops over lanes of one program part, splitting them at implicit equations.

    ``load`` gives the source text of every lane input; ``uniform`` holds names of values that do not
    change from lane to lane (written before the loops).
    """

    rows: Rows
    load: dict[str, str]
    uniform: dict[int, str]
    used: set[str]
    solved: dict[int, list[int]] = field(default_factory=dict)  # solve node -> rows of its unknowns

    def run(self, outputs: Sequence[Node], store: Sequence[str], extra: Sequence[str] = ()) -> list[str]:
        """Lines that compute the outputs for every lane and store each where it belongs."""
        lines: list[str] = []
        for node in g.walk(outputs):
            if node.op == "solve" and node.serial not in self.solved:
                lines += self._newton(node)
        return lines + self._loop(outputs, store, extra)

    def _loop(self, outputs: Sequence[Node], store: Sequence[str], extra: Sequence[str] = ()) -> list[str]:
        writer = Writer(names=dict(self.uniform), style="lane")
        loads = self._load_solutions(outputs, writer) + self._load_inputs(outputs, writer)
        lines = writer.write(outputs)
        names = [writer.name(o) for o in outputs]
        self._note(outputs)
        body = loads + lines + [f"{s} = {n}" for s, n in zip(store, names, strict=True)]
        body += [e.format(*names) for e in extra]
        return [f"for l in range({LANES}):", *indent(body)]

    def _load_solutions(self, outputs: Sequence[Node], writer: Writer) -> list[str]:
        loads = []
        for node in g.walk(outputs):
            if node.op == "item" and node.args[0].serial in self.solved:
                row = self.solved[node.args[0].serial][node.value]
                loads.append(f"solution{row} = {self.rows.at(row)}")
                writer.know(node, f"solution{row}")
        return loads

    def _load_inputs(self, outputs: Sequence[Node], writer: Writer) -> list[str]:
        names = [n.value for n in writer.missing(outputs) if n.op == "var" and n.value in self.load]
        return [f"{identifier(name)} = {self.load[name]}" for name in names]

    def _newton(self, node: Node) -> list[str]:
        spec: Implicit = node.value
        unknown = [self.rows.add(f"unknown {i}") for i in range(spec.n)]
        captured = [self.rows.add(f"captured {i}") for i in range(len(spec.captured))]
        active = self.rows.add("active")
        at = self.rows.at
        lines = self._loop(
            node.args,
            [at(r) for r in (*unknown, *captured)],
            extra=[f"{at(active)} = 1.0"],
        )
        self._note(spec.update)
        writer = Writer(prefix="k", style="lane")
        body = [f"u{i} = {at(r)}" for i, r in enumerate(unknown)]
        body += [f"{c} = {at(r)}" for c, r in zip(spec.captured, captured, strict=True)]
        body += writer.write(spec.update)
        for i, correction in enumerate(spec.update):
            body += [f"d{i} = {writer.name(correction)}", f"r{i} = u{i} - d{i}"]
        moved = " | ".join(f"(abs(d{i}) > {TOLERANCE!r} * (1.0 + abs(r{i})))" for i in range(spec.n))
        body += [f"go = {at(active)} != 0.0", f"moved = {moved}"]
        body += [f"{at(r)} = r{i} if go else u{i}" for i, r in enumerate(unknown)]
        body += [f"{at(active)} = 1.0 if go & moved else 0.0", "left += 1 if go & moved else 0"]
        lines += [f"for iteration in range({MAX_ITERATIONS}):"]
        lines += indent(["left = 0", f"for l in range({LANES}):", *indent(body), "if left == 0:", "    break"])
        failed = [f"{at(r)} = nan if {at(active)} != 0.0 else {at(r)}" for r in unknown]
        lines += [f"for l in range({LANES}):", *indent(failed)]
        self.solved[node.serial] = unknown
        return lines

    def _note(self, outputs: Sequence[Node]) -> None:
        self.used |= {CALLS[n.op] for n in g.walk(outputs) if n.op in CALLS}


def hoisted(outputs: Sequence[Node], used: set[str]) -> tuple[list[str], list[str], dict[int, str]]:
    """Lines for what changes once a run, and once a step; and the names of those values."""
    ranks = Ranks.compute(outputs)
    targets: dict[int, list[Node]] = {PARAMETER: [], STEP: []}
    for node in g.walk(outputs):
        if ranks.of[node.serial] == LANE:
            for a in node.args:
                if ranks.of[a.serial] < LANE and a.op not in ("const",):
                    targets[ranks.of[a.serial]].append(a)
    for o in outputs:
        if ranks.of[o.serial] < LANE:
            targets[ranks.of[o.serial]].append(o)
    step_nodes = [*targets[STEP]]
    writer = Writer(prefix="s", style="lane")
    constant_parts = [
        n for n in g.walk(step_nodes + targets[PARAMETER]) if ranks.of[n.serial] == PARAMETER and n.op != "const"
    ]
    run_lines = writer.write(constant_parts)
    step_lines = writer.write(step_nodes)
    used |= {CALLS[n.op] for n in g.walk(step_nodes + constant_parts) if n.op in CALLS}
    uniform = dict(writer.names)
    for node in (*constant_parts, *step_nodes):
        uniform.setdefault(node.serial, identifier(str(node.value)))
    return run_lines, step_lines, uniform


def indent(lines: Sequence[str], depth: int = 1) -> list[str]:
    return ["    " * depth + line for line in lines]


def noise_calls(primitives: Sequence[Primitive], pair: str, base: str) -> list[str]:
    """Calls that fill the noise buffer ``z`` (2, K, 256) with the draws of two consecutive steps."""
    return [
        f"{FILL[p.kind]}(key0, key1, {base}, {pair}, {p.component}, {p.stream}, z[0, {i}], z[1, {i}])"
        for i, p in enumerate(primitives)
    ]


def noise_buffer(primitives: Sequence[Primitive]) -> np.ndarray:
    """The buffer ``z`` of one thread."""
    return np.empty((2, max(1, len(primitives)), LANES))


def scratch_rows(text: str) -> int:
    """How many rows a block needs, from the kernel text (implicit steps add scratch)."""
    line = next(x for x in text.splitlines() if x.startswith("# rows: "))
    return int(line.removeprefix("# rows: "))


def module(
    name: str, arguments: Mapping[str, str], body: Sequence[str], title: str, rows: Rows, used: set[str],
    linked: Iterable[str],
) -> str:  # fmt: skip
    """A kernel module: imports, and one function of the given arguments (name -> Numba type)."""
    math, called = sorted(used - INLINE), sorted(set(linked))
    said = title.replace("\\", "/").replace('"', "'").replace("\n", " ")  # a model may have any name
    lines = [f'"""{said}"""', "", "from math import inf, nan", "from numpy import floor, sqrt"]
    lines += ["from stochsim.codegen.compiler import kernel"]
    lines += [f"from stochsim.codegen.linked import {', '.join(called)}"] if called else []
    lines += ["from stochsim.codegen.target import wide_vectors"]
    lines += [f"from stochsim.vecmath import {', '.join(math)}"] if math else []
    lines += ["", "", f"# rows: {len(rows.names)}", f'@kernel("{", ".join(arguments.values())}")']
    lines += [f"def {name}({', '.join(arguments)}):", *indent(["wide_vectors()", *body]), ""]
    return "\n".join(lines)
