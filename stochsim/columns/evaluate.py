"""Values of a formula for many columns: at once by arrays where there are few, by a compiled kernel where many."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from stochsim.codegen import cache
from stochsim.codegen.objects import CompiledFunction
from stochsim.columns import eager, ops
from stochsim.columns.graph import Column
from stochsim.columns.kernels import Kernel, map_kernel
from stochsim.columns.tracing import scope, structure, symbolic, variable

COMPILE_FROM = 200_000  # columns times rows above which a kernel is compiled that is not yet on disk
ARRAYS_BELOW = 256  # columns below which arrays are as quick
_KERNELS: dict[Any, tuple[Kernel, list[int | None], list[CompiledFunction]]] = {}


@dataclass(frozen=True)
class Evaluator:
    """A method of a dataclass as a function of columns.

    Parameters
    ----------
    obj : dataclass
        Its numbers and 2-d arrays are the parameters.
    method : str
        Takes one or more arrays of columns, (m, n) or (n,); returns one value or a tuple of values.
    """

    obj: Any
    method: str

    def __call__(self, *inputs: Any, threads: int = 0) -> Any:
        """The value or values, by NumPy, by CuPy (if it is given CuPy arrays) or by a kernel."""
        n = inputs[0].shape[-1]
        if eager.module(*inputs) is not np or n < ARRAYS_BELOW or any(x.ndim > 2 for x in inputs):
            return self._by_arrays(inputs)
        kernel, sizes, function = self._kernel(tuple(None if x.ndim == 1 else len(x) for x in inputs))
        if not function:
            if n * kernel.rows < COMPILE_FROM and not cache.is_cached(kernel.text):
                return self._by_arrays(inputs)
            function.append(cache.load(kernel.text))
        return self._by_kernel(inputs, kernel, sizes, function[0], threads or (os.cpu_count() or 1))

    def _by_arrays(self, inputs: tuple[Any, ...]) -> Any:
        with np.errstate(all="ignore"):
            return getattr(self.obj, self.method)(*inputs)

    def _kernel(self, rows: tuple[int | None, ...]) -> tuple[Kernel, list[int | None], list[CompiledFunction]]:
        key = (structure(self.obj), self.method, rows)
        if key not in _KERNELS:
            x = variable("x", sum(r or 1 for r in rows))
            with scope() as loops:
                outputs = getattr(symbolic(self.obj, "obj"), self.method)(*_cut(x, rows))
            if not isinstance(outputs, tuple):
                outputs = (outputs,)
            title = f"{self.method} of {type(self.obj).__name__} ({x.rows} rows)"
            _KERNELS[key] = map_kernel(x, outputs, title, loops), [o.rows for o in outputs], []
        return _KERNELS[key]

    def _by_kernel(
        self, inputs: Any, kernel: Kernel, sizes: list[int | None], function: CompiledFunction, threads: int
    ) -> Any:
        joined = np.ascontiguousarray(inputs[0] if len(inputs) == 1 and inputs[0].ndim == 2 else np.vstack(inputs))
        x, par = joined.astype(float, copy=False), kernel.pack(obj=self.obj)
        out = np.empty((sum(s or 1 for s in sizes), x.shape[1]))
        blocks = -(-x.shape[1] // kernel.lanes)

        def work(first: int, last: int) -> None:
            function(par, x, first, last, np.empty(kernel.rows * kernel.lanes), out)

        in_shares(work, blocks, threads if x.shape[1] * kernel.rows > COMPILE_FROM else 1)
        return _split(out, sizes)


def _cut(x: Column, rows: tuple[int | None, ...]) -> list[Column]:
    values, first = [], 0
    for size in rows:
        if len(rows) == 1 and size is not None:
            return [x]
        values.append(ops.row(x, first) if size is None else ops.rows(x, first, first + size))
        first += size or 1
    return values


def in_shares(work: Callable[[int, int], None], blocks: int, threads: int) -> None:
    """Do ``work(first, last)`` for all blocks, a share of them in each thread."""
    if threads <= 1 or blocks <= 1:
        work(0, blocks)
        return
    cuts = [blocks * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads - 1) as pool:
        futures = [pool.submit(work, a, b) for a, b in pairwise(cuts[1:])]
        work(cuts[0], cuts[1])
        for future in futures:
            future.result()


def _split(out: np.ndarray, sizes: list[int | None]) -> Any:
    values, first = [], 0
    for size in sizes:
        values.append(out[first] if size is None else out[first : first + size])
        first += size or 1
    return values[0] if len(values) == 1 else tuple(values)
