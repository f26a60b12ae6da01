"""Stationary laws with minibatches on one-dimensional targets of any shape, by quadrature: no Monte Carlo.

The Markov operator of a step with block b is a matrix P_b (`stochsim.mcmc.laws.stationary`); that of an epoch is the
mean of their products over all orders of visits, which `Batches.averaged` takes exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from stochsim.errors import ParameterError
from stochsim.mcmc.langevin.overdamped import Position
from stochsim.mcmc.laws.stationary import StationaryLaw, markov_operator, node_axes, noise_rule, tensor_points
from stochsim.mcmc.record import Sampler
from stochsim.mcmc.stochastic_gradients.batches import INDEPENDENT, FloatArray

__all__ = ["epoch_law"]


class Moving(NamedTuple):
    """Place and momentum."""

    x: Any
    p: Any


@dataclass
class ChosenBlock:
    """Normals of another noise, and the same uniform for all."""

    noise: Any
    u: float

    def normal(self, x: Any) -> Any:
        """As the other noise gives them."""
        return self.noise.normal(x)

    def uniform(self, x: Any) -> Any:
        """The uniform that chooses the block."""
        return np.full(x.shape[-1], self.u)


@dataclass(frozen=True)
class OneBlock(Sampler):
    """A sampler with stochastic gradients that always visits the same block, without memory of an order."""

    base: Any
    u: float

    @property
    def temperature(self) -> float:
        """Of the base."""
        return float(self.base.temperature)

    @property
    def metric(self) -> Any:
        """Of the base."""
        return self.base.metric

    def init(self, target: Any, x: Any) -> Any:
        """The base's state, without its place in the data."""
        state = self.base.init(target, x)
        return Moving(state.x, state.p) if hasattr(state, "p") else Position(state.x)

    def step(self, target: Any, state: Any, noise: Any) -> tuple[Any, Any]:
        """The base's step with this block."""
        full = self.base.init(target, state.x)._replace(**state._asdict())
        new, info = self.base.step(target, full, ChosenBlock(noise, self.u))
        return type(state)(*(getattr(new, name) for name in state._fields)), info


def epoch_law(
    sampler: Any, density: Any, *, nodes: Sequence[int] = (), noise_nodes: int | None = None
) -> StationaryLaw:
    """The stationary law at the ends of epochs, on a one-dimensional sum over blocks.

    Parameters
    ----------
    sampler : Sampler
        SGLD, SGHMC or StochasticGradientSplitting.
    density : Density
        One component, such as a ``BlockPosterior``.
    nodes : sequence of int
        Of x, and of the momentum; default as in `stationary_law`.
    noise_nodes : int, optional
        As in `stationary_law`.

    Returns
    -------
    StationaryLaw

    Raises
    ------
    ParameterError
        If the density has more than one component, or too many blocks.
    """
    if density.d != 1:
        raise ParameterError(f"{density.name} has {density.d} components; the Markov operator is integrated for one")
    K = len(density.target.blocks)
    single = replace(sampler, batches=INDEPENDENT)
    ones = [OneBlock(single, (b + 0.5) / K) for b in range(K)]
    axes = node_axes(ones[0], density, nodes)
    points = tensor_points(axes)
    rule = noise_nodes or noise_rule(ones[0], density)
    steps = [markov_operator(one, density.target, axes, points, rule) for one in ones]
    return _stationary(points, sampler.batches.averaged(steps))


def _stationary(points: FloatArray, operator: FloatArray) -> StationaryLaw:
    """The weights w with w P = w and Σ w = 1."""
    n = len(operator)
    system = np.eye(n) - operator.T
    system[0] = 1.0  # one of the equations follows from the others, as the rows of P sum to 1
    weights = np.linalg.solve(system, np.eye(n)[0])
    return StationaryLaw(points, weights, float(np.abs(weights @ operator - weights).max()))
