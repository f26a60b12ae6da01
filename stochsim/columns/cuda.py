"""Kernels over columns as CUDA: one thread a column."""

from __future__ import annotations

import ast

from stochsim.codegen.cuda import Writer, kernel_function, source
from stochsim.columns.kernels import Kernel
from stochsim.errors import StochsimError

__all__ = ["cuda_source"]

ARGUMENTS = {
    "run_stages": "const real* steps, long long n_steps, long long stride, long long key0, long long key1, "
    "long long first_path, real* x, long long n",
    "evaluate": "const real* par, const real* x, long long n, real* out",
}


def cuda_source(kernel: Kernel, real: str = "double") -> str:
    """The source of a kernel, for a GPU.

    Parameters
    ----------
    kernel : Kernel
        Of `map_kernel` or `stages_kernel`, written for one lane.
    real : {"double", "float"}

    Raises
    ------
    StochsimError
        If the kernel is written for more lanes, or is of another kind.
    """
    function = kernel_function(kernel.text)
    if kernel.lanes != 1 or function.name not in ARGUMENTS:
        raise StochsimError(f"{function.name} is no kernel for single columns; write it with lanes=1")
    outer = next(node for node in function.body if isinstance(node, ast.For))
    body = _ColumnWriter().statements(outer.body, 1)
    return source(function.name, ARGUMENTS[function.name], body, kernel.rows, real)


class _ColumnWriter(Writer):
    """Arrays (rows, n) by row and column; the parameters of a step as a row of ``steps``."""

    def _assignment(self, node: ast.Assign) -> str:
        if ast.unparse(node) == "par = steps[k]":
            return "const real* par = steps + k * stride"
        return super()._assignment(node)

    def _subscript(self, node: ast.Subscript) -> str:
        if isinstance(node.value, ast.Attribute):  # the shape of an array
            return {"x": "n", "steps": "n_steps"}[ast.unparse(node.value.value)]
        if isinstance(node.slice, ast.Tuple):
            row, column = map(self.expression, node.slice.elts)
            return f"{self.expression(node.value)}[{row} * n + {column}]"
        return super()._subscript(node)
