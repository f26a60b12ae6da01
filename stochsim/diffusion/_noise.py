"""Standard normals of a run: a pure function of the seed, the particle, the call and the component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.codegen.functions import filler

STEPS, START = 0x5D1F, 0x5D20  # streams of the generator: steps, and first states


@dataclass(frozen=True)
class Normals:
    """``noise(k, shape)`` for the particles first, first + 1, ...: the same bits for any chunk and any thread.

    Parameters
    ----------
    key : tuple of int
        Key words of the seed (`stochsim.noise.seeds.seed_key`).
    first : int
        Number of the particle in column 0.
    stream : int
    xp : module
        NumPy, or CuPy, which gets the numbers drawn by the CPU.
    """

    key: tuple[int, int]
    first: int = 0
    stream: int = STEPS
    xp: Any = np

    def __call__(self, k: int, shape: tuple[int, ...]) -> Any:
        """Standard normals (m, n) of call k."""
        rows, n = shape
        out = np.empty((rows + rows % 2, n))
        for pair in range(0, rows, 2):
            filler("normals")(*self.key, self.first, k, pair // 2, self.stream, out[pair], out[pair + 1])
        return out[:rows] if self.xp is np else self.xp.asarray(out[:rows])

    def uniforms(self, k: int, n: int) -> np.ndarray:
        """Uniforms (n,) in the open unit interval, of call k; independent of the normals of other calls only."""
        out = np.empty((2, n))
        filler("uniforms")(*self.key, self.first, k, 0, self.stream, out[0], out[1])
        return np.asarray(out[0])
