"""The machine that kernels are compiled for: vector width, CPU, fused multiply-add.

`wide_vectors()`, called inside a kernel, lets LLVM use 512-bit vectors in that kernel where the host has AVX-512;
elsewhere it does nothing. `describe()` says what was chosen; kernel texts carry it, so that their cache sees it.
"""

from __future__ import annotations

import llvmlite.binding as llvm
from numba.core import config

from stochsim.vecmath._llvm import FEATURES, HAS_FMA, MACHINE, VECTOR_WIDTH, wide_vectors

__all__ = ["describe", "wide_vectors"]

_LEVELS = (("avx512f", "avx512", 512), ("avx2", "avx2", 256), ("avx", "avx", 256), ("sse2", "sse2", 128), ("neon", "neon", 128))


def describe() -> str:
    """Return the compilation target in one line.

    Returns
    -------
    str
        Such as ``"x86_64 avx512 width=512 cpu=znver4 fma"``; ``"no-fma"`` means that products are rounded before
        they are added, so results differ in the last bits from those of hosts with fused multiply-add.
    """
    name, width = next(((name, width) for flag, name, width in _LEVELS if FEATURES.get(flag)), ("scalar", 64))
    cpu = config.CPU_NAME or llvm.get_host_cpu_name()
    return f"{MACHINE} {name} width={VECTOR_WIDTH or min(width, 256)} cpu={cpu} {'fma' if HAS_FMA else 'no-fma'}"
