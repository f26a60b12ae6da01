"""Claims about federated Langevin samplers, by their exact linear recursions."""

from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.mcmc import FALD, FSGLD, ULA
from stochsim.mcmc.laws.affine import affine_law
from stochsim.mcmc.stochastic_gradients.federated import federated_law
from stochsim.mcmc.stochastic_gradients.targets import QuadraticSum, control_variate
from stochsim.metrics import wasserstein2_gaussian
from stochsim.orders.richardson import SlopeFit, fit_order

RNG = np.random.default_rng(0)
ROOTS = RNG.normal(size=(4, 2, 2))
H = ROOTS @ ROOTS.transpose(0, 2, 1) / 4.0 + 0.05 * np.eye(2)
M = RNG.normal(size=(4, 2))
CLIENTS = QuadraticSum(H, M, 0.3)
STEPS = 0.02 * 2.0 ** -np.arange(6.0)


def relative_variances(sampler: Any) -> np.ndarray:
    """Stationary variance of the first component over the right one, at decreasing steps."""
    laws = [federated_law(sampler(float(h)), CLIENTS.target, 2) for h in STEPS]
    return np.array([law.covariance[0, 0] / CLIENTS.covariance[0, 0] for law in laws])


def bias(sampler: Any) -> SlopeFit:
    return fit_order(STEPS, relative_variances(sampler) - 1.0, 1e-12)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 1.0])
def test_one_local_step_of_all_clients_is_ula(correlation: float) -> None:
    law, ula = federated_law(FALD(0.05, 1, correlation), CLIENTS.target, 2), affine_law(ULA(0.05), CLIENTS.target, 2)
    np.testing.assert_allclose(law.covariance, ula.covariance, rtol=1e-12)
    np.testing.assert_allclose(law.mean, CLIENTS.mean, rtol=1e-12)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 1.0])
def test_averaging_of_local_steps_is_of_order_one(correlation: float) -> None:
    assert bias(lambda h: FALD(h, 5, correlation)).order == pytest.approx(1.0, abs=1e-3)


def distance(sampler: Any, clients: QuadraticSum) -> float:
    law = federated_law(sampler, clients.target, 2)
    return float(wasserstein2_gaussian(law.mean, law.covariance, clients.mean, clients.covariance))


def test_clients_that_are_alike_have_no_drift_and_different_ones_drift_more_with_local_steps() -> None:
    alike = QuadraticSum(np.tile(H.mean(axis=0), (4, 1, 1)), np.tile(M[0], (4, 1)), 0.3)
    offset = [np.linalg.norm(federated_law(FALD(0.01, n, 1.0), alike.target, 2).mean - alike.mean) for n in (1, 20)]
    assert max(offset) < 1e-13
    distances = [distance(FALD(0.01, n), CLIENTS) for n in (1, 5, 20)]
    assert distances[0] < distances[1] < distances[2]
    spread_out = QuadraticSum(H, 3.0 * M, 0.3)
    assert distance(FALD(0.01, 20), spread_out) > 2.0 * distances[2]


@pytest.mark.parametrize(("correlation", "limit"), [(0.0, 2.0), (0.6, 1.64), (1.0, 1.0)])
def test_partial_participation_keeps_its_bias_at_any_step_size(correlation: float, limit: float) -> None:
    """Two of four clients: the variance tends to ρ² + (1 - ρ²) C/S."""
    ratio = relative_variances(lambda h: FALD(h, 5, correlation, participants=2))
    assert fit_order(STEPS, ratio - limit, 1e-12).order == pytest.approx(1.0, abs=2e-3)


def test_all_clients_chosen_at_random_are_all_clients() -> None:
    target = CLIENTS.target
    chosen, fixed = (federated_law(FALD(0.02, 3, 0.5, participants=n), target, 2) for n in (4, None))
    np.testing.assert_allclose(chosen.covariance, fixed.covariance, rtol=1e-10)


@pytest.mark.parametrize("n_local", [1, 5, 20])
def test_exact_conducive_gradients_make_a_stay_as_good_as_the_whole_data(n_local: int) -> None:
    law = federated_law(FSGLD(0.02, n_local, control_variate(CLIENTS, CLIENTS)), CLIENTS.target, 2)
    whole = affine_law(ULA(0.02), CLIENTS.target, 2)
    np.testing.assert_allclose(law.covariance, whole.covariance, rtol=1e-11)
    np.testing.assert_allclose(law.mean, CLIENTS.mean, rtol=1e-11)


def test_without_them_the_bias_grows_with_the_stay() -> None:
    distances = [distance(FSGLD(0.02, n), CLIENTS) for n in (1, 5, 20)]
    assert distances[0] < 0.5 * distances[1] < 0.25 * distances[2] * 2.0
    assert bias(lambda h: FSGLD(h, 5)).order == pytest.approx(1.0, abs=1e-3)


def test_bad_input_is_told() -> None:
    with pytest.raises(ss.errors.ParameterError, match=r"correlation is 1\.5"):
        FALD(0.1, 1, 1.5)
    with pytest.raises(ss.errors.ParameterError, match="n_local is 0"):
        FSGLD(0.1, 0)
    with pytest.raises(ss.errors.ParameterError, match="there are 4 clients"):
        federated_law(FALD(0.1, 1, participants=5), CLIENTS.target, 2)
    with pytest.raises(ss.errors.ParameterError, match="needs a sum over clients"):
        FALD(0.1, 1).init(ss.densities.Gaussian(0.0).target, np.zeros((1, 2)))
