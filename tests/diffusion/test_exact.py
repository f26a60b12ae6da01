"""Exact objects against independent computations."""

from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import EDM, VP, Flow, Model, SubVP, exact
from stochsim.errors import ParameterError

RNG = np.random.default_rng(2)
LINE = GaussianMixture([0.3, 0.7], [-2.0, 1.0], [0.1, 0.5])
FULL = GaussianMixture([0.4, 0.6], RNG.normal(size=(2, 3)), np.stack([0.3 * np.eye(3) + 0.1, np.eye(3)]))
GAUSSIAN = Gaussian([1.0, -1.0, 0.5], 0.3 * np.eye(3) + 0.1)
PROCESSES = [VP(), SubVP(), EDM(0.01, 20.0), Flow(2.0)]
process_of = pytest.mark.parametrize("process", PROCESSES, ids=lambda p: type(p).__name__)


def integrated(model: Model, x: np.ndarray, t: float, s: float) -> np.ndarray:
    def rate(time: float, state: np.ndarray) -> np.ndarray:
        return np.asarray(model.velocity(state.reshape(x.shape), time).reshape(-1))

    return np.asarray(
        solve_ivp(rate, (t, s), x.reshape(-1), "DOP853", rtol=3e-14, atol=1e-14).y[:, -1].reshape(x.shape)
    )


@process_of
@pytest.mark.parametrize("target", [LINE, GAUSSIAN], ids=["line", "gaussian"])
def test_the_flow_map_solves_the_probability_flow(target: Any, process: Any) -> None:
    t, s = 0.9 * process.t_end, 0.02 * process.t_end
    x = process.sigma(t) * np.linspace(-3.0, 3.0, 3 * target.d).reshape(target.d, 3)
    there = exact.flow_map(target, process, x, t, s)
    np.testing.assert_allclose(there, integrated(Model(target, process), x, t, s), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(exact.flow_map(target, process, there, s, t), x, rtol=1e-12, atol=1e-12)


def test_the_flow_map_keeps_its_digits_far_out_in_both_tails() -> None:
    x = np.array([[-60.0, -35.0, -12.0, 12.0, 35.0, 60.0]])
    back = exact.flow_map(LINE, VP(), exact.flow_map(LINE, VP(), x, 1.0, 0.01), 0.01, 1.0)
    np.testing.assert_allclose(back, x, rtol=1e-12)


def test_the_consistency_function_of_a_gaussian() -> None:
    """f(x, σ) = m + s/√(s² + σ²) (x - m), constant along paths."""
    one, x = Gaussian([1.0], [0.25]), np.linspace(-9.0, 9.0, 5)[None]
    f = 1.0 + 0.5 / np.sqrt(0.25 + 9.0) * (x - 1.0)
    np.testing.assert_allclose(exact.flow_map(one, EDM(), x, 3.0, 0.0), f, rtol=1e-14)
    on_the_way = exact.flow_map(one, EDM(), x, 3.0, 1.0)
    np.testing.assert_allclose(exact.flow_map(one, EDM(), on_the_way, 1.0, 0.0), f, rtol=1e-13)


def test_no_flow_map_is_invented() -> None:
    with pytest.raises(ParameterError, match="has no closed probability flow"):
        exact.flow_map(FULL, VP(), np.zeros((3, 1)), 1.0, 0.5)


@process_of
def test_the_likelihood_along_the_flow_is_the_density(process: Any) -> None:
    t, s = 0.9 * process.t_end, 0.05 * process.t_end
    x = RNG.normal(size=(3, 4))
    got = exact.log_likelihood(FULL, process, x, t, s, rtol=1e-12)
    np.testing.assert_allclose(got, Model(FULL, process).log_prob(x, s), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("a", "s"), [(0.6, 0.8), (1.0, 0.1), (1.0, 5.0)])
def test_the_posterior_covariance_is_that_of_the_hessian(a: float, s: float) -> None:
    x = RNG.normal(size=(3, 5))
    hessian = np.moveaxis(FULL.noised(a, s).hessian(x.T), 0, -1)
    expected = (s / a) ** 2 * (np.eye(3)[:, :, None] + s**2 * hessian)
    np.testing.assert_allclose(exact.posterior_covariance(FULL, a, s, x), expected, rtol=1e-9, atol=1e-10)


def test_the_posterior_covariance_keeps_its_digits_under_much_noise() -> None:
    covariance = exact.posterior_covariance(GAUSSIAN, 1.0, 1e6, np.zeros((3, 1)))[:, :, 0]
    np.testing.assert_allclose(covariance, GAUSSIAN.covariance, rtol=1e-11)


@process_of
def test_the_reverse_kernel_is_bayes_rule(process: Any) -> None:
    t, s = 0.6 * process.t_end, 0.2 * process.t_end
    (a, sigma), (b, tau) = ((float(process.alpha(v)), float(process.sigma(v))) for v in (t, s))
    xt, xs = np.array([0.3, -0.2, 0.5]), RNG.normal(size=(6, 3))
    ratio = a / b
    added = Gaussian(np.zeros(3), sigma**2 - (ratio * tau) ** 2)
    bayes = FULL.noised(b, tau).log_prob(xs) + added.log_prob(xt - ratio * xs) - FULL.noised(a, sigma).log_prob(xt)
    got = exact.reverse_kernel(FULL, process, t, s).law_at(xt).log_prob(xs)
    np.testing.assert_allclose(got, bayes, rtol=1e-11, atol=1e-11)


def test_moments_of_the_reverse_kernel_are_those_of_its_law() -> None:
    kernel, x = exact.reverse_kernel(FULL, VP(), 0.5, 0.3), RNG.normal(size=(3, 2))
    for i in range(2):
        law = kernel.law_at(x[:, i])
        np.testing.assert_allclose(kernel.mean(x)[:, i], law.mean, rtol=1e-12)
        np.testing.assert_allclose(kernel.covariance(x)[:, :, i], law.covariance, rtol=1e-12)


def test_draws_of_the_reverse_kernel_choose_components_by_their_uniform() -> None:
    kernel, x = exact.reverse_kernel(LINE, VP(), 0.5, 0.3), np.full((1, 5), -0.4)
    r = kernel.probabilities(x)[0, 0]
    u = np.array([0.0, 0.99 * r, 1.01 * r, 0.999, 1.0])
    drawn = kernel.draw(x, np.zeros((1, 5)), u)
    means = kernel.means(x)[:, 0, 0]
    np.testing.assert_allclose(drawn[0], means[[0, 0, 1, 1, 1]], rtol=1e-14)


@pytest.mark.parametrize(("t", "s"), [(0.3, 0.5), (0.3, 0.3)])
def test_a_kernel_forwards_in_time_is_refused(t: float, s: float) -> None:
    with pytest.raises(ParameterError, match="give s below t"):
        exact.reverse_kernel(LINE, VP(), t, s)


def test_times_outside_of_the_process_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"VP is defined on \[0, 1\]"):
        exact.noised(LINE, VP(), 1.5)
