"""Predictions of the exact model, and the equations they satisfy."""

from typing import Any

import numpy as np
import pytest

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import EDM, VP, Flow, MeanReverting, Model, SubVP, samplers
from stochsim.diffusion.record import no_noise
from stochsim.errors import ParameterError

RNG = np.random.default_rng(1)
FULL = GaussianMixture(
    [0.2, 0.5, 0.3],
    RNG.normal(size=(3, 3)),
    np.stack([0.3 * np.eye(3) + 0.1, np.eye(3), 0.2 * np.eye(3) - 0.05]),
)
TARGETS = [FULL, Gaussian([1.0, -1.0, 0.5], 0.3 * np.eye(3) + 0.1), GaussianMixture([0.4, 0.6], FULL.means[:2], 0.2)]
X = RNG.normal(size=(3, 7))
PROCESSES = [VP(), SubVP(), EDM(), Flow(2.0)]
STENCIL = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0.0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])  # order 8
either = pytest.mark.parametrize("target", TARGETS, ids=["full", "gaussian", "isotropic"])
process_of = pytest.mark.parametrize("process", PROCESSES, ids=repr)


@either
def test_the_data_prediction_is_the_posterior_mean(target: Any) -> None:
    """Σ r_k (m_k + α C_k (α² C_k + σ² I)⁻¹ (x - α m_k)), without the score."""
    a, s = 0.6, 0.8
    mixed = (
        target if isinstance(target, GaussianMixture) else GaussianMixture([1.0], [target.mean], [target.covariance])
    )
    r = mixed.noised(a, s).responsibilities(X.T).T
    expected = np.zeros_like(X)
    for k, (m, C) in enumerate(zip(mixed.means, mixed.covariances, strict=True)):
        gain = a * C @ np.linalg.inv(a**2 * C + s**2 * np.eye(3))
        expected += r[k] * (m[:, None] + gain @ (X - a * m[:, None]))
    p = Flow()  # α = 1 - t and σ = t give (0.6, 0.8) at no time: take the ratio, and scale
    t = float(p.t_of_lam(np.log(a / s)))
    scale = float(p.alpha(t)) / a
    np.testing.assert_allclose(Model(target, p).denoised(scale * X, t), expected, rtol=1e-12, atol=1e-13)


@either
@process_of
def test_predictions_are_one_thing(target: Any, process: Any) -> None:
    model, t = Model(target, process), 0.3 * process.t_end
    a, s = float(process.alpha(t)), float(process.sigma(t))
    eps, x0 = model.eps(X, t), model.denoised(X, t)
    np.testing.assert_allclose(a * x0 + s * eps, X, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(model.v(X, t), a * eps - s * x0, rtol=1e-9, atol=1e-11)
    flow = process.f(t) * X - 0.5 * process.g2(t) * model.score(X, t)
    np.testing.assert_allclose(model.velocity(X, t), flow, rtol=1e-9, atol=1e-11)
    assert model.nfe == 5
    np.testing.assert_array_equal(model.predict("x0", X, t), x0)


@either
@process_of
def test_densities_satisfy_the_fokker_planck_equation(target: Any, process: Any) -> None:
    """∂ log p/∂t = -f d - f x·s + ½ g² (Δ log p + |s|²)."""
    model, t, h = Model(target, process), 0.3 * process.t_end, 2e-3 * process.t_end
    rate = sum(w * model.log_prob(X, t + h * k) for w, k in zip(STENCIL, range(-4, 5), strict=True)) / h
    s, f, g2 = model.score(X, t), process.f(t), process.g2(t)
    laplacian = model.noised(t).target.laplacian(X)
    right = -3.0 * f - f * (X * s).sum(axis=0) + 0.5 * g2 * (laplacian + (s**2).sum(axis=0))
    np.testing.assert_allclose(rate, right, rtol=1e-8, atol=1e-9)


@process_of
def test_the_divergence_is_the_trace_of_the_velocitys_derivative(process: Any) -> None:
    model, t, h = Model(FULL, process), 0.3 * process.t_end, 1e-2
    total = np.zeros(X.shape[1])
    for i in range(3):
        e = np.zeros((3, 1))
        e[i] = h
        total += sum(w * model.velocity(X + k * e, t)[i] for w, k in zip(STENCIL, range(-4, 5), strict=True)) / h
    np.testing.assert_allclose(model.divergence(X, t), total, rtol=1e-8, atol=1e-8)


@either
def test_a_time_for_each_particle_gives_what_one_time_gives(target: Any) -> None:
    model, times = Model(target, VP()), np.linspace(0.05, 1.0, X.shape[1])
    together = model.score(X, times)
    alone = np.concatenate([model.score(X[:, [i]], float(t)) for i, t in enumerate(times)], axis=1)
    np.testing.assert_allclose(together, alone, rtol=1e-11, atol=1e-13)


def test_where_no_data_is_left_its_mean_is_predicted() -> None:
    np.testing.assert_allclose(Model(FULL, Flow()).denoised(X, 1.0), np.broadcast_to(FULL.mean[:, None], X.shape))


@process_of
def test_the_unit_normal_stands_still_under_a_variance_preserving_process(process: Any) -> None:
    speed = np.abs(Model(Gaussian(np.zeros(3), 1.0), process).velocity(X, 0.4 * process.t_end)).max()
    assert (speed < 1e-13) == isinstance(process, VP)


def test_gaussian_flow_matching_has_its_closed_velocity() -> None:
    """With the data at u = 1 - t: v = m + (u s² - (1 - u))/((1 - u)² + u² s²) (x - u m)."""
    m, s2, t = np.array([[1.0]]), 0.25, 0.3
    u, x = 1.0 - t, X[:1]
    v = m + (u * s2 - (1.0 - u)) / ((1.0 - u) ** 2 + u**2 * s2) * (x - u * m)
    np.testing.assert_allclose(-Model(Gaussian([1.0], [s2]), Flow()).velocity(x, t), v, rtol=1e-13)


@pytest.mark.parametrize("process", [VP(), SubVP(), Flow(), MeanReverting(0.0, 1.7)], ids=repr)
@pytest.mark.parametrize("name", ["ddim", "dpm_solver_pp_2m", "unipc", "dpm_solver_3"])
def test_processes_are_one_up_to_scale(process: Any, name: str) -> None:
    """x/α with σ/α is the variance-exploding process: the same map to rounding."""
    lam = np.linspace(-2.0, 2.0, 9)
    edm, record = EDM(), samplers.REGISTRY[name]
    there = record(Model(FULL, edm), X.copy(), edm.t_of_lam(lam), no_noise)
    grid = process.t_of_lam(lam)
    scaled = process.alpha(grid[0]) * X
    here = record(Model(FULL, process), scaled, grid, no_noise) / process.alpha(grid[-1])
    np.testing.assert_allclose(here, there, rtol=1e-10, atol=1e-11)


def test_a_point_mass_is_hit_by_one_step_of_ddim() -> None:
    point = Gaussian([1.5, -2.0, 0.5], 1e-30)
    end = samplers.ddim(Model(point, VP()), X.copy(), [1.0, 0.0], no_noise)
    np.testing.assert_allclose(end, np.broadcast_to(point.mean[:, None], X.shape), rtol=1e-9)


def test_columns_of_a_mean_reverting_process_are_about_its_centre() -> None:
    centre = np.array([1.0, 2.0, 3.0])
    model = Model(FULL, MeanReverting(centre, 0.7))
    np.testing.assert_allclose(model.target.mean, FULL.mean - centre)
    y, p, t = X, model.process, 0.2
    law = FULL.noised(float(p.alpha(t)), float(p.sigma(t)))
    shift = (1.0 - p.alpha(t)) * centre  # E[x_t] of IR-SDE: μ + α (x_0 - μ)
    x = y + centre[:, None]
    np.testing.assert_allclose(model.score(y, t), law.score((x - shift[:, None]).T).T, rtol=1e-11)


def test_a_score_of_the_users_own_is_called_and_counted() -> None:
    model = Model(None, EDM(), score=lambda x, t: -x / (1.0 + t**2))
    np.testing.assert_allclose(model.denoised(X, 2.0), X / 5.0, rtol=1e-14)
    assert (model.nfe, model.twin().nfe) == (1, 0)


def test_a_model_of_nothing_is_refused() -> None:
    with pytest.raises(ParameterError, match="neither a target nor a score"):
        Model(None, VP())


def test_an_unknown_parametrisation_is_refused() -> None:
    with pytest.raises(ParameterError, match="'noise' is unknown; give one of eps, x0, v, score, velocity"):
        Model(FULL, VP()).predict("noise", X, 0.5)
