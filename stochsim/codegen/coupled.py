"""The kernel of strong-order runs: every step size at once, from one stream of finest increments.

A binary counter over the finest steps merges neighbouring increments exactly; whenever an increment of a
level is complete, the scheme takes its step on that level. The functionals of the exact solution advance
on the finest increments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stochsim.codegen.blocks import LANES
from stochsim.codegen.kernels import rename, unpack_parameters
from stochsim.codegen.lanes import FILL, LaneLoops, Rows, hoisted, indent, module, noise_calls
from stochsim.noise.increments import Primitive
from stochsim.symbolic.graph import Node

COUPLED = {
    "par": "float64[::1]",
    "key0": "int64",
    "key1": "int64",
    "first_path": "int64",
    "first": "int64",
    "last": "int64",
    "ts": "float64[::1]",
    "start": "float64[::1]",
    "state": "float64[:,::1]",
    "z": "float64[:,:,::1]",
}


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

    ``lowest`` is the level of the finest step of the scheme, ``top`` that of the whole interval.
    """

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
    """Source of the kernel; its arguments are the parameters, key words, first path, step range, times, start, blocks.

    The blocks are (blocks, rows * 256) as `Layout` says (rows beyond it are scratch of implicit steps); the
    noise buffer comes last.
    """
    return _Writer(program, layout).module()


class _Writer:
    """Writes the kernel of one program: what happens once a run, on a finest step, and on every level it completes."""

    def __init__(self, program: CoupledProgram, layout: Layout) -> None:
        self.program, self.layout = program, layout
        self.rows = Rows([f"row {i}" for i in range(layout.size)])
        self.used: set[str] = set()
        self.once: list[str] = []  # hoisted: computed once a run
        row, d = self.rows.at, program.d
        self.draws = {f"n{i}": f"zk[{i}, l]" for i in range(len(program.primitives))}
        self.noise = {name: row(layout.current + i) for i, name in enumerate(program.noise)}
        self.left = {f"left_{n}": f"w[lo + {i * LANES} + l]" for i, n in enumerate(program.noise)}
        self.functionals = {f"y{i}": row(layout.y + i) for i in range(layout.n_functionals)}
        self.state = {f"x{i}": f"w[xo + {i * LANES} + l]" for i in range(d)}
        self.start = {f"x{i}": f"start[{i}]" for i in range(d)}
        self.exact = [row(layout.exact + i) for i in range(d)]

    def module(self) -> str:
        p = self.program
        steps = self._finest_step()  # before `once`, which it fills
        body = [
            *unpack_parameters(p.parameters, (*p.draw, *p.functionals, *p.step, *p.merge, *p.readout)),
            *self.once,
            "for b in range(state.shape[0]):",
            *indent(["w = state[b]", "for k in range(first, last):", *indent(steps)]),
        ]
        linked = [FILL[primitive.kind] for primitive in p.primitives]
        return module("coupled", COUPLED, body, p.title, self.rows, self.used, linked)

    def _finest_step(self) -> list[str]:
        p = self.program
        draw = self._part("a", p.draw, self.draws, list(self.noise.values()))
        functionals = self._part(
            "b", p.functionals, self.draws | self.noise | self.functionals, list(self.functionals.values())
        )
        step = self._scheme_step()
        climb = self._climb(step)
        return [
            "t = ts[k]",
            "h = ts[k + 1] - ts[k]",
            "kk = k + 1",
            "if k & 1 == 0 or k == first:",
            *indent(noise_calls(p.primitives, "k >> 1", f"first_path + {LANES} * b")),
            "zk = z[k & 1]",
            *draw,
            *functionals,
            *self._read_exact(),
            *climb,
        ]

    def _part(self, prefix: str, outputs: Sequence[Node], load: dict[str, str], store: Sequence[str]) -> list[str]:
        """Lane loops of one part; hoisted names get its prefix, what is hoisted out of the run goes to ``once``."""
        if not outputs:
            return []
        once, per_step, uniform = hoisted(outputs, self.used)
        loops = LaneLoops(self.rows, load, uniform, self.used).run(outputs, store)
        own = "h" + prefix  # a bare letter would meet the c0, d0, ... of a Newton loop
        self.once += rename(once, "s", own)
        return rename([*per_step, *loops], "s", own)

    def _read_exact(self) -> list[str]:
        if not self.layout.sup:
            return []
        read = self._part("e", self.program.readout, self.start | self.functionals, self.exact)
        return [f"if (k + 1) & {2**self.layout.lowest - 1} == 0:", *indent(["t = ts[k + 1]", *read])]

    def _scheme_step(self) -> list[str]:
        if not self.program.step:
            return []
        lowest, highest = self.layout.lowest, self.layout.lowest + self.layout.n_levels - 1
        place = ["t = ts[kk - (1 << level)]", "h = ts[kk] - t", f"q = level - {lowest}"]
        place += [f"xo = q * {self.program.d * LANES}"]
        step = self._part("c", self.program.step, self.state | self.noise, list(self.state.values()))
        return [f"if {lowest} <= level <= {highest}:", *indent([*place, *step, *self._largest_error()])]

    def _largest_error(self) -> list[str]:
        if not self.layout.sup:
            return []
        total = " + ".join(f"(w[xo + {i * LANES} + l] - {exact}) ** 2" for i, exact in enumerate(self.exact))
        keep = "w[so + l] = e if (e >= w[so + l]) | (e != e) else w[so + l]"
        return [
            f"so = {self.layout.errors * LANES} + {LANES} * q",
            f"for l in range({LANES}):",
            *indent([f"e = sqrt({total})", keep]),
        ]

    def _climb(self, step: list[str]) -> list[str]:
        """Up the levels that this step completes, merging increments; the last one waits for its right half."""
        n_noise = len(self.program.noise)
        keep = [f"{self.left[f'left_{n}']} = {self.noise[n]}" for n in self.program.noise]
        merge = self._part("d", self.program.merge, self.left | self.noise, list(self.noise.values()))
        return [
            "level = 0",
            "while True:",
            *indent(step),
            *indent([f"lo = {self.layout.left() * LANES} + level * {n_noise * LANES}"]),
            *indent([f"if (kk >> level) & 1 == 1 or level == {self.layout.top}:"]),
            *indent([f"for l in range({LANES}):", *indent(keep), "break"], 2),
            *indent(["hl = ts[kk - (1 << level)] - ts[kk - (2 << level)]", "hr = ts[kk] - ts[kk - (1 << level)]"]),
            *indent([*merge, "level += 1"]),
        ]
