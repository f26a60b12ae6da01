"""The table of contenders: how each is built, how much of the work it gets, and what is checked of its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import _own
import _peers


@dataclass(frozen=True)
class Contender:
    """One row.

    Attributes
    ----------
    title : str
        As in the table.
    build : callable
        ``build(problem, n_paths)`` returns ``run(seed)``, which returns the final values.
    distribution : str
        Whose version is reported, one or several.
    at_most : int or None
        Paths times components of a run, for libraries that would take minutes over 100 000.
    normals : bool
        Whether it draws normals only.
    """

    title: str
    build: Callable[..., Callable[[int], Any]]
    distribution: str
    at_most: int | None = None
    normals: bool = False


CONTENDERS = {
    "stochsim": Contender("stochsim, 2 threads", partial(_own.stochsim, threads=2), "stochsim"),
    "stochsim1": Contender("stochsim, 1 thread", partial(_own.stochsim, threads=1), "stochsim"),
    "normals": Contender(
        "  its normals, 2 threads", partial(_own.stochsim_normals, threads=2), "stochsim", normals=True
    ),
    "normals1": Contender(
        "  its normals, 1 thread", partial(_own.stochsim_normals, threads=1), "stochsim", normals=True
    ),
    "ziggurat": Contender("  NumPy's normals, 1 thread", _own.numpy_normals, "numpy", normals=True),
    "numpy": Contender("NumPy, blocks in cache", partial(_own.numpy_vectorised, threads=1), "numpy"),
    "numpy_whole": Contender("NumPy, whole arrays", _own.numpy_whole, "numpy"),
    "numpy2": Contender("NumPy, blocks, 2 threads", partial(_own.numpy_vectorised, threads=2), "numpy"),
    "numba": Contender("Numba, prange loop", _own.numba_prange, "numba"),
    "diffrax": Contender("diffrax, batched", partial(_peers.diffrax_batched, tree=False), "diffrax jax"),
    "jax": Contender("jax.lax.scan", partial(_peers.jax_scan, generator="threefry2x32"), "jax"),
    "jax_rbg": Contender("jax.lax.scan, rbg", partial(_peers.jax_scan, generator="unsafe_rbg"), "jax"),
    "brian2": Contender("Brian2, C++", partial(_peers.brian2_standalone, threads=0), "brian2"),
    "brian2_omp": Contender("Brian2, C++ and OpenMP", partial(_peers.brian2_standalone, threads=2), "brian2"),
    "jitcsde": Contender("JiTCSDE", _peers.jitcsde_fixed, "jitcsde", at_most=200),
    "sdepy": Contender("sdepy", _peers.sdepy_euler, "sdepy"),
    "torchsde": Contender("torchsde", _peers.torchsde_euler, "torchsde torch", at_most=10_000),
    "diffrax_tree": Contender(
        "diffrax, Brownian tree", partial(_peers.diffrax_batched, tree=True), "diffrax jax", at_most=1000
    ),
    "sdeint": Contender("sdeint", _peers.sdeint_euler, "sdeint", at_most=20),
}
