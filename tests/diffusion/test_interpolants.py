"""Interpolants between mixtures: fields against other formulas, marginals that no ε changes, orders of samplers."""

from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import Flow, Model, samplers
from stochsim.diffusion.flows.interpolant_sde import (
    constant_noise,
    decreasing_noise,
    linear_noise,
    rising_falling_noise,
    sbdm_noise,
    sigma_noise,
    stochastic_euler,
    stochastic_heun,
)
from stochsim.diffusion.flows.interpolants import (
    Interpolation,
    bridge_latent,
    encoding_decoding,
    linear,
    parabola_latent,
    sine_latent,
    trigonometric,
)
from stochsim.diffusion.record import no_noise
from stochsim.errors import ParameterError
from stochsim.laws import affine_map

RNG = np.random.default_rng(5)
STENCIL = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0.0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])  # order 8
SOURCE = GaussianMixture([0.4, 0.6], [[-1.0, 0.5], [1.0, 0.0]], [[[0.5, 0.2], [0.2, 0.4]], [[0.3, 0.0], [0.0, 0.6]]])
TARGET = GaussianMixture([0.2, 0.3, 0.5], RNG.normal(size=(3, 2)), [0.2, 0.4, 0.3])
NEAR, FAR = Gaussian([1.0, -1.0], [[1.0, 0.6], [0.6, 0.8]]), Gaussian([-2.0, 0.5], [[0.3, -0.2], [-0.2, 0.5]])
X = RNG.normal(size=(2, 6))
PATHS = [
    linear(), linear(bridge_latent()), linear(parabola_latent(2.0)), trigonometric(), trigonometric(sine_latent(0.5)),
    encoding_decoding(),
]  # fmt: skip
path_of = pytest.mark.parametrize("path", PATHS, ids=lambda p: f"{p.name}, {p.latent.name}")
NOISES = [
    constant_noise(0.0), constant_noise(1.5), sigma_noise(linear()), linear_noise(), decreasing_noise(),
    rising_falling_noise(2.0),
]  # fmt: skip


def slope(errors: list[float]) -> float:
    return float(np.log2(errors[-2] / errors[-1]))


@path_of
def test_levels_have_their_derivatives_and_ends(path: Any) -> None:
    for value, rate in ((path.a, path.a_dot), (path.b, path.b_dot), (path.latent.square, path.latent.half_rate)):
        for t in (0.2, 0.7):
            slope_there = sum(w * value(t + 1e-3 * k) for w, k in zip(STENCIL, range(-4, 5), strict=True)) / 1e-3
            assert rate(t) * (1.0 if value is not path.latent.square else 2.0) == pytest.approx(slope_there, abs=1e-10)
    ends = [path.a(0.0), path.b(1.0), path.a(1.0), path.b(0.0), path.latent.square(0.0), path.latent.square(1.0)]
    np.testing.assert_allclose(ends, [1.0, 1.0, 0.0, 0.0, 0.0, 0.0], atol=1e-15)


def continuity_residual(between: Interpolation, t: float, extra: float = 0.0) -> float:
    h = 2e-3
    rate = sum(w * between.log_prob(X, t + h * k) for w, k in zip(STENCIL, range(-4, 5), strict=True)) / h
    v, s = between.velocity(X, t) + extra, between.score(X, t)
    return float(np.abs(rate + between.divergence(X, t) + (v * s).sum(axis=0)).max())


@path_of
def test_laws_and_velocity_satisfy_the_continuity_equation(path: Any) -> None:
    """∂ log p/∂t + div b + b·s = 0; a velocity off by 0.01 breaks it."""
    between = Interpolation(SOURCE, TARGET, path)
    for t in (0.15, 0.4, 0.8):
        assert continuity_residual(between, t) < 1e-9
    assert continuity_residual(between, 0.4, 0.01) > 1e-3


@path_of
def test_predictions_add_up_and_the_divergence_is_the_trace_of_the_derivative(path: Any) -> None:
    between, t, h = Interpolation(SOURCE, TARGET, path), 0.3, 1e-2
    first, last = between.endpoints(X, t)
    z, g2 = between.denoiser(X, t), path.latent.square(t)
    np.testing.assert_allclose(path.a(t) * first + path.b(t) * last + np.sqrt(g2) * z, X, rtol=1e-11, atol=1e-12)
    v = path.a_dot(t) * first + path.b_dot(t) * last - path.latent.half_rate(t) * between.score(X, t)
    np.testing.assert_allclose(between.velocity(X, t), v, rtol=1e-11, atol=1e-12)
    trace = np.zeros(X.shape[1])
    for i in range(2):
        e = np.zeros((2, 1))
        e[i] = h
        trace += sum(w * between.velocity(X + k * e, t)[i] for w, k in zip(STENCIL, range(-4, 5), strict=True)) / h
    np.testing.assert_allclose(between.divergence(X, t), trace, rtol=1e-7, atol=1e-8)


def test_marginals_start_and_end_at_the_given_laws() -> None:
    between = Interpolation(SOURCE, TARGET, trigonometric(bridge_latent()))
    np.testing.assert_allclose(between.law(0.0).log_prob(X.T), SOURCE.log_prob(X.T), rtol=1e-12)
    np.testing.assert_allclose(between.law(1.0).log_prob(X.T), TARGET.log_prob(X.T), rtol=1e-12)


def test_a_standard_normal_source_is_the_flow_process_backwards() -> None:
    between, model = Interpolation(Gaussian([0.0, 0.0], 1.0), TARGET, linear()), Model(TARGET, Flow())
    np.testing.assert_allclose(between.velocity(X, 0.7), -model.velocity(X, 0.3), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(between.score(X, 0.7), model.score(X, 0.3), rtol=1e-11, atol=1e-12)


def moments_of_the_sde(between: Interpolation, epsilon: Any, wrong: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance at t = 1 by the linear equations of the SDE, whose drift is affine."""

    def rate(t: float, state: np.ndarray) -> np.ndarray:
        mean, cov = state[:2], state[2:].reshape(2, 2)
        probe = np.concatenate([np.zeros((2, 1)), np.eye(2)], axis=1)
        e = epsilon(t)
        drift = between.velocity(probe, t) + (e - wrong) * between.score(probe, t)
        A = drift[:, 1:] - drift[:, :1]
        return np.concatenate([A @ mean + drift[:, 0], (A @ cov + cov @ A.T + 2.0 * e * np.eye(2)).reshape(-1)])

    start = np.concatenate([NEAR.mean, NEAR.covariance.reshape(-1)])
    end = solve_ivp(rate, (0.0, 1.0), start, method="DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
    return end[:2], end[2:].reshape(2, 2)


@pytest.mark.parametrize(("path", "epsilon"), list(zip([PATHS[1], PATHS[4], PATHS[2]] * 2, NOISES, strict=True)))
def test_no_noise_changes_the_marginals(path: Any, epsilon: Any) -> None:
    mean, cov = moments_of_the_sde(Interpolation(NEAR, FAR, path), epsilon)
    np.testing.assert_allclose(mean, FAR.mean, atol=1e-10)
    np.testing.assert_allclose(cov, FAR.covariance, atol=1e-10)


def test_a_drift_without_the_score_of_its_noise_misses_the_target() -> None:
    _, cov = moments_of_the_sde(Interpolation(NEAR, FAR, linear()), constant_noise(1.0), wrong=0.2)
    assert np.abs(cov - FAR.covariance).max() > 0.05


def test_the_sbdm_noise_is_half_the_squared_diffusion_of_the_process() -> None:
    epsilon, process = sbdm_noise(linear()), Flow()
    for t in (0.2, 0.9):
        assert epsilon(t) == pytest.approx(0.5 * process.g2(1.0 - t), rel=1e-13)


def test_policies_of_flow_grpo_keep_the_marginals() -> None:
    """dx = [v + σ²/(2t) (x + (1 - t) v)] dt + σ dw back from noise at t = 1 has the drift v - ε s with ε = σ²/2."""
    t, sigma = 0.35, 0.8
    model = Model(TARGET, Flow())
    v = model.velocity(X, t)
    drift = v + sigma**2 / (2.0 * t) * (X + (1.0 - t) * v)
    np.testing.assert_allclose(drift, v - 0.5 * sigma**2 * model.score(X, t), rtol=1e-11)


def law_errors(sampler: Any, between: Interpolation, falling: bool = False) -> list[float]:
    errors = []
    start, end = (between.target, between.source) if falling else (between.source, between.target)
    for n in (24, 48, 96):
        grid = np.linspace(1.0, 0.0, n + 1) if falling else np.linspace(0.0, 1.0, n + 1)
        whole = affine_map(lambda x, noise, grid=grid: sampler(between, x, grid, noise), 2)
        mean, cov = whole.law(start.mean, start.covariance)
        errors.append(float(np.abs(mean - end.mean).max() + np.abs(cov - end.covariance).max()))
    return errors


@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize(
    ("sampler", "order"),
    [
        (stochastic_euler, 1),
        (stochastic_heun, 2),
        (stochastic_heun.with_options(place="first"), 1),
        (samplers.euler, 1),
        (samplers.heun, 2),
        (samplers.runge_kutta, 4),
    ],
    ids=lambda s: getattr(s, "label", str(s)).split("(")[0],
)
def test_orders_of_the_law_between_gaussians(sampler: Any, order: int, falling: bool) -> None:
    errors = law_errors(sampler, Interpolation(NEAR, FAR, trigonometric(parabola_latent())), falling)
    assert slope(errors) == pytest.approx(order, abs=0.12)
    assert errors[-1] < errors[0] < 1.0


def test_the_flow_between_gaussians_is_known() -> None:
    """From N(0, 1) to N(m, s²), linear: v as in the closed form, and the map is m + s x_0."""
    m, s, t, x = 1.5, 0.4, 0.3, X[:1]
    between = Interpolation(Gaussian([0.0], [1.0]), Gaussian([m], [s**2]), linear())
    v = m + (t * s**2 - (1.0 - t)) / ((1.0 - t) ** 2 + t**2 * s**2) * (x - t * m)
    np.testing.assert_allclose(between.velocity(x, t), v, rtol=1e-12)
    end = samplers.runge_kutta(between, x, np.linspace(0.0, 1.0, 101), no_noise)
    np.testing.assert_allclose(end, m + s * x, rtol=1e-7)


def test_an_interpolant_with_the_right_latent_is_the_schroedinger_bridge() -> None:
    """γ² = 2 √(a²b² + e²/4) t (1 - t) and ε = e/2: Cov[x_0, x_1] is √(a²b² + e²/4) - e/2, that of the bridge."""
    a2, b2, e = 0.7, 2.0, 0.9
    root = np.sqrt(a2 * b2 + 0.25 * e**2)

    def coupling(scale: float) -> float:
        between = Interpolation(Gaussian([0.0], [a2]), Gaussian([0.0], [b2]), linear(bridge_latent(scale)))

        def rate(t: float, factor: np.ndarray) -> np.ndarray:
            one = np.ones((1, 1))
            return factor * float((between.velocity(one, t) + 0.5 * e * between.score(one, t))[0, 0])

        return float(a2 * solve_ivp(rate, (0.0, 1.0), [1.0], method="DOP853", rtol=1e-12, atol=1e-14).y[0, -1])

    assert coupling(2.0 * root) == pytest.approx(root - 0.5 * e, rel=1e-10)
    assert coupling(2.0) != pytest.approx(root - 0.5 * e, rel=1e-2)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ParameterError, match="give equal numbers"):
        Interpolation(SOURCE, Gaussian([0.0], 1.0), linear())
    with pytest.raises(ParameterError, match=r"t is 1\.5"):
        Interpolation(SOURCE, TARGET, linear()).velocity(X, 1.5)
    with pytest.raises(ParameterError, match="place is 'last'"):
        stochastic_heun.with_options(place="last")(Interpolation(NEAR, FAR, linear()), X, [0.0, 1.0], no_noise)
