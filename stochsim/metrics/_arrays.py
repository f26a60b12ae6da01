"""What every metric does first: read samples, covariances and seeds, and refuse what is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stochsim.errors import ParameterError
from stochsim.noise.seeds import seed_key

FloatArray = npt.NDArray[np.float64]
Seed = int | np.random.SeedSequence | None


def samples(x: Any, name: str = "x", least: int = 1) -> FloatArray:
    """Samples (n, d) as float64; a flat array of n numbers is n samples of one component.

    Raises
    ------
    ParameterError
        If the array is not (n,) or (n, d), holds fewer than `least` samples, or has entries that are not finite.
    """
    array = np.asarray(x, dtype=np.float64)
    if array.ndim not in (1, 2):
        raise ParameterError(
            f"{name} has shape {array.shape}; samples are an array (n, d): stack chains and draws first"
        )
    array = array[:, None] if array.ndim == 1 else array
    if len(array) < least or array.shape[1] == 0:
        raise ParameterError(f"{name} has shape {array.shape}; at least {least} samples of one component are needed")
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise ParameterError(
            f"{bad.sum()} of {len(array)} samples in {name} are not finite; drop diverged chains first"
        )
    return array


def same_width(x: FloatArray, d: int, name: str = "the target") -> None:
    """Refuse samples whose number of components is not the one of what they are compared with."""
    if x.shape[1] != d:
        raise ParameterError(f"x has {x.shape[1]} components and {name} has {d}; give samples (n, {d})")


def covariance_matrix(cov: Any, d: int, name: str) -> FloatArray:
    """A covariance (d, d) from a matrix, a diagonal (d,) or a variance, symmetric and without negative directions.

    Raises
    ------
    ParameterError
        If the shape is none of these, or the matrix is not symmetric positive semi-definite.
    """
    given = np.asarray(cov, dtype=np.float64)
    full = given * np.eye(d) if given.ndim == 0 else np.diag(given) if given.ndim == 1 else given
    if full.shape != (d, d) or not np.isfinite(full).all():
        raise ParameterError(f"{name} has shape {given.shape}; a finite ({d}, {d}) matrix or ({d},) diagonal is needed")
    scale = np.abs(full).max()
    if np.abs(full - full.T).max() > 1e-10 * scale:
        raise ParameterError(f"{name} is not symmetric; give (cov + cov.T) / 2")
    full = (full + full.T) / 2
    smallest = np.linalg.eigvalsh(full)[0]
    if smallest < -1e-10 * scale:
        raise ParameterError(f"{name} has the eigenvalue {smallest:.3g}; a covariance has none below zero")
    return full


def mean_vector(mean: Any, name: str) -> FloatArray:
    """A mean as an array (d,)."""
    m = np.atleast_1d(np.asarray(mean, dtype=np.float64))
    if m.ndim != 1 or not np.isfinite(m).all():
        raise ParameterError(f"{name} has shape {m.shape}; a finite mean (d,) is needed")
    return m


def probability(value: float, name: str) -> float:
    """A false-alarm rate, strictly between zero and one."""
    if not 0 < value < 1:
        raise ParameterError(f"{name}={value}; a rate strictly between 0 and 1 is needed, such as 1e-3")
    return float(value)


def positive(value: float, name: str) -> float:
    """A positive finite number."""
    if not (np.isfinite(value) and value > 0):
        raise ParameterError(f"{name}={value}; a positive number is needed")
    return float(value)


def count(value: int, name: str, least: int = 1) -> int:
    """A whole number of at least `least`."""
    if isinstance(value, bool) or int(value) != value or value < least:
        raise ParameterError(f"{name}={value}; a whole number of at least {least} is needed")
    return int(value)


def generator(seed: Seed) -> tuple[np.random.Generator, str]:
    """A generator of its own for this call, and the record of the seed that reproduces it."""
    k0, k1, record = seed_key(seed)
    return np.random.default_rng([k0, k1]), record


def fresh_seed(rng: np.random.Generator) -> int:
    """An integer seed for a function that draws by itself."""
    return int(rng.integers(2**62))
