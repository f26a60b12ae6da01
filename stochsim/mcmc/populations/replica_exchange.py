"""Parallel tempering: replicas at a ladder of temperatures that exchange their places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from stochsim.columns.noise import Noise
from stochsim.columns.ops import exp, join, log, loop, minimum, row, rows, sqrt, stack, where
from stochsim.densities.record import Target
from stochsim.errors import ParameterError
from stochsim.mcmc.populations.stacks import height, turned
from stochsim.mcmc.populations.tempered import ScaledPower
from stochsim.mcmc.record import Claims, Sampler, sampler

__all__ = ["ParallelTempering"]


class Ladder(NamedTuple):
    """A chain: its replicas one below the other, the coldest first.

    ``x`` (d) is the coldest replica again, ``replicas`` (R d), ``log_probs`` (R) their log-densities under the target
    itself, ``even`` 1 if the pairs (0, 1), (2, 3) ... are next, ``from_hot`` (R) 1 for replicas that were at the
    hottest rung more recently than at the coldest, ``round_trips`` how many came down from there, ``swaps`` (R - 1)
    sums of the acceptance probabilities of every pair.
    """

    x: Any
    log_prob: Any
    replicas: Any
    log_probs: Any
    even: Any
    from_hot: Any
    round_trips: Any
    swaps: Any


class Exchange(NamedTuple):
    """Means over the rungs of the moves' acceptance, and over the pairs in turn of the swaps'."""

    accept_prob: Any
    swap_prob: Any


@sampler(
    Claims(
        "Geyer 1991; deterministic even-odd swaps: Okabe et al. 2001; Syed et al. 2022, section 3",
        bias_order=float("inf"), exact_gaussian=("position",),
    )
)  # fmt: skip
@dataclass(frozen=True)
class ParallelTempering(Sampler):
    """A ladder of replicas with the densities π^β: each moves, then neighbours swap, even and odd pairs by turns.

    All replicas start at the starting point. Replica r moves in the coordinates √β_r x, so one move with one step size
    serves every rung. Swap rates: ``state.swaps`` over half the number of steps (with two replicas, over all of them).

    Parameters
    ----------
    move : Sampler
        Adjusted, such as ``HMC(0.2, 10)``; tuned for the target itself.
    betas : array_like, shape (R,)
        Inverse temperatures from 1 down, R >= 2; π^β must have a finite integral.
    """

    move: Sampler
    betas: Any

    def __post_init__(self) -> None:
        betas = np.asarray(self.betas, dtype=float).reshape(-1)
        ordered = len(betas) >= 2 and betas[0] == 1.0 and betas[-1] > 0.0 and bool(np.all(np.diff(betas) < 0.0))
        if not ordered:
            raise ParameterError(
                f"betas are {self.betas!r}; give two or more inverse temperatures from 1 down, above 0"
            )
        if not self.move.claims.adjusted:
            raise ParameterError(
                f"move is {self.move.name}, which is not adjusted; give MALA, HMC or another adjusted one"
            )
        object.__setattr__(self, "betas", betas[:, None].copy())

    def init(self, target: Target, x: Any) -> Ladder:
        """All replicas at x; even pairs are first."""
        size = self.betas.shape[0]
        log_prob = target.log_prob(x)
        none = 0.0 * log_prob
        replicas, log_probs, zeros = join(*(x,) * size), stack(*(log_prob,) * size), (none,) * size
        return Ladder(x, log_prob, replicas, log_probs, none + 1.0, stack(*zeros), none, stack(*zeros[1:]))

    def step(self, target: Target, state: Ladder, noise: Noise) -> tuple[Ladder, Exchange]:
        """A move of every replica, then swaps of the pairs that are in turn."""
        size = self.betas.shape[0]
        d = height(state.replicas) // size
        replicas, log_probs, accepted = self._moved(target, state, noise, d)

        def swap(*carry: Any) -> tuple[Any, ...]:
            return _swap(d, noise, *carry)

        begin = (replicas, log_probs, state.from_hot, self._spread(state), state.swaps, state.even, 0.0 * state.even)
        replicas, log_probs, from_hot, _, swaps, _, probability = loop(size - 1, swap, *begin)
        replicas, log_probs, flags = turned(replicas, d), turned(log_probs, 1), turned(from_hot, 1)
        back = row(flags, 0)  # at the coldest rung, from the hottest one
        flags = stack(0.0 * back, *(row(flags, i) for i in range(1, size - 1)), 0.0 * back + 1.0)
        coldest, log_prob = rows(replicas, 0, d), row(log_probs, 0)
        even = 1.0 - state.even if size > 2 else state.even
        trips = state.round_trips + back
        pairs = where(state.even > 0.5, float(size // 2), float((size - 1) // 2))
        new = Ladder(coldest, log_prob, replicas, log_probs, even, flags, trips, swaps)
        return new, Exchange(accepted, probability / pairs)

    def _spread(self, state: Ladder) -> Any:
        """The inverse temperatures as a vector of every chain, (R, n)."""
        return 0.0 * state.from_hot + self.betas

    def _moved(self, target: Target, state: Ladder, noise: Noise, d: int) -> tuple[Any, Any, Any]:
        """Every replica after its move: the first of the stack moves and goes to its end, by turns."""
        size = self.betas.shape[0]

        def advance(replicas: Any, log_probs: Any, betas: Any, accepted: Any) -> tuple[Any, Any, Any, Any]:
            root = sqrt(row(betas, 0))
            tempered = ScaledPower(target, root)
            inner, info = self.move.step(tempered, self.move.init(tempered, root * rows(replicas, 0, d)), noise)
            x = inner.x / root
            replicas, log_probs = turned(replicas, d, x), turned(log_probs, 1, stack(target.log_prob(x)))
            return replicas, log_probs, turned(betas, 1), accepted + info.accept_prob

        begin = (state.replicas, state.log_probs, self._spread(state), 0.0 * state.even)
        replicas, log_probs, _, accepted = loop(size, advance, *begin)
        return replicas, log_probs, accepted / float(size)


def _swap(
    d: int, noise: Noise, replicas: Any, log_probs: Any, flags: Any, betas: Any, swaps: Any, turn: Any, sums: Any
) -> tuple[Any, ...]:
    """Let the first two of the stack swap if it is their turn, and put the first one to the end."""
    log_ratio = (row(betas, 0) - row(betas, 1)) * (row(log_probs, 1) - row(log_probs, 0))
    accept = (log(noise.uniform(turn)) < log_ratio) & (turn > 0.5)
    probability = turn * where(log_ratio == log_ratio, exp(minimum(log_ratio, 0.0)), 0.0)
    swaps = turned(swaps, 1, stack(row(swaps, 0) + probability))
    stacks = (_exchanged(replicas, d, accept), _exchanged(log_probs, 1, accept), _exchanged(flags, 1, accept))
    return (*stacks, turned(betas, 1), swaps, 1.0 - turn, sums + probability)


def _exchanged(stacked: Any, d: int, accept: Any) -> Any:
    """The stack with its first two blocks exchanged where accepted, then turned."""
    first, second = rows(stacked, 0, d), rows(stacked, d, 2 * d)
    rest = [rows(stacked, 2 * d, height(stacked))] if height(stacked) > 2 * d else []
    return join(where(accept, first, second), *rest, where(accept, second, first))
