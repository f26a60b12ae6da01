"""The machine that kernels are compiled for: vector width, CPU, fused multiply-add.

`wide_vectors()`, called inside a kernel, lets LLVM use 512-bit vectors there where the host has AVX-512;
elsewhere it does nothing. `describe()` says what was chosen. `key()` is all that the choice follows from; it
imports no compiler, so a process that finds its kernels in the cache needs none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stochsim.vecmath._llvm import wide_vectors

__all__ = ["describe", "key", "wide_vectors"]

_LEVELS = {"avx512f": ("avx512", 256), "avx2": ("avx2", 256), "avx": ("avx", 256), "sse2": ("sse2", 128)}
_SETTINGS = Path(".numba_config.yaml")  # Numba reads it from the working folder
_NO_EFFECT = frozenset({"NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS", "NUMBA_THREADING_LAYER"})  # on one kernel's code


def __getattr__(name: str) -> Any:
    """Load the intrinsic at its first use: it imports the compiler."""
    if name == "wide_vectors":
        from stochsim.vecmath._llvm import wide_vectors

        return wide_vectors
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def key() -> str:
    """Return everything that decides for which CPU, and how, Numba compiles.

    Returns
    -------
    str
        The platform, the host's CPU and features as LLVM sees them, the version of LLVM, and the settings of Numba
        (environment variables, settings file). A change of ``numba.config`` from within the program is not seen.
    """
    import llvmlite
    import llvmlite.binding as llvm

    try:
        features = llvm.get_host_cpu_features().flatten()
    except RuntimeError:  # LLVM cannot read the flags of this platform
        features = ""
    settings = [f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith("NUMBA_") and k not in _NO_EFFECT]
    settings += [_SETTINGS.read_text()] if _SETTINGS.is_file() else []
    host = (llvm.get_process_triple(), llvm.get_host_cpu_name(), features, llvmlite.__version__)
    return "\n".join([*host, *settings])


def describe() -> str:
    """Return the compilation target in one line.

    Returns
    -------
    str
        Such as ``"x86_64 avx512 width=512 cpu=znver4 fma"``. ``no-fma`` at the end means that products are
        rounded before they are added, so results differ in the last bits from those of hosts with a fused
        multiply-add; ``tune=`` names the CPU that the code is tuned for when it is not the one LLVM found.
    """
    from stochsim.vecmath._host import FEATURES, HAS_FMA, MACHINE, VECTOR_ATTRIBUTES, cpu_name

    level, width = next((known for flag, known in _LEVELS.items() if FEATURES.get(flag)), ("simd", 128))
    width = int(VECTOR_ATTRIBUTES.get("prefer-vector-width", width))
    tune = f" tune={VECTOR_ATTRIBUTES['tune-cpu']}" if "tune-cpu" in VECTOR_ATTRIBUTES else ""
    return f"{MACHINE} {level} width={width} cpu={cpu_name()}{tune} {'fma' if HAS_FMA else 'no-fma'}"
