"""Does a transition leave a density invariant? Exact draws go in, and their law must come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from stochsim.errors import ParameterError
from stochsim.metrics._arrays import FloatArray, Seed, count, fresh_seed, generator, probability, samples
from stochsim.metrics._states import States
from stochsim.metrics.check import Check, joint, t_check
from stochsim.metrics.goodness import ks_one_sample, ks_two_samples

__all__ = ["invariance_test"]

Transition = Callable[[FloatArray, int], Any]
Statistics = Mapping[str, Callable[[FloatArray], Any]]
REFERENCE = 4  # independent draws of the density for each chain


def invariance_test(
    density: Any,
    transition: Transition,
    *,
    n_chains: int = 10_000,
    n_steps: int = 10,
    seed: Seed = 0,
    momenta: bool = False,
    statistics: Statistics | None = None,
    false_alarm: float = 1e-3,
) -> Check:
    r"""Start chains in exact draws of a density, apply a transition, and test that the law is unchanged.

    Parameters
    ----------
    density : density
        With ``sample(n, seed=)`` exact and ``log_prob``; x is (n, d).
    transition : callable (x, seed) -> x
        Takes states (n_chains, d) and an integer seed, returns states of the same shape, row by row independent.
    n_chains : int, default 10000
        Independent chains.
    n_steps : int, default 10
        How often the transition is applied, with a new seed each time. A defect grows over about one autocorrelation
        time, and so does the power of the test.
    seed : int, SeedSequence or None, default 0
        Seed of everything.
    momenta : bool, default False
        The sampler keeps its momenta from step to step: states are (n_chains, 2 d), x and then p, with p standard
        normal (unit masses, temperature one), and the joint law is tested. The density needs its ``score`` too: the
        mean of score·p is where a momentum that is not flipped upon rejection shows.
    statistics : mapping of name to callable (states) -> (n,), optional
        More statistics, besides the built-in ones.
    false_alarm : float, default 1e-3
        Rate of the whole test.

    Returns
    -------
    Check
        One part a statistic (Bonferroni). Averages along the chains of the log-density, of x_i, x_i x_j and |z|⁴ of
        the standardised coordinates, and of cosine and sine in random directions, by t-tests against the exact starts
        and independent exact draws, in the combination of least variance. Then Kolmogorov-Smirnov tests of the last
        states: of the log-density, and of the marginals, against the exact ones for Gaussians and mixtures. One state
        outside the support fails the test.

    Raises
    ------
    ParameterError
        A transition that changes the shape, or returns states that are not finite; statistics of another shape.
    """
    rng, record = generator(seed)
    n, steps = count(n_chains, "n_chains", 100), count(n_steps, "n_steps")
    rate = probability(false_alarm, "false_alarm")
    states = States(density, momenta)
    first, fresh = states.draws(n, rng), states.draws(REFERENCE * n, rng)
    values = _Statistics(first, states, statistics or {}, rng)
    last, averages, n_outside = _followed(first, transition, values, steps, rng)
    before, expected = values(first), values(fresh)
    level = rate / (len(before) + last.shape[1] + 2)
    parts = [_inside("stays in the support", n_outside, level, n)]
    parts += [_compared(name, averages[name], before[name], expected[name], level) for name in before]
    parts += [ks_two_samples("law of log_prob", values.log_prob(last), expected["log_prob"], level)]
    parts += _marginal_tests(states, last, fresh, level)
    return joint(f"invariance under {steps} transitions", parts, rate, n, record)


def _followed(
    first: FloatArray, transition: Transition, values: _Statistics, n_steps: int, rng: np.random.Generator
) -> tuple[FloatArray, dict[str, FloatArray], int]:
    """The last states, the averages of the statistics along each chain, and how many last states left the support."""
    x, totals = first, {name: np.zeros(len(first)) for name in values(first)}
    for _ in range(n_steps):
        x = _moved(x, transition, rng)
        totals = {name: totals[name] + value for name, value in values(x).items()}
    return x, {name: total / n_steps for name, total in totals.items()}, values.outside(x)


def _moved(x: FloatArray, transition: Transition, rng: np.random.Generator) -> FloatArray:
    new = np.asarray(transition(x.copy(), fresh_seed(rng)), dtype=np.float64)
    if new.shape != x.shape:
        raise ParameterError(f"the transition returned the shape {new.shape} for states {x.shape}; it must keep it")
    return samples(new, "the states after the transition")


def _compared(name: str, after: FloatArray, before: FloatArray, fresh: FloatArray, false_alarm: float) -> Check:
    """Is mean(after) - b mean(before) - (1 - b) mean(fresh) zero? With the b that makes its variance least.

    Chains that hardly move get b = 1, the difference to their own start; chains that forget it are compared with the
    independent draws. Estimating b costs a bias of order 1/n only.
    """
    n, m = len(before), len(fresh)
    spread = float(fresh.var(ddof=1)) / m
    own = float(before.var(ddof=1)) / n + spread
    b = (float(np.cov(after, before)[0, 1]) / n + spread) / own if own > 0 else 1.0
    rest = after - b * before
    variance = float(rest.var(ddof=1)) / n + (1 - b) ** 2 * spread
    # sums over steps round: chains that stand still differ from themselves by this
    rounding = 1e-13 * float(np.abs(before).max()) + np.finfo(float).tiny
    difference = float(rest.mean() - (1 - b) * fresh.mean())
    return t_check(name, difference, float(np.hypot(np.sqrt(variance), rounding)), n - 1, false_alarm, n)


class _Statistics:
    """Test functions of states: moments of standardised coordinates, waves in random directions, the log-density."""

    def __init__(self, first: FloatArray, states: States, more: Statistics, rng: np.random.Generator) -> None:
        scale = first.std(axis=0)
        self._centre, self._scale = np.median(first, axis=0), np.where(scale > 0, scale, 1.0)
        self._waves = np.array([0.5, 1, 2, 3]) * rng.standard_normal((first.shape[1], 4)) / np.sqrt(first.shape[1])
        self._states, self._more = states, more
        self._lowest = float(states.log_prob(first).min())

    def log_prob(self, x: FloatArray) -> FloatArray:
        """The log-density, outside of the support the smallest one of the exact draws."""
        values = self._states.log_prob(x)
        return np.where(np.isneginf(values), self._lowest, values)

    def outside(self, x: FloatArray) -> int:
        """How many states lie outside of the support."""
        return int(np.isneginf(self._states.log_prob(x)).sum())

    def __call__(self, x: FloatArray) -> dict[str, FloatArray]:
        z = (x - self._centre) / self._scale
        values = {"log_prob": self.log_prob(x), "|z|⁴": (z * z).sum(axis=1) ** 2}
        names = self._states.names(x)
        values |= dict(zip(names, z.T, strict=True))
        values |= {f"{names[i]} {names[j]}": z[:, i] * z[:, j] for i, j in index_pairs(z.shape[1])}
        values |= {f"cos of wave {k}": np.cos(phase) for k, phase in enumerate((z @ self._waves).T)}
        values |= {f"sin of wave {k}": np.sin(phase) for k, phase in enumerate((z @ self._waves).T)}
        values |= self._states.power(x) | {name: f(x) for name, f in self._more.items()}
        return {name: one_a_row(name, value, len(x)) for name, value in values.items()}


def _inside(name: str, n_outside: int, false_alarm: float, n: int) -> Check:
    """Fails as soon as one state lies where the density is zero, which never happens by chance."""
    p = 1.0 if n_outside == 0 else 0.0
    return Check(name=name, statistic=n_outside, threshold=0.0, p_value=p, false_alarm=false_alarm, n=n)


def index_pairs(d: int) -> list[tuple[int, int]]:
    """All pairs i <= j in few dimensions; in many, squares and neighbours, so that Bonferroni costs little."""
    if d <= 6:
        return [(i, j) for i in range(d) for j in range(i, d)]
    return [(i, i) for i in range(d)] + [(i, i + 1) for i in range(d - 1)]


def one_a_row(name: str, value: Any, n: int) -> FloatArray:
    """A statistic of n rows, (n,) and finite."""
    array = np.asarray(value, dtype=np.float64)
    if array.shape != (n,):
        raise ParameterError(f"the statistic {name!r} has shape {array.shape}; one number a row is needed, ({n},)")
    bad = ~np.isfinite(array)
    if bad.any():
        raise ParameterError(f"the statistic {name!r} is not finite for {bad.sum()} of {n} rows")
    return array


def _marginal_tests(states: States, last: FloatArray, fresh: FloatArray, false_alarm: float) -> list[Check]:
    """Kolmogorov-Smirnov tests of every column, against the exact marginal where there is one."""
    rows = zip(states.names(last), states.marginals(last), last.T, fresh.T, strict=True)
    return [
        ks_one_sample(f"law of {name}", x, cdf, false_alarm)
        if cdf
        else ks_two_samples(f"law of {name}", x, y, false_alarm)
        for name, cdf, x, y in rows
    ]
