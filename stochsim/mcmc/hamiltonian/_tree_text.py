"""The kernel of the no-U-turn sampler as text: one chain at a time, its tree of doublings without recursion.

Momenta and uniforms are functions of (seed, chain, step, draw) in streams of their own; here the draw takes the
counter's place of the path, and the chain that of the component, so that one call fills a whole momentum.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stochsim.columns.graph import Column, as_column
from stochsim.columns.kernels import Kernel
from stochsim.columns.layout import Layout
from stochsim.columns.ops import dot
from stochsim.columns.text import Emitter, indent
from stochsim.columns.tracing import Scope, parameters, scope, symbolic, variable

ARGUMENTS = {
    "par": "float64[::1]",
    "step_size": "float64",
    "max_depth": "int64",
    "key0": "int64",
    "key1": "int64",
    "first_path": "int64",
    "step_offset": "int64",
    "first": "int64",
    "last": "int64",
    "state": "float64[:,::1]",
    "moments": "float64[:,::1]",
    "w": "float64[::1]",
    "every": "int64",
    "first_slot": "int64",
    "out": "float64[:,:,::1]",
}
MOMENTUM_STREAM, UNIFORM_STREAM = 18, 19
UNIFORMS = 8  # counters a refill, two uniforms each
VECTORS_A_LEVEL = 5  # of a finished sub-tree: first momentum and velocity, last ones, sum of momenta
PARTS = tuple(Path(__file__).with_name(name) for name in ("_tree_parts.py", "_vector_sums.py"))


class OneColumn(Emitter):
    """Writes formulas for a single column: the loop over rows is the inner one, its sums are made from stored rows."""

    def __init__(self, offsets: dict[int, int]) -> None:
        super().__init__(offsets, 1, Layout())
        self.summands: dict[int, int] = {}

    def _loop(self, group: list[Column], stored: set[int], kept: dict[int, int]) -> list[str]:
        lines = super()._loop(group, stored, kept)
        for node in (n for n in group if n.op == "total"):
            rows = node.args[0].rows or 1
            lines.append(f"w[{self.layout.keep(node)}] = row_sum(w, {self.summands[node.serial]}, {rows})")
        return lines

    def _start(self, node: Column) -> list[str]:
        if node.op != "total":
            return super()._start(node)
        self.summands[node.serial] = self.layout.take(node.args[0].rows)
        return []

    def _gather(self, node: Column, value: str) -> str:
        if node.op != "total":
            return super()._gather(node, value)
        return f"{self._at(self.summands[node.serial])} = {value}"

    def _matvec(self, node: Column) -> list[str]:
        A, x = node.args
        source, lines = self._held(x)
        (m, k), (si, sj) = A.shape, (A.shape[1], 1)
        if node.value:
            m, k, si, sj = k, m, sj, si
        place = self.layout.keep(node)
        return [*lines, f"product(par, {self.offsets[A.serial]}, {m}, {k}, {si}, {sj}, w, {source}, {place})"]

    def _distances(self, node: Column) -> list[str]:
        centres, weights, x = node.args
        source, lines = self._held(x)
        place, (m, d), wide = self.layout.keep(node), centres.shape, weights.shape[1]
        numbers = f"par, {self.offsets[centres.serial]}, par, {self.offsets[weights.serial]}, "
        return [*lines, f"squares({numbers}{wide}, {1 if wide > 1 else 0}, {m}, {d}, w, {source}, {place})"]


@dataclass(frozen=True)
class Formulas:
    """The traced parts of a step: (variables, outputs) of the momentum, of kick and drift, of the score, of the kick.

    A point on a trajectory is position q, score, momentum p, velocity M⁻¹p and M⁻¹ score: a leapfrog then costs one
    product with the metric's matrix.
    """

    begin: tuple[list[Column], list[Column]]
    drift: tuple[list[Column], list[Column]]
    score: tuple[list[Column], list[Column]]
    kick: tuple[list[Column], list[Column]]
    h: Column

    @property
    def outputs(self) -> list[Column]:
        """All values computed."""
        return [*self.begin[1], *self.drift[1], *self.score[1], *self.kick[1]]


def traced(metric: Any, target: Any, d: int) -> Formulas:
    """Formulas of a metric and a target, with symbols for their numbers."""
    metric, target = symbolic(metric, "sampler.metric"), symbolic(target, "target")
    h = Column("par", uniform=True)
    with scope():
        z, score = variable("z", d), variable("score", d)
        p = metric.momentum(z)
        v = metric.velocity(p)
        begin = ([z, score], [p, v, metric.velocity(score), dot(p, v)])

        q, score, p, v, push = (variable(n, d) for n in ("q", "score", "p", "v", "push"))
        drift = v + 0.5 * h * push
        drifted = ([q, score, p, v, push], [q + h * drift, p + 0.5 * h * score, drift])

        q = variable("q", d)
        log_prob, score = map(as_column, target.log_prob_and_score(q))
        scored = ([q], [score, metric.velocity(score), log_prob])

        score, p, v, push = (variable(n, d) for n in ("score", "p", "v", "push"))
        p_new, v_new = p + 0.5 * h * score, v + 0.5 * h * push
        kicked = ([score, p, v, push], [p_new, v_new, dot(p_new, v_new)])
    return Formulas(begin, drifted, scored, kicked, h)


def tree_kernel(metric: Any, target: Any, d: int, title: str, moments: bool) -> Kernel:
    """The kernel for a kind of metric and target; its work space has ``rows`` numbers and the levels of the tree."""
    formulas = traced(metric, target, d)
    nodes = [p for p in parameters(formulas.outputs) if p.serial != formulas.h.serial]
    emitter = OneColumn(_offsets(nodes))
    take = emitter.layout.take
    pairs = (d + 1) // 2
    place = {"Q": take(d), "S": take(d), "P": take(d), "V": take(d), "F": take(d)}  # F: M⁻¹ score
    place |= {name: take(5 * d) for name in ("BACKWARD", "FORWARD")}
    place |= {"CHOSEN": take(2 * d), "SUB": take(2 * d), "ALL": take(d), "RHO": take(d)}
    place |= {"Z": take(2 * pairs), "U": take(2 * UNIFORMS), "SQUARE": take(1), "LOG_PROB": take(1)}
    emitter.uniforms[formulas.h.serial] = "h"

    def block(part: tuple[list[Column], list[Column]], sources: str, targets: str) -> str:
        for node, name in zip(part[0], sources.split(), strict=True):
            emitter.layout.place[node.serial] = place[name]
        lines = emitter.block(part[1], [place[name] for name in targets.split()], Scope())
        return "\n".join(lines)

    begin = block(formulas.begin, "Z S", "P V F SQUARE")
    drift = block(formulas.drift, "Q S P V F", "Q P V")
    score = block(formulas.score, "Q", "S F LOG_PROB")
    kick = block(formulas.kick, "S P V F", "P V SQUARE")
    numbers = place | {
        "d": d, "d2": 2 * d, "d3": 3 * d, "d4": 4 * d, "d5": VECTORS_A_LEVEL * d, "pairs": pairs,
        "LEVELS": emitter.layout.used,
        "UNIFORMS2": 2 * UNIFORMS, "Z1": place["Z"] + pairs, "Z2": place["Z"] + 2 * pairs, "U1": place["U"] + UNIFORMS,
        "U2": place["U"] + 2 * UNIFORMS, "MOMENTUM_STREAM": MOMENTUM_STREAM, "UNIFORM_STREAM": UNIFORM_STREAM,
    }  # fmt: skip
    body = _filled(
        TEMPLATE,
        numbers,
        begin=begin,
        drift=drift,
        score=score,
        kick=kick,
        refill=REFILL,
        save=MOMENTS if moments else DRAWS,
    )
    return Kernel(_module(body, title, emitter), 1, emitter.layout.used, tuple(nodes))


def _offsets(nodes: list[Column]) -> dict[int, int]:
    offsets, position = {}, 0
    for node in nodes:
        offsets[node.serial] = position
        size = 1
        for n in node.shape:
            size *= n
        position += size
    return offsets


def _filled(template: str, numbers: dict[str, int], **blocks: str) -> str:
    """The template with its blocks, at the depth where they are named, and its places."""
    lines = []
    for line in template.strip("\n").splitlines():
        name = line.strip().strip("<>")
        if line.strip().startswith("<"):
            inner = _filled(blocks[name], numbers).splitlines()
            lines += [line[: len(line) - len(line.lstrip())] + text for text in inner]
        else:
            lines.append(line.format(**numbers) if "{" in line else line)
    return "\n".join(lines)


def _module(body: str, title: str, emitter: OneColumn) -> str:
    said = title.replace("\\", "/").replace('"', "'").replace("\n", " ")
    # Numba does not see an edit in these files; the name of the kernel, a hash of this text, does
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in PARTS)).hexdigest()
    math = sorted(emitter.math | {"exp"})
    return "\n".join(
        [
            f'"""{said}"""', "",
            "from math import inf, nan",
            "from numpy import floor, sqrt",
            "from stochsim.codegen.compiler import kernel",
            "from stochsim.codegen.linked import normals, uniforms",
            "from stochsim.codegen.target import wide_vectors",
            f"from stochsim.mcmc.hamiltonian._tree_parts import {PARTS_USED}  # {digest}",
            f"from stochsim.vecmath import {', '.join(math)}", "", "",
            f'@kernel("{", ".join(ARGUMENTS.values())}")',
            f"def advance_trees({', '.join(ARGUMENTS)}):",
            *indent(["wide_vectors()", "base0 = 0", *body.splitlines()]), "",
        ]
    )  # fmt: skip


PARTS_USED = "accumulate, add, copy, product, row_sum, squares, turned"

# At a leaf of an odd number, sub-trees of equal size are merged: as many as the number has trailing ones.
# Weights are relative to exp(offset), which moves only where a trajectory falls by hundreds of units of energy.
TEMPLATE = """
for chain in range(state.shape[0]):
    path = first_path + chain
    slot = first_slot
    for i in range({d2}):
        w[{CHOSEN} + i] = state[chain, i]
    log_prob = state[chain, {d2}]
    for k in range(first, last):
        index = k + step_offset
        copy(w, {CHOSEN}, {Q}, {d2})
        normals(key0, key1, 0, index, path, {MOMENTUM_STREAM}, w[{Z}:{Z1}], w[{Z1}:{Z2}])
        <begin>
        start = 0.5 * w[{SQUARE}] - log_prob
        energy = start
        copy(w, {Q}, {BACKWARD}, {d5})
        copy(w, {Q}, {FORWARD}, {d5})
        copy(w, {P}, {ALL}, {d})
        offset, weight_all = 0.0, 1.0
        accept_sum, n_leapfrog, depth = 0.0, 0, 0
        diverging, turns = False, False
        drawn = 0
        while depth < max_depth:
            <refill>
            forward = w[{U} + drawn % {UNIFORMS2}] < 0.5
            drawn += 1
            near, far, h = ({FORWARD}, {BACKWARD}, step_size) if forward else ({BACKWARD}, {FORWARD}, -step_size)
            copy(w, near, {Q}, {d5})
            weight_sub, log_prob_sub, energy_sub = 0.0, 0.0, 0.0
            begin_p, begin_v, rho = {P}, {V}, {P}
            for leaf in range(1 << depth):
                <drift>
                <score>
                <kick>
                energy_here = 0.5 * w[{SQUARE}] - w[{LOG_PROB}]
                gain = start - energy_here
                n_leapfrog += 1
                if not (gain > -1000.0 and gain < inf):
                    diverging = True
                    break
                accept_sum += exp(gain if gain < 0.0 else 0.0)
                if gain > offset + 300.0:
                    scale = exp(offset - gain)
                    weight_all *= scale
                    weight_sub *= scale
                    offset = gain
                weight = exp(gain - offset)
                weight_sub += weight
                <refill>
                if w[{U} + drawn % {UNIFORMS2}] * weight_sub < weight:
                    copy(w, {Q}, {SUB}, {d2})
                    log_prob_sub, energy_sub = w[{LOG_PROB}], energy_here
                drawn += 1
                begin_p, begin_v, rho = {P}, {V}, {P}
                level, rest = 0, leaf
                while rest & 1:
                    node = {LEVELS} + level * {d5}
                    old_rho = node + {d4} if level else node
                    if turned(w, node + {d}, {V}, old_rho, rho, {d}):
                        turns = True
                        break
                    if level:
                        if turned(w, node + {d}, begin_v, old_rho, begin_p, {d}):
                            turns = True
                            break
                        if turned(w, node + {d3}, {V}, rho, node + {d2}, {d}):
                            turns = True
                            break
                    add(w, old_rho, rho, {RHO}, {d})
                    begin_p, begin_v, rho = node, node + {d}, {RHO}
                    level += 1
                    rest >>= 1
                if turns:
                    break
                if level < depth:
                    node = {LEVELS} + level * {d5}
                    copy(w, begin_p, node, {d})
                    copy(w, begin_v, node + {d}, {d})
                    if level:
                        copy(w, {P}, node + {d2}, {d})
                        copy(w, {V}, node + {d3}, {d})
                        copy(w, rho, node + {d4}, {d})
            if diverging or turns:
                break
            <refill>
            if w[{U} + drawn % {UNIFORMS2}] * weight_all < weight_sub:
                copy(w, {SUB}, {CHOSEN}, {d2})
                log_prob, energy = log_prob_sub, energy_sub
            drawn += 1
            weight_all += weight_sub
            depth += 1
            if turned(w, far + {d3}, {V}, {ALL}, rho, {d}):
                break
            if depth > 1:
                if turned(w, far + {d3}, begin_v, {ALL}, begin_p, {d}):
                    break
                if turned(w, near + {d3}, {V}, rho, near + {d2}, {d}):
                    break
            add(w, {ALL}, rho, {ALL}, {d})
            copy(w, {Q}, near, {d5})
        <save>
    for i in range({d2}):
        state[chain, i] = w[{CHOSEN} + i]
    state[chain, {d2}] = log_prob
"""
REFILL = """
if drawn % {UNIFORMS2} == 0:
    uniforms(key0, key1, drawn // 2, index, path, {UNIFORM_STREAM}, w[{U}:{U1}], w[{U1}:{U2}])
"""
DRAWS = """
if (index + 1) % every == 0:
    for i in range({d}):
        out[chain, slot, i] = w[{CHOSEN} + i]
    out[chain, slot, {d}] = log_prob
    out[chain, slot, {d} + 1] = accept_sum / max(n_leapfrog, 1)
    out[chain, slot, {d} + 2] = n_leapfrog
    out[chain, slot, {d} + 3] = depth
    out[chain, slot, {d} + 4] = energy
    out[chain, slot, {d} + 5] = 1.0 if diverging else 0.0
    slot += 1
"""
MOMENTS = """
accumulate(w, {CHOSEN}, moments[chain], {d}, moments.shape[1] != 1 + 2 * {d})
"""
