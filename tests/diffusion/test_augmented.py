"""PFGM++ and critically damped Langevin: their kernels against independent formulas."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import expm, solve_continuous_lyapunov

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import EDM, CriticallyDampedLangevin, Model, PFGMpp
from stochsim.diffusion._noise import Normals
from stochsim.errors import SchemeError
from stochsim.metrics import ks_test
from stochsim.schedules import LinearBeta

LINE = GaussianMixture([0.3, 0.7], [-2.0, 1.0], [0.1, 0.5])


def by_quadrature(D: float, sigma: float, x: float) -> tuple[float, float]:
    """log p(x) and E[x_0|x] by the trapezoidal rule in x_0."""
    mass = moment = 0.0
    for w, m, v in zip(LINE.weights, LINE.means[:, 0], LINE.covariances[:, 0, 0], strict=True):
        y = np.linspace(m - 20.0 * np.sqrt(v), m + 20.0 * np.sqrt(v), 20001)
        logs = stats.norm.logpdf(y, m, np.sqrt(v)) + stats.t.logpdf((x - y) / sigma, D) - np.log(sigma)
        mass += w * np.trapezoid(np.exp(logs), y)
        moment += w * np.trapezoid(y * np.exp(logs), y)
    return float(np.log(mass)), float(moment / mass)


@pytest.mark.parametrize("D", [1.0, 3.0, 128.0, 2048.0])
@pytest.mark.parametrize("sigma", [0.1, 1.0, 20.0])
def test_density_and_data_prediction_of_pfgm(D: float, sigma: float) -> None:
    process = PFGMpp(D)
    model = Model(LINE, process)
    for x in (-2.5, 0.3, 1.0 + 8.0 * sigma):
        log_p, mean = by_quadrature(D, sigma, x)
        point = np.array([[x]])
        assert model.log_prob(point, sigma)[0] == pytest.approx(log_p, rel=1e-10, abs=1e-10)
        assert model.denoised(point, sigma)[0, 0] == pytest.approx(mean, rel=1e-9, abs=1e-10)


def test_pfgm_of_a_point_has_the_power_kernel_and_straight_rays() -> None:
    process, y, sigma, D = PFGMpp(5.0), np.array([0.5, -1.0]), 2.0, 5.0
    model = Model(Gaussian(y, 1e-28), process)
    x = np.random.default_rng(0).normal(size=(2, 6)) * 10.0
    r2 = sigma**2 * D
    power = -0.5 * (2 + D) * np.log(((x - y[:, None]) ** 2).sum(axis=0) + r2)
    np.testing.assert_allclose(np.diff(model.log_prob(x, sigma)), np.diff(power), rtol=1e-10)
    np.testing.assert_allclose(model.velocity(x, sigma), (x - y[:, None]) / sigma, rtol=1e-12)


def test_pfgm_becomes_edm_as_dimensions_are_added() -> None:
    x = np.linspace(-4.0, 4.0, 9)[None]
    gaps = [
        np.abs(Model(LINE, PFGMpp(D)).denoised(x, 1.0) - Model(LINE, EDM()).denoised(x, 1.0)).max() for D in (1e3, 1e4)
    ]
    assert gaps[0] / gaps[1] == pytest.approx(10.0, rel=0.05)
    assert gaps[1] < 2e-3


def test_the_divergence_of_pfgm_is_the_derivative_of_its_velocity() -> None:
    model, x, h = Model(LINE, PFGMpp(4.0)), np.linspace(-3.0, 3.0, 7)[None], 1e-3
    slope = (8.0 * (model.velocity(x + h, 1.5) - model.velocity(x - h, 1.5))
             - (model.velocity(x + 2 * h, 1.5) - model.velocity(x - 2 * h, 1.5))) / (12.0 * h)  # fmt: skip
    np.testing.assert_allclose(model.divergence(x, 1.5), slope[0], rtol=1e-8, atol=1e-9)
    along = model.hessian_vector(x, np.ones_like(x), 1.5)[0]
    np.testing.assert_allclose(along, model.noised(1.5).target.laplacian(x), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("wrong", [False, True])
def test_first_states_of_pfgm_have_its_law(wrong: bool) -> None:
    """Kolmogorov-Smirnov at a false-alarm rate of 1e-4; Gaussian noise instead of heavy one must fail."""
    D, sigma, n = 3.0, 2.0, 20_000
    law = PFGMpp(D).noised(Gaussian([0.0], 1e-28), sigma)
    noise = Normals((1, 2))
    x = sigma * noise(0, (1, n)) if wrong else law.columns(noise, n)
    check = ks_test(x.T, lambda v: stats.t.cdf(v / sigma, D), false_alarm=1e-4)
    assert check.passed != wrong


@pytest.mark.parametrize("process", [CriticallyDampedLangevin(), CriticallyDampedLangevin(1.7, 0.5, LinearBeta())])
def test_the_kernel_of_damped_langevin_is_that_of_the_linear_equation(process: Any) -> None:
    A, b = process.drift_matrix(), 0.7
    np.testing.assert_allclose(process.propagator(b), expm(A * b), rtol=1e-13)
    noise = np.diag([0.0, 2.0 * process.friction])
    np.testing.assert_allclose(solve_continuous_lyapunov(A, -noise), np.diag([1.0, process.mass]), atol=1e-14)
    S = process.transition(b)[1]
    # the derivative of the covariance: A S + S Aᵀ + noise
    h = 1e-4
    slope = (process.transition(b + h)[1] - process.transition(b - h)[1]) / (2.0 * h)
    np.testing.assert_allclose(slope, A @ S + S @ A.T + noise, rtol=1e-6, atol=1e-7)


def test_the_law_of_damped_langevin_at_time_zero_is_the_data_with_fresh_velocities() -> None:
    process = CriticallyDampedLangevin()
    law = process.noised(LINE, 0.0)
    np.testing.assert_allclose(law.means, [[-2.0, 0.0], [1.0, 0.0]], atol=1e-15)
    np.testing.assert_allclose(law.covariances[1], np.diag([0.5, 0.04 * 0.25]), atol=1e-15)


def test_the_flow_of_damped_langevin_carries_the_law() -> None:
    """For a Gaussian the flow is linear: mean and covariance obey its equation (checked by their derivative)."""
    process, g, t, h = CriticallyDampedLangevin(), Gaussian([1.0], [0.25]), 0.3, 1e-4
    law = process.noised(g, t)

    def flow(u: np.ndarray) -> np.ndarray:
        return np.asarray(process.velocity(u, law.target.score(u), t))

    offset = flow(np.zeros((2, 1)))
    F = flow(np.eye(2)) - offset
    late, early = process.noised(g, t + h), process.noised(g, t - h)
    np.testing.assert_allclose((late.mean - early.mean) / (2 * h), F @ law.mean + offset[:, 0], rtol=1e-6)
    rate = F @ law.covariance + law.covariance @ F.T
    np.testing.assert_allclose((late.covariance - early.covariance) / (2 * h), rate, rtol=1e-5, atol=1e-7)


def test_samplers_of_data_space_refuse_phase_space() -> None:
    from stochsim.diffusion import sample

    with pytest.raises(SchemeError, match="ddim is written for a process of data space and got Critically"):
        sample(LINE, "ddim", CriticallyDampedLangevin(), n_steps=4)
