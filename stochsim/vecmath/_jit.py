"""The ways functions of this floor are compiled, with one set of flags."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
from numba import njit

Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
F = TypeVar("F", bound=Callable[..., Any])

_FLAGS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_NOT_FROM_PYTHON: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def scalar(function: F) -> F:
    """Compile a scalar function that is always inlined, so that the caller's loop can become vector code.

    Left to itself, LLVM keeps a long polynomial as a call, which would end the vector code of the loop.
    Only compiled code can call it.
    """
    compiled: F = njit(forceinline=True, **_NOT_FROM_PYTHON, **_FLAGS)(function)
    return compiled


def part(function: F) -> F:
    """Compile a function over arrays that only other compiled code calls."""
    compiled: F = njit(**_NOT_FROM_PYTHON, **_FLAGS)(function)
    return compiled


def kernel(function: F) -> F:
    """Compile a function over arrays, cached on disk with the stamps of all files that it is made from.

    Numba's own cache looks at the file of the function only: after an edit of a helper in another file it
    would return the old machine code. Where no cache folder can be written, each process compiles it.
    """
    try:
        compiled: Any = njit(cache=True, **_FLAGS)(function)
    except RuntimeError:  # "no locator available"
        return cast(F, njit(**_FLAGS)(function))
    if hasattr(compiled, "_cache"):  # absent when compilation is switched off
        compiled._cache._cache_file._source_stamp = _stamps(Path(function.__code__.co_filename))
    result: F = compiled
    return result


def _stamps(own_file: Path) -> tuple[tuple[str, float, int], ...]:
    """Name, time of change and size of the file and of every file of this package."""
    files = sorted({*Path(__file__).parent.glob("*.py"), own_file})
    return tuple((file.name, file.stat().st_mtime, file.stat().st_size) for file in files)
