"""Kernels as CUDA: the text of a kernel for single columns, read as a syntax tree and written as C++.

One thread takes one path or column through all its steps; its work space is an array of its own, kept in registers
where loops are short. The same source compiles as plain C++ too, which is how it is tested where there is no GPU.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stochsim.errors import ParameterError, StochsimError

__all__ = ["Device", "Writer", "device", "kernel_function", "source"]

THREADS = 128  # of a block
UNROLLED = 32  # rounds of a loop up to which the compiler is asked to unroll it
NAMES = {
    "power": "pow", "arctan2": "atan2", "arctan": "atan", "arcsin": "asin", "arccos": "acos", "arcsinh": "asinh",
    "abs": "fabs", "minimum": "fmin", "maximum": "fmax",
}  # fmt: skip
OPERATORS: dict[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "/", ast.Mod: "%", ast.BitAnd: "&",
    ast.BitOr: "|", ast.RShift: ">>", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==",
    ast.NotEq: "!=", ast.And: "&&", ast.Or: "||",
}  # fmt: skip
INTEGERS = frozenset({"b", "i", "j", "k", "l", "n", "start", "valid", "path", "index", "slot", "left", "iteration"})


def kernel_function(text: str) -> ast.FunctionDef:
    """The function of a kernel module."""
    return next(node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))


def source(name: str, arguments: str, body: Sequence[str], work: int, real: str = "double") -> str:
    """A whole source: the functions that kernels call, and one kernel.

    Parameters
    ----------
    name, arguments : str
        Of the kernel, in C++.
    body : sequence of str
        With ``b`` the number of the thread and ``w`` its work space.
    work : int
        Numbers in the work space.
    real : {"double", "float"}
        Type of the numbers; random numbers are made in double and rounded.
    """
    lines = [
        Path(__file__).with_name("device.cuh").read_text(),
        f"typedef {real} real;",
        f"KERNEL {name}({arguments}) {{",
        "  long long b = COLUMN;",
        "  if (b >= n) return;",
        f"  real w[{work}];",
        *body,
        "}",
        "",
    ]
    return "\n".join(lines)


@dataclass(frozen=True)
class Device:
    """A GPU, as far as a run needs it: CuPy's module, or a stand-in with the same names."""

    cupy: Any

    def free_bytes(self) -> int:
        """Memory that is free."""
        return int(self.cupy.cuda.runtime.memGetInfo()[0])

    def parts(self, n: int, each: int) -> list[tuple[int, int]]:
        """Ranges of columns that fit into the memory, ``each`` bytes a column.

        Raises
        ------
        ParameterError
            If not even 1024 columns fit.
        """
        most = int(0.8 * self.free_bytes()) // each
        if most < min(n, 1024):
            raise ParameterError(
                f"the GPU has {self.free_bytes() / 2**20:.0f} MiB free, and 1024 columns need "
                f"{1024 * each / 2**20:.1f}; free some memory"
            )
        return [(lo, min(lo + most, n)) for lo in range(0, n, most)]

    def launch(self, code: str, name: str, n: int, arguments: Sequence[Any]) -> None:
        """Run a kernel with n threads; integers are passed as 64-bit ones."""
        function = self.cupy.RawModule(code=code, options=("--std=c++17",)).get_function(name)
        passed = tuple(np.int64(a) if isinstance(a, int) else a for a in arguments)
        function((-(-n // THREADS),), (THREADS,), passed)


def device() -> Device:
    """The GPU that CuPy finds.

    Raises
    ------
    ParameterError
        If CuPy is missing, or finds none.
    """
    try:
        import cupy
    except ImportError as error:
        raise ParameterError("a run on the GPU needs CuPy; install the extra: pip install 'stochsim[gpu]'") from error
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise ParameterError(f"CuPy finds no GPU ({error}); run on the CPU") from error
    return Device(cupy)


class Writer:
    """Statements and expressions of the kernels' small Python as C++."""

    def __init__(self) -> None:
        self.known: list[set[str]] = [set(INTEGERS)]

    def statements(self, nodes: list[ast.stmt], depth: int) -> list[str]:
        self.known.append(set())
        lines = [line for node in nodes for line in self.statement(node, depth)]
        self.known.pop()
        return lines

    def statement(self, node: ast.stmt, depth: int) -> list[str]:
        pad = "  " * depth
        if isinstance(node, ast.For):
            return self._loop(node, depth)
        if isinstance(node, ast.Expr):
            return [f"{pad}{self.expression(node.value)};"]
        if isinstance(node, ast.AugAssign):
            operator = OPERATORS[type(node.op)]
            return [f"{pad}{self.expression(node.target)} {operator}= {self.expression(node.value)};"]
        if isinstance(node, ast.Assign):
            return [f"{pad}{self._assignment(node)};"]
        if isinstance(node, ast.If):
            return [f"{pad}if ({self.expression(node.test)}) {{", *self.statements(node.body, depth + 1), f"{pad}}}"]
        if isinstance(node, ast.Break):
            return [f"{pad}break;"]
        raise StochsimError(f"no C++ for {ast.unparse(node)}")

    def _assignment(self, node: ast.Assign) -> str:
        (target,) = node.targets
        value = self.expression(node.value)
        if not isinstance(target, ast.Name):
            return f"{self.expression(target)} = {value}"
        if any(target.id in names for names in self.known[1:]):
            return f"{target.id} = {value}"
        self.known[-1].add(target.id)
        whole = target.id in INTEGERS or target.id.startswith(("base", "round"))
        kind = "long long" if whole else "bool" if _is_truth(node.value) else "real"
        return f"{kind} {target.id} = {value}"

    def _loop(self, node: ast.For, depth: int) -> list[str]:
        assert isinstance(node.target, ast.Name)
        assert isinstance(node.iter, ast.Call)
        arguments = [self.expression(a) for a in node.iter.args]
        first, last = ("0", arguments[0]) if len(arguments) == 1 else arguments
        name, pad = node.target.id, "  " * depth
        short = last.isdigit() and int(last) <= UNROLLED
        return [
            *([f"{pad}#pragma unroll"] if short else []),
            f"{pad}for (long long {name} = {first}; {name} < {last}; ++{name}) {{",
            *self.statements(node.body, depth + 1),
            f"{pad}}}",
        ]

    def expression(self, node: ast.expr) -> str:
        writer = getattr(self, f"_{type(node).__name__.lower()}", None)
        if writer is None:
            raise StochsimError(f"no C++ for {ast.unparse(node)}")
        return str(writer(node))

    def _name(self, node: ast.Name) -> str:
        return {"nan": "real(not_a_number())", "inf": "real(infinite())"}.get(node.id, node.id)

    def _constant(self, node: ast.Constant) -> str:
        if isinstance(node.value, bool):
            return "true" if node.value else "false"
        return f"real({node.value!r})" if isinstance(node.value, float) else repr(node.value)

    def _boolop(self, node: ast.BoolOp) -> str:
        return "(" + f" {OPERATORS[type(node.op)]} ".join(self.expression(v) for v in node.values) + ")"

    def _binop(self, node: ast.BinOp) -> str:
        return f"({self.expression(node.left)} {OPERATORS[type(node.op)]} {self.expression(node.right)})"

    def _compare(self, node: ast.Compare) -> str:
        operator = OPERATORS[type(node.ops[0])]
        return f"({self.expression(node.left)} {operator} {self.expression(node.comparators[0])})"

    def _unaryop(self, node: ast.UnaryOp) -> str:
        sign = "-" if isinstance(node.op, ast.USub) else "!"
        return f"({sign}{self.expression(node.operand)})"

    def _ifexp(self, node: ast.IfExp) -> str:
        yes, no = self.expression(node.body), self.expression(node.orelse)
        return f"({self.expression(node.test)} ? {yes} : {no})"

    def _subscript(self, node: ast.Subscript) -> str:
        name = self.expression(node.value)
        if isinstance(node.slice, ast.Slice):
            assert node.slice.lower is not None
            return f"({name} + {self.expression(node.slice.lower)})"
        return f"{name}[{self.expression(node.slice)}]"

    def _call(self, node: ast.Call) -> str:
        assert isinstance(node.func, ast.Name)
        arguments = [self.expression(a) for a in node.args]
        name = node.func.id
        if name == "int":
            return f"(long long)({arguments[0]})"
        if name == "min":
            return f"({arguments[0]} < {arguments[1]} ? {arguments[0]} : {arguments[1]})"
        return f"{NAMES.get(name, name)}({', '.join(arguments)})"


def _is_truth(node: ast.expr) -> bool:
    if isinstance(node, ast.Compare):
        return True
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr) and _is_truth(node.left)
