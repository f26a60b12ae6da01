"""Solvers of other libraries under the microscope: any function of arrays of noise, on coupled levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stochsim.codegen.arrays import compile_arrays
from stochsim.errors import SolverError
from stochsim.levels import CoupledRun, Ends
from stochsim.noise.increments import KINDS
from stochsim.parameters import Namespace

CHUNK_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Noise:
    """What a solver gets: increments over its own steps.

    Attributes
    ----------
    dW : (n_paths, n_steps, m)
        Brownian increments, variance h.
    dZ : (n_paths, n_steps, m) or None
        int (W_s - W_k) ds over each step.
    A : (n_paths, n_steps, m, m) or None
        Lévy areas 1/2 int (W_j dW_k - W_k dW_j), antisymmetric.
    h : (n_steps,)
        Step sizes.
    """

    dW: np.ndarray
    dZ: np.ndarray | None = None
    A: np.ndarray | None = None
    h: np.ndarray = field(default_factory=lambda: np.empty(0))


Solver = Callable[[np.ndarray, np.ndarray, Noise, Namespace], Any]


def solver_source(
    run: CoupledRun, solver: Solver, params: Mapping[str, Any], m: int, needs: Sequence[str] = ("dW",)
) -> Any:
    """Ends of a solver on every level, on the paths of ``run`` (whose program has no step)."""
    n_fine = len(run.levels.times) - 1
    chunk = max(16, min(2048, CHUNK_BYTES // (8 * n_fine * max(1, len(run.program.noise)) * 2)))

    def source(n_paths: int, first: int) -> Iterator[Ends]:
        for lo in range(first, first + n_paths, chunk):
            hi = min(lo + chunk, first + n_paths)
            yield _solve_levels(run, solver, params, m, needs, lo, hi)

    return source


def _solve_levels(
    run: CoupledRun, solver: Solver, params: Mapping[str, Any], m: int, needs: Sequence[str], lo: int, hi: int
) -> Ends:
    fine, y = _fine_noise(run, lo, hi)
    namespace = Namespace(dict(params))
    x0 = np.broadcast_to(run.start, (hi - lo, len(run.start))).copy()
    results = []
    stride, values, total = 1, fine, fine
    for level in range(run.levels.lowest + run.levels.n_levels):
        if level:
            values = _merge(run, values, stride)
            stride *= 2
        if level >= run.levels.lowest:
            times = run.levels.times[::stride]
            noise = as_noise(run, values, m, np.diff(times), needs)
            results.append(check_ends(solver(x0.copy(), times, noise, namespace), x0.shape, len(times) - 1).T)
    total = values
    while stride < len(run.levels.times) - 1:
        total = _merge(run, total, stride)
        stride *= 2
    exact = run._exact(y)
    return Ends(np.stack(results[::-1]), exact, run._noise(total[:, :, 0]), None)


def _fine_noise(run: CoupledRun, lo: int, hi: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise values of the finest steps (K, n, steps), and the functionals of the exact solution."""
    p, times = run.program, run.levels.times
    draw = compile_arrays(p.draw, ("h", *(f"n{i}" for i in range(len(p.primitives)))))
    y_names = [f"y{i}" for i in range(len(p.functionals))]
    inputs = (*y_names, "t", "h", *p.noise, *(f"n{i}" for i in range(len(p.primitives))), *p.parameters)
    advance = compile_arrays(p.functionals, inputs)
    values = np.empty((len(p.noise), hi - lo, len(times) - 1))
    y = [np.zeros(hi - lo) for _ in y_names]
    parameters = [np.float64(v) for v in run.parameters]
    for k in range(len(times) - 1):
        z, h = run.draws(k >> 1, lo, hi)[k & 1], times[k + 1] - times[k]
        drawn = draw(h, *z)
        for i, v in enumerate(drawn):
            values[i, :, k] = v
        if y_names:
            y = list(advance(*y, times[k], h, *drawn, *z, *parameters))
    return values, np.array(y).reshape(len(y_names), hi - lo)


def _merge(run: CoupledRun, values: np.ndarray, stride: int) -> np.ndarray:
    """Noise of steps twice as long."""
    p, times = run.program, run.levels.times[::stride]
    merge = compile_arrays(p.merge, (*(f"left_{n}" for n in p.noise), *p.noise, "hl", "hr"))
    h = np.diff(times)
    merged = merge(*values[:, :, 0::2], *values[:, :, 1::2], h[0::2], h[1::2])
    return np.stack(np.broadcast_arrays(*merged))


def as_noise(run: CoupledRun, values: np.ndarray, m: int, h: np.ndarray, needs: Sequence[str]) -> Noise:
    """Flat noise values (K, n, steps) as the arrays a solver expects."""
    n, steps = values.shape[1:]
    arrays: dict[str, np.ndarray] = {}
    for name, v in zip(run.program.noise, values, strict=True):
        kind = name.rstrip("0123456789_")
        index: Any = tuple(int(i) for i in name.removeprefix(kind).split("_"))
        array = arrays.setdefault(kind, np.zeros((n, steps, *KINDS[kind].shape(m))))
        array[:, :, *index] = v
        if len(index) == 2:
            array[:, :, *index[::-1]] = -v
    if m == 1 and "A" in needs:
        arrays["A"] = np.zeros((n, steps, 1, 1))  # one Brownian motion has no area
    return Noise(arrays["dW"], arrays.get("dZ"), arrays.get("A"), h)


def check_ends(result: Any, shape: tuple[int, ...], n_steps: int, who: str = "solver") -> np.ndarray:
    """The answer of a solver or sampler as (n_paths, d) floats.

    Raises
    ------
    SolverError
        If it is no real array of that shape, or has NaN.
    """
    array = np.asarray(result)
    if array.shape == shape[:1] and shape[1] == 1:
        array = array[:, None]
    if array.shape != shape:
        raise SolverError(
            f"the {who} returned shape {array.shape} with {n_steps} steps; return x at the end time, shape {shape} = "
            "(n_paths, d), not the whole trajectory"
        )
    if array.dtype.kind not in "fiu":
        raise SolverError(f"the {who} returned dtype {array.dtype}; return real numbers (float64)")
    if array.dtype == np.float32 or array.dtype == np.float16:
        raise SolverError(
            f"the {who} returned {array.dtype}, whose rounding hides the error of small steps; run it in float64 "
            "(for JAX: jax.config.update('jax_enable_x64', True))"
        )
    values = array.astype(float)
    if np.isnan(values).any():
        raise SolverError(
            f"the {who} returned NaN for {int(np.isnan(values).any(axis=1).sum())} of {len(values)} paths with "
            f"{n_steps} steps; use smaller steps (levels=) or a problem on which it is stable"
        )
    return values
