"""Two moons: two interlocking half circles, blurred."""

from __future__ import annotations

import numpy as np

from stochsim.densities.checks import positive
from stochsim.densities.mixture import GaussianMixture
from stochsim.densities.record import registered

__all__ = ["TwoMoons"]


@registered(lambda: TwoMoons(noise=0.25))
class TwoMoons(GaussianMixture):
    """The two moons of scikit-learn's ``make_moons`` as a density, with exact score and exact noised laws.

    A point is (cos θ, sin θ) or (1 - cos θ, 1/2 - sin θ), θ uniform on [0, π], plus N(0, noise² I). The integral
    over θ is a Gauss rule, so the density is a mixture of Gaussians along the arcs, and all that holds for mixtures
    holds for it. With the number of nodes taken, the rule is exact to some 1e-13 of the largest density.

    Parameters
    ----------
    noise : float
        Standard deviation of the blur.

    Raises
    ------
    ParameterError
        If noise is not positive.
    """

    def __init__(self, noise: float = 0.1) -> None:
        self.noise = positive("noise", noise)
        count = int(np.ceil(12.0 + 7.0 / self.noise))
        nodes, weights = np.polynomial.legendre.leggauss(count)
        angle = np.pi * (nodes + 1.0) / 2.0
        arc = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        means = np.concatenate([arc, np.array([1.0, 0.5]) - arc])
        super().__init__(np.tile(weights, 2) / 4.0, means, self.noise**2)
