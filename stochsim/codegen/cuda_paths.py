"""The kernel of a simulation as CUDA: one thread a path, all steps in one launch."""

from __future__ import annotations

import ast

from stochsim.codegen.blocks import LANES
from stochsim.codegen.cuda import Writer, kernel_function, source
from stochsim.codegen.kernels import StepProgram, advance_text
from stochsim.codegen.lanes import scratch_rows

__all__ = ["ADVANCE", "paths_source"]

ADVANCE = (
    "const real* par, long long key0, long long key1, real sign, long long first_path, long long step_offset, "
    "long long last, const real* ts, real* state, const long long* save_at, long long n_slots, real* out, long long n"
)


def paths_source(program: StepProgram, real: str = "double") -> str:
    """The source that advances paths through steps ``0 .. last - 1``.

    ``state`` (rows, n) holds the states and the marks of paths that left the finite numbers, in place; ``out``
    (slots, outputs, n) is written after the steps ``save_at``.

    Parameters
    ----------
    program : StepProgram
    real : {"double", "float"}
    """
    text = advance_text(program)
    function = kernel_function(text)
    writer = _PathWriter(program)
    body = writer.statements(_without_first(function.body), 1)
    return source("advance", ADVANCE, body, scratch_rows(text), real)


def _without_first(nodes: list[ast.stmt]) -> list[ast.stmt]:
    """The statements after the call that asks for wide vectors."""
    return nodes[1:]


class _PathWriter(Writer):
    """Lanes as threads: ``w[256 r + l]`` is the thread's own ``w[r]``, a loop over lanes its body."""

    def __init__(self, program: StepProgram) -> None:
        super().__init__()
        self.program = program

    def _loop(self, node: ast.For, depth: int) -> list[str]:
        assert isinstance(node.target, ast.Name)
        if node.target.id == "l":
            pad = "  " * depth
            return [f"{pad}{{", *self.statements(node.body, depth + 1), f"{pad}}}"]
        if node.target.id == "b":
            return self._blocks(node, depth)
        return super()._loop(node, depth)

    def _blocks(self, node: ast.For, depth: int) -> list[str]:
        """What stood in the loop over blocks, between loading and storing the state."""
        pad, rows = "  " * depth, self.program.n_state + 1
        draws = max(1, len(self.program.primitives))
        moved = f"{pad}for (int i = 0; i < {rows}; ++i) "
        return [
            f"{pad}real z[2][{draws}];",
            f"{pad}const long long first = 0, first_slot = 0;",
            f"{moved}w[i] = state[i * n + b];",
            *self.statements(node.body[1:], depth),  # the first one names the block's work space
            f"{moved}state[i * n + b] = w[i];",
        ]

    def _assignment(self, node: ast.Assign) -> str:
        text = ast.unparse(node)
        if text == "zk = z[j & 1]":
            return "const real* zk = z[j & 1]"
        if text.startswith("out") and "out_block" in text:
            number = int(text.removeprefix("out").split(" ")[0])
            return f"real* out{number} = out + (slot * {len(self.program.readout)} + {number}) * n + b"
        return super()._assignment(node)

    def _subscript(self, node: ast.Subscript) -> str:
        name = ast.unparse(node.value)
        if name == "w":
            return f"w[{_row(node.slice)}]"
        if name.startswith("out") and ast.unparse(node.slice) == "l":
            return f"*{name}"
        if isinstance(node.slice, ast.Tuple):  # z[e, i] and z[e, i, l], zk[i, l]
            kept = [self.expression(e) for e in node.slice.elts if ast.unparse(e) != "l"]
            whole = "&" if name == "z" and len(node.slice.elts) == 2 else ""
            return whole + name + "".join(f"[{k}]" for k in kept)
        return super()._subscript(node)

    def _binop(self, node: ast.BinOp) -> str:
        return "first_path + b" if ast.unparse(node) == f"first_path + {LANES} * b" else super()._binop(node)

    def _attribute(self, node: ast.Attribute) -> str:
        return {"save_at.size": "n_slots"}[ast.unparse(node)]


def _row(index: ast.expr) -> int:
    """The row of an index ``256 row + lane``."""
    if isinstance(index, ast.Name):
        return 0
    assert isinstance(index, ast.BinOp)
    return int(ast.literal_eval(index.left)) // LANES
