"""From a user's seed to the 64-bit key of the counter-based generator."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

from stochsim.errors import ParameterError

if TYPE_CHECKING:
    from numpy.random import SeedSequence

__all__ = ["seed_key"]


def seed_key(seed: int | SeedSequence | None) -> tuple[int, int, str]:
    """Return the two 32-bit key words of a seed, and the record that reproduces them.

    Parameters
    ----------
    seed : int, SeedSequence or None
        A non-negative integer of any length, a `numpy.random.SeedSequence`, or None, which draws fresh
        entropy. The words are mixed by `SeedSequence`, so neighbouring seeds give unrelated keys.

    Returns
    -------
    k0, k1 : int
        The key words, in [0, 2^32).
    record : str
        The integer in decimal, given or drawn (`seed_key(int(record))` returns the same key), or the
        construction of the `SeedSequence`. A string, since drawn entropy is longer than the integers that a
        file attribute holds.

    Raises
    ------
    ParameterError
        The seed is neither a non-negative integer (a bool is not one) nor a SeedSequence nor None.
    """
    from numpy.random import SeedSequence

    sequence = seed if isinstance(seed, SeedSequence) else SeedSequence(_checked(seed))
    k0, k1 = (int(word) for word in sequence.generate_state(2))
    return k0, k1, _record(sequence) if sequence is seed else str(sequence.entropy)


def _checked(seed: object) -> int | None:
    """Return the seed as an int or None, or refuse it."""
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        msg = f"seed={seed!r}: give a non-negative integer, a numpy.random.SeedSequence, or None."
        raise ParameterError(msg)
    return int(seed)


def _record(sequence: SeedSequence) -> str:
    return f"SeedSequence({sequence.entropy}, spawn_key={sequence.spawn_key}, pool_size={sequence.pool_size})"
