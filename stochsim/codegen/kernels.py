"""The two kernels of stochsim, written for one program each: `advance` and `coupled`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stochsim.codegen.lanes import LANES, LaneLoops, Rows, header, hoisted, indent, noise_calls
from stochsim.codegen.text import identifier
from stochsim.noise.increments import Primitive
from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node

OPTIONS = 'nogil=True, error_model="numpy", cache=True'


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


def _unpack_parameters(names: Sequence[str], outputs: Sequence[Node]) -> list[str]:
    used = g.variables(outputs)
    return [f"{identifier(n)} = par[{i}]" for i, n in enumerate(names) if n in used]


def _row_range(row: int) -> str:
    return f"w[{row * LANES}:{(row + 1) * LANES}]"


def advance_text(program: StepProgram, moments: bool = False) -> str:
    """Source of a kernel that advances blocks of 256 paths through steps ``first .. last - 1``.

    Arguments of the kernel: parameter vector; two key words; sign of the draws; number of the first path;
    offset of the step counter; first and last step; times; state (blocks, n_state, 256), updated in
    place; sticky non-finite marks (blocks, 256); step numbers to save at and the first slot; the output:
    (slots, outputs, paths) or, for moments, (slots, 1 + k + k (k + 1) / 2) with the number of valid paths.
    """
    rows, used = Rows(), set[str]()
    state = [rows.add(f"x{i}") for i in range(program.n_state)]
    dead = rows.add("dead")
    reads = [rows.add(f"read {i}") for i in range(len(program.readout))]
    run_lines, step_lines, uniform = hoisted(program.update, used)
    load = {f"x{i}": rows.at(r) for i, r in enumerate(state)}
    loops = LaneLoops(
        rows,
        load | {f"n{i}": f"sign * zk[{i * LANES} + l]" for i in range(len(program.primitives))},
        uniform,
        used,
    )
    marks = " + ".join(f"0.0 * {{{i}}}" for i in range(program.n_state))
    step = loops.run(program.update, [rows.at(r) for r in state], extra=[f"{rows.at(dead)} += {marks}"])
    read_run, read_step, read_uniform = hoisted(program.readout, used)
    read_loops = LaneLoops(rows, load, read_uniform, used)
    read = read_loops.run(program.readout, [rows.at(r) for r in reads])
    save = _merge_moments(reads) if moments else _copy_out(rows, reads)
    save_block = [
        "if slot < save_at.size and k + 1 == save_at[slot]:",
        *indent(
            [
                "t = ts[k + 1]",
                *rename(read_run, "s", "r"),
                *rename(read_step, "s", "r"),
                *rename(read, "s", "r"),
            ]
        ),
        *indent([*save, "slot += 1"]),
    ]
    per_step = ["t = ts[k]", "h = ts[k + 1] - ts[k]", *step_lines, *_noise(program), *step, *save_block]
    per_block = [
        *_copy_state(rows, state, dead, into=True),
        "slot = first_slot",
        "for k in range(first, last):",
        *indent(per_step),
        *_copy_state(rows, state, dead, into=False),
    ]
    body = [
        "wide_vectors()",
        *_unpack_parameters(program.parameters, (*program.update, *program.readout)),
        *run_lines,
        f"w = np.empty({len(rows.names) * LANES})",
        f"z = np.empty((2, {max(1, len(program.primitives)) * LANES}))",
        "for b in range(x.shape[0]):",
        *indent(per_block),
    ]
    arguments = (
        "par, key0, key1, sign, first_path, step_offset, first, last, ts, x, marks, save_at, first_slot, "
        "out, out_first"
    )
    text = header(used, program.primitives, program.title)
    if moments:
        text.insert(-2, "from stochsim.codegen.blocks import merge_block")
    text += [f"@njit({OPTIONS})", f"def advance({arguments}):", *indent(body), ""]
    return "\n".join(text)


def rename(lines: Sequence[str], old: str, new: str) -> list[str]:
    """Hoisted names ``s0, s1, ...`` of a second part moved to their own prefix."""
    import re

    return [re.sub(rf"\b{old}(\d+)\b", rf"{new}\1", line) for line in lines]


def _noise(program: StepProgram) -> list[str]:
    if not program.primitives:
        return ["zk = z[0]"]
    calls = noise_calls(program.primitives, "j >> 1", f"first_path + {LANES} * b")
    return ["j = k + step_offset", "if j & 1 == 0 or k == first:", *indent(calls), "zk = z[j & 1]"]


def _copy_out(rows: Rows, reads: Sequence[int]) -> list[str]:
    body = [f"out[slot, {i}, out_first + {LANES} * b + l] = {rows.at(r)}" for i, r in enumerate(reads)]
    return [f"for l in range({LANES}):", *indent(body)]


def _merge_moments(reads: Sequence[int]) -> list[str]:
    start, stop = reads[0] * LANES, (reads[-1] + 1) * LANES
    return [f"merge_block(w[{start}:{stop}], min({LANES}, out_first - {LANES} * b), out[slot])"]


def _copy_state(rows: Rows, state: Sequence[int], dead: int, *, into: bool) -> list[str]:
    pairs = [(rows.at(r), f"x[b, {i}, l]") for i, r in enumerate(state)] + [(rows.at(dead), "marks[b, l]")]
    body = [f"{a} = {c}" if into else f"{c} = {a}" for a, c in pairs]
    return [f"for l in range({LANES}):", *indent(body)]
