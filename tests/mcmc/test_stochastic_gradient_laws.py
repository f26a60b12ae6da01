"""Claims about bias with minibatches, exactly: no Monte Carlo anywhere.

Independent batches cost order 1 whatever the integrator. Reshuffled and symmetric ones reach order 2, and no more, if
the integrator is of order 2 on every single block; Euler's method is not, and its mean is then biased at order 1.
"""

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov

import stochsim as ss
from stochsim.mcmc import BADODAB, SGHMC, SGLD, StochasticGradientSplitting
from stochsim.mcmc.laws.affine import AffineMap, GivenNoise
from stochsim.mcmc.stochastic_gradients.batch_laws import BatchLaw, batch_law
from stochsim.mcmc.stochastic_gradients.batches import INDEPENDENT, RESHUFFLED, SYMMETRIC, Batches
from stochsim.mcmc.stochastic_gradients.targets import BlockPosterior, QuadraticSum, SumOfQuadratics, control_variate
from stochsim.orders.richardson import SlopeFit, fit_order

RNG = np.random.default_rng(0)
ROOTS = RNG.normal(size=(4, 2, 2))
H = ROOTS @ ROOTS.transpose(0, 2, 1) / 4.0 + 0.05 * np.eye(2)
M = RNG.normal(size=(4, 2))
SUM = QuadraticSum(H, M, 0.3)
COIN = QuadraticSum([[0.25]] * 4, [[-1.5], [1.5], [-1.5], [1.5]])  # N(0, 1) with two-point gradient noise, V = 2.25
STEPS = 0.02 * 2.0 ** -np.arange(6.0)


def orders(law: Any) -> tuple[float, float]:
    """Orders of the biases of mean and covariance of the first component."""
    laws = [law(float(h)) for h in STEPS]
    mean = np.array([(f.mean - SUM.mean)[0] for f in laws])
    variance = np.array([(f.covariance - SUM.covariance)[0, 0] for f in laws])
    fits: list[SlopeFit] = [fit_order(STEPS, e, 2e-13) for e in (mean, variance)]
    return fits[0].order, fits[1].order


@pytest.mark.parametrize("h", [0.1, 0.5, 1.3])
def test_sgld_with_a_gradient_noise_that_is_the_same_everywhere(h: float) -> None:
    law = batch_law(SGLD(h), COIN.target, 1)
    np.testing.assert_allclose(law.covariance, [[(1.0 + h * 2.25 / 2.0) / (1.0 - h / 2.0)]], rtol=1e-12)
    np.testing.assert_allclose(law.mean, [0.0], atol=1e-14)


KINETIC = [
    SGHMC(1.0, friction=1.5),
    *(StochasticGradientSplitting(1.0, friction=1.5, scheme=s) for s in ("UBU", "BUB", "BAOAB", "OBABO", "ABOBA")),
]


@pytest.mark.parametrize("sampler", KINETIC, ids=lambda s: s.name)
@pytest.mark.parametrize(
    ("batches", "order"),
    [(INDEPENDENT, 1.0), (RESHUFFLED, 2.0), (SYMMETRIC, 2.0)],
    ids=["indep.", "reshuffled", "sym."],
)
def test_the_order_of_kinetic_samplers_is_that_of_their_batches(sampler: Any, batches: Batches, order: float) -> None:
    mean, variance = orders(lambda h: batch_law(replace(sampler, step_size=h, batches=batches), SUM.target, 2))
    assert variance == pytest.approx(order, abs=1e-3)
    assert mean >= 2.0 - 1e-3


@pytest.mark.parametrize("batches", [RESHUFFLED, SYMMETRIC], ids=["reshuffled", "symmetric"])
def test_eulers_method_stays_at_order_one_and_its_mean_becomes_biased(batches: Batches) -> None:
    mean, variance = orders(lambda h: batch_law(SGLD(h), SUM.target, 2))
    assert mean == np.inf
    assert variance == pytest.approx(1.0, abs=1e-3)
    mean, variance = orders(lambda h: batch_law(SGLD(h, batches), SUM.target, 2))
    assert mean == pytest.approx(1.0, abs=1e-3)
    assert variance == pytest.approx(1.0, abs=2e-3)


def exact_block_flows(h: float) -> list[AffineMap]:
    """The exact solution of dx = ∇(l_0 + K l_b) dt + √2 dW over h for each block: an integrator of infinite order."""
    maps = []
    for curvature, centre in zip(H, M, strict=True):
        rate, pull = 4.0 * curvature + 0.3 * np.eye(2), 4.0 * curvature @ centre
        decay = expm(-h * rate)
        spread = solve_continuous_lyapunov(rate, 2.0 * (np.eye(2) - decay @ decay.T))
        maps.append(AffineMap(decay, (np.eye(2) - decay) @ np.linalg.solve(rate, pull), np.linalg.cholesky(spread)))
    return maps


@pytest.mark.parametrize(
    ("batches", "order"),
    [(INDEPENDENT, 1.0), (RESHUFFLED, 2.0), (SYMMETRIC, 2.0)],
    ids=["indep.", "reshuffled", "sym."],
)
def test_batches_limit_the_order_of_an_exact_integrator(batches: Batches, order: float) -> None:
    mean, variance = orders(lambda h: BatchLaw(exact_block_flows(h), batches, 2))
    assert min(mean, variance) == pytest.approx(order, abs=2e-3)


def test_exact_surrogates_give_the_law_of_the_whole_gradient() -> None:
    control = control_variate(SUM, SUM)
    law = batch_law(StochasticGradientSplitting(0.2, RESHUFFLED, control, scheme="BAOAB"), SUM.target, 2)
    np.testing.assert_allclose(law.covariance, SUM.covariance, rtol=0, atol=1e-12)


@pytest.mark.parametrize("batches", [INDEPENDENT, RESHUFFLED, SYMMETRIC], ids=["indep.", "reshuffled", "sym."])
def test_the_law_is_that_of_the_samplers_own_steps(batches: Batches) -> None:
    """All choices of all uniforms of an epoch, without injected noise, against the recursion: K = 3."""
    target = QuadraticSum(H[:3], M[:3], 0.3).target
    sampler = SGLD(0.1, batches, temperature=1e-300)
    forward = [[(j + 0.5) / (3 - k) for j in range(3 - k)] for k in range(3)]
    choices = {1: [[1 / 6, 0.5, 5 / 6]], 3: forward, 6: [*forward, [0.5], [0.5], [0.5]]}[batches.period(3)]
    uniforms = np.array(list(product(*choices))).T
    state = sampler.init(target, np.tile([[0.7], [-0.4]], uniforms.shape[1]))
    for u in uniforms:
        state, _ = sampler.step(target, state, GivenNoise(np.zeros((2, len(u))), u[None]))
    mean, covariance = batch_law(sampler, target, 2).after(1, [0.7, -0.4])
    np.testing.assert_allclose(state.x.mean(axis=1), mean, rtol=0, atol=1e-14)
    np.testing.assert_allclose(np.cov(state.x, bias=True), covariance, rtol=0, atol=1e-14)


def limit_of_variance(sampler: Any, target: Any) -> float:
    """The stationary variance as h -> 0, by Richardson extrapolation."""
    a, b, c = (batch_law(replace(sampler, step_size=h), target, 1).covariance[0, 0] for h in (0.02, 0.01, 0.005))
    return float((a - 6.0 * b + 8.0 * c) / 3.0)


@pytest.mark.parametrize("sampler", [SGLD(1.0), SGHMC(1.0), StochasticGradientSplitting(1.0)], ids=lambda s: s.name)
@pytest.mark.parametrize("temperature", [0.25, 4.0])
def test_the_tempered_posterior_has_the_covariance_times_t(sampler: Any, temperature: float) -> None:
    assert limit_of_variance(replace(sampler, temperature=temperature), COIN.target) == pytest.approx(
        temperature, rel=1e-4
    )


@dataclass(frozen=True)
class TimesTemperature(SGLD):
    """The wrong one: noise times T, not √T."""

    def step(self, target: Any, state: Any, noise: Any) -> Any:
        hot = replace(self, temperature=self.temperature * self.temperature)
        return SGLD.step(hot, target, state, noise)


def test_noise_times_temperature_is_found() -> None:
    assert limit_of_variance(TimesTemperature(1.0, temperature=4.0), COIN.target) == pytest.approx(16.0, rel=1e-4)


@dataclass(frozen=True, eq=False)
class Unscaled(SumOfQuadratics):
    """The wrong one: the gradient of a block, not multiplied by the number of blocks."""

    def block_score(self, x: Any, index: Any) -> Any:
        return super().block_score(x, index) / 4.0


def test_a_missing_factor_of_the_batch_is_found() -> None:
    right = COIN.target
    wrong = Unscaled(**{name: getattr(right, name) for name in right.__dataclass_fields__})
    assert limit_of_variance(SGLD(1.0), wrong) == pytest.approx(4.0, rel=1e-4)


def test_the_known_noise_of_gradients_can_be_taken_away() -> None:
    h, V = 0.1, 2.25
    plain = batch_law(SGHMC(h), COIN.target, 1).covariance[0, 0]
    corrected = batch_law(SGHMC(h, noise_estimate=h * V / 2.0), COIN.target, 1).covariance[0, 0]
    exact_gradient = batch_law(SGHMC(h), QuadraticSum([[1.0]], [[0.0]]).target, 1).covariance[0, 0]
    assert corrected == pytest.approx(exact_gradient, rel=1e-12)
    assert plain - corrected > 0.05


def test_linear_regression_by_blocks_has_its_exact_posterior_in_the_limit() -> None:
    posterior = BlockPosterior(ss.densities.LinearPosterior.simulate(12, 2, seed=4), 4)
    rate = np.sqrt(np.linalg.eigvalsh(np.linalg.inv(posterior.covariance)).max())
    h = 0.05 / rate * 2.0 ** -np.arange(5.0)
    samplers = [StochasticGradientSplitting(float(step), SYMMETRIC, friction=rate) for step in h]
    bias = [(batch_law(s, posterior.target, 2).covariance - posterior.covariance)[0, 0] for s in samplers]
    assert fit_order(h, bias, 1e-13).order == pytest.approx(2.0, abs=0.02)


def test_what_is_not_affine_or_not_stable_is_refused() -> None:
    with pytest.raises(ss.errors.SchemeError, match="not affine"):
        batch_law(BADODAB(0.1), COIN.target, 1)
    with pytest.raises(ss.errors.ModelError, match="no stationary law"):
        _ = batch_law(SGLD(2.5), COIN.target, 1).stationary
