"""A traced formula as the lines of a Numba kernel: loops over rows outside, over the lanes of a block inside.

No fast-math flag is set, so every operation rounds as NumPy's does, in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stochsim.codegen.text import LANE_FORMS, Writer, identifier, literal
from stochsim.columns.graph import ELEMENTARY, INFIX, REDUCTIONS, Column, walk
from stochsim.columns.layout import Layout, pair_count, rows_taken
from stochsim.columns.phases import Phases, is_row_wise, loop_rows, schedule
from stochsim.columns.tracing import Body, Scope
from stochsim.errors import TraceError

FILL = {"normal": ("normals", 16), "uniform": ("uniforms", 17)}  # kind -> filler, stream


def indent(lines: Sequence[str], depth: int = 1) -> list[str]:
    """Lines moved to the right."""
    return ["    " * depth + line for line in lines]


@dataclass
class Emitter:
    """Writes the phases of a formula; ``offsets`` says where each parameter begins in ``par``.

    ``varying`` names parameters with a value for each step, in the columns of ``per_step``. The lines of `block`
    stand inside the loops over blocks and steps, where ``w`` is the work space of the block, ``path`` the number of
    its first column, ``index`` the counter of the step and ``base0`` that of its first draw.
    """

    offsets: dict[int, int]
    lanes: int
    layout: Layout = field(default_factory=Layout)
    math: set[str] = field(default_factory=set)
    linked: set[str] = field(default_factory=set)
    uniforms: dict[int, str] = field(default_factory=dict)
    counters: dict[int, str] = field(default_factory=dict)
    row_names: dict[int, str] = field(default_factory=dict)
    varying: tuple[str, ...] = ()
    depth: int = 0

    def block(self, outputs: Sequence[Column], targets: Sequence[int], draws: Scope) -> list[str]:
        """Lines that compute the outputs and put each into its rows; the targets may be rows that are read."""
        lines = self._scalars(outputs)
        self._number_draws(draws)
        saved, sources = self._save_overwritten(outputs, targets)
        lines += saved
        phases = schedule(outputs, set(self.layout.place))
        kept = _in_place(outputs, targets, phases)
        stored = phases.stored | ({o.serial for o in outputs} - set(kept))
        ends = phases.ends({o.serial for o in outputs})
        for level in range(phases.last + 1):
            for node in phases.whole(level):
                lines += getattr(self, f"_{WHOLE.get(node.op, node.op)}")(node)
            for group in phases.loops(level):
                lines += self._loop(group, stored, kept)
            for node in ends.get(level, ()):
                if node.serial in self.layout.place:
                    self.layout.give_back(node)
        for o, target in zip(outputs, targets, strict=True):
            if o.serial not in kept and sources.get(target, self._place_of(o)) != target:
                lines += self._copy(o, target, sources.get(target))
        return lines

    def _save_overwritten(self, outputs: Sequence[Column], targets: Sequence[int]) -> tuple[list[str], dict[int, int]]:
        """Copies of outputs that are values from before, where another output overwrites them."""
        written = {t + r for o, t in zip(outputs, targets, strict=True) for r in range(o.rows or 1)}
        lines, sources = list[str](), dict[int, int]()
        for o, target in zip(outputs, targets, strict=True):
            base, shift = o, 0
            while base.op in ("row", "rows"):
                base, shift = base.args[0], shift + base.value
            if base.op != "var" or self.layout.place[base.serial] + shift == target:
                continue
            place = self.layout.place[base.serial] + shift
            if written & set(range(place, place + (o.rows or 1))):
                sources[target] = self.layout.take(o.rows)
                lines += self._each(o.rows, [f"{self._at(sources[target])} = {self._at(place)}"])
        return lines, sources

    def _copy(self, o: Column, target: int, source: int | None) -> list[str]:
        place = self._place_of(o) if source is None else source
        if place is not None:
            return self._each(o.rows, [f"{self._at(target)} = {self._at(place)}"])
        prepare = self._row_values([o])
        return self._each(o.rows, [f"{self._at(target)} = {_number(o, self._uniform(o))}"], prepare)

    # --- the same for all columns ----------------------------------------------------------------------------

    def _scalars(self, outputs: Sequence[Column]) -> list[str]:
        """Assignments of numbers that are the same for all columns."""
        lines = []
        for node in self._with_edges(outputs):
            if not node.uniform or node.rows is not None or node.serial in self.uniforms:
                continue
            if node.op == "const":
                self.uniforms[node.serial] = repr(node.value) if isinstance(node.value, bool) else literal(node.value)
                continue
            if node.op == "par":
                if len(node.shape) == 2:
                    continue
                varies = node.path in self.varying
                text = (
                    f"per_step[k, {self.varying.index(node.path)}]" if varies else f"par[{self.offsets[node.serial]}]"
                )
            else:
                text = self._expression(node, [self.uniforms[a.serial] for a in node.args])
            name = f"u{len(self.uniforms)}"
            self.uniforms[node.serial] = name
            lines.append(f"{name} = {text}")
        return lines

    def _with_edges(self, outputs: Sequence[Column]) -> list[Column]:
        """All nodes of the outputs and of the bodies of their loops."""
        found = []
        for node in walk(outputs):
            if node.op == "loop":
                found += self._with_edges(node.value.outputs)
            found.append(node)
        return found

    def _row_values(self, nodes: Sequence[Column]) -> list[str]:
        """Assignments, once a row, of the vectors among the operands that are the same for all columns."""
        lines = []
        self.row_names = {}
        for node in walk([n for n in nodes if n.uniform] + [a for n in nodes for a in n.args if a.uniform]):
            if node.rows is None or node.op == "const":
                continue
            if node.op == "par":
                columns = node.shape[1] if len(node.shape) == 2 else 1
                if columns != 1:
                    continue
                index = f"{self.offsets[node.serial]}" + (" + i" if node.rows > 1 else "")
                text = f"par[{index}]"
            else:
                text = self._expression(node, [self._uniform(a) for a in node.args])
            name = f"r{len(self.row_names)}"
            self.row_names[node.serial] = name
            lines.append(f"{name} = {text}")
        return lines

    def _uniform(self, node: Column) -> str:
        return self.uniforms[node.serial] if node.rows is None else self.row_names[node.serial]

    def _at(self, place: int) -> str:
        """The number of row ``i`` of a value and of lane ``l``."""
        return f"w[{place * self.lanes} + i * {self.lanes} + l]"

    def _each(self, rows: int | None, body: Sequence[str], prepare: Sequence[str] = ()) -> list[str]:
        """A loop over rows and lanes."""
        lanes = [f"for l in range({self.lanes}):", *indent(body)]
        if rows is None or rows == 1:
            return [*prepare, *(line.replace(f" + i * {self.lanes}", "") for line in lanes)]
        return [f"for i in range({rows}):", *indent([*prepare, *lanes])]

    def _loop(self, group: list[Column], stored: set[int], kept: dict[int, int]) -> list[str]:
        rows = loop_rows(group[0])
        prepare = self._row_values(group)
        names: dict[int, str] = {}
        before, loads, body, stores = list[str](), list[str](), list[str](), list[str]()
        for node in group:
            operands = [self._operand(a, rows, names, loads) for a in node.args]
            if node.op in REDUCTIONS:
                before += self._start(node)
                body.append(self._gather(node, operands[0]))
                continue
            names[node.serial] = name = f"v{len(names)}"
            body.append(f"{name} = {self._expression(node, operands)}")
            targets = [kept[node.serial]] if node.serial in kept else []
            targets += [self.layout.keep(node)] if node.serial in stored else []
            stores += [f"{self._at(t)} = {_number(node, name)}" for t in targets]
        return before + self._each(rows, [*loads, *body, *stores], prepare)

    def _start(self, node: Column) -> list[str]:
        start = "0.0" if node.op == "total" else "-inf"
        return self._each(None, [f"{self._at(self.layout.keep(node))} = {start}"])

    def _gather(self, node: Column, value: str) -> str:
        sums = f"w[{self.layout.place[node.serial] * self.lanes} + l]"
        if node.op == "total":
            return f"{sums} = {sums} + {value}"
        return f"{sums} = {value} if ({value} > {sums}) | ({value} != {value}) else {sums}"

    def _operand(self, a: Column, rows: int | None, names: dict[int, str], loads: list[str]) -> str:
        if a.serial in names:
            return names[a.serial]
        if a.uniform:
            return self._uniform(a)
        place = self._place_of(a)
        assert place is not None
        names[a.serial] = name = f"x{len(names)}"
        own_row = a.rows is not None and a.rows == rows
        text = self._at(place) if own_row else f"w[{place * self.lanes} + l]"
        loads.append(f"{name} = {text}" + (" != 0.0" if a.boolean else ""))
        return name

    def _place_of(self, node: Column) -> int | None:
        """The first row of a kept value; None for what is the same for all columns."""
        return None if node.uniform else self.layout.place[node.serial]

    def _expression(self, node: Column, args: list[str]) -> str:
        if node.op in INFIX:
            return f"{args[0]} {INFIX[node.op]} {args[1]}"
        if node.op == "neg":
            return f"-{args[0]}"
        if node.op in LANE_FORMS:
            return LANE_FORMS[node.op].format(*args)
        if node.op in ELEMENTARY:
            self.math.add(node.op)
        return f"{node.op}({', '.join(args)})"

    def _span(self, place: int, rows: int | None) -> str:
        return f"w[{place * self.lanes}:{(place + (rows or 1)) * self.lanes}]"

    def _held(self, node: Column) -> tuple[int, list[str]]:
        """Where an operand of a whole-block operation lies; what is the same for all columns is spread out."""
        if not node.uniform:
            return self.layout.place[node.serial], []
        prepare = self._row_values([node])
        place = self.layout.take(node.rows)
        return place, self._each(node.rows, [f"{self._at(place)} = {self._uniform(node)}"], prepare)

    def _row(self, node: Column) -> list[str]:
        place, lines = self._held(node.args[0])
        self.layout.place[node.serial] = place + node.value
        return lines

    def _item(self, node: Column) -> list[str]:
        body: Body = node.args[0].value
        self.layout.place[node.serial] = self.layout.place[body.carry[node.value].serial]
        return []

    def _join(self, node: Column) -> list[str]:
        place, lines = self.layout.keep(node), list[str]()
        for a in node.args:
            lines += self._copy(a, place, None)
            place += a.rows or 1
        return lines

    def _repeat(self, node: Column) -> list[str]:
        (a,), size = node.args, node.value
        source, lines = self._held(a)
        place = self.layout.keep(node)
        taken = f"i // {size}" if node.op == "repeat" else f"i % {a.rows}"
        value = f"w[{source * self.lanes} + {taken} * {self.lanes} + l]"
        return [*lines, *self._each(node.rows, [f"{self._at(place)} = {value}"])]

    def _segments(self, node: Column) -> list[str]:
        (a,), size = node.args, node.value
        source, lines = self._held(a)
        place = self.layout.keep(node)
        target = f"w[{place * self.lanes} + i // {size} * {self.lanes} + l]"
        return [
            *lines,
            *self._each(node.rows, [f"{self._at(place)} = 0.0"]),
            *self._each(a.rows, [f"{target} += {self._at(source)}"]),
        ]

    def _matvec(self, node: Column) -> list[str]:
        A, x = node.args
        self.linked.add("matvec")
        source, lines = self._held(x)
        place, offset = self.layout.keep(node), self.offsets[A.serial]
        (m, k), (si, sj) = A.shape, (A.shape[1], 1)
        if node.value:
            m, k, si, sj = k, m, sj, si
        call = f"matvec(par, {offset}, {m}, {k}, {si}, {sj}, {self._span(source, k)}, {self._span(place, m)})"
        return [*lines, call]

    def _distances(self, node: Column) -> list[str]:
        centres, weights, x = node.args
        self.linked.add("distances")
        source, lines = self._held(x)
        place, (m, d), wide = self.layout.keep(node), centres.shape, weights.shape[1]
        numbers = f"par, {self.offsets[centres.serial]}, par, {self.offsets[weights.serial]}, "
        numbers += f"{wide}, {1 if wide > 1 else 0}, {m}, {d}"
        return [*lines, f"distances({numbers}, {self._span(source, d)}, {self._span(place, m)})"]

    def _pick(self, node: Column) -> list[str]:
        table, index = node.args
        source, lines = self._held(index)
        place, (count, m) = self.layout.keep(node), table.shape
        first = f"{self.offsets[table.serial]} + chosen * {m}" + (" + i" if m > 1 else "")
        body = [
            f"wanted = w[{source * self.lanes} + l]",
            f"chosen = int(wanted) if (wanted > 0.0) & (wanted < {count}.0) else ({count - 1} if wanted > 0.0 else 0)",
            f"{self._at(place)} = par[{first}]",
        ]
        return [*lines, *self._each(node.rows, body)]

    def _formula(self, node: Column) -> list[str]:
        x, *values = node.args
        source, lines = self._held(x)
        place, program = self.layout.keep(node), node.value
        writer = Writer(style="lane", prefix="f")
        body = [f"x{i} = {self._at(source + i)}" for i in range(x.rows or 1)]
        body += writer.write(program.outputs)
        body += [f"{self._at(place + i)} = {writer.name(o)}" for i, o in enumerate(program.outputs)]
        self.math |= program.elementary
        names = [f"{identifier(name)} = {self._uniform(v)}" for name, v in zip(program.parameters, values, strict=True)]
        return [*lines, *names, *self._each(None, body)]

    # --- random numbers and loops ----------------------------------------------------------------------------------

    def _number_draws(self, draws: Scope) -> None:
        """The counter of each draw, in the order of the calls; loops take as many as their rounds need."""
        fixed, moving = 0, ""
        for item in draws.items:
            self.counters[item.serial] = f"base{self.depth} + {fixed}{moving}"
            if item.op == "loop":
                size = _pairs(item.value.draws)
                moving += f" + {size} * int({self._uniform(item.args[0])})" if size else ""
            else:
                fixed += pair_count(item.rows)

    def _draw(self, node: Column) -> list[str]:
        filler, stream = FILL[node.op]
        self.linked.add(filler)
        count, size = pair_count(node.rows), 2 * self.lanes
        self.layout.place[node.serial] = place = self.layout.take(rows_taken(node))
        begin = f"{place * self.lanes} + i * {size}"
        halves = f"w[{begin}:{begin} + {self.lanes}], w[{begin} + {self.lanes}:{begin} + {size}]"
        counter = f"index, {self.counters[node.serial]} + i, {stream}" if not node.args else self._given_counter(node)
        call = f"{filler}(key0, key1, path, {counter}, {halves})"
        return [f"for i in range({count}):", *indent([call])]

    def _given_counter(self, node: Column) -> str:
        """The counter of a draw that names its own index and stream, so that it is the same in any formula."""
        return f"int({self._uniform(node.args[0])}), i, {node.value}"

    def _rounds(self, node: Column) -> list[str]:
        body: Body = node.value
        places = [self.layout.keep(v) for v in body.carry]
        lines = list[str]()
        for a, place in zip(node.args[1:], places, strict=False):
            lines += self._copy(a, place, None)
        count = self._uniform(node.args[0])
        self.depth += 1
        before, size = set(self.layout.place), _pairs(body.draws)
        inner = [f"base{self.depth} = {self.counters[node.serial]} + {size} * round{self.depth}"] if size else []
        inner += self.block(body.outputs, places, body.draws)
        for serial in set(self.layout.place) - before:  # the loop may not run at all
            del self.layout.place[serial]
        head = f"for round{self.depth} in range(int({count})):"
        lines += _row_by_row(head, inner) or [head, *indent(inner)]
        self.depth -= 1
        return lines


WHOLE = {"loop": "rounds", "tile": "repeat", "normal": "draw", "uniform": "draw", "rows": "row", "stack": "join"}


def _row_by_row(head: str, inner: Sequence[str]) -> list[str]:
    """Rounds inside the loop over rows, where no row needs another: a row then stays in the first-level cache.

    Empty if the body is anything else than one loop over rows and lanes.
    """
    if not inner or not inner[0].startswith("for i in ") or any(not line.startswith("    ") for line in inner[1:]):
        return []
    begin = next(k for k, line in enumerate(inner) if line.startswith("    for l in "))
    if any(not line.startswith("        ") for line in inner[begin + 1 :]):
        return []
    return [inner[0], *inner[1:begin], *indent([head, *inner[begin:]])]


def _in_place(outputs: Sequence[Column], targets: Sequence[int], phases: Phases) -> dict[int, int]:
    """Vectors that the very last loop makes: it stores them where they belong, after all that it reads."""
    loops = phases.loops(phases.last)
    rows = loop_rows(loops[-1][0]) if loops else None
    serials = [o.serial for o in outputs]
    return {
        o.serial: target
        for o, target in zip(outputs, targets, strict=True)
        if rows is not None and o.rows == rows and is_row_wise(o) and not o.uniform
        and phases.level.get(o.serial) == phases.last and serials.count(o.serial) == 1
    }  # fmt: skip


def _number(node: Column, name: str) -> str:
    """A value as it is stored: truth as 1 or 0."""
    return f"(1.0 if {name} else 0.0)" if node.boolean else name


def _pairs(draws: Scope) -> int:
    """Counters of one round of a loop.

    Raises
    ------
    TraceError
        If a loop within the loop draws: the number of its rounds is not known.
    """
    if any(item.op == "loop" and _pairs(item.value.draws) for item in draws.items):
        raise TraceError("random numbers cannot be drawn in a loop within a loop")
    return sum(pair_count(item.rows) for item in draws.items if item.op != "loop")
