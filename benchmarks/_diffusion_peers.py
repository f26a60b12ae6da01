"""Contenders of the benchmark of diffusion samplers: stochsim, JAX, PyTorch, NumPy.

Each is a function of (problem, particles) that returns ``run(seed)``: the particles (n, d) at the end. JAX, PyTorch and
NumPy have the same formulas over rows (n, d), the fastest of five ways to write them for JAX, with everything that
depends on the time alone computed beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from _diffusion_problems import Problem

Run = Callable[[int], Any]
CORES = 2
BLOCK = 1024  # columns of a product whose result stays in cache


def target(problem: Problem) -> Any:
    import stochsim.densities as densities

    return densities.GaussianMixture(problem.weights, problem.means, problem.covariances)


def stochsim(problem: Problem, n: int, **options: Any) -> Run:
    """`ss.diffusion.sample` on two threads."""
    from stochsim import diffusion

    density, process = target(problem), diffusion.VP()

    def run(seed: int) -> Any:
        ds = diffusion.sample(
            density, "euler_maruyama", process, grid=problem.grid, n_particles=n, start="prior", seed=seed,
            threads=CORES, **options,
        )  # fmt: skip
        return ds.x.values

    return run


def stochsim_fused(problem: Problem, n: int) -> Run:
    """All steps in one kernel, on two threads."""
    from stochsim.diffusion import VP, Model, _start, fused, samplers

    process = VP()
    model = Model(target(problem), process)
    prior = process.prior_std(1.0, model.target.d)

    def run(seed: int) -> Any:
        plan = fused.segments(samplers.euler_maruyama, model, problem.grid)
        x = _start.first_states(model.noised(1.0), prior, "prior", (seed, 0), 0, n)
        return fused.run(plan, x, (seed, 0), threads=CORES).T

    return run


def isotropic_score(softmax: Any, x: Any, means: Any, precisions: Any, heights: Any) -> Any:
    """Score of components N(m_k, I/p_k), with |x - m|² expanded: products of matrices."""
    squares = (x * x).sum(1)[:, None] - 2.0 * (x @ means.T) + (means * means).sum(1)
    r = precisions * softmax(heights - 0.5 * precisions * squares)
    return r @ means - x * r.sum(1)[:, None]


def full_score(softmax: Any, x: Any, whitening: Any, offsets: Any, heights: Any) -> Any:
    """Score of full components by their whitening matrices (K d, d), one above the other."""
    z = (x @ whitening.T - offsets).reshape(len(x), len(heights), -1)
    r = softmax(heights - 0.5 * (z * z).sum(2))
    return -((r[:, :, None] * z).reshape(len(x), -1) @ whitening)


@dataclass(frozen=True)
class Tables:
    """What a step needs, along the steps: the arguments of the score, and h β."""

    score: Callable[..., Any]
    arguments: tuple[np.ndarray, ...]
    rates: np.ndarray


def tables(problem: Problem) -> Tables:
    means, covariances = problem.noised(problem.grid[:-1])
    steps, d = len(means), means.shape[2]
    if not problem.full:
        heights = np.log(problem.weights) - 0.5 * d * np.log(covariances)
        return Tables(isotropic_score, (means, 1.0 / covariances, heights), problem.rates)
    whitening = np.linalg.inv(np.linalg.cholesky(covariances))
    offsets = np.einsum("skij,skj->ski", whitening, means)
    heights = np.log(problem.weights) - 0.5 * np.linalg.slogdet(covariances)[1]
    flat = whitening.reshape(steps, -1, d), offsets.reshape(steps, -1), heights
    return Tables(full_score, flat, problem.rates)


def numpy(problem: Problem, n: int) -> Run:
    """Whole arrays, as one writes it."""
    table = tables(problem)

    def softmax(a: np.ndarray) -> np.ndarray:
        e = np.exp(a - a.max(axis=1, keepdims=True))
        return np.asarray(e / e.sum(axis=1, keepdims=True))

    def run(seed: int) -> Any:
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((n, problem.means.shape[1]))
        for rate, *arguments in zip(table.rates, *table.arguments, strict=True):
            s = table.score(softmax, x, *arguments)
            x = (1.0 + 0.5 * rate) * x + rate * s + np.sqrt(rate) * rng.standard_normal(x.shape)
        return x

    return run


def jax(problem: Problem, n: int, generator: str) -> Run:
    """`lax.scan` over the steps, jitted."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jnp, table, d = jax.numpy, tables(problem), problem.means.shape[1]
    softmax = partial(jax.nn.softmax, axis=1)

    def step(carry: Any, row: Any) -> Any:
        x, key = carry
        rate, number, *arguments = row
        z = jax.random.normal(jax.random.fold_in(key, number), x.shape)
        s = table.score(softmax, x, *arguments)
        return ((1.0 + 0.5 * rate) * x + rate * s + jnp.sqrt(rate) * z, key), None

    @jax.jit
    def particles(key: Any, rows: Any) -> Any:
        x = jax.random.normal(jax.random.fold_in(key, problem.n_steps), (n, d))
        return jax.lax.scan(step, (x, key), rows)[0][0]

    rows = tuple(map(jnp.asarray, (table.rates, np.arange(problem.n_steps), *table.arguments)))
    return lambda seed: np.asarray(particles(jax.random.key(seed, impl=generator), rows))


def torch(problem: Problem, n: int, compiled: bool) -> Run:
    """Steps in a loop, each eager or by `torch.compile`."""
    import torch

    torch.set_num_threads(CORES)
    table, softmax = tables(problem), partial(torch.softmax, dim=1)

    def step(x: Any, z: Any, rate: Any, *arguments: Any) -> Any:
        s = table.score(softmax, x, *arguments)
        return (1.0 + 0.5 * rate) * x + rate * s + torch.sqrt(rate) * z

    advance = torch.compile(step) if compiled else step
    rows = [torch.from_numpy(a) for a in (table.rates, *table.arguments)]

    def run(seed: int) -> Any:
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn((n, problem.means.shape[1]), generator=generator, dtype=torch.float64)
        for row in zip(*rows, strict=True):
            x = advance(x, torch.randn(x.shape, generator=generator, dtype=torch.float64), *row)
        return x.numpy()

    return run


def product(problem: Problem, n: int) -> Run:
    """Not a sampler: one BLAS product (K d, d)(d, n) a step, in blocks that stay in cache, one thread a core."""
    (whitening, _, _), steps = tables(problem).arguments, problem.n_steps

    def share(first: int, last: int) -> None:
        x, out = np.ones((whitening.shape[2], BLOCK)), np.empty((whitening.shape[1], BLOCK))
        for _ in range(first, last, BLOCK):
            for k in range(steps):
                np.matmul(whitening[k], x, out=out)

    def run(seed: int) -> Any:
        with ThreadPoolExecutor(CORES) as pool:
            list(pool.map(share, (0, n // 2), (n // 2, n)))
        return np.zeros((0, whitening.shape[2]))

    return run


@dataclass(frozen=True)
class Contender:
    """How a contender is built, called and found.

    Attributes
    ----------
    title : str
    build : callable
        Of (problem, particles).
    distributions : str
        Whose versions are shown.
    share : int
        Runs one ``share``-th of the particles; its times are multiplied.
    environment : dict
    """

    title: str
    build: Callable[[Problem, int], Run]
    distributions: str
    share: int = 1
    environment: dict[str, str] = field(default_factory=dict)


CONTENDERS = {
    "fused": Contender("stochsim, one kernel", stochsim_fused, "stochsim"),
    "arrays": Contender("stochsim, arrays", stochsim, "stochsim"),
    "jax": Contender("JAX", partial(jax, generator="threefry2x32"), "jax"),
    "jax_rbg": Contender("JAX, unsafe_rbg", partial(jax, generator="unsafe_rbg"), "jax"),
    "torch": Contender("PyTorch", partial(torch, compiled=False), "torch"),
    "torch_compiled": Contender("PyTorch, compiled", partial(torch, compiled=True), "torch"),
    "numpy": Contender("NumPy", numpy, "numpy", share=5),
    "product": Contender("one BLAS product a step", product, "numpy", environment={"OPENBLAS_NUM_THREADS": "1"}),
}
