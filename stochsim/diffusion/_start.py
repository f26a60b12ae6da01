"""First states of particles: exact draws of the noised data, each a function of the seed and its number alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion._noise import START, Normals
from stochsim.diffusion.augmented import HeavyLaw
from stochsim.errors import ParameterError

STARTS = ("exact", "prior")


def first_states(law: Any, prior_std: np.ndarray, start: str, key: tuple[int, int], first: int, n: int) -> np.ndarray:
    """States (d, n) of the particles first, first + 1, ...

    Parameters
    ----------
    law : Density
        The noised data at the first time.
    prior_std : ndarray, shape (d, 1)
        Standard deviations without data.
    start : {"exact", "prior"}
        Draws of that law, or of the noise alone, which forgets what is left of the data.
    key : tuple of int
    first, n : int

    Raises
    ------
    ParameterError
        If the law has no draws by counter.
    """
    noise = Normals(key, first, START)
    heavy = isinstance(law, HeavyLaw)
    z = noise(0, (law.d, n))
    if start == "prior":
        return np.asarray(law.columns(noise, n) if heavy else prior_std * z)
    if isinstance(law, Gaussian):
        return np.asarray(law.mean[:, None] + _root(law.covariance) @ z)
    if isinstance(law, GaussianMixture):
        return _mixture_draws(law, z, noise.uniforms(1, n))
    if heavy:
        return np.asarray(law.columns(noise, n, _mixture_draws(law.data, z, noise.uniforms(1, n))))
    raise ParameterError(
        f"{law.name} at the first time cannot be drawn particle by particle; give start='prior', or the first states"
    )


def _mixture_draws(law: GaussianMixture, z: np.ndarray, u: np.ndarray) -> np.ndarray:
    heights = np.cumsum(law.weights)
    which = np.searchsorted(heights / heights[-1], u, side="right")
    out = np.empty_like(z)
    for k in np.unique(which):
        mine = which == k
        out[:, mine] = law.means[k][:, None] + _root(law.covariances[k]) @ z[:, mine]
    return out


def _root(covariance: np.ndarray) -> np.ndarray:
    if np.count_nonzero(covariance - np.diag(np.diagonal(covariance))) == 0:
        return np.diag(np.sqrt(np.diagonal(covariance)))
    return np.asarray(np.linalg.cholesky(covariance))
