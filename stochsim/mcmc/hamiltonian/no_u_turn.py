"""The no-U-turn sampler: Hamiltonian trajectories that double until they turn back."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, ClassVar, NamedTuple

import numpy as np

from stochsim._pool import Stop, run_ranges
from stochsim.codegen import cache
from stochsim.columns.kernels import Kernel
from stochsim.columns.noise import Noise, PhiloxNoise
from stochsim.columns.tracing import structure
from stochsim.densities.record import Target
from stochsim.errors import ParameterError
from stochsim.mcmc._chains import CALL_SECONDS, Interrupted, kept_pairs
from stochsim.mcmc.hamiltonian._tree_text import VECTORS_A_LEVEL, tree_kernel
from stochsim.mcmc.hamiltonian.metrics import euclidean
from stochsim.mcmc.langevin.overdamped import Evaluated
from stochsim.mcmc.record import Claims, Sampler, require_positive, sampler

__all__ = ["NUTS"]

DEEPEST = 20
_KERNELS: dict[Any, Kernel] = {}


class Doubling(NamedTuple):
    """How the trajectory of a step went.

    ``accept_prob`` is the mean of min(1, exp(-energy error)) over its points, ``tree_depth`` the number of doublings
    that were taken, ``energy`` H at the point chosen; ``diverging`` is 1 where the energy rose by 1000 or was not a
    number, which ends the trajectory.
    """

    accept_prob: Any
    n_leapfrog: Any
    tree_depth: Any
    energy: Any
    diverging: Any


SAVED = ("log_prob", *Doubling._fields)


@sampler(
    Claims(
        "Hoffman & Gelman 2014, algorithm 3; multinomial weights and generalised criterion of Betancourt 2017, "
        "appendix A",
        bias_order=float("inf"),
    )
)
@dataclass(frozen=True)
class NUTS(Sampler):
    """No-U-turn sampler: leapfrog trajectories doubled forward or backward at random until a part turns back.

    The next point is drawn from the trajectory with multinomial weights exp(-H), a newer half being favoured over an
    older one (biased progressive sampling). A part turns back if its summed momentum has no positive product with the
    velocity at one of its ends; pairs of neighbouring sub-trees are also checked across their seam, as in Stan.

    A step takes a different number of gradients in each chain, so chains run one by one, spread over threads. Its
    random numbers are those of (seed, chain, step), as everywhere; sums over components are made in eight parts.

    Parameters
    ----------
    step_size : float or None
        Of the leapfrog. None: found in the warm-up.
    metric : array_like, optional
        Inverse mass, (d,) or (d, d): best close to the covariance of the target; default 1.
    max_depth : int
        Most doublings, so at most 2^max_depth - 1 leapfrogs a step.
    """

    step_size: float | None = None
    metric: Any = None
    max_depth: int = 10
    optimal_acceptance: ClassVar[float] = 0.8

    def __post_init__(self) -> None:
        if self.step_size is not None:
            require_positive("step_size", self.step_size)
        if not (isinstance(self.max_depth, int | np.integer) and 1 <= self.max_depth <= DEEPEST):
            raise ParameterError(f"max_depth is {self.max_depth!r}; give a whole number from 1 to {DEEPEST}")
        object.__setattr__(self, "metric", euclidean(self.metric))

    def init(self, target: Target, x: Any) -> Evaluated:
        """The place with its log-density and score."""
        return Evaluated(x, *target.log_prob_and_score(x))

    def step(self, target: Target, state: Evaluated, noise: Noise) -> tuple[Evaluated, Doubling]:
        """One step of every column, by the kernel of `chains`; the noise names seed, first chain and step.

        Raises
        ------
        ParameterError
            If the noise is not a `PhiloxNoise`: how many numbers a step takes is known only as it goes.
        """
        if not isinstance(noise, PhiloxNoise):
            raise ParameterError("a step of NUTS draws as many numbers as its tree has leaves; give it a PhiloxNoise")
        d, n = np.shape(state.x)
        trees = self.chains(target, d, noise.key, n, 1, first_chain=noise.first_path)
        trees.put(state)
        trees.steps_done = noise.index
        rows = trees.advance(self, target, 1)[0]
        return trees.state(), Doubling(*rows[d + 1 :])

    def chains(
        self, target: Target, d: int, key: tuple[int, int], n_chains: int, threads: int, *, first_chain: int = 0,
        moments: bool = False,
    ) -> TreeChains:  # fmt: skip
        """Chains that a kernel of its own advances."""
        kernel = nuts_kernel(self, target, d, moments)
        return TreeChains(TreeProgram(kernel, d, moments), key, n_chains, threads, first_chain)


def nuts_kernel(sampler: NUTS, target: Any, d: int, moments: bool = False) -> Kernel:
    """The kernel, traced once for all values of parameters."""
    key = (structure(sampler.metric), structure(target), d, moments)
    if key not in _KERNELS:
        title = f"{'moments of ' if moments else ''}NUTS on {type(target).__name__} ({d} components)"
        _KERNELS[key] = tree_kernel(sampler.metric, target, d, title, moments)
    return _KERNELS[key]


@dataclass(frozen=True)
class TreeProgram:
    """The kernel, and what its rows mean: d rows of x, then the numbers named in ``saved``."""

    kernel: Kernel
    d: int
    moments: bool

    @property
    def saved(self) -> tuple[str, ...]:
        """Names of the numbers saved after the d rows of x."""
        return () if self.moments else SAVED


@dataclass
class TreeChains:
    """All chains of a run, where they stand: as `stochsim.mcmc._chains.Chains`, for trees.

    Parameters
    ----------
    program : TreeProgram
    key : tuple of int
        Of the seed.
    n_chains, threads : int
    first_chain : int
    """

    program: TreeProgram
    key: tuple[int, int]
    n_chains: int
    threads: int
    first_chain: int = 0
    steps_done: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        d = self.program.d
        self._state = np.zeros((self.n_chains, 2 * d + 1))
        self._moments = np.zeros((self.n_chains, 1 + d + len(kept_pairs(d)) if self.program.moments else 0))
        self._function = cache.load(self.program.kernel.text)
        self._seconds = 1e-7 * self.program.kernel.rows  # of a step of a chain

    def put(self, state: Any) -> None:
        """Set the state: x (d, n), log_prob (n,), score (d, n)."""
        x, log_prob, score = (np.asarray(v, dtype=float) for v in state)
        self._state[:] = np.vstack([x, score, log_prob[None]]).T

    def state(self) -> Evaluated:
        """The state: x (d, n), log_prob (n,), score (d, n)."""
        d, rows = self.program.d, np.ascontiguousarray(self._state.T)
        return Evaluated(rows[:d], rows[2 * d], rows[d : 2 * d])

    def moments(self) -> np.ndarray:
        """Count, means and co-moments of each chain, (1 + d + pairs, n)."""
        return np.ascontiguousarray(self._moments.T)

    def advance(
        self,
        sampler: NUTS,
        target: Any,
        n_steps: int,
        *,
        every: int = 1,
        progress: Any = None,
        stop: Stop | None = None,
    ) -> np.ndarray:
        """Make steps; returns what was saved after every ``every`` steps, (slots, rows, n_chains).

        Raises
        ------
        Interrupted
            On Ctrl-C, with the slots that all chains had reached.
        """
        kernel, begin, saved = self.program.kernel, self.steps_done, self.program.saved
        par = kernel.pack(sampler=sampler, target=target)
        slots = (begin + n_steps) // every - begin // every if saved else 0
        out = np.empty((self.n_chains, slots, self.program.d + len(saved)))
        share = -(-self.n_chains // (4 * self.threads)) if self.n_chains > self.threads else 1
        ranges = [(lo, min(lo + share, self.n_chains)) for lo in range(0, self.n_chains, share)]
        reached = [0] * len(ranges)

        def task(index: int, lo: int, hi: int, own: Stop) -> None:
            w = np.zeros(kernel.rows + VECTORS_A_LEVEL * self.program.d * sampler.max_depth)
            while reached[index] < n_steps and not (own or stop):
                k = reached[index]
                last = min(n_steps, k + max(1, int(CALL_SECONDS / (self._seconds * (hi - lo)))))
                started, slot = perf_counter(), (begin + k) // every - begin // every
                self._function(
                    par, sampler.step_size, sampler.max_depth, *self.key, self.first_chain + lo, begin, k, last,
                    self._state[lo:hi], self._moments[lo:hi], w, every, slot, out[lo:hi],
                )  # fmt: skip
                self._seconds = max((perf_counter() - started) / ((last - k) * (hi - lo)), 1e-9)
                if progress is not None:
                    progress.update((last - k) * (hi - lo))
                reached[index] = last

        try:
            run_ranges(ranges, task, self.threads)
        except KeyboardInterrupt:
            done = (begin + min(reached)) // every - begin // every
            raise Interrupted(out[:, :done].transpose(1, 2, 0)) from None
        self.steps_done += n_steps
        return out.transpose(1, 2, 0)
