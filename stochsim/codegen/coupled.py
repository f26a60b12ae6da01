"""The kernel of strong-order runs: every step size at once, from one stream of finest increments.

A binary counter over the finest steps merges neighbouring increments exactly; whenever an increment of a
level is complete, the scheme takes its step on that level. The functionals of the exact solution advance
on the finest increments.
"""

from __future__ import annotations

from dataclasses import dataclass

from stochsim.codegen.kernels import OPTIONS, _unpack_parameters, rename
from stochsim.codegen.lanes import LANES, LaneLoops, Rows, header, hoisted, indent, noise_calls
from stochsim.noise.increments import Primitive
from stochsim.symbolic.graph import Node


@dataclass(frozen=True)
class CoupledProgram:
    """The parts of a coupled run, as formulas.

    Attributes
    ----------
    d : int
        Components of the state.
    noise : tuple of str
        Names of the independent noise values of a step (``dW0``, ``dZ0``, ``A0_1``).
    draw : tuple of Node
        Those values on a finest step, from primitives ``n*`` and ``h``.
    merge : tuple of Node
        The values over two steps, from ``left_*`` (length ``hl``) and the plain names (length ``hr``).
    functionals : tuple of Node
        The next functionals ``y*`` on a finest step (empty without a closed form).
    step : tuple of Node
        The scheme: next ``x*`` from ``x*, t, h`` and the noise values (empty for an outside solver).
    readout : tuple of Node
        The exact solution from the start ``x*``, the functionals ``y*`` and ``t``.
    """

    d: int
    noise: tuple[str, ...]
    draw: tuple[Node, ...]
    merge: tuple[Node, ...]
    functionals: tuple[Node, ...]
    step: tuple[Node, ...]
    readout: tuple[Node, ...]
    parameters: tuple[str, ...]
    primitives: tuple[Primitive, ...]
    title: str


@dataclass(frozen=True)
class Layout:
    """Rows of the state of one block: levels of x, left halves, current increment, functionals, sup errors.

    ``lowest`` is the level of the finest step of the scheme, ``top`` that of the whole interval."""

    d: int
    n_noise: int
    n_functionals: int
    n_levels: int
    lowest: int
    top: int
    sup: bool

    def x(self, level: int = 0) -> int:
        return level * self.d

    def left(self, level: int = 0) -> int:
        return self.n_levels * self.d + level * self.n_noise

    @property
    def current(self) -> int:
        return self.left(self.top + 1)

    @property
    def y(self) -> int:
        return self.current + self.n_noise

    @property
    def exact(self) -> int:
        return self.y + self.n_functionals

    @property
    def errors(self) -> int:
        return self.exact + (self.d if self.sup else 0)

    @property
    def size(self) -> int:
        return self.errors + (self.n_levels if self.sup else 0)


def coupled_text(program: CoupledProgram, layout: Layout) -> str:
    """Source of the kernel; its arguments are the parameters, key words, first path, step range, times and state.

    The state is (blocks, rows * 256) as `Layout` says (rows beyond it are scratch of implicit steps).
    """
    used: set[str] = set()
    rows = Rows([f"row {i}" for i in range(layout.size)])
    row = rows.at
    draws = {f"n{i}": f"zk[{i * LANES} + l]" for i in range(len(program.primitives))}
    current = {name: row(layout.current + i) for i, name in enumerate(program.noise)}
    y = {f"y{i}": row(layout.y + i) for i in range(layout.n_functionals)}
    level_x = {f"x{i}": f"w[xo + {i * LANES} + l]" for i in range(program.d)}
    left = {f"left_{n}": f"w[lo + {i * LANES} + l]" for i, n in enumerate(program.noise)}

    parts = {
        "a": (program.draw, draws, list(current.values())),
        "b": (program.functionals, draws | current | y, list(y.values())),
        "c": (program.step, level_x | current, list(level_x.values())),
        "d": (program.merge, left | current, list(current.values())),
    }
    run_lines: list[str] = []
    text: dict[str, list[str]] = {}
    for prefix, (outputs, load, store) in parts.items():
        if not outputs:
            text[prefix] = []
            continue
        once, per_step, uniform = hoisted(outputs, used)
        loops = LaneLoops(rows, load, uniform, used).run(outputs, store)
        run_lines += rename(once, "s", prefix)
        text[prefix] = [*rename(per_step, "s", prefix), *rename(loops, "s", prefix)]

    sup_read: list[str] = []
    sup_update: list[str] = []
    if layout.sup:
        once, per_step, uniform = hoisted(program.readout, used)
        start = {f"x{i}": f"start[{i}]" for i in range(program.d)}
        exact = [row(layout.exact + i) for i in range(program.d)]
        loops = LaneLoops(rows, start | y, uniform, used).run(program.readout, exact)
        run_lines += rename(once, "s", "e")
        sup_read = [
            f"if (k + 1) & {2**layout.lowest - 1} == 0:",
            *indent(["t = ts[k + 1]", *rename(per_step, "s", "e"), *rename(loops, "s", "e")]),
        ]
        total = " + ".join(f"(w[xo + {i * LANES} + l] - {exact[i]}) ** 2" for i in range(program.d))
        sup_update = [
            f"so = {layout.errors * LANES} + {LANES} * q",
            f"for l in range({LANES}):",
            *indent([f"e = sqrt({total})", "w[so + l] = e if (e >= w[so + l]) | (e != e) else w[so + l]"]),
        ]
    keep_left = [
        f"for l in range({LANES}):",
        *indent([f"{left[f'left_{n}']} = {current[n]}" for n in program.noise]),
    ]
    step = [
        f"if {layout.lowest} <= level <= {layout.lowest + layout.n_levels - 1}:",
        *indent(
            [
                "t = ts[kk - (1 << level)]",
                "h = ts[kk] - t",
                f"q = level - {layout.lowest}",
                f"xo = q * {program.d * LANES}",
                *text["c"],
                *sup_update,
            ]
        ),
    ]
    climb = [
        "level = 0",
        "while True:",
        *indent(step if program.step else []),
        *indent(
            [
                f"lo = {layout.left() * LANES} + level * {len(program.noise) * LANES}",
                f"if (kk >> level) & 1 == 1 or level == {layout.top}:",
                *indent([*keep_left, "break"]),
                "hl = ts[kk - (1 << level)] - ts[kk - (2 << level)]",
                "hr = ts[kk] - ts[kk - (1 << level)]",
                *text["d"],
                "level += 1",
            ]
        ),
    ]
    per_step = [
        "t = ts[k]",
        "h = ts[k + 1] - ts[k]",
        "kk = k + 1",
        "if k & 1 == 0 or k == first:",
        *indent(noise_calls(program.primitives, "k >> 1", f"first_path + {LANES} * b")),
        "zk = z[k & 1]",
        *text["a"],
        *text["b"],
        *sup_read,
        *climb,
    ]
    body = [
        "wide_vectors()",
        *_unpack_parameters(
            program.parameters,
            (*program.draw, *program.functionals, *program.step, *program.merge, *program.readout),
        ),
        *run_lines,
        f"z = np.empty((2, {len(program.primitives) * LANES}))",
        "for b in range(state.shape[0]):",
        *indent(["w = state[b]", "for k in range(first, last):", *indent(per_step)]),
    ]
    lines = header(used, program.primitives, program.title)
    lines += [
        f"# rows: {len(rows.names)}",
        f"@njit({OPTIONS})",
        "def coupled(par, key0, key1, first_path, first, last, ts, start, state):",
        *indent(body),
        "",
    ]
    return "\n".join(lines)


def scratch_rows(text: str) -> int:
    """How many rows a block needs, from the kernel text (implicit steps add scratch)."""
    line = next(x for x in text.splitlines() if x.startswith("# rows: "))
    return int(line.removeprefix("# rows: "))
