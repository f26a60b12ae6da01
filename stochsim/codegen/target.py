"""The machine that kernels are compiled for: vector width, CPU, fused multiply-add.

`wide_vectors()`, called inside a kernel, lets LLVM use 512-bit vectors there where the host has AVX-512;
elsewhere it does nothing. `describe()` says what was chosen; kernel texts carry it, so their cache sees it.
"""

from __future__ import annotations

from stochsim.vecmath._host import FEATURES, HAS_FMA, MACHINE, VECTOR_ATTRIBUTES, cpu_name
from stochsim.vecmath._llvm import wide_vectors

__all__ = ["describe", "wide_vectors"]

_LEVELS = {"avx512f": ("avx512", 256), "avx2": ("avx2", 256), "avx": ("avx", 256), "sse2": ("sse2", 128)}


def describe() -> str:
    """Return the compilation target in one line.

    Returns
    -------
    str
        Such as ``"x86_64 avx512 width=512 cpu=znver4 fma"``. ``no-fma`` at the end means that products are
        rounded before they are added, so results differ in the last bits from those of hosts with a fused
        multiply-add; ``tune=`` names the CPU that the code is tuned for when it is not the one LLVM found.
    """
    level, width = next((known for flag, known in _LEVELS.items() if FEATURES.get(flag)), ("simd", 128))
    width = int(VECTOR_ATTRIBUTES.get("prefer-vector-width", width))
    tune = f" tune={VECTOR_ATTRIBUTES['tune-cpu']}" if "tune-cpu" in VECTOR_ATTRIBUTES else ""
    return f"{MACHINE} {level} width={width} cpu={cpu_name()}{tune} {'fma' if HAS_FMA else 'no-fma'}"
