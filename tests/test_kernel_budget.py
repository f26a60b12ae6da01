"""Claim: the whole test run needs at most 60 kernels, so that an empty cache costs a minute, not ten."""

from __future__ import annotations

from stochsim.codegen import cache

MOST_KERNELS = 60


def test_this_run_used_few_kernels() -> None:
    # moved to the end of the run by conftest.py; counts what the run needed, whatever was on disk
    assert len(cache._LOADED) <= MOST_KERNELS
