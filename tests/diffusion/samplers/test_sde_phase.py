"""Critically damped Langevin: the exact part of the splitting."""

import numpy as np
import pytest

from stochsim.densities import Gaussian
from stochsim.diffusion import Model, grids, samplers
from stochsim.diffusion.augmented import CriticallyDampedLangevin
from stochsim.diffusion.samplers._sscs import _kicks, _stationary
from stochsim.errors import ParameterError
from stochsim.laws import affine_map

RULE = np.polynomial.legendre.leggauss(16)


@pytest.mark.parametrize("mass", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("b", [1e-4, 0.1, 2.0])
def test_the_exact_half_step_keeps_the_stationary_law(mass, b):
    """N(0, I) × N(0, M I) is invariant, and the motion is the forward one with the sign of x turned."""
    step = affine_map(lambda x, noise: _stationary(x, noise(0, x.shape), b, mass, RULE), 2)
    stationary, turn = np.diag([1.0, mass]), np.diag([-1.0, 1.0])
    np.testing.assert_allclose(step.law(np.zeros(2), stationary)[1], stationary, rtol=0.0, atol=5e-15 * max(mass, 1.0))
    np.testing.assert_allclose(
        step.matrix, turn @ CriticallyDampedLangevin(mass=mass).propagator(b) @ turn, rtol=0.0, atol=1e-14
    )


def test_the_kick_of_positions_is_accurate_for_short_steps():
    """∫ 2Γ (u/M)² e^(-2au) du = 2Γ b³/(3M²)(1 + O(b)): far below the rounding of a difference of covariances."""
    first, _, last = _kicks(1e-7, 2.0, 0.25, RULE)
    assert abs(first**2 / (2.0 / 3.0 * 1e-21 / 0.25**2) - 1.0) < 1e-6
    assert abs(last**2 / (2.0 * 1e-7 / 4.0) - 1.0) < 1e-6


def test_the_splitting_is_closer_to_the_law_than_euler_maruyama():
    """Covariance at 32 steps, for the standard normal: the stationary part is exact."""
    process, target = CriticallyDampedLangevin(), Gaussian([0.0], [1.0])
    grid = grids.uniform(process, 32, 0.9, 0.1)
    split, euler = (r.affine_law(target, process, grid).cov_error for r in (samplers.sscs, samplers.cld_euler_maruyama))
    assert split < 0.2 * euler, (split, euler)


def test_an_unknown_flow_is_refused():
    process = CriticallyDampedLangevin()
    with pytest.raises(ParameterError, match="midpoint"):
        samplers.sscs.with_options(flow="rk4")(
            Model(Gaussian([0.0], [1.0]), process), np.zeros((2, 1)), [0.5, 0.1], lambda k, shape: np.zeros(shape)
        )
