"""Kinetic splittings on Gaussians: exact stationary laws, stability, work, and the grammar of their strings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.errors import ParameterError
from stochsim.mcmc import ABOBA, BAOAB, BUB, GJF, OABAO, OBABO, UBU, ExponentialEuler, KineticEuler, Splitting
from stochsim.mcmc.kinetic.phase_space import forced_reach, free_flow
from stochsim.mcmc.langevin.overdamped import ULA
from stochsim.mcmc.laws.affine import GivenNoise, affine_law, noise_counts, stability_limit
from stochsim.orders.richardson import extrapolate
from tests.mcmc.exact_starts import GeneratorNoise

NORMAL = Gaussian([0.0], 1.0)
DENSE = Gaussian([1.0, -2.0], [[1.0, 0.6], [0.6, 2.0]])
MIXTURE = GaussianMixture([0.4, 0.6], [[-1.0, 0.0], [1.0, 0.5]], [[0.3, 1.0], [1.0, 0.2]])


def quarter(h: float) -> float:
    return 1 - h * h / 4


EXACT = {
    BAOAB: (lambda h: 1.0, quarter),
    ABOBA: (lambda h: 1.0, lambda h: 1 / quarter(h)),
    OBABO: (lambda h: 1 / quarter(h), lambda h: 1.0),
    OABAO: (quarter, lambda h: 1.0),
    GJF: (lambda h: 1.0, quarter),
}


@pytest.mark.parametrize("friction", [0.05, 1.0, 30.0])
@pytest.mark.parametrize("h", [0.1, 1.0, 1.9])
@pytest.mark.parametrize("scheme", EXACT)
def test_stationary_variances_are_those_of_the_theory(scheme: Any, h: float, friction: float) -> None:
    cov = affine_law(scheme(h, friction), NORMAL.target, 1).stationary[1]
    position, momentum = (f(h) for f in EXACT[scheme])
    np.testing.assert_allclose(cov[:2, :2], [[position, 0.0], [0.0, momentum]], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("scheme", EXACT)
def test_declared_exact_marginals_are_those_that_are_exact(scheme: Any) -> None:
    cov = affine_law(scheme(1.0, 1.0), NORMAL.target, 1).stationary[1]
    exact = tuple(n for n, i in (("position", 0), ("momentum", 1)) if abs(cov[i, i] - 1) < 1e-12)
    assert exact == scheme.claims.exact_gaussian


def test_temperature_and_curvature_enter_as_they_should() -> None:
    T, C, h = 2.5, 0.25, 0.4
    cov = affine_law(BAOAB(h, 1.3, T), Gaussian([0.0], C).target, 1).stationary[1]
    np.testing.assert_allclose(np.diag(cov)[:2], [T * C, T * (1 - h * h / (4 * C))], rtol=1e-12)


@pytest.mark.parametrize("metric", [[0.5, 3.0], DENSE.covariance])
def test_positions_are_exact_under_any_metric(metric: Any) -> None:
    law = affine_law(BAOAB(0.3, 1.0, 1.0, metric), DENSE.target, 2)
    np.testing.assert_allclose(law.mean, DENSE.mean, atol=1e-12)
    np.testing.assert_allclose(law.covariance, DENSE.covariance, atol=1e-12)


def test_momenta_have_the_mass_as_covariance() -> None:
    W = DENSE.covariance
    cov = affine_law(OBABO(0.3, 1.0, 2.0, W), DENSE.target, 2).stationary[1]
    np.testing.assert_allclose(cov[2:4, 2:4], 2.0 * np.linalg.inv(W), atol=1e-12)


def leading(scheme: Any, row: int, column: int, friction: float, power: int = 2) -> float:
    """Coefficient of h^power in the error of a stationary second moment, extrapolated."""
    steps = 0.4 / 2.0 ** np.arange(6) / max(friction, 1.0)
    laws = [affine_law(scheme(h, friction), NORMAL.target, 1).stationary[1] for h in steps]
    ratios = [(cov[row, column] - float(row == column)) / h**power for cov, h in zip(laws, steps, strict=True)]
    return extrapolate(steps, ratios, exponents=(1.0, 2.0, 3.0, 4.0, 5.0) if power == 1 else (2.0, 4.0, 6.0)).value


@pytest.mark.parametrize("friction", [0.1, 1.0, 3.0])
def test_ubu_and_bub_have_their_leading_errors(friction: float) -> None:
    assert leading(UBU, 0, 0, friction) == pytest.approx(-1 / 6, abs=1e-8)
    assert leading(UBU, 1, 1, friction) == pytest.approx(1 / 12, abs=1e-8)
    assert leading(BUB, 0, 0, friction) == pytest.approx(1 / 12, abs=1e-8)
    assert leading(BUB, 1, 1, friction) == pytest.approx(-1 / 6, abs=1e-8)


@pytest.mark.parametrize("friction", [0.1, 1.0, 3.0])
def test_palindromes_with_free_flows_correlate_place_and_momentum(friction: float) -> None:
    assert leading(UBU, 0, 1, friction) == pytest.approx(friction / 24, abs=1e-8)
    assert leading(BUB, 0, 1, friction) == pytest.approx(-friction / 12, abs=1e-8)


@pytest.mark.parametrize("friction", [0.5, 2.0])
def test_exponential_euler_is_of_order_one_with_bias_h_over_twice_the_friction(friction: float) -> None:
    assert leading(ExponentialEuler, 0, 0, friction, power=1) == pytest.approx(1 / (2 * friction), abs=1e-6)
    assert abs(leading(KineticEuler, 0, 0, friction, power=1)) > 0.1


@pytest.mark.parametrize("string", ["BOAOB", "OAB", "BAO", "ABO"])
def test_other_forms_correlate_place_and_momentum(string: str) -> None:
    assert abs(affine_law(Splitting(string, 0.5, 1.0), NORMAL.target, 1).stationary[1][0, 1]) > 0.05
    assert Splitting(string, 0.5, 1.0).symmetric == (string == "BOAOB")


@pytest.mark.parametrize("scheme", EXACT)
def test_splittings_are_stable_up_to_two_over_the_frequency(scheme: Any) -> None:
    assert stability_limit(scheme(0.1, 1.0), Gaussian([0.0], 0.25).target, 1) == pytest.approx(1.0, rel=1e-7)


def test_baoab_at_high_friction_moves_as_leimkuhler_and_matthews_with_half_the_square_of_the_step() -> None:
    law = affine_law(BAOAB(0.6, 1e4), NORMAL.target, 1)
    assert law.covariance[0, 0] == pytest.approx(1.0, abs=1e-12)
    # x' = x + (h²/2) ∇log π + (h/2)(ξ + ξ'), so means contract by 1 - h²/2, as those of ULA do at that step
    assert law.spectral_radius == pytest.approx(affine_law(ULA(0.18), NORMAL.target, 1).spectral_radius, rel=1e-12)


@pytest.mark.parametrize("g", [0.0, 1e-9, 1e-3, 0.05, 0.119, 0.121, 0.3, 2.0, 9.0])
def test_the_free_flow_has_the_covariance_of_the_matrix_exponential(g: float) -> None:
    t = 0.7
    flow = free_flow(g / t, t)
    # Van Loan 1978: covariances of dx = p dt, dp = -γ p dt + √(2γ) dB from one exponential
    F, Q = np.array([[0.0, 1.0], [0.0, -g / t]]), np.diag([0.0, 2 * g / t])
    block = expm(np.block([[-F, Q], [np.zeros((2, 2)), F.T]]) * t)
    transition = expm(F * t)
    covariance = block[2:, 2:].T @ block[:2, 2:]
    factor = np.array([[flow.along, flow.across], [flow.momentum, 0.0]], dtype=float)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance))) if g else 1.0
    np.testing.assert_allclose([[1, flow.reach], [0, flow.decay]], transition, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(factor @ factor.T / scale, covariance / scale, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("g", [1e-6, 0.05, 0.0999, 0.1001, 1.0])
def test_the_noise_of_the_free_flow_is_accurate_to_rounding(g: float) -> None:
    # 2g - 4 tanh(g/2) and its kin summed in extended precision
    g_long = np.longdouble(g)
    terms = [g_long ** (k + 3) * c for k, c in ((0, np.longdouble(1) / 6), (2, -np.longdouble(1) / 60))]
    series = sum(terms) + g_long**7 * (np.longdouble(17) / 10080)
    direct = 2 * g_long - 4 * np.tanh(g_long / 2)
    expected = float((series if g < 0.01 else direct) / g_long**2)
    assert free_flow(g, 1.0).across ** 2 == pytest.approx(expected, rel=1e-12)
    assert forced_reach(g, 1.0) == pytest.approx(
        float((g_long + np.expm1(-g_long)) / g_long**2), rel=3e-7 if g < 1e-5 else 1e-13
    )


@pytest.mark.parametrize("sampler", [BAOAB(0.4, 1.0, 1.5), UBU(0.4, 1.0), ABOBA(0.4, 1.0, 1.0, [0.5, 2.0])])
def test_energy_changes_by_heat_and_shadow_work(sampler: Any) -> None:
    noise = GeneratorNoise(np.random.default_rng(0))
    state = sampler.refresh(sampler.init(MIXTURE.target, MIXTURE.sample(50, seed=0).T), noise)
    before = sampler.metric.kinetic(state.p) - state.log_prob
    new, info = sampler.step(MIXTURE.target, state, noise)
    np.testing.assert_allclose(info.energy, sampler.metric.kinetic(new.p) - MIXTURE.log_prob(new.x.T), atol=1e-12)
    np.testing.assert_allclose(info.energy - before, info.heat + info.shadow_work, atol=1e-12)


@pytest.mark.parametrize("sampler", [BAOAB(0.5, 1.0, 1.5), OABAO(0.5, 1.0), UBU(0.5, 1.0)], ids=lambda s: s.name)
def test_shadow_work_obeys_the_fluctuation_theorem(sampler: Any) -> None:
    # E exp(-work/T) = 1 from the target's own law, by Gauss rules over x, p and the noise
    z, w = np.polynomial.hermite_e.hermegauss(24 if sampler.name != "UBU" else 9)
    count = 2 + noise_counts(sampler, NORMAL.target, 1)[0]
    points = np.stack([g.ravel() for g in np.meshgrid(*[z] * count)])
    mass = np.prod([g.ravel() for g in np.meshgrid(*[w / w.sum()] * count)], axis=0)
    root = np.sqrt(sampler.temperature)
    state = sampler.init(NORMAL.target, root * points[:1])._replace(p=root * points[1:2])
    work = sampler.step(NORMAL.target, state, GivenNoise(points[2:], np.empty((0, points.shape[1]))))[1].shadow_work
    assert mass @ np.exp(-work / sampler.temperature) == pytest.approx(1.0, abs=1e-7 if count > 4 else 1e-12)
    assert abs(mass @ np.exp(-2 * work / sampler.temperature) - 1.0) > 3e-4


def test_refusals_restore_the_place_and_turn_the_momentum_round() -> None:
    sampler = Splitting("{BAB}O", 1.5, 0.0)
    noise = GeneratorNoise(np.random.default_rng(0))
    state = sampler.refresh(sampler.init(MIXTURE.target, MIXTURE.sample(400, seed=0).T), noise)
    new, info = sampler.step(MIXTURE.target, state, noise)
    refused = info.accepted == 0
    assert 50 < refused.sum() < 350
    for name, sign in (("x", 1), ("p", -1), ("log_prob", 1), ("score", 1)):
        np.testing.assert_array_equal(getattr(new, name)[..., refused], sign * getattr(state, name)[..., refused])
    np.testing.assert_allclose(new.score, MIXTURE.score(new.x.T).T, atol=1e-12)
    np.testing.assert_allclose(info.accept_prob, np.minimum(1, np.exp(-info.shadow_work)), atol=1e-12)


@pytest.mark.parametrize(("string", "gradients"), [("BAOAB", 1), ("ABOBA", 1), ("UBU", 1), ("OAB", 1), ("BABOBAB", 2)])
def test_gradients_of_a_step(string: str, gradients: int) -> None:
    assert Splitting(string, 0.1, 1.0).gradients == gradients


@pytest.mark.parametrize(
    ("string", "said"),
    [
        ("BAXAB", "letters X"),
        ("BAB", "lacks O"),
        ("UAU", "U beside A or O"),
        ("UU", "lacks B"),
        ("O{BABO", "not balanced"),
        ("O}BAB{O", "not balanced"),
        ("{O{BAB}O}", "braces"),
        ("B{AOA}B", "B outside"),
        ("O{AB}", "read the same backwards"),
        ("OBABO{}", "outside"),
    ],
)
def test_strings_that_make_no_sense_are_refused(string: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        Splitting(string, 0.1, 1.0)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"step_size": 0.0}, "step_size is 0.0"),
        ({"friction": -1.0}, "friction is -1.0"),
        ({"temperature": 0.0}, "temp"),
    ],
)
def test_numbers_out_of_their_domain_are_refused(numbers: dict[str, float], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        BAOAB(**{"step_size": 0.1, "friction": 1.0} | numbers)


def test_spaces_in_strings_do_not_matter() -> None:
    assert Splitting("O { B A B } O", 0.1, 1.0).scheme == "O{BAB}O"
