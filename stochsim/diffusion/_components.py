"""Gaussians and mixtures as weights, means and covariances."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.errors import ParameterError

Components = tuple[np.ndarray, np.ndarray, np.ndarray]


def components(target: Any) -> Components:
    """Weights (K,), means (K, d) and covariances (K, d, d).

    Raises
    ------
    ParameterError
        If the target is neither a Gaussian nor a mixture.
    """
    if isinstance(target, Gaussian):
        return np.ones(1), target.mean[None], target.covariance[None]
    if isinstance(target, GaussianMixture):
        return target.weights, target.means, target.covariances
    name = getattr(target, "name", type(target).__name__)
    raise ParameterError(f"{name} has no such exact law; use a Gaussian or a mixture")


def shifted(target: Any, centre: Any) -> Any:
    """The law of x - centre.

    Raises
    ------
    ParameterError
        If the centre is not 0 and the target is neither a Gaussian nor a mixture.
    """
    if target is None or not np.any(centre):
        return target
    weights, means, covariances = components(target)
    if isinstance(target, Gaussian):
        return Gaussian(means[0] - centre, np.diag(covariances[0]) if target.diagonal else covariances[0])
    return GaussianMixture(weights, means - centre, covariances)
