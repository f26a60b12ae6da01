"""Checks of a sampler through the joint law of parameters and data: Geweke's test, simulation-based calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from stochsim.errors import ParameterError
from stochsim.metrics._arrays import FloatArray, Seed, count, fresh_seed, generator, probability
from stochsim.metrics.check import Check, joint, t_check
from stochsim.metrics.goodness import pearson
from stochsim.metrics.invariance import index_pairs, one_a_row

__all__ = ["geweke_joint_test", "simulation_based_calibration"]

Prior = Callable[[int, int], Any]
Likelihood = Callable[[FloatArray, int], Any]
JointStatistics = Mapping[str, Callable[[FloatArray, FloatArray], Any]]


def geweke_joint_test(
    simulate_prior: Prior,
    simulate_data: Likelihood,
    transition: Callable[[FloatArray, FloatArray, int], Any],
    statistics: JointStatistics | None = None,
    *,
    n_chains: int = 1000,
    n_steps: int = 50,
    seed: Seed = 0,
    false_alarm: float = 1e-3,
) -> Check:
    r"""Geweke's joint distribution test of a posterior sampler (Geweke 2004, J. Am. Stat. Assoc. 99).

    Parameters
    ----------
    simulate_prior : callable (n, seed) -> (n, d)
        Independent draws of the prior.
    simulate_data : callable (theta (n, d), seed) -> (n, m)
        One data set for each row of parameters.
    transition : callable (theta (n, d), y (n, m), seed) -> (n, d)
        One step of the sampler for every chain, which should leave p(theta | y) invariant.
    statistics : mapping of name to callable (theta, y) -> (n,), optional
        Test functions of both; default every theta_i and theta_i theta_j, y_0, y_0² and theta_i y_0.
    n_chains : int, default 1000
        Independent chains of the successive-conditional simulator.
    n_steps : int, default 50
        Steps of each: a new theta by the transition, then new data.
    seed : int, SeedSequence or None, default 0
        Seed of everything.
    false_alarm : float, default 1e-3
        Rate of the whole test (Bonferroni).

    Returns
    -------
    Check
        One part a statistic: Welch's t of the mean over the chains minus the mean over n_chains n_steps independent
        pairs. The chains are independent and start in the joint law, so the scatter of their own means is the
        standard error whatever the autocorrelation.

    Raises
    ------
    ParameterError
        A function that returns another shape, or values that are not finite.
    """
    rng, record = generator(seed)
    n, steps = count(n_chains, "n_chains", 30), count(n_steps, "n_steps")
    rate = probability(false_alarm, "false_alarm")
    theta, y = _joint_draws(simulate_prior, simulate_data, n, rng)
    independent = [_evaluated(statistics, theta, y)]
    totals = {name: np.zeros(n) for name in independent[0]}
    for _ in range(steps):
        theta = _rows(transition(theta.copy(), y, fresh_seed(rng)), n, "transition", theta.shape)
        y = _rows(simulate_data(theta, fresh_seed(rng)), n, "simulate_data", y.shape)
        totals = {name: totals[name] + value for name, value in _evaluated(statistics, theta, y).items()}
        independent.append(_evaluated(statistics, *_joint_draws(simulate_prior, simulate_data, n, rng)))
    level = rate / len(totals)
    draws = {name: np.concatenate([values[name] for values in independent[1:]]) for name in totals}
    parts = [_welch(name, totals[name] / steps, draws[name], level) for name in totals]
    return joint("Geweke joint test", parts, rate, n, record)


def simulation_based_calibration(
    simulate_prior: Prior,
    simulate_data: Likelihood,
    sample_posterior: Callable[[FloatArray, int, int], Any],
    *,
    n_replicates: int = 1000,
    n_draws: int = 99,
    n_bins: int = 20,
    seed: Seed = 0,
    false_alarm: float = 1e-3,
) -> Check:
    r"""Simulation-based calibration: ranks of prior draws among posterior draws are uniform (Talts et al. 2018).

    Parameters
    ----------
    simulate_prior : callable (n, seed) -> (n, d)
        Independent draws of the prior.
    simulate_data : callable (theta (n, d), seed) -> (n, m)
        One data set for each row of parameters.
    sample_posterior : callable (y (n, m), n_draws, seed) -> (n, n_draws, d)
        Draws of p(theta | y) for every data set. They must be nearly independent: thin a chain until the ranks of its
        neighbours are (algorithm 2 of the paper), or correct samplers are flagged.
    n_replicates : int, default 1000
        Data sets.
    n_draws : int, default 99
        Posterior draws for each.
    n_bins : int, default 20
        Bins of the histogram of ranks; it divides n_draws + 1, and each expects five replicates or more.
    seed : int, SeedSequence or None, default 0
        Seed of everything.
    false_alarm : float, default 1e-3
        Rate of the whole test (Bonferroni over the parameters).

    Returns
    -------
    Check
        One part a parameter: Pearson's chi-square of its rank histogram. Ties are broken at random.

    Raises
    ------
    ParameterError
        Bins that do not divide the ranks or are too many, or a function that returns another shape.
    """
    rng, record = generator(seed)
    n, draws = count(n_replicates, "n_replicates"), count(n_draws, "n_draws")
    rate = probability(false_alarm, "false_alarm")
    if (draws + 1) % count(n_bins, "n_bins", 2) or n < 5 * n_bins:
        given = f"n_bins={n_bins} with {draws + 1} possible ranks and {n} replicates"
        raise ParameterError(f"{given}; the bins must divide the ranks, and each needs five replicates")
    theta, y = _joint_draws(simulate_prior, simulate_data, n, rng)
    posterior = _rows(sample_posterior(y, draws, fresh_seed(rng)), n, "sample_posterior", (n, draws, theta.shape[1]))
    ranks = _ranks(theta, posterior, rng)
    shares = [np.bincount(r * n_bins // (draws + 1), minlength=n_bins) / n for r in ranks.T]
    uniform = np.full(n_bins, 1 / n_bins)
    parts = [pearson(f"ranks of theta[{i}]", s, uniform, n, rate / len(shares)) for i, s in enumerate(shares)]
    return joint("simulation-based calibration", parts, rate, n, record)


def _ranks(theta: FloatArray, posterior: FloatArray, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """How many of the posterior draws lie below each parameter (n, d), those equal to it at random."""
    below = (posterior < theta[:, None]).sum(axis=1)
    return np.asarray(below + rng.integers(0, (posterior == theta[:, None]).sum(axis=1) + 1))


def _joint_draws(
    simulate_prior: Prior, simulate_data: Likelihood, n: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    theta = _rows(simulate_prior(n, fresh_seed(rng)), n, "simulate_prior")
    return theta, _rows(simulate_data(theta, fresh_seed(rng)), n, "simulate_data")


def _rows(values: Any, n: int, name: str, shape: tuple[int, ...] | None = None) -> FloatArray:
    """What a function of the user returned: finite, with the shape expected, or at least (n, something)."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape if shape else (array.ndim != 2 or len(array) != n):
        raise ParameterError(f"{name} returned the shape {array.shape}; {shape or f'({n}, d)'} is needed")
    if not np.isfinite(array).all():
        raise ParameterError(f"{name} returned values that are not finite")
    return array


def _evaluated(statistics: JointStatistics | None, theta: FloatArray, y: FloatArray) -> dict[str, FloatArray]:
    """The test functions of every row, those of the user or the default ones."""
    if statistics:
        return {name: one_a_row(name, f(theta, y), len(theta)) for name, f in statistics.items()}
    first = y[:, 0]
    values = {"y[0]": first, "y[0]²": first**2}
    for i, column in enumerate(theta.T):
        values |= {f"theta[{i}]": column, f"theta[{i}] y[0]": column * first}
    return values | {f"theta[{i}] theta[{j}]": theta[:, i] * theta[:, j] for i, j in index_pairs(theta.shape[1])}


def _welch(name: str, a: FloatArray, b: FloatArray, false_alarm: float) -> Check:
    """Have two independent samples one mean? Welch's t-test."""
    u, v = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    dof = (u + v) ** 2 / (u**2 / (len(a) - 1) + v**2 / (len(b) - 1)) if u + v > 0 else 1.0
    difference = float(a.mean() - b.mean())
    return t_check(name, difference, float(np.sqrt(u + v)), float(dof), false_alarm, len(a))
