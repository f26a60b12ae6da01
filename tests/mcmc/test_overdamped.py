"""Claim: the unadjusted samplers have the stationary laws, biases and orders of their closed forms."""

from collections.abc import Callable

import numpy as np
import pytest

from stochsim.densities import Gaussian, from_log_prob
from stochsim.errors import ParameterError
from stochsim.mcmc import (
    MALA,
    ULA,
    KineticRandomizedMidpoint,
    LeimkuhlerMatthews,
    PreconditionedULA,
    RandomizedMidpoint,
    Sampler,
    StochasticHeun,
    ThetaMethod,
)
from stochsim.mcmc.langevin.midpoint import free_noise
from stochsim.mcmc.laws.affine import affine_law, stability_limit
from stochsim.mcmc.laws.stationary import stationary_bias

STANDARD = Gaussian(0.0, 1.0)
DENSE = Gaussian([0.5, -1.0, 2.0], [[1.0, 0.6, 0.1], [0.6, 2.0, 0.3], [0.1, 0.3, 0.5]])
VARIANCES: list[tuple[Callable[[float], Sampler], Callable[[float], float]]] = [
    (ULA, lambda h: 1 / (1 - h / 2)),
    (PreconditionedULA, lambda h: 1 / (1 - h / 2)),
    (LeimkuhlerMatthews, lambda h: 1.0),
    (StochasticHeun, lambda h: (2 - h) / (2 - h + h**2 / 2)),
    (RandomizedMidpoint, lambda h: 1 / (1 - h**3 / (3 * (2 - 2 * h + h**2)))),
    (ThetaMethod, lambda h: 1.0),
    (lambda h: ThetaMethod(h, theta=1.0), lambda h: 1 / (1 + h / 2)),
    (lambda h: ThetaMethod(h, theta=0.7), lambda h: 1 / (1 + 0.2 * h)),
]


@pytest.mark.parametrize("case", VARIANCES, ids=lambda c: c[0](0.1).name)
@pytest.mark.parametrize("h", [0.01, 0.3, 1.1])
def test_stationary_variance_is_the_closed_form(
    case: tuple[Callable[..., Sampler], Callable[..., float]], h: float
) -> None:
    build, variance = case
    law = affine_law(build(h), STANDARD.target, 1)
    np.testing.assert_allclose(law.covariance[0, 0], variance(h), rtol=1e-12)


@pytest.mark.parametrize("case", VARIANCES, ids=lambda c: c[0](0.1).name)
def test_every_direction_of_a_gaussian_has_its_own_closed_form(
    case: tuple[Callable[..., Sampler], Callable[..., float]],
) -> None:
    build, variance = case
    sampler = build(0.06)
    if isinstance(sampler, PreconditionedULA):
        sampler = PreconditionedULA(0.06, metric=np.eye(3))
    law = affine_law(sampler, DENSE.target, 3)
    values, vectors = np.linalg.eigh(DENSE.covariance)
    expected = (vectors * [v * variance(0.06 / v) for v in values]) @ vectors.T
    np.testing.assert_allclose(law.covariance, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(law.mean, DENSE.mean, rtol=0, atol=1e-11)


def test_preconditioning_by_the_covariance_removes_the_condition_number() -> None:
    law = affine_law(PreconditionedULA(0.5, metric=DENSE.covariance), DENSE.target, 3)
    np.testing.assert_allclose(law.covariance, DENSE.covariance / 0.75, rtol=0, atol=1e-13)
    np.testing.assert_allclose(law.matrix, 0.5 * np.eye(3), rtol=0, atol=1e-13)
    diagonal = Gaussian([0.0, 1.0], [0.01, 4.0])
    law = affine_law(PreconditionedULA(0.5, metric=[0.01, 4.0]), diagonal.target, 2)
    np.testing.assert_allclose(law.covariance, diagonal.covariance / 0.75, rtol=1e-13, atol=0)


def test_ula_forgets_its_start_at_the_closed_rate() -> None:
    h, n = 0.3, 7
    law = affine_law(ULA(h), STANDARD.target, 1)
    mean, covariance = law.after(n, [2.0])
    decay = (1 - h) ** n
    np.testing.assert_allclose([mean[0], covariance[0, 0]], [2 * decay, (1 - decay**2) / (1 - h / 2)], rtol=1e-13)
    np.testing.assert_allclose(law.autocorrelation(1), 1 - h, rtol=1e-13)
    np.testing.assert_allclose(law.autocorrelation_time(), (2 - h) / h, rtol=1e-13)


@pytest.mark.parametrize("sampler", [ULA(1), LeimkuhlerMatthews(1), StochasticHeun(1)], ids=lambda s: s.name)
def test_explicit_methods_are_stable_below_two(sampler: Sampler) -> None:
    np.testing.assert_allclose(stability_limit(sampler, STANDARD.target, 1, tolerance=1e-7), 2.0, rtol=1e-5)


@pytest.mark.parametrize("theta", [0.5, 1.0])
def test_the_theta_method_is_stable_at_any_step(theta: float) -> None:
    assert affine_law(ThetaMethod(1e4, theta=theta), STANDARD.target, 1).stable


@pytest.mark.parametrize("m", [0.5, 3.0])
def test_w2_bias_of_ula_grows_as_step_and_root_dimension(m: float) -> None:
    """W2 = √d (1/√(m (1 - mh/2)) - 1/√m) = √d (h √m/4 + 3 m^(3/2) h²/32 + O(h³))."""
    d, h = 16, 1e-4
    law = affine_law(ULA(h), Gaussian(np.zeros(d), 1.0 / m).target, d)
    w2 = np.linalg.norm(np.sqrt(np.diag(law.covariance)) - 1 / np.sqrt(m))
    second = 3 * m**1.5 * h**2 / 32
    np.testing.assert_allclose(w2, np.sqrt(d) * (h * np.sqrt(m) / 4 + second), rtol=1e-7)


STEPS = [0.04, 0.02, 0.01]
ANHARMONIC = from_log_prob(lambda x: -(x**4) / 4 - x**2 / 2, d=1)


@pytest.mark.parametrize(
    "sampler",
    [
        ULA(0.1),
        PreconditionedULA(0.1),
        LeimkuhlerMatthews(0.1),
        StochasticHeun(0.1),
        RandomizedMidpoint(0.1),
        ThetaMethod(0.1),
    ],
    ids=lambda s: s.name,
)
def test_bias_order_on_a_quartic_well_is_the_claim(sampler: Sampler) -> None:
    found = stationary_bias(sampler, ANHARMONIC, lambda x: x**2, STEPS)
    assert abs(found.order - sampler.claims.bias_order) < 0.05


def test_implicit_euler_has_order_one() -> None:
    found = stationary_bias(ThetaMethod(0.1, theta=1.0), ANHARMONIC, lambda x: x**2, STEPS)
    assert abs(found.order - 1.0) < 0.05


def test_kinetic_midpoint_has_its_order_on_gaussians() -> None:
    steps = np.array([0.1, 0.05, 0.025])
    moments = [np.diag(affine_law(KineticRandomizedMidpoint(h), STANDARD.target, 1).stationary[1]) - 1 for h in steps]
    slopes = -np.diff(np.log2(np.abs(moments)), axis=0)[-1]
    np.testing.assert_allclose(slopes[0], KineticRandomizedMidpoint.claims.bias_order, atol=0.1)
    assert slopes[1] > 1.9  # of the velocity


def test_free_noise_has_the_exact_covariance() -> None:
    """Against the closed forms, and at small times against their leading terms 2γt³/3, γt², 2γt."""
    z = np.eye(2)
    for g, t in [(2.0, 0.7), (0.5, 3.0), (2.0, 1e-4), (1.0, 1e-7)]:
        root = np.array(free_noise(g, np.full(2, t), z[0], z[1]))
        covariance = root @ root.T
        leading = np.array([[2 * g * t**3 / 3, g * t**2], [g * t**2, 2 * g * t]])
        a = -np.expm1(-g * t)
        if g * t < 1e-3:
            np.testing.assert_allclose(covariance, leading, rtol=2 * g * t)
        else:
            exact = np.array([[2 * (g * t - a) - a**2, g * a**2], [g * a**2, g**2 * a * (2 - a)]]) / g**2
            np.testing.assert_allclose(covariance, exact, rtol=1e-13)
        np.testing.assert_allclose(covariance[1, 1], -np.expm1(-2 * g * t), rtol=1e-13)


@pytest.mark.parametrize("build", [ULA, MALA, LeimkuhlerMatthews, StochasticHeun, RandomizedMidpoint, ThetaMethod])
@pytest.mark.parametrize("h", [0.0, -1.0, np.inf, np.nan])
def test_bad_step_sizes_are_refused(build: Callable[[float], Sampler], h: float) -> None:
    with pytest.raises(ParameterError, match="step_size"):
        build(h)


def test_bad_thetas_are_refused() -> None:
    with pytest.raises(ParameterError, match="theta"):
        ThetaMethod(0.1, theta=0.0)
    with pytest.raises(ParameterError, match="n_cg"):
        ThetaMethod(0.1, n_cg=0)
