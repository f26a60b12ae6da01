"""Brownian increments that were seen but not used, kept for each particle: so rejecting a step biases no law."""

from __future__ import annotations

from typing import Any

__all__ = ["Reserve"]


class Reserve:
    """A pile of (duration, increment) for each of n particles: the path ahead, as far as it is known.

    Parameters
    ----------
    xp : module
        NumPy or CuPy.
    d, n : int
    """

    def __init__(self, xp: Any, d: int, n: int) -> None:
        self.xp = xp
        self.spans, self.moves = xp.zeros((8, n)), xp.zeros((8, d, n))
        self.height = xp.zeros(n, dtype=int)

    def take(self, who: Any, wanted: Any, z: Any) -> tuple[Any, Any]:
        """Step and increment on top of the pile, cut by a Brownian bridge where it is longer than wanted.

        Parameters
        ----------
        who : ndarray of int, shape (m,)
        wanted : ndarray, shape (m,)
            Durations.
        z : ndarray, shape (d, m)
            Fresh standard normals: for a new increment, or for the bridge.

        Returns
        -------
        step, move : ndarray, shapes (m,), (d, m)
        """
        xp, empty, everyone = self.xp, self.height[who] == 0, who
        self._push(who[empty], wanted[empty], xp.sqrt(wanted[empty]) * z[:, empty])
        top = self.height[who] - 1
        span, move = self.spans[top, who], self.moves[top, :, who].T
        cut = span > wanted
        who, top, span, move, part = who[cut], top[cut], span[cut], move[:, cut], wanted[cut]
        first = (part / span) * move + xp.sqrt(part * (span - part) / span) * z[:, cut]
        self.spans[top, who], self.moves[top, :, who] = span - part, (move - first).T
        self._push(who, part, first)
        top = self.height[everyone] - 1
        return self.spans[top, everyone], self.moves[top, :, everyone].T

    def drop(self, who: Any) -> None:
        """Take the top away, as it was used."""
        self.height[who] -= 1

    def _push(self, who: Any, span: Any, move: Any) -> None:
        xp = self.xp
        if len(who) and int(self.height[who].max()) == len(self.spans):
            self.spans = xp.concatenate([self.spans, xp.zeros_like(self.spans)])
            self.moves = xp.concatenate([self.moves, xp.zeros_like(self.moves)])
        self.spans[self.height[who], who], self.moves[self.height[who], :, who] = span, move.T
        self.height[who] += 1
