"""Claim: CI compiles at most 60 kernels, so that an empty cache costs a minute, not ten.

The tests may use 40 of them; the quick validation that CI runs after them has its own count in its report. The
fixed functions (normals, elementary functions over arrays), 22 at most, are compiled once for everything.
"""

from __future__ import annotations

from stochsim.codegen import cache

MOST_KERNELS = 40


def is_kernel(name: str) -> bool:
    text = cache.folder() / "kernels" / f"{name}.py"
    return text.exists() and any(head in text.read_text() for head in ("def advance(", "def coupled("))


def test_this_run_used_few_kernels() -> None:
    # moved to the end of the run by conftest.py; counts what the run needed, whatever was on disk
    assert sum(is_kernel(name) for name in cache._LOADED) <= MOST_KERNELS
