"""The mirror Langevin algorithm: Langevin steps in the dual coordinates of a convex function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stochsim.columns.noise import Noise
from stochsim.columns.ops import sqrt
from stochsim.densities.record import Target
from stochsim.mcmc.langevin.mirror_maps import EuclideanMap, MirrorMap
from stochsim.mcmc.langevin.overdamped import Position
from stochsim.mcmc.record import Claims, NoInfo, Sampler, require_positive, sampler

__all__ = ["MirrorLangevin"]


@sampler(Claims("Zhang, Peyré, Fadili & Pereyra 2020, eq. (2)", bias_order=1))
@dataclass(frozen=True)
class MirrorLangevin(Sampler):
    """∇φ(x') = ∇φ(x) + h ∇log π(x) + √(2h) (∇²φ(x))^(1/2) ξ: stays inside the domain of φ.

    With φ = -log π of a Gaussian (Newton's case) the stationary covariance is C/(1 - h/2) whatever the condition
    number. ∇log π is that of the density with respect to dx, also on boxes and simplices. The noise grows towards their
    boundary: steps that are too large put chains on it by rounding, where the score ends.

    Parameters
    ----------
    step_size : float
        h, of the time of dY = ∇log π dt + √2 (∇²φ)^(1/2) dW in dual coordinates.
    mirror : MirrorMap
        One of ``stochsim.mcmc.langevin.mirror_maps``; default the Euclidean one, which is ULA.
    """

    step_size: float
    mirror: MirrorMap = EuclideanMap()  # noqa: RUF009

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)

    def init(self, target: Target, x: Any) -> Position:
        """The place alone, inside the domain."""
        return Position(x)

    def step(self, target: Target, state: Position, noise: Noise) -> tuple[Position, NoInfo]:
        """A ULA step in dual coordinates with the metric of φ."""
        x, h, mirror = state.x, self.step_size, self.mirror
        y = mirror.dual(x) + h * target.score(x) + sqrt(2.0 * h) * mirror.spread(x, noise)
        return Position(mirror.primal(y)), NoInfo()
