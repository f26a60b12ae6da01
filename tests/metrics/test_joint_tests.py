"""Geweke's joint test and simulation-based calibration on a conjugate model, right and wrong."""

import numpy as np
import pytest

from stochsim.errors import ParameterError
from stochsim.metrics import Check, geweke_joint_test, simulation_based_calibration
from tests.metrics.rates import alarms, fewest_alarms, most_alarms

# theta ~ N(0, 1), y | theta ~ N(theta, 1/2): the posterior is N(2 y/3, 1/3)
SHARE, VARIANCE = 2 / 3, 1 / 3


def prior(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 1))


def data(theta: np.ndarray, seed: int) -> np.ndarray:
    return theta + np.sqrt(0.5) * np.random.default_rng(seed).standard_normal(theta.shape)


def overrelaxed(share: float = SHARE, variance: float = VARIANCE):
    """An autoregression around the posterior mean, which leaves N(share y, variance) invariant."""

    def step(theta: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
        noise = np.random.default_rng(seed).standard_normal(theta.shape)
        return share * y - 0.5 * (theta - share * y) + np.sqrt(0.75 * variance) * noise

    return step


def posterior(share: float = SHARE, variance: float = VARIANCE):
    def draws(y: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
        noise = np.random.default_rng(seed).standard_normal((len(y), n_draws, 1))
        return share * y[:, None] + np.sqrt(variance) * noise

    return draws


def geweke(seed: int = 0, false_alarm: float = 1e-3, n_chains: int = 1000, **wrong: float) -> Check:
    return geweke_joint_test(
        prior, data, overrelaxed(**wrong), n_chains=n_chains, n_steps=20, seed=seed, false_alarm=false_alarm
    )


def calibration(seed: int = 0, false_alarm: float = 1e-3, **wrong: float) -> Check:
    return simulation_based_calibration(prior, data, posterior(**wrong), seed=seed, false_alarm=false_alarm)


def test_a_right_sampler_passes_both() -> None:
    assert geweke().passed
    assert calibration().passed


@pytest.mark.parametrize("wrong", [{"share": 0.62}, {"variance": 0.4}], ids=["mean", "variance"])
def test_a_sampler_of_a_wrong_posterior_fails_geweke(wrong: dict[str, float]) -> None:
    assert not geweke(n_chains=4000, **wrong).passed


@pytest.mark.parametrize("wrong", [{"share": 0.3}, {"variance": 0.15}], ids=["mean", "variance"])
def test_a_sampler_of_a_wrong_posterior_fails_calibration(wrong: dict[str, float]) -> None:
    assert not calibration(**wrong).passed


def test_correlated_draws_fail_calibration() -> None:
    def sticky(y: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
        return np.repeat(posterior()(y, n_draws // 3, seed), 3, axis=1)

    assert not simulation_based_calibration(prior, data, sticky, n_replicates=4000).passed


def test_both_hold_their_rates() -> None:
    assert alarms(lambda s: geweke(s, 0.1, n_chains=100), 200) <= most_alarms(0.1, 200)
    assert fewest_alarms(0.05, 300) <= alarms(lambda s: calibration(s, 0.05), 300) <= most_alarms(0.05, 300)


def test_statistics_of_the_user_replace_the_default_ones() -> None:
    found = geweke_joint_test(prior, data, overrelaxed(), {"gap": lambda t, y: (t - y)[:, 0]}, n_chains=50, n_steps=3)
    assert [c.name for c in found.parts] == ["gap"]
    assert [c.name for c in geweke(n_chains=50).parts] == [
        "y[0]",
        "y[0]²",
        "theta[0]",
        "theta[0] y[0]",
        "theta[0] theta[0]",
    ]


def test_ranks_of_discrete_parameters_are_uniform_too() -> None:
    def coin(n: int, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 2, (n, 1)).astype(float)

    def useless(theta: np.ndarray, seed: int) -> np.ndarray:
        return np.zeros_like(theta)

    def coins(y: np.ndarray, n_draws: int, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, 2, (len(y), n_draws, 1)).astype(float)

    assert simulation_based_calibration(coin, useless, coins).passed


def test_bad_input_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"simulate_prior returned the shape \(50,\)"):
        geweke_joint_test(lambda n, s: np.zeros(n), data, overrelaxed(), n_chains=50)
    with pytest.raises(ParameterError, match="transition returned the shape"):
        geweke_joint_test(prior, data, lambda t, y, s: t[:3], n_chains=50)
    with pytest.raises(ParameterError, match="simulate_data returned values that are not finite"):
        geweke_joint_test(prior, lambda t, s: t * np.nan, overrelaxed(), n_chains=50)
    with pytest.raises(ParameterError, match="bins must divide the ranks"):
        simulation_based_calibration(prior, data, posterior(), n_draws=100)
    with pytest.raises(ParameterError, match="sample_posterior returned the shape"):
        simulation_based_calibration(prior, data, lambda y, n, s: np.zeros((len(y), n)))
    with pytest.raises(ParameterError, match=r"statistic 'both' has shape \(50, 1\)"):
        geweke_joint_test(prior, data, overrelaxed(), {"both": lambda t, y: t + y}, n_chains=50)
