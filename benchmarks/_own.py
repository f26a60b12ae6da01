"""stochsim and the plain ways to write the same loop: NumPy and Numba.

A contender is a function of (problem, number of paths) that returns ``run(seed)``, which simulates all paths and
returns the final values (or, for the generators of normals, the last ones drawn) as a NumPy array.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from _problems import T_END, Problem

Run = Callable[[int], Any]
BLOCK = 8192  # numbers a NumPy block: 64 KiB, which stays in the cache
LEAF = 2048  # paths a task of a thread


def stochsim(problem: Problem, n_paths: int, threads: int) -> Run:
    """Simulate a model written as a formula, by the compiled kernels."""
    import stochsim as ss

    multiplicative = problem.multiplicative
    sde = ss.SDE(
        drift=lambda x, t, p: p.rate * x,
        diffusion=lambda x, t, p: p.noise * x if multiplicative else p.noise + 0.0 * x,
        params={"rate": problem.rate, "noise": problem.noise},
        x0=1.0 if problem.d == 1 else np.ones(problem.d),
        name=problem.name,
    )

    def run(seed: int) -> Any:
        ds = ss.simulate(
            sde, ss.schemes.euler_maruyama, t_end=T_END, n_steps=problem.n_steps, n_paths=n_paths, seed=seed,
            save="final", executor="lanes", threads=threads, progress=False,
        )  # fmt: skip
        return ds.x.values

    return run


def stochsim_normals(problem: Problem, n_paths: int, threads: int) -> Run:
    """Draw the normals of that run alone, by the filler and in the blocks that its kernel uses."""
    from numba import njit

    from stochsim.codegen.lanes import LANES
    from stochsim.noise.philox import normals

    @njit(nogil=True, error_model="numpy")
    def draw(seed: int, first: int, blocks: int, pairs: int, d: int, z: Any) -> None:
        for block in range(blocks):
            for pair in range(pairs):
                for component in range(d):
                    normals(seed, 0, first + block * LANES, pair, component, 0, z[0], z[1])

    def leaf(seed: int, first: int) -> Any:
        z = np.empty((2, LANES))
        blocks = -(-min(LEAF, n_paths - first) // LANES)
        draw(seed, first, blocks, problem.n_steps // 2, problem.d, z)
        return z

    def run(seed: int) -> Any:
        with ThreadPoolExecutor(threads) as pool:
            return np.array(list(pool.map(partial(leaf, seed), range(0, n_paths, LEAF))))

    return run


def _numpy_block(problem: Problem, size: int, seed: Any) -> Any:
    rng = np.random.Generator(np.random.PCG64(seed))
    x, z = np.ones(size), np.empty(size)
    growth, amplitude = 1.0 + problem.rate * problem.h, problem.noise * np.sqrt(problem.h)
    for _ in range(problem.n_steps):
        rng.standard_normal(out=z)
        z *= amplitude
        if problem.multiplicative:
            z += growth
            x *= z
        else:
            x *= growth
            x += z
    return x


def numpy_whole(problem: Problem, n_paths: int) -> Run:
    """Advance the array of all paths, the formula written down once a step."""
    size, h = n_paths * problem.d, problem.h

    def run(seed: int) -> Any:
        rng, x = np.random.default_rng(seed), np.ones(size)
        for _ in range(problem.n_steps):
            noise = problem.noise * x if problem.multiplicative else problem.noise
            x = x + problem.rate * x * h + noise * np.sqrt(h) * rng.standard_normal(size)
        return x

    return run


def _sizes(total: int) -> list[int]:
    return [min(BLOCK, total - first) for first in range(0, total, BLOCK)]


def numpy_vectorised(problem: Problem, n_paths: int, threads: int) -> Run:
    """Advance blocks that fit in the cache, in place; ``threads`` of them at a time."""
    sizes = _sizes(n_paths * problem.d)

    def run(seed: int) -> Any:
        seeds = np.random.SeedSequence(seed).spawn(len(sizes))
        if threads == 1:
            return np.concatenate([_numpy_block(problem, n, s) for n, s in zip(sizes, seeds, strict=True)])
        with ThreadPoolExecutor(threads) as pool:
            return np.concatenate(list(pool.map(partial(_numpy_block, problem), sizes, seeds)))

    return run


def numpy_normals(problem: Problem, n_paths: int) -> Run:
    """Draw the same number of normals by NumPy's ziggurat, into a buffer in the cache."""
    draws = n_paths * problem.d * problem.n_steps

    def run(seed: int) -> Any:
        rng, z = np.random.Generator(np.random.PCG64(seed)), np.empty(BLOCK)
        for _ in range(draws // BLOCK):
            rng.standard_normal(out=z)
        return z

    return run


def numba_prange(problem: Problem, n_paths: int) -> Run:
    """Loop over paths and steps as one writes it: ``prange`` and Numba's own ``standard_normal``."""
    from numba import njit, prange

    rate, noise, h, n_steps, size = problem.rate, problem.noise, problem.h, problem.n_steps, n_paths * problem.d
    root = h**0.5

    @njit(parallel=True, error_model="numpy")
    def multiplicative() -> Any:
        out = np.empty(size)
        for i in prange(size):
            x = 1.0
            for _ in range(n_steps):
                x += rate * x * h + noise * x * root * np.random.standard_normal()  # noqa: NPY002
            out[i] = x
        return out

    @njit(parallel=True, error_model="numpy")
    def additive() -> Any:
        out = np.empty(size)
        for i in prange(size):
            x = 1.0
            for _ in range(n_steps):
                x += rate * x * h + noise * root * np.random.standard_normal()  # noqa: NPY002
            out[i] = x
        return out

    # each thread has its own stream, which Numba seeds from the system
    return lambda seed: multiplicative() if problem.multiplicative else additive()
