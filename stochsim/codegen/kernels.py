"""The kernel of a simulation, written for one program: it advances blocks of paths through a range of steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stochsim.codegen.blocks import LANES
from stochsim.codegen.lanes import FILL, LaneLoops, Rows, hoisted, indent, module, noise_calls
from stochsim.codegen.text import identifier
from stochsim.noise.increments import Primitive
from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node

ADVANCE = {
    "par": "float64[::1]",
    "key0": "int64",
    "key1": "int64",
    "sign": "float64",
    "first_path": "int64",
    "step_offset": "int64",
    "first": "int64",
    "last": "int64",
    "ts": "float64[::1]",
    "state": "float64[:,::1]",
    "z": "float64[:,:,::1]",
    "save_at": "int64[::1]",
    "first_slot": "int64",
}
SAVE_STATES = {"out": "float64[:,:,:,::1]", "out_block": "int64"}
SAVE_MOMENTS = {"out": "float64[:,::1]", "n_valid": "int64"}


@dataclass(frozen=True)
class StepProgram:
    """A step ``state -> state`` in primitives ``n*``, and what is read out of a state ``x*`` at time ``t``."""

    update: tuple[Node, ...]
    readout: tuple[Node, ...]
    parameters: tuple[str, ...]
    primitives: tuple[Primitive, ...]
    title: str

    @property
    def n_state(self) -> int:
        return len(self.update)


def unpack_parameters(names: Sequence[str], outputs: Sequence[Node]) -> list[str]:
    used = g.variables(outputs)
    return [f"{identifier(n)} = par[{i}]" for i, n in enumerate(names) if n in used]


def advance_text(program: StepProgram, moments: bool = False) -> str:
    """Source of a kernel that advances blocks of 256 paths through steps ``first .. last - 1``.

    Arguments of the kernel: parameter vector; two key words; sign of the draws; number of the first path;
    offset of the step counter; first and last step; times; the blocks (blocks, rows * 256), updated in place: the
    state, then a row of marks (0, NaN once the path has been non-finite), then scratch; the noise buffer;
    step numbers to save at and the first slot; the output: (slots, outputs, blocks, 256) and its first block or,
    for moments, (slots, 1 + k + k (k + 1) / 2) and the number of valid paths.
    """
    rows, used = Rows(), set[str]()
    state = [rows.add(f"x{i}") for i in range(program.n_state)]
    mark = rows.add("mark")
    load = {f"x{i}": rows.at(r) for i, r in enumerate(state)}
    draws = {f"n{i}": f"zk[{i}, l]" for i in range(len(program.primitives))}

    run_lines, step_lines, uniform = hoisted(program.update, used)
    # 0 times a finite number is 0, times anything else NaN, which stays
    sticky = " * ".join([f"{rows.at(mark)} = {rows.at(mark)}", *(f"{{{i}}}" for i in range(program.n_state))])
    step = LaneLoops(rows, load | draws, uniform, used).run(program.update, [rows.at(r) for r in state], extra=[sticky])
    save = _save_moments(program, rows, load, used) if moments else _save_states(program, rows, load, used)
    per_step = ["t = ts[k]", "h = ts[k + 1] - ts[k]", *step_lines, *_noise(program), *step, *save]
    body = [
        *unpack_parameters(program.parameters, (*program.update, *program.readout)),
        *run_lines,
        "for b in range(state.shape[0]):",
        *indent(["w = state[b]", "slot = first_slot", "for k in range(first, last):", *indent(per_step)]),
    ]
    arguments = ADVANCE | (SAVE_MOMENTS if moments else SAVE_STATES)
    linked = [*(FILL[p.kind] for p in program.primitives), *(["merge_block"] if moments else [])]
    return module("advance", arguments, body, program.title, rows, used, linked)


def rename(lines: Sequence[str], old: str, new: str) -> list[str]:
    """Hoisted names ``s0, s1, ...`` of a second part moved to their own prefix."""
    return [re.sub(rf"\b{old}(\d+)\b", rf"{new}\1", line) for line in lines]


def _noise(program: StepProgram) -> list[str]:
    if not program.primitives:
        return []
    calls = noise_calls(program.primitives, "j >> 1", f"first_path + {LANES} * b")
    negate = ["if sign < 0.0:", *indent(_negated(len(program.primitives)))]
    return [
        "j = k + step_offset",
        "if j & 1 == 0 or k == first:",
        *indent([*calls, *negate]),
        "zk = z[j & 1]",
    ]


def _negated(n_primitives: int) -> list[str]:
    body = [f"z[{e}, i, l] = -z[{e}, i, l]" for e in range(2)]
    return [f"for i in range({n_primitives}):", *indent([f"for l in range({LANES}):", *indent(body)])]


def _read(program: StepProgram, rows: Rows, load: dict[str, str], used: set[str], store: Sequence[str]) -> list[str]:
    run_lines, step_lines, uniform = hoisted(program.readout, used)
    loops = LaneLoops(rows, load, uniform, used).run(program.readout, store)
    return ["t = ts[k + 1]", *rename([*run_lines, *step_lines, *loops], "s", "r")]


def _save(body: Sequence[str]) -> list[str]:
    return ["if slot < save_at.size and k + 1 == save_at[slot]:", *indent([*body, "slot += 1"])]


def _save_states(program: StepProgram, rows: Rows, load: dict[str, str], used: set[str]) -> list[str]:
    k = len(program.readout)
    targets = [f"out{i} = out[slot, {i}, out_block + b]" for i in range(k)]
    return _save([*targets, *_read(program, rows, load, used, [f"out{i}[l]" for i in range(k)])])


def _save_moments(program: StepProgram, rows: Rows, load: dict[str, str], used: set[str]) -> list[str]:
    k = len(program.readout)
    reads = [rows.add(f"read {i}") for i in range(k)]
    scratch = [rows.add("moments") for _ in range(-(-2 * k // LANES))]
    read = _read(program, rows, load, used, [rows.at(r) for r in reads])
    merge = f"merge_block({_row_range(reads)}, min({LANES}, n_valid - {LANES} * b), out[slot], {_row_range(scratch)})"
    return _save([*read, merge])


def _row_range(rows: Sequence[int]) -> str:
    return f"w[{rows[0] * LANES}:{(rows[-1] + 1) * LANES}]"
