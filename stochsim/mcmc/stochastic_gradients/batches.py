"""In which order the data blocks of a sum are visited: independent, reshuffled, or there and back.

One uniform of a chain chooses its next block, so every chain has its own order, and the choice is the same whatever
the number of chains. Permutations are built while they are used (Fisher & Yates 1938; Durstenfeld 1964).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from stochsim.columns.ops import floor, minimum, row, total, where
from stochsim.densities.record import Target
from stochsim.errors import ParameterError
from stochsim.mcmc.populations.stacks import height

__all__ = ["INDEPENDENT", "RESHUFFLED", "SYMMETRIC", "Batches", "SumTarget"]

FloatArray = npt.NDArray[np.floating[Any]]
_MOST_BLOCKS = 12  # subsets of blocks double with each


class SumTarget(Target, Protocol):
    """A density whose logarithm is a sum over K blocks of data, log π = l_0 + Σ_b l_b."""

    blocks: Any  # (K, 1), the numbers 0 .. K - 1

    def block_score(self, x: Any, index: Any) -> Any:
        """∇ l_0 + K ∇ l_b, with the mean ∇ log π over the blocks: (d, n), index (n,) -> (d, n)."""


class Visit(NamedTuple):
    """Where a chain stands in its data: the order of the blocks (K, n), or zeros (n,), and its turn (n,)."""

    order: Any
    turn: Any


class Batches(ABC):
    """An order of visits to the blocks."""

    def begin(self, blocks: Any, x: Any) -> Visit:
        """Before the first visit."""
        zero = 0.0 * row(x, 0)
        return Visit(blocks + zero, zero)

    @abstractmethod
    def draw(self, blocks: Any, visit: Visit, u: Any) -> tuple[Any, Visit]:
        """The next block (n,), chosen by a uniform u (n,), and the visit after it."""

    @abstractmethod
    def period(self, n_blocks: int) -> int:
        """After how many visits the order begins anew."""

    @abstractmethod
    def averaged(self, maps: Sequence[FloatArray]) -> FloatArray:
        """The mean over all orders of the product of the blocks' matrices, over a period: the last visit is left.

        Raises
        ------
        ParameterError
            If there are more than 12 blocks to permute.
        """


@dataclass(frozen=True)
class Independent(Batches):
    """Each visit chooses among all blocks, with replacement."""

    def begin(self, blocks: Any, x: Any) -> Visit:
        """Nothing to remember."""
        return Visit(0.0 * row(x, 0), 0.0 * row(x, 0))

    def draw(self, blocks: Any, visit: Visit, u: Any) -> tuple[Any, Visit]:
        """⌊K u⌋."""
        size = float(height(blocks))
        return minimum(floor(size * u), size - 1.0), visit

    def period(self, n_blocks: int) -> int:
        """One visit."""
        return 1

    def averaged(self, maps: Sequence[FloatArray]) -> FloatArray:
        """The mean of the matrices."""
        return np.asarray(sum(maps) / len(maps))


@dataclass(frozen=True)
class Reshuffled(Batches):
    """Epochs of K visits, each a fresh permutation of the blocks (random reshuffling)."""

    def draw(self, blocks: Any, visit: Visit, u: Any) -> tuple[Any, Visit]:
        """The block that changes places with that of this turn, among those not yet visited in the epoch."""
        size, turn = float(height(blocks)), visit.turn
        chosen, order = _shuffled(blocks, visit.order, turn, _place(turn, size, u))
        return chosen, Visit(order, where(turn + 1.0 < size, turn + 1.0, 0.0))

    def period(self, n_blocks: int) -> int:
        """An epoch."""
        return n_blocks

    def averaged(self, maps: Sequence[FloatArray]) -> FloatArray:
        """Mean over the K! products, by recursion over the 2^K sets of blocks already visited."""
        return _over_subsets(maps, lambda M, inner: M @ inner)


@dataclass(frozen=True)
class Symmetric(Batches):
    """Epochs of 2K visits: a fresh permutation, then the same backwards (Paulin, Whalley, Chada & Leimkuhler 2024)."""

    def draw(self, blocks: Any, visit: Visit, u: Any) -> tuple[Any, Visit]:
        """On the way there as if reshuffled, on the way back what lies at the mirrored turn."""
        size, turn = float(height(blocks)), visit.turn
        there = turn < size
        at = where(there, turn, 2.0 * size - 1.0 - turn)
        chosen, order = _shuffled(blocks, visit.order, at, where(there, _place(turn, size, u), at))
        return chosen, Visit(order, where(turn + 1.0 < 2.0 * size, turn + 1.0, 0.0))

    def period(self, n_blocks: int) -> int:
        """There and back."""
        return 2 * n_blocks

    def averaged(self, maps: Sequence[FloatArray]) -> FloatArray:
        """Mean over the K! palindromes, from their middle outwards by recursion over the 2^K sets of blocks."""
        return _over_subsets(maps, lambda M, inner: M @ inner @ M)


def _place(turn: Any, size: float, u: Any) -> Any:
    """A place from turn .. K - 1, each with the same probability."""
    return minimum(turn + floor((size - turn) * u), size - 1.0)


def _shuffled(blocks: Any, order: Any, turn: Any, place: Any) -> tuple[Any, Any]:
    """The block at a place, and the order in which it has changed places with that of this turn."""
    chosen, first = (total(where(blocks == at, order, 0.0)) for at in (place, turn))
    return chosen, where(blocks == turn, chosen, where(blocks == place, first, order))


def _over_subsets(maps: Sequence[FloatArray], wrapped: Any) -> FloatArray:
    K = len(maps)
    if K > _MOST_BLOCKS:
        raise ParameterError(f"{K} blocks have too many orders for an exact mean; give at most {_MOST_BLOCKS}")
    means = {frozenset[int](): np.eye(len(maps[0]))}
    for size in range(1, K + 1):
        for visited in map(frozenset, combinations(range(K), size)):
            means[visited] = sum(wrapped(maps[b], means[visited - {b}]) for b in visited) / size
        means = {s: M for s, M in means.items() if len(s) == size}
    return means[frozenset(range(K))]


INDEPENDENT, RESHUFFLED, SYMMETRIC = Independent(), Reshuffled(), Symmetric()
