"""Langevin samplers whose data lie with clients: local steps between communications, and what corrects their drift.

The blocks of the target are the clients c = 0 .. C - 1, all with the weight p_c = 1/C, so that f^c = U_0 + C U_c.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from stochsim.columns.noise import Noise
from stochsim.columns.ops import floor, join, loop, minimum, rows, sqrt, tile
from stochsim.errors import ParameterError
from stochsim.mcmc.hamiltonian.trajectories import require_count
from stochsim.mcmc.langevin.overdamped import Position
from stochsim.mcmc.laws.affine import AffineLaw, affine_map, affine_start, noise_counts
from stochsim.mcmc.populations.stacks import height
from stochsim.mcmc.record import Claims, NoInfo, Sampler, require_positive, sampler
from stochsim.mcmc.stochastic_gradients.batches import RESHUFFLED, SumTarget

__all__ = ["FALD", "FSGLD", "federated_law"]


@dataclass(frozen=True)
class _Federated(Sampler):
    """Rounds of local steps."""

    step_size: float
    n_local: int

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        require_count("n_local", self.n_local)

    def init(self, target: Any, x: Any) -> Position:
        """The place alone.

        Raises
        ------
        ParameterError
            If the target is no sum of blocks.
        """
        if not hasattr(target, "block_score"):
            raise ParameterError(
                f"{self.name} needs a sum over clients, not {type(target).__name__}; give a QuadraticSum of "
                "ss.mcmc.stochastic_gradient_targets"
            )
        return Position(x)


@sampler(Claims("Deng, Zhang, Ma, Song & Lin 2021, algorithm 1", bias_order=1))
@dataclass(frozen=True)
class FALD(_Federated):
    """Federated averaging Langevin dynamics: clients make local steps, then the mean of their places is sent to all.

    One `step` is a round: n_local times θ^c -= h ∇f^c(θ^c), plus √(2hT) (ρ ξ + √((1 - ρ²)/p_c) ξ^c) with ξ common to
    all clients; then the average. With one local step it is ULA. If only some of the clients take part in a round,
    chosen without replacement, the noise of the average is too large by ρ² + (1 - ρ²) C/S, whatever the step size,
    and the choice of clients adds a noise of its own, of order h.

    Parameters
    ----------
    step_size : float
        h of a local step.
    n_local : int
        Local steps of a round.
    correlation : float
        ρ, from 0 (each client its own noise) to 1 (one noise for all).
    temperature : float
        T: the law sampled is π^(1/T).
    participants : int, optional
        S, clients of a round; default all.

    Raises
    ------
    ParameterError
        If ρ is not within [0, 1], or there are fewer clients than participants.
    """

    step_size: float
    n_local: int
    correlation: float = 0.0
    temperature: float = 1.0
    participants: int | None = None
    _slots: tuple[int, ...] = field(init=False, repr=False)  # a number of clients decides about the text

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("temperature", self.temperature)
        if not 0.0 <= self.correlation <= 1.0:
            raise ParameterError(f"correlation is {self.correlation!r}; give a number from 0 to 1")
        if self.participants is not None:
            require_count("participants", self.participants)
        object.__setattr__(self, "_slots", tuple(range(self.participants or 0)))

    def step(self, target: Any, state: Position, noise: Noise) -> tuple[Position, NoInfo]:
        """One round."""
        x, h, d = state.x, self.step_size, height(state.x)
        clients = self._clients(target, x, noise)
        S, C = len(clients), float(height(target.blocks))
        spread, rho = sqrt(2.0 * h * self.temperature), self.correlation
        alone = sqrt((1.0 - rho * rho) * C)

        def local(places: Any) -> tuple[Any]:
            shared, own = noise.normal(x), noise.normal(places)
            parts = (target.block_score(rows(places, i * d, (i + 1) * d), c) for i, c in enumerate(clients))
            kick = spread * (rho * tile(shared, S) + alone * own)
            return (places + h * join(*parts) + kick,)

        (places,) = loop(self.n_local, local, tile(x, S))
        return Position(sum((rows(places, i * d, (i + 1) * d) for i in range(1, S)), rows(places, 0, d)) / S), NoInfo()

    def _clients(self, target: SumTarget, x: Any, noise: Noise) -> list[Any]:
        """The clients of a round."""
        C = height(target.blocks)
        if not self._slots:
            return [float(c) for c in range(C)]
        if len(self._slots) > C:
            raise ParameterError(f"participants is {len(self._slots)}, but there are {C} clients; give at most {C}")
        visit, chosen = RESHUFFLED.begin(target.blocks, x), []
        for _ in self._slots:
            client, visit = RESHUFFLED.draw(target.blocks, visit, noise.uniform(x))
            chosen.append(client)
        return chosen


@sampler(
    Claims("Mekkaoui, Mesquita, Blomstedt & Kaski 2021, section 3; DSGLD: Ahn, Shahbaba & Welling 2014", bias_order=1)
)
@dataclass(frozen=True)
class FSGLD(_Federated):
    """One chain travels from client to client, with local steps at each; conducive gradients keep it from straying.

    One `step` is a stay at a client c chosen at random: n_local Langevin steps with -∇f^c(x), plus, where a control is
    given, the conducive ∇log q - ∇log q_0 - C ∇log q_c of quadratics near the clients' parts. Without one this is
    DSGLD, whose bias grows with n_local and with the difference between clients.

    Parameters
    ----------
    step_size : float
        h of a local step.
    n_local : int
        Steps of a stay.
    control : object, optional
        Of ``stochastic_gradient_targets.control_variate``, with quadratics near the clients' parts.
    temperature : float
        T: the law sampled is π^(1/T).
    """

    step_size: float
    n_local: int
    control: Any = None
    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("temperature", self.temperature)

    def step(self, target: Any, state: Position, noise: Noise) -> tuple[Position, NoInfo]:
        """One stay."""
        h, C = self.step_size, float(height(target.blocks))
        client = minimum(floor(C * noise.uniform(state.x)), C - 1.0)

        def local(x: Any) -> tuple[Any]:
            force = target.block_score(x, client)
            if self.control is not None:
                force = force + self.control.correction(target, x, client)
            return (x + h * force + sqrt(2.0 * h * self.temperature) * noise.normal(x),)

        (x,) = loop(self.n_local, local, state.x)
        return Position(x), NoInfo()


def federated_law(sampler: Any, target: Any, d: int) -> AffineLaw:
    """The exact law of a federated sampler on a sum of quadratics: the average over all choices of clients.

    Parameters
    ----------
    sampler : FALD or FSGLD
    target : SumTarget
        Of quadratics.
    d : int
        Components of x.

    Raises
    ------
    SchemeError
        If a round is not affine.
    """
    choices = list(_choices(len(target.blocks), noise_counts(sampler, target, d)[1]))
    maps = tuple(affine_map(sampler, target, d, uniforms) for uniforms in choices)
    return AffineLaw(maps, np.full(len(maps), 1.0 / len(maps)), affine_start(sampler, target, d))


def _choices(C: int, count: int) -> Iterator[list[float]]:
    """Uniforms that stand for every choice of clients, one after the other and without replacement."""
    for places in product(*(range(C - j) for j in range(count))):
        yield [(place + 0.5) / (C - j) for j, place in enumerate(places)]
