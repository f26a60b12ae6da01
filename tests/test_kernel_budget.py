"""Claim: the tests compile at most so many kernels, so that an empty cache costs minutes, not an hour.

The fixed functions (normals, elementary functions over arrays, products) are compiled once for everything and do
not count.
"""

from __future__ import annotations

from stochsim.codegen import cache

MOST_KERNELS = 160
HEADS = ("def advance(", "def coupled(", "def evaluate(", "def run_stages(", "def advance_trees(")


def is_kernel(text: str) -> bool:
    return any(head in text for head in HEADS)


def test_this_state_of_the_sources_needs_few_kernels() -> None:
    # moved to the end of the run by conftest.py; the folder is that of the present sources, and of all processes
    texts = [path.read_text() for path in (cache.folder() / "kernels").glob("*.py")]
    assert sum(map(is_kernel, texts)) <= MOST_KERNELS


def test_kernels_are_told_from_fixed_functions() -> None:
    assert is_kernel("@kernel(...)\ndef evaluate(par, x):\n    pass\n")
    assert not is_kernel("normals = kernel(...)(philox.normals.py_func)")
