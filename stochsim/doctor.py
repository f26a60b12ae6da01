"""What this machine is and has: versions, threads, vector width, kernel cache, GPU."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from stochsim import _request as request
from stochsim._version import __version__
from stochsim.codegen import cache

__all__ = ["cache_text", "facts"]

PACKAGES = ("numpy", "numba", "llvmlite", "scipy", "sympy", "xarray", "matplotlib")


def facts() -> dict[str, str]:
    """Names and values, in the order in which to show them."""
    from stochsim.codegen.target import describe

    return {
        "stochsim": __version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": platform.platform(),
        "processor": _processor(),
        "cores": f"{os.cpu_count()}, {request.thread_count(None)} threads used unless --threads says otherwise",
        "vectors": describe(),
        **{name: _version(name) for name in PACKAGES},
        "GPU": _gpu(),
        "CuPy": _version("cupy-cuda12x") if find_spec("cupy") else "not installed",
        "nvcc": _nvcc(),
        "kernel cache": cache_text(),
    }


def cache_text() -> str:
    """Where kernels are kept, how many there are, and their size on disk."""
    folder = cache.folder()
    files = [p for p in folder.rglob("*") if p.is_file()] if folder.is_dir() else []
    kernels = sum(p.suffix == cache.SUFFIX for p in files)
    size = sum(_size(p) for p in files) / 1e6
    return f"{folder}, {kernels} kernels, {size:.1f} MB{'' if _writable(folder) else ', cannot be written'}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # another process cleared it meanwhile
        return 0


def _writable(folder: Path) -> bool:
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    return os.access(existing, os.W_OK)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _gpu() -> str:
    if shutil.which("nvidia-smi") is None:
        return "none found (no nvidia-smi)"
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return f"nvidia-smi does not answer ({type(error).__name__})"
    return "; ".join(answer.stdout.strip().splitlines()) or "none found"


def _nvcc() -> str:
    """The compiler with which generated CUDA sources can be checked, whether or not there is a GPU."""
    path = shutil.which("nvcc")
    if path is None:
        return "not found"
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{path} does not answer ({type(error).__name__})"
    release = [line for line in answer.stdout.splitlines() if "release" in line]
    return f"{path}, {release[0].strip()}" if release else path
