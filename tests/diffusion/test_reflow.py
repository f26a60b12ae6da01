"""Straightness of rectified flows, and paths of least kinetic energy, against closed forms."""

from math import acos, pi, sqrt
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import EDM, exact, samplers
from stochsim.diffusion.flows.interpolants import Interpolation, linear, trigonometric
from stochsim.diffusion.flows.kinetic_paths import data_separation, kinetic_energy, kinetic_optimal
from stochsim.diffusion.flows.reflow import GaussianCoupling, PairedParticles, curvature, rectified_line
from stochsim.diffusion.record import no_noise
from stochsim.errors import ModelError, ParameterError
from stochsim.metrics import wasserstein2_gaussian

UNIT = Gaussian([0.0], [1.0])
LINE = GaussianMixture([0.3, 0.7], [-2.0, 1.0], [0.1, 0.2])
PLANE = GaussianMixture([0.5, 0.5], [[-1.0, 0.0], [1.0, 0.5]], [0.1, 0.3])
TWISTED = Gaussian([0.0, 0.0], [[1.0, 0.6], [0.6, 0.8]]), Gaussian([1.0, 0.0], [[0.3, -0.2], [-0.2, 0.5]])


@pytest.mark.parametrize(("s", "rho"), [(0.5, 0.0), (2.0, 0.5), (2.0, 0.9), (0.7, -0.5)])
def test_curvature_of_coupled_gaussians_is_known(s: float, rho: float) -> None:
    """V = s √(1 - ρ²) arccos ρ (a closed form for the functional of Lee et al. 2023)."""
    coupling = GaussianCoupling(UNIT, Gaussian([1.0], [s**2]), np.array([[rho * s]]))
    assert coupling.curvature() == pytest.approx(s * sqrt(1.0 - rho**2) * acos(rho), rel=1e-12)
    np.testing.assert_allclose(coupling.rectified().cross, s, rtol=1e-10)


def test_no_curvature_does_not_mean_that_no_paths_cross() -> None:
    """At ρ = -1 all paths meet at one instant, which the integral does not see; but the flow stops there."""
    assert GaussianCoupling(UNIT, Gaussian([0.0], [0.25]), np.array([[-0.4999999]])).curvature() < 3e-3


def test_one_rectification_makes_gaussians_straight_but_not_optimal() -> None:
    """In the plane the map is straight at once, is not changed by more, and costs more than the optimal one."""
    first = GaussianCoupling.independent(*TWISTED)
    once, whole = first.rectified(), TWISTED[1].covariance
    twice = once.rectified()
    assert first.curvature() > 1.0
    assert abs(once.curvature()) < 1e-13
    np.testing.assert_allclose(twice.cross, once.cross, atol=1e-10)
    T = once.cross @ np.linalg.inv(TWISTED[0].covariance)
    np.testing.assert_allclose(T @ TWISTED[0].covariance @ T.T, whole, atol=1e-12)
    np.testing.assert_allclose(T, first._integrated_map(), atol=1e-10)
    optimal = wasserstein2_gaussian(TWISTED[0].mean, TWISTED[0].covariance, TWISTED[1].mean, whole) ** 2
    assert optimal + 0.004 < once.cost < first.cost
    straight = Gaussian([1.0, 0.0], 0.25)
    best = wasserstein2_gaussian(np.zeros(2), np.eye(2), straight.mean, straight.covariance) ** 2
    assert GaussianCoupling.independent(Gaussian([0.0, 0.0], 1.0), straight).rectified().cost == pytest.approx(best)


def test_one_step_of_euler_is_exact_after_one_rectification() -> None:
    once = GaussianCoupling.independent(*TWISTED).rectified()
    T = once.cross @ np.linalg.inv(TWISTED[0].covariance)
    np.testing.assert_allclose(np.eye(2) + once.velocity_matrix(0.0), T, atol=1e-12)
    free = GaussianCoupling.independent(*TWISTED)
    assert np.abs(np.eye(2) + free.velocity_matrix(0.0) - T).max() > 0.3


def test_the_flow_on_the_line_is_the_transport_of_quantiles() -> None:
    x, between = np.linspace(-2.5, 2.5, 9)[None], Interpolation(UNIT, LINE, linear())
    aim = rectified_line(UNIT, LINE, x)
    errors = [
        np.abs(samplers.runge_kutta(between, x, np.linspace(0.0, 1.0, n + 1), no_noise) - aim).max() for n in (80, 160)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4.0, abs=0.4)
    assert errors[1] < 1e-4


def test_curvature_of_mixtures_agrees_with_the_formula_for_gaussians() -> None:
    assert curvature(Interpolation(UNIT, Gaussian([1.0], [0.25]), linear())) == pytest.approx(0.25 * pi, rel=1e-10)
    assert curvature(Interpolation(UNIT, LINE, linear())) > 1.0


def pairs(n: int = 400) -> PairedParticles:
    first = Gaussian([0.0, 0.0], 1.0).sample(n, seed=1).T
    return PairedParticles(first, PLANE.sample(n, seed=2).T, 0.25)


def test_particles_become_straighter_and_cheaper() -> None:
    """Costs do not rise, and curvature falls, from one rectification to the next."""
    zero = pairs()
    one = zero.rectified()
    two = one.rectified()
    assert zero.cost > one.cost >= two.cost - 1e-3
    assert zero.curvature() > 10.0 * one.curvature() > 10.0 * two.curvature()


def test_a_monotone_coupling_of_particles_is_a_fixed_point() -> None:
    x = np.sort(np.random.default_rng(0).standard_normal((1, 300)), axis=1)
    y = rectified_line(UNIT, Gaussian([1.0], [0.25]), x)
    there = PairedParticles(x, y, 0.05)
    assert there.curvature() < 1e-3
    assert np.abs(there.rectified().last - y).mean() < 0.02
    shuffled = PairedParticles(x, np.random.default_rng(1).permuted(y, axis=1), 0.05)
    assert shuffled.curvature() > 0.5


PATHS: dict[str, Any] = {"line": LINE, "plane": PLANE, "narrow": Gaussian([0.0], [0.25])}


@pytest.mark.parametrize("name", PATHS)
def test_the_kinetic_optimum_has_the_energy_of_a_chord(name: str) -> None:
    """D (1 + s² - 2 s cos Φ) is the energy of the levels, below that of other paths, above the squared W2."""
    target = PATHS[name]
    path, source = kinetic_optimal(target), Gaussian(np.zeros(target.d), 1.0)
    energy = kinetic_energy(Interpolation(source, target, path.interpolant), n=40)
    assert energy == pytest.approx(path.energy, rel=1e-7)
    for other in (linear(), trigonometric()):
        assert kinetic_energy(Interpolation(source, target, other), n=40) > 1.1 * path.energy
    if target.d == 1:
        u = (np.arange(4000) + 0.5) / 4000
        z = ndtri(u)[None]
        cost = float(((rectified_line(source, target, z) - z) ** 2).mean())
        assert path.energy > cost - 1e-3
        assert (path.energy < cost + 1e-3) == (name == "narrow")


def test_a_centred_gaussian_moves_as_by_optimal_transport() -> None:
    """√(a² s² + m²) is linear in t, and the energy is (1 - s)²."""
    path = kinetic_optimal(PATHS["narrow"])
    assert path.energy == pytest.approx(0.25, rel=1e-12)
    for t in (0.2, 0.7):
        width = sqrt((0.5 * path.interpolant.b(t)) ** 2 + path.interpolant.a(t) ** 2)
        assert width == pytest.approx(1.0 - 0.5 * t, rel=1e-12)


def test_far_points_make_straight_levels_best() -> None:
    """The energy of a = t, m = 1 - t comes down to the optimum as points move apart."""
    source, losses = Gaussian([0.0], [1.0]), []
    for far in (2.0, 8.0, 32.0):
        target = GaussianMixture([0.5, 0.5], [[-far], [far]], 1e-2)
        losses.append(kinetic_energy(Interpolation(source, target, linear()), n=120) / kinetic_optimal(target).energy)
    assert losses[0] > losses[1] > losses[2] > 1.0
    assert losses[2] < 1.03


def test_the_separation_of_a_gaussian_is_known() -> None:
    for theta in (0.3, 1.2):
        assert data_separation(Gaussian([0.0], [4.0]), theta) == pytest.approx(np.sin(theta) ** 2, rel=1e-12)
        assert np.sin(theta) ** 2 < data_separation(LINE, theta) < 1.0


def test_the_consistency_function_is_the_flow_to_the_data() -> None:
    """f(x, σ) = m + s (x - m)/√(s² + σ²), the same from every point of a path."""
    m, s2, x, process = 1.5, 0.4, np.linspace(-3.0, 3.0, 5)[None], EDM()
    law = Gaussian([m], [s2])
    end = exact.flow_map(law, process, x, 2.0, 0.0)
    np.testing.assert_allclose(end, m + np.sqrt(s2 / (s2 + 4.0)) * (x - m), rtol=1e-13)
    halfway = exact.flow_map(law, process, x, 2.0, 0.7)
    np.testing.assert_allclose(exact.flow_map(law, process, halfway, 0.7, 0.0), end, rtol=1e-12)
    onward = exact.flow_map(LINE, process, exact.flow_map(LINE, process, x, 2.0, 0.7), 0.7, 0.0)
    np.testing.assert_allclose(onward, exact.flow_map(LINE, process, x, 2.0, 0.0), rtol=1e-10)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ModelError, match="straightness is that of linear"):
        curvature(Interpolation(UNIT, LINE, trigonometric()))
    with pytest.raises(ParameterError, match="points of the line only"):
        rectified_line(*TWISTED, np.zeros((2, 3)))
    with pytest.raises(ParameterError, match="positive bandwidth"):
        PairedParticles(np.zeros((1, 3)), np.zeros((1, 3)), 0.0)
    with pytest.raises(ParameterError, match="two of"):
        PairedParticles(np.zeros((1, 3)), np.zeros((1, 4)), 1.0)
