"""Moves of many chains for drivers that work on arrays: by a kernel where that pays, else by NumPy, same bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.codegen import cache
from stochsim.columns.noise import PhiloxNoise
from stochsim.mcmc._chains import Chains, chain_program
from stochsim.mcmc.record import Sampler

COMPILE_FROM = 20_000_000  # chains times steps times rows of work space


def moved(
    sampler: Sampler, target: Any, x: np.ndarray, key: tuple[int, int], *, begin: int, n_steps: int, threads: int = 1
) -> tuple[np.ndarray, float]:
    """Chains from x (d, n) after steps ``begin`` and on; mean acceptance of the last step (1 if there is none)."""
    program = chain_program(sampler, target, x.shape[0])
    n = x.shape[1]
    state = sampler.init(target, x)
    if n * n_steps * program.kernel.rows < COMPILE_FROM and not cache.is_cached(program.kernel.text):
        state, info = by_arrays(sampler, target, state, key, begin=begin, n_steps=n_steps)
        return state.x, float(np.mean(getattr(info, "accept_prob", 1.0)))
    chains = Chains(program, key, n, threads)
    chains.put(state)
    chains.steps_done = chains.origin = begin
    last = chains.advance(sampler, target, n_steps, every=n_steps)[0, :, :n]
    told = program.saved
    accepted = last[len(x) + told.index("accept_prob")].mean() if "accept_prob" in told else 1.0
    return np.ascontiguousarray(chains.state().x), float(accepted)


def by_arrays(
    sampler: Sampler, target: Any, state: Any, key: tuple[int, int], *, begin: int, n_steps: int
) -> tuple[Any, Any]:
    """State and what is told of the last step, by NumPy: for targets that hold numbers of every chain."""
    info = None
    with np.errstate(all="ignore"):
        for k in range(begin, begin + n_steps):
            state, info = sampler.step(target, state, PhiloxNoise(key, 0, k))
    return state, info
