"""Claim: `exact_law` of a chain is its law, after any number of steps and in the end, without Monte Carlo."""

import numpy as np
import pytest

import stochsim as ss
from stochsim.errors import ModelError, SchemeError

STANDARD = ss.densities.Gaussian(0.0)
H = 0.3


def test_the_stationary_law_of_ula() -> None:
    law = ss.exact_law(ss.mcmc.ULA(H), STANDARD)
    assert law.cov[0, 0] == pytest.approx(1.0 / (1.0 - H / 2.0), abs=1e-12)
    assert law.w2 == pytest.approx(np.sqrt(1.0 / (1.0 - H / 2.0)) - 1.0, abs=1e-12)
    assert law.autocorrelation_time() == pytest.approx((2.0 - H) / H, rel=1e-10)
    assert law.bias[0, 0] == pytest.approx(law.cov[0, 0] - 1.0)


@pytest.mark.parametrize("n", [1, 7, 40])
def test_the_law_of_ula_on_the_way(n: int) -> None:
    law = ss.exact_law(ss.mcmc.ULA(H), STANDARD, n, x0=[2.0])
    assert law.mean[0] == pytest.approx(2.0 * (1.0 - H) ** n, abs=1e-12)
    assert law.cov[0, 0] == pytest.approx((1.0 - (1.0 - H) ** (2 * n)) / (1.0 - H / 2.0), abs=1e-12)


def test_positions_of_baoab_are_exact_and_momenta_cold() -> None:
    law = ss.exact_law(ss.mcmc.BAOAB(1.2, 0.7), STANDARD)
    assert law.w2 < 1e-7
    assert law.state_cov[1, 1] == pytest.approx(1.0 - 1.2**2 / 4.0, abs=1e-10)


def test_a_run_that_begins_as_sample_does_has_the_law() -> None:
    target, n = ss.densities.Gaussian([1.0, -1.0], [[1.0, 0.6], [0.6, 2.0]]), 40_000
    law = ss.exact_law(ss.mcmc.ULA(H), target, 5)
    draws = ss.mcmc.sample(target, ss.mcmc.ULA(H), n_chains=n, n_steps=5, seed=3, save="final").x.values[:, 0]
    z = (draws.mean(axis=0) - law.mean) / np.sqrt(np.diag(law.cov) / n)
    assert np.abs(z).max() < 5.0  # false alarm 1e-6
    wrong = (draws.mean(axis=0) - target.mean) / np.sqrt(np.diag(law.cov) / n)
    assert np.abs(wrong).max() > 5.0


def test_what_has_no_exact_law_is_refused() -> None:
    with pytest.raises(SchemeError):
        ss.exact_law(ss.mcmc.MALA(H), STANDARD)
    with pytest.raises(SchemeError):
        ss.exact_law(ss.mcmc.ULA(3.0), STANDARD)
    with pytest.raises(ModelError, match="Gaussian"):
        ss.exact_law(ss.mcmc.ULA(H), ss.densities.Banana())
