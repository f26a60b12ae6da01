"""The random numbers of one step: symbols in a trace, counter-based numbers on arrays, or given ones.

A step asks by ``noise.normal(x)`` (shape of x) and ``noise.uniform(x)`` (one for each column of x). Each request takes
the next counters of the step, so the numbers depend on (seed, column, step, order of requests) and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from stochsim.codegen.functions import filler
from stochsim.columns.graph import Column
from stochsim.columns.layout import pair_count
from stochsim.columns.text import FILL
from stochsim.columns.tracing import draw


class Noise(Protocol):
    """Where a step gets its random numbers from."""

    def normal(self, x: Any) -> Any:
        """Independent standard normals of the shape of x."""

    def uniform(self, x: Any) -> Any:
        """A uniform on (0, 1) for each column of x."""


class TracedNoise:
    """Symbols; the kernel fills them in."""

    def normal(self, x: Column) -> Column:
        """A draw with the rows of x."""
        return draw("normal", x.rows)

    def uniform(self, x: Column) -> Column:
        """One draw of each column."""
        return draw("uniform", None)


@dataclass
class PhiloxNoise:
    """The numbers that a kernel draws, as arrays.

    Parameters
    ----------
    key : tuple of int
        Of `stochsim.noise.seeds.seed_key`.
    first_path : int
        Number of the first column.
    index : int
        Number of the step.
    """

    key: tuple[int, int]
    first_path: int
    index: int
    _next: int = field(default=0, init=False)

    def normal(self, x: Any) -> np.ndarray:
        """Standard normals of the shape of x."""
        rows = None if np.ndim(x) == 1 else len(x)
        return self._draw("normal", rows, x.shape[-1])

    def uniform(self, x: Any) -> np.ndarray:
        """Uniforms on (0, 1), shape (n,)."""
        return self._draw("uniform", None, x.shape[-1])

    def _draw(self, kind: str, rows: int | None, n: int) -> np.ndarray:
        name, stream = FILL[kind]
        count, fill = pair_count(rows), filler(name)
        out = np.empty((2 * count, n))
        for i in range(count):
            at = self._next + i
            fill(*self.key, self.first_path, self.index, at, stream, out[2 * i], out[2 * i + 1])
        self._next += count
        return out[0] if rows is None else out[:rows]
