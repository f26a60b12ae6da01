"""What one step does to expectations under the law that it ought to leave invariant, by Gauss rules.

Where the stationary law of a chain is out of reach, that of the continuous process is still known: a product of normal
laws and a uniform direction. A step that changes expectations by O(h^(p+1)) has a stationary bias of order p or higher.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.mcmc.laws.affine import GivenNoise, noise_counts
from stochsim.mcmc.stochastic_gradients.targets import QuadraticSum
from stochsim.orders.richardson import SlopeFit, fit_order
from stochsim.validating.chain_cases import Case

__all__ = ["defects", "fitted_defects"]

FloatArray = npt.NDArray[np.floating[Any]]
STEPS = tuple(0.05 / 2.0**k for k in range(5))
FLOOR = 1e-13
NODES = 8  # exact to the degree 15
ANGLES = 12
SETTLED = 0.05  # of the uncertainty of an order that counts


def fitted_defects(case: Case) -> tuple[FloatArray, SlopeFit]:
    """Defects per unit of time at ``STEPS``, of the function with the smallest settled order; and that order.

    Parameters
    ----------
    case : Case
    """
    table = np.array([defects(case(h)) / h for h in STEPS]).T
    fits = [fit_order(STEPS, errors, FLOOR / STEPS[-1]) for errors in table]
    settled = [i for i, fit in enumerate(fits) if fit.status == "determined" and fit.uncertainty < SETTLED]
    best = min(settled, key=lambda i: fits[i].order) if settled else int(np.argmax(np.abs(table).max(axis=1)))
    return table[best], fits[best]


def defects(sampler: Any) -> FloatArray:
    """E f(step(s)) - E f(s) for monomials f of the state.

    Parameters
    ----------
    sampler : Sampler
        On a standard normal target; in the plane if its state has a direction.
    """
    d = 2 if hasattr(sampler, "length") else 1
    target = _target(sampler, d)
    like = sampler.init(target, np.zeros((d, 1)))
    with np.errstate(all="ignore"):  # directions that begin at zero
        normals, _ = noise_counts(sampler, target, d)
    names = [name for name in ("p", "zeta") if name in like._fields]
    points, mass = _rule(d + len(names) + normals, ANGLES if "u" in like._fields else 1)
    scale = np.sqrt(1.0 + sampler.sigmas[0, 0] ** 2) if hasattr(sampler, "sigmas") else 1.0
    state = sampler.init(target, scale * points[:d])
    state = state._replace(**_extended(sampler, names, points[d : d + len(names)], points[-1:], state))
    noise = GivenNoise(points[d + len(names) : -1], np.full((4, points.shape[1]), 0.5))
    new, _ = sampler.step(target, state, noise)
    return np.asarray((_monomials(new) - _monomials(state)) @ mass)


def _target(sampler: Any, d: int) -> Any:
    if hasattr(sampler, "batches"):
        return QuadraticSum(np.ones((1, d)), np.zeros((1, d))).target
    if hasattr(sampler, "sigmas"):
        return GaussianMixture([1.0], np.zeros((1, d)), [1.0]).target
    return Gaussian(np.zeros(d)).target


def _extended(sampler: Any, names: list[str], normals: FloatArray, angle: FloatArray, like: Any) -> dict[str, Any]:
    values: dict[str, Any] = dict(zip(names, normals, strict=True))
    if "p" in values:
        values["p"] = values["p"][None]
    if "zeta" in values:
        values["zeta"] = sampler.friction + values["zeta"] / np.sqrt(sampler.thermal_mass)
    if "u" in like._fields:
        values["u"] = np.concatenate([np.cos(angle), np.sin(angle)])
    return values


def _rule(n_normals: int, n_angles: int) -> tuple[FloatArray, FloatArray]:
    """Points (n_normals + 1, k), the last row an angle, and weights (k,)."""
    z, w = np.polynomial.hermite_e.hermegauss(NODES)
    angles = 2.0 * np.pi * np.arange(n_angles) / n_angles
    grids = np.meshgrid(*[z] * n_normals, angles, indexing="ij")
    weights = np.meshgrid(*[w / w.sum()] * n_normals, np.full(n_angles, 1.0 / n_angles), indexing="ij")
    return np.stack([grid.ravel() for grid in grids]), np.asarray(np.prod([m.ravel() for m in weights], axis=0))


def _monomials(state: Any) -> FloatArray:
    """Powers up to four of every coordinate, and products of two."""
    rows = [np.atleast_2d(getattr(state, n)) for n in ("x", "p", "zeta", "u") if n in state._fields]
    c = np.concatenate(rows)
    pairs = [[a * b, a * a * b, a * b * b, a * a * b * b] for a, b in combinations(c, 2)]
    return np.stack([*c, *c**2, *c**4, *(f for pair in pairs for f in pair)])
