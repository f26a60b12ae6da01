"""Counting alarms: how often a check of a given rate fails in seeded repeats, and how often it may."""

from collections.abc import Callable

from scipy.stats import binom

from stochsim.metrics import Check

SURE = 1e-6  # false-alarm rate of the tests that count alarms


def alarms(make: Callable[[int], Check], repeats: int) -> int:
    """In how many of the repeats, numbered by seed, the check fails."""
    return sum(not make(seed).passed for seed in range(repeats))


def most_alarms(rate: float, repeats: int) -> int:
    """More alarms than this show, at the rate SURE, that the check fails more often than it says."""
    return int(binom.isf(SURE, repeats, rate))


def fewest_alarms(rate: float, repeats: int) -> int:
    """Fewer alarms than this show, at the rate SURE, that the check fails more rarely than it says."""
    return int(binom.ppf(SURE, repeats, rate))
