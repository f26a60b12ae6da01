"""Shadow work: identities of leapfrog trajectories, false-alarm rates, integrators that break them."""

import numpy as np
import pytest

from stochsim.errors import ParameterError
from stochsim.metrics import shadow_work
from tests.metrics.rates import alarms, most_alarms


def leapfrog_energy_errors(n: int, seed: int, step: float = 1.2, damping: float = 0.0) -> np.ndarray:
    """H(end) - H(start) of five leapfrog steps on N(0, 1); damping breaks the conservation of volume."""
    q, p = np.random.default_rng(seed).standard_normal((2, n))
    start = (q * q + p * p) / 2
    for _ in range(5):
        p = (1 - damping) * (p - step / 2 * q)
        q = q + step * p
        p = p - step / 2 * q
    return np.asarray((q * q + p * p) / 2 - start)


def lognormal_work(n: int, seed: int, deviation: float) -> np.ndarray:
    """Gaussian work, for which Crooks' relation says mean = variance/2."""
    return deviation**2 / 2 + deviation * np.random.default_rng(seed).standard_normal(n)


def test_leapfrog_obeys_both_identities() -> None:
    found = shadow_work(leapfrog_energy_errors(20_000, 0))
    assert found.identity.passed
    assert found.symmetry.passed
    assert found.mean > 5 * found.error > 0


def test_the_acceptance_is_the_one_of_gaussian_work() -> None:
    # E min(1, e^-W) = 2 Phi(-s/2), within five standard errors
    from scipy.special import ndtr

    found = shadow_work(lognormal_work(20_000, 0, 0.8))
    assert found.acceptance == pytest.approx(2 * ndtr(-0.4), abs=5 * 0.4 / np.sqrt(20_000))
    assert found.variance == pytest.approx(0.64, rel=0.06)


def test_a_leapfrog_that_loses_volume_is_found() -> None:
    found = shadow_work(leapfrog_energy_errors(20_000, 0, damping=0.01))
    assert not found.identity.passed
    assert not found.symmetry.passed
    assert "FAILED" in repr(found)


@pytest.mark.parametrize("deviation", [0.1, 1.0])
def test_both_checks_hold_their_rate(deviation: float) -> None:
    for name in ("identity", "symmetry"):
        count = alarms(lambda s, n=name: getattr(shadow_work(lognormal_work(1000, s, deviation), None, 0.05), n), 1000)
        assert count <= most_alarms(0.025, 1000)


def test_steps_are_summed_and_heat_is_averaged() -> None:
    work = np.random.default_rng(0).standard_normal((100, 7)) * 0.01
    found = shadow_work(work, np.full((100, 7), 0.5))
    assert found.mean == pytest.approx(work.sum(axis=1).mean(), rel=1e-12)
    assert found.heat == pytest.approx(3.5)
    assert "heat 3.5" in repr(found)


def test_no_work_at_all_passes() -> None:
    found = shadow_work(np.zeros(50))
    assert (found.mean, found.acceptance) == (0.0, 1.0)
    assert found.identity.passed
    assert found.symmetry.passed


def test_bad_input_is_refused() -> None:
    with pytest.raises(ParameterError, match="n >= 30"):
        shadow_work(np.zeros(5))
    with pytest.raises(ParameterError, match="1 of 40 trajectories"):
        shadow_work(np.r_[np.nan, np.zeros(39)])
    with pytest.raises(ParameterError, match="heat has shape"):
        shadow_work(np.zeros(40), np.zeros(39))
