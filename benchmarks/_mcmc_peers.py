"""Contenders of the benchmark of Markov chains: stochsim, NumPy, blackjax, numpyro.

Each is a function of (problem, chains, steps) that returns ``run(seed)``: final places (n, d) for HMC, all draws
(chains, steps, d) for NUTS. Starting points are exact draws, step sizes and (unit) metrics the same for all, so that
all do the same work; what is compiled is compiled in the first call. The libraries on JAX run as they are commonly run,
all chains by `vmap` on one device, and with each core as a device of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from _mcmc_problems import BEND, NECK, WIDTH, Problem

Run = Callable[[int], Any]
CORES = 2


def stochsim(problem: Problem, n_chains: int, n_steps: int) -> Run:
    """`ss.mcmc.sample` on two threads."""
    import stochsim.densities as densities
    from stochsim import mcmc

    if problem.name == "funnel":
        density: Any = densities.Funnel(spread=NECK, d=problem.d)
    elif problem.name == "banana":
        density = densities.Banana(bend=BEND, spread=WIDTH)
    else:
        covariance = problem.covariance()
        dense = problem.name == "dense"
        density = densities.Gaussian(np.zeros(problem.d), covariance if dense else np.diag(covariance))
    h, length = problem.step_size, problem.n_leapfrog
    sampler: Any = mcmc.HMC(h, length) if length else mcmc.NUTS(h)

    def run(seed: int) -> Any:
        ds = mcmc.sample(
            density, sampler, n_chains=n_chains, n_steps=n_steps, seed=seed, x0=problem.exact(n_chains, seed),
            save="final" if length else "draws", threads=CORES, progress=False,
        )  # fmt: skip
        return ds.x.values[:, 0] if length else ds.x.values

    return run


def numpy_hmc(problem: Problem, n_chains: int, n_steps: int) -> Run:
    """Leapfrogs on arrays (n, d), in place; the dense score is one BLAS product."""
    precision, h = np.linalg.inv(problem.covariance()), problem.step_size
    diagonal = np.diag(precision).copy()

    def push(x: np.ndarray, out: np.ndarray) -> np.ndarray:
        return np.matmul(x, precision, out=out) if problem.name == "dense" else np.multiply(x, diagonal, out=out)

    def energy(x: np.ndarray, force: np.ndarray, p: np.ndarray) -> np.ndarray:
        return np.asarray(0.5 * (np.einsum("ij,ij->i", x, force) + np.einsum("ij,ij->i", p, p)))

    def run(seed: int) -> Any:
        rng, x = np.random.default_rng(seed), problem.exact(n_chains, seed)
        force, change = push(x, np.empty_like(x)), np.empty_like(x)
        for _ in range(n_steps):
            p, y, f = rng.standard_normal(x.shape), x.copy(), force.copy()
            before = energy(x, force, p)
            for _ in range(problem.n_leapfrog):
                p -= np.multiply(0.5 * h, f, out=change)
                y += np.multiply(h, p, out=change)
                push(y, f)
                p -= np.multiply(0.5 * h, f, out=change)
            accept = np.log(rng.random(len(x))) < before - energy(y, f, p)
            x[accept], force[accept] = y[accept], f[accept]
        return x

    return run


def _jax(devices: int) -> Any:
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


def _log_density(problem: Problem, jnp: Any) -> Callable[[Any], Any]:
    if problem.name == "funnel":
        return lambda x: -0.5 * (x[0] ** 2 / NECK**2 + jnp.exp(-x[0]) * jnp.sum(x[1:] ** 2) + (problem.d - 1) * x[0])
    if problem.name == "banana":
        return lambda x: -0.5 * (x[0] ** 2 / WIDTH**2 + (x[1] + BEND * (x[0] ** 2 - WIDTH**2)) ** 2)
    precision = jnp.asarray(np.linalg.inv(problem.covariance()))
    if problem.name == "dense":
        return lambda x: -0.5 * jnp.dot(x, precision @ x)
    diagonal = jnp.diag(precision)
    return lambda x: -0.5 * jnp.sum(diagonal * x * x)


def _in_shares(jax: Any, chain: Callable[[Any, Any], Any], problem: Problem, n_chains: int, devices: int) -> Run:
    """``chain(key, x)`` for every chain: a share on each device, the chains of a share mapped by `vmap`."""
    shares = jax.pmap(jax.vmap(chain)) if devices > 1 else jax.jit(jax.vmap(jax.vmap(chain)))

    def run(seed: int) -> Any:
        split = devices, n_chains // devices
        x = problem.exact(n_chains, seed).reshape(*split, problem.d)
        keys = jax.random.split(jax.random.key(seed), split)
        out = np.asarray(shares(keys, x))
        return out.reshape(n_chains, *out.shape[2:])

    return run


def blackjax(problem: Problem, n_chains: int, n_steps: int, devices: int) -> Run:
    """`blackjax.hmc` or `blackjax.nuts` in a `lax.scan` over the steps."""
    jax = _jax(devices)
    import blackjax as bj

    log_density, unit = _log_density(problem, jax.numpy), jax.numpy.ones(problem.d)
    length = problem.n_leapfrog
    kernel = (
        bj.hmc(log_density, problem.step_size, unit, length)
        if length
        else bj.nuts(log_density, problem.step_size, unit)
    )

    def chain(key: Any, x: Any) -> Any:
        def step(state: Any, key: Any) -> Any:
            state = kernel.step(key, state)[0]
            return state, None if length else state.position

        last, draws = jax.lax.scan(step, kernel.init(x), jax.random.split(key, n_steps))
        return last.position if length else draws

    return _in_shares(jax, chain, problem, n_chains, devices)


def numpyro(problem: Problem, n_chains: int, n_steps: int, devices: int) -> Run:
    """The kernel of `numpyro.infer.NUTS` in a `lax.scan` over the steps: `MCMC` itself compiles again at every run."""
    jax = _jax(devices)
    from numpyro.infer.hmc import hmc

    log_density = _log_density(problem, jax.numpy)

    def potential(x: Any) -> Any:
        return -log_density(x)

    init, sample = hmc(potential, algo="HMC" if problem.n_leapfrog else "NUTS")
    lengths = {"num_steps": problem.n_leapfrog, "trajectory_length": None} if problem.n_leapfrog else {}

    def chain(key: Any, x: Any) -> Any:
        state = init(
            x, 0, step_size=problem.step_size, adapt_step_size=False, adapt_mass_matrix=False, rng_key=key,
            inverse_mass_matrix=jax.numpy.ones(problem.d), **lengths,
        )  # fmt: skip

        def step(state: Any, _: Any) -> Any:
            state = sample(state)
            return state, None if problem.n_leapfrog else state.z

        last, draws = jax.lax.scan(step, state, None, length=n_steps)
        return last.z if problem.n_leapfrog else draws

    return _in_shares(jax, chain, problem, n_chains, devices)


CONTENDERS: dict[str, tuple[Callable[[Problem, int, int], Run], str]] = {
    "stochsim": (stochsim, "stochsim"),
    "numpy": (numpy_hmc, "numpy"),
    "blackjax": (partial(blackjax, devices=1), "blackjax jax"),
    "blackjax2": (partial(blackjax, devices=CORES), "blackjax jax"),
    "numpyro": (partial(numpyro, devices=1), "numpyro jax"),
    "numpyro2": (partial(numpyro, devices=CORES), "numpyro jax"),
}
