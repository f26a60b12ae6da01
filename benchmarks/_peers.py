"""Other libraries on the same problems, each in the fastest use of it that we found; see README.md for the choices.

Contenders as in `_own`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _problems import T_END, Problem

Run = Callable[[int], Any]


def _jax() -> Any:
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


def jax_scan(problem: Problem, n_paths: int, generator: str) -> Run:
    """`jax.lax.scan` over the steps, one key folded with the step number; ``generator`` names JAX's bit generator."""
    jax = _jax()
    jnp, h, size = jax.numpy, problem.h, n_paths * problem.d
    amplitude = problem.noise * h**0.5

    def step(key: Any, x: Any, k: Any) -> Any:
        z = amplitude * jax.random.normal(jax.random.fold_in(key, k), (size,))
        return x + problem.rate * h * x + (x * z if problem.multiplicative else z), None

    @jax.jit
    def solve(key: Any) -> Any:
        return jax.lax.scan(lambda x, k: step(key, x, k), jnp.ones(size), jnp.arange(problem.n_steps), unroll=4)[0]

    return lambda seed: np.asarray(solve(jax.random.key(seed, impl=generator)))


def diffrax_batched(problem: Problem, n_paths: int, tree: bool) -> Run:
    """One `diffeqsolve` whose state is the array of all paths, with diagonal noise as a lineax operator."""
    jax = _jax()
    import diffrax as dfx
    import lineax as lx

    jnp, size = jax.numpy, n_paths * problem.d

    def path(key: Any) -> Any:
        if tree:
            return dfx.VirtualBrownianTree(0.0, T_END, tol=problem.h / 2, shape=(size,), key=key)
        return dfx.UnsafeBrownianPath(shape=(size,), key=key)

    def diffusion(t: Any, y: Any, args: Any) -> Any:
        return lx.DiagonalLinearOperator(problem.noise * y if problem.multiplicative else jnp.full(size, problem.noise))

    @jax.jit
    def solve(key: Any) -> Any:
        terms = dfx.MultiTerm(dfx.ODETerm(lambda t, y, args: problem.rate * y), dfx.ControlTerm(diffusion, path(key)))
        return dfx.diffeqsolve(
            terms, dfx.Euler(), 0.0, T_END, problem.h, jnp.ones(size), saveat=dfx.SaveAt(t1=True),
            adjoint=dfx.ForwardMode(), max_steps=problem.n_steps + 10,
        ).ys[0]  # fmt: skip

    return lambda seed: np.asarray(solve(jax.random.key(seed)))


def torchsde_euler(problem: Problem, n_paths: int) -> Run:
    """`torchsde.sdeint` on a batch without gradients; the Brownian interval is told the step."""
    import torch
    import torchsde

    class Model(torch.nn.Module):
        noise_type, sde_type = "diagonal", "ito"

        def f(self, t: Any, y: Any) -> Any:
            return problem.rate * y

        def g(self, t: Any, y: Any) -> Any:
            return problem.noise * y if problem.multiplicative else torch.full_like(y, problem.noise)

    size, h = (n_paths, problem.d), problem.h
    start, times = torch.ones(size, dtype=torch.float64), torch.tensor([0.0, T_END], dtype=torch.float64)

    def run(seed: int) -> Any:
        bm = torchsde.BrownianInterval(0.0, T_END, size=size, dtype=torch.float64, entropy=seed, dt=h)
        with torch.no_grad():
            return torchsde.sdeint(Model(), start, times, bm=bm, method="euler", dt=h)[-1].numpy()

    return run


def sdeint_euler(problem: Problem, n_paths: int) -> Run:
    """`sdeint.itoEuler`, one path a call: it has no batches."""
    import sdeint

    times, eye = np.linspace(0.0, T_END, problem.n_steps + 1), np.eye(problem.d)
    start = 1.0 if problem.d == 1 else np.ones(problem.d)

    def diffusion(x: Any, t: float) -> Any:
        if problem.d == 1:
            return problem.noise * x
        return problem.noise * eye

    def run(seed: int) -> Any:
        rng = np.random.default_rng(seed)
        return np.array([
            sdeint.itoEuler(lambda x, t: problem.rate * x, diffusion, start, times, generator=rng)[-1]
            for _ in range(n_paths)
        ])  # fmt: skip

    return run


def sdepy_euler(problem: Problem, n_paths: int) -> Run:
    """`sdepy.integrate`, which is vectorised over paths."""
    import sdepy

    noise, rate, multiplicative = problem.noise, problem.rate, problem.multiplicative

    @sdepy.integrate
    def process(t: Any, x: Any) -> Any:
        return {"dt": rate * x, "dw": noise * x if multiplicative else noise}

    def run(seed: int) -> Any:
        rng, times = np.random.default_rng(seed), np.array([0.0, T_END])
        paths = process(x0=1.0, paths=n_paths * problem.d, steps=problem.n_steps, rng=rng)(times)
        return np.array(paths[-1])

    return run


def jitcsde_fixed(problem: Problem, n_paths: int) -> Run:
    """JiTCSDE with its adaptation switched off; the paths are components of one system in compiled C.

    It has no Euler-Maruyama: a step is one of its own scheme (Rackauckas and Nie 2017, two stages and two variables).
    """
    from jitcsde import jitcsde, y

    size, h = n_paths * problem.d, problem.h
    drift = [problem.rate * y(i) for i in range(size)]
    diffusion = [problem.noise * y(i) if problem.multiplicative else problem.noise for i in range(size)]
    system = jitcsde(drift, diffusion, n=size, verbose=False, additive=not problem.multiplicative)
    system.compile_C(simplify=False, do_cse=False, chunk_size=100)
    system.set_integration_parameters(atol=1e10, rtol=1e10, first_step=h, min_step=h, max_step=h)

    def run(seed: int) -> Any:
        system.set_initial_value(np.ones(size), 0.0)
        system.set_seed(seed)
        return np.array(system.integrate(T_END))

    return run


def brian2_standalone(problem: Problem, n_paths: int, threads: int) -> Run:
    """Brian2's C++ program, built once and run again for every call; ``threads`` of OpenMP, 0 without it.

    Its Euler method refuses multiplicative noise, and it reads equations as Stratonovich: for the geometric Brownian
    motion it gets the Stratonovich drift and its derivative-free Milstein method.
    """
    import brian2 as b2

    folder = Path(tempfile.mkdtemp(prefix="brian2_"))
    b2.set_device("cpp_standalone", build_on_run=False)
    b2.prefs.devices.cpp_standalone.openmp_threads = threads
    b2.defaultclock.dt = problem.h * b2.second
    if problem.multiplicative:
        rate = problem.rate - problem.noise**2 / 2
        text, method = f"dX/dt = ({rate!r}*X)/second + {problem.noise!r}*X*xi*second**-0.5 : 1", "milstein"
    else:
        text, method = f"dX/dt = ({problem.rate!r}*X)/second + {problem.noise!r}*xi*second**-0.5 : 1", "euler"
    group = b2.NeuronGroup(n_paths * problem.d, text, method=method)
    group.X = 1.0
    b2.Network(group).run(T_END * b2.second)
    b2.device.build(directory=str(folder), compile=True, run=False)

    def run(seed: int) -> Any:
        b2.device.run()  # draws its own seed
        return np.array(group.X)

    run.close = lambda: shutil.rmtree(folder)  # type: ignore[attr-defined]
    return run
