"""Where chains begin: given, drawn from a law, or standard normal."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.columns.noise import PhiloxNoise
from stochsim.densities.record import Density
from stochsim.errors import ParameterError
from stochsim.mcmc.record import Sampler

START_INDEX = 2**32 - 1  # the counter of steps never gets there


def starting_points(density: Density, x0: Any, n_chains: int, key: tuple[int, int], record: str) -> np.ndarray:
    """Starting points (d, n_chains).

    Raises
    ------
    ParameterError
        If x0 has another shape, or entries that are not finite.
    """
    d = density.d
    if x0 is None:
        return PhiloxNoise(key, 0, START_INDEX).normal(np.empty((d, n_chains)))
    if isinstance(x0, Density):
        entropy = int(record) if record.isdigit() else list(key)
        return np.ascontiguousarray(x0.sample(n_chains, seed=np.random.SeedSequence([1, *np.atleast_1d(entropy)])).T)
    points = np.asarray(x0, dtype=float)
    if points.shape not in ((d,), (n_chains, d)):
        raise ParameterError(f"x0 has shape {points.shape}; give ({d},), ({n_chains}, {d}) or a density")
    if not np.all(np.isfinite(points)):
        raise ParameterError("x0 holds numbers that are not finite; give finite starting points")
    return np.ascontiguousarray(np.broadcast_to(points, (n_chains, d)).T)


def starting_state(sampler: Sampler, density: Density, points: np.ndarray, key: tuple[int, int], first: int = 0) -> Any:
    """The sampler's state at the points; what it keeps beside the place (momenta) is drawn from its own law.

    ``first`` is the number of the chain in column 0.

    Raises
    ------
    ParameterError
        If the log-density is not finite somewhere; for how many chains is said.
    """
    with np.errstate(all="ignore"):
        log_prob = density.target.log_prob(points)
        bad = int((~np.isfinite(log_prob)).sum())
        if bad:
            raise ParameterError(
                f"the log-density of {density.name} is not finite at the start of {bad} of {points.shape[1]} chains; "
                "give x0 inside its support"
            )
        state = sampler.init(density.target, points)
        refresh = getattr(sampler, "refresh", None)
        if refresh is not None:
            state = refresh(state, PhiloxNoise(key, first, START_INDEX - 1))
    return type(state)(*(np.array(v, dtype=float) for v in state))
