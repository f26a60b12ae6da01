"""Tempered sequential Monte Carlo: a population carried from a Gaussian to a target, with its normalising constant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stochsim._request import count, thread_count
from stochsim.densities.gaussian import Gaussian
from stochsim.densities.record import Density
from stochsim.errors import ModelError, ParameterError
from stochsim.mcmc.hamiltonian.trajectories import HMC
from stochsim.mcmc.populations._moves import moved
from stochsim.mcmc.populations.tempered import GeometricPath
from stochsim.mcmc.record import Sampler
from stochsim.noise.seeds import seed_key

__all__ = ["Population", "tempered_smc"]

MOST_STAGES = 10_000
WANTED = 0.7  # acceptance that adapted step sizes steer to
SMALLEST_VARIANCE = 1e-300


@dataclass(frozen=True, eq=False, repr=False)
class Population:
    """Particles of equal weight at the end of the path, and how they came there.

    Attributes
    ----------
    x : ndarray, shape (n, d)
    log_normaliser : float
        Estimate of log ∫ exp(log_prob). Its exponential is unbiased if the temperatures were given and the moves not
        adapted (Del Moral 2004, theorem 7.4.2); else the bias is O(1/n).
    betas : ndarray, shape (T + 1,)
        From 0 to 1.
    ess : ndarray, shape (T,)
        Effective sample sizes of the weights of every stage, over n.
    accept_prob : ndarray, shape (T,)
        Of the last move of every stage.
    seed : str
        The record of the seed.
    """

    x: np.ndarray
    log_normaliser: float
    betas: np.ndarray
    ess: np.ndarray
    accept_prob: np.ndarray
    seed: str

    def __repr__(self) -> str:
        return (
            f"<Population of {len(self.x)} after {len(self.ess)} stages: log normaliser {self.log_normaliser:.6g}, "
            f"smallest ESS {self.ess.min():.2f}, smallest acceptance {self.accept_prob.min():.2f}>"
        )


def tempered_smc(
    density: Density,
    *,
    n_particles: int = 1000,
    reference: Gaussian | None = None,
    move: Sampler | None = None,
    n_moves: int = 5,
    betas: Any = None,
    ess: float = 0.5,
    adapt: bool = True,
    seed: int | np.random.SeedSequence | None = None,
    threads: int | None = None,
) -> Population:
    """Carry exact draws of a Gaussian along π_β ∝ π₀^(1-β) π^β to the target: reweight, resample, move.

    Source: Del Moral, Doucet & Jasra 2006, section 3.3.2; temperatures by bisection on the effective sample size:
    Jasra et al. 2011, section 3.2; systematic resampling: Kitagawa 1996.

    Parameters
    ----------
    density : Density
    n_particles : int
    reference : Gaussian, optional
        π₀, wider than the target; default N(0, I).
    move : Sampler, optional
        Adjusted; default HMC of 5 leapfrogs.
    n_moves : int
        Moves of every stage.
    betas : array_like, optional
        Temperatures from 0 to 1; found on the way if not given.
    ess : float
        Effective sample size of every stage, over n, where temperatures are found.
    adapt : bool
        Give the moves the variances of the particles as their metric, and a step size that follows the acceptance, if
        they have such.
    seed : int or SeedSequence, optional
    threads : int, optional

    Returns
    -------
    Population

    Raises
    ------
    ParameterError
        If an argument is out of its domain.
    ModelError
        If all weights vanish, or the temperatures do not get on.
    """
    n, n_moves, threads = count("n_particles", n_particles, 2), count("n_moves", n_moves), thread_count(threads)
    reference, move = _checked(density, reference, move)
    ladder = None if betas is None else _ladder(betas)
    if not 0.0 < ess < 1.0:
        raise ParameterError(f"ess is {ess!r}; give a share between 0 and 1")
    k0, k1, record = seed_key(seed)
    rng = np.random.default_rng([k0, k1])
    x = np.ascontiguousarray(reference.sample(n, seed=rng).T)
    path, log_z = [0.0], 0.0
    shares, accepted = list[float](), list[float]()
    while path[-1] < 1.0:
        gain = _gain(density, reference, x)
        beta = _next(gain, path[-1], ess) if ladder is None else float(ladder[len(path)])
        weights, log_mean = normalised((beta - path[-1]) * gain)
        x, log_z = np.ascontiguousarray(x[:, systematic(weights, rng.random())]), log_z + log_mean
        target, begin = GeometricPath(reference.target, density.target, beta), n_moves * len(shares)
        if adapt:
            x, rate, move = _adapted_moves(move, target, x, (k0, k1), begin, n_moves, threads)
        else:
            x, rate = moved(move, target, x, (k0, k1), begin=begin, n_steps=n_moves, threads=threads)
        path.append(beta)
        shares.append(float(1.0 / (n * np.sum(weights**2))))
        accepted.append(rate)
        if len(path) > MOST_STAGES:
            raise ModelError(f"after {MOST_STAGES} stages beta is {beta:g}; give a wider reference")
    return Population(x.T.copy(), float(log_z), np.array(path), np.array(shares), np.array(accepted), record)


def normalised(log_weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights that sum to 1, and the log of the mean of what they were.

    Raises
    ------
    ModelError
        If all are zero, or one is not a number.
    """
    top = float(log_weights.max())
    if not np.isfinite(top):
        raise ModelError(f"the largest log-weight is {top}; give a reference that covers the target")
    weights = np.exp(log_weights - top)
    mass = float(weights.sum())
    return weights / mass, top + float(np.log(mass / len(weights)))


def systematic(weights: np.ndarray, u: float) -> np.ndarray:
    """Indices (n,) in order, each k drawn n w_k times up to less than 1, from one uniform number."""
    n = len(weights)
    sums = np.cumsum(weights)
    drawn: np.ndarray = np.minimum(np.searchsorted(sums, (np.arange(n) + u) / n * sums[-1], side="right"), n - 1)
    return drawn


def _gain(density: Density, reference: Gaussian, x: np.ndarray) -> np.ndarray:
    """How much larger log π is than log π₀ at the particles."""
    gain: np.ndarray = np.subtract(density.log_prob(x.T), reference.log_prob(x.T), dtype=float)
    return gain


def _next(gain: np.ndarray, beta: float, ess: float) -> float:
    """The inverse temperature at which the effective sample size falls to its share."""

    def share(step: float) -> float:
        weights = normalised(step * gain)[0]
        return float(1.0 / (len(gain) * np.sum(weights**2)))

    low, high = 0.0, 1.0 - beta
    if share(high) >= ess:
        return 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if share(middle) >= ess else (low, middle)
    return beta + high


def _adapted_moves(
    move: Sampler, target: GeometricPath, x: np.ndarray, key: tuple[int, int], begin: int, n_moves: int, threads: int
) -> tuple[np.ndarray, float, Sampler]:
    """Moves with the variances of the particles as metric; after each the step size follows the acceptance."""
    rate = 1.0
    if hasattr(move, "metric"):
        move = replace(move, metric=np.maximum(x.var(axis=1), SMALLEST_VARIANCE))  # type: ignore[type-var]
    for k in range(begin, begin + n_moves):
        x, rate = moved(move, target, x, key, begin=k, n_steps=1, threads=threads)
        if hasattr(move, "step_size"):
            move = replace(move, step_size=move.step_size * float(np.exp(2.0 * (rate - WANTED))))  # type: ignore[type-var]
    return x, rate, move


def _checked(density: Any, reference: Any, move: Any) -> tuple[Gaussian, Sampler]:
    if not isinstance(density, Density):
        raise ParameterError(f"density is {density!r}; give one of ss.densities")
    reference = Gaussian(np.zeros(density.d), 1.0) if reference is None else reference
    if not isinstance(reference, Gaussian) or reference.d != density.d:
        raise ParameterError(f"reference is {reference!r}; give a Gaussian of {density.d} components")
    move = HMC(step_size=min(1.0, 0.9 * density.d**-0.25), n_leapfrog=5) if move is None else move
    if not isinstance(move, Sampler) or not move.claims.adjusted:
        raise ParameterError(f"move is {move!r}; give an adjusted sampler, such as MALA or HMC")
    return reference, move


def _ladder(betas: Any) -> np.ndarray:
    ladder = np.asarray(betas, dtype=float)
    if (
        ladder.ndim != 1
        or len(ladder) < 2
        or ladder[0] != 0.0
        or ladder[-1] != 1.0
        or not np.all(np.diff(ladder) > 0.0)
    ):
        raise ParameterError(f"betas are {betas!r}; give numbers that increase from 0 to 1")
    return ladder
