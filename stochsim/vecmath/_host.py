"""The CPU that Numba compiles for: its features, and what LLVM should be told about its vectors."""

from __future__ import annotations

import platform
from collections.abc import Mapping

import llvmlite.binding as llvm
from numba.core import config

MACHINE = platform.machine().lower()

_NAMED_WITHOUT_FP16 = frozenset(
    {"cannonlake", "cascadelake", "cooperlake", "icelake-client", "icelake-server", "rocketlake"}
    | {"skylake-avx512", "tigerlake"}
)


def cpu_features() -> dict[str, bool]:
    """Return the CPU features that Numba uses, its environment overrides included; empty when unknown."""
    if config.CPU_FEATURES is not None:
        flags = [flag for flag in config.CPU_FEATURES.split(",") if flag]
        return {flag[1:]: flag[0] == "+" for flag in flags}
    try:
        return dict(llvm.get_host_cpu_features())
    except RuntimeError:  # LLVM cannot read the flags of this platform
        return {}


def cpu_name() -> str:
    """Return the CPU as LLVM calls it."""
    return str(config.CPU_NAME or llvm.get_host_cpu_name())


def fused(features: Mapping[str, bool], machine: str) -> bool:
    """Whether the CPU rounds a*b + c once, in one instruction."""
    return features.get("fma", False) or machine in {"aarch64", "arm64"}


def vector_attributes(features: Mapping[str, bool], cpu: str) -> dict[str, str]:
    """Return the LLVM function attributes for the widest vectors; empty where LLVM's own choice is right.

    With AVX-512, vectors of 512 bits, which LLVM avoids on several CPUs. A virtual machine may be taken for
    an older CPU than its features show (AVX-512 FP16 on a "rocketlake"); then the code is tuned for the first
    CPU that has them. Tuning never adds instructions that the CPU lacks.
    """
    if not (features.get("avx512f", False) and features.get("avx512dq", False)):
        return {}
    attributes = {"prefer-vector-width": "512"}
    if features.get("avx512fp16", False) and cpu in _NAMED_WITHOUT_FP16:
        attributes["tune-cpu"] = "sapphirerapids"
    return attributes


FEATURES = cpu_features()
HAS_FMA = fused(FEATURES, MACHINE)
VECTOR_ATTRIBUTES = vector_attributes(FEATURES, cpu_name())
