"""Goodness of fit: exact statistics against SciPy, false-alarm rates, and laws that are wrong."""

import numpy as np
import pytest
from scipy import stats

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.errors import ModelError, ParameterError
from stochsim.metrics import Check, ks_test, mode_weights
from stochsim.metrics.goodness import ks_two_samples
from tests.metrics.rates import alarms, fewest_alarms, most_alarms

PLANE = GaussianMixture([0.3, 0.7], [[-2.0, 0.0], [1.0, 1.0]], [0.5 * np.eye(2), [[1.0, 0.4], [0.4, 0.6]]])
APART = GaussianMixture([0.2, 0.3, 0.5], [[-9.0, 0.0], [0.0, 9.0], [9.0, 0.0]], 0.5)


def test_statistic_and_p_value_are_those_of_scipy() -> None:
    x = np.random.default_rng(0).standard_normal(50) + 0.3
    expected = stats.kstest(x, "norm", method="exact")
    for target in (Gaussian([0.0], 1.0), stats.norm.cdf):
        found = ks_test(x, target)
        assert found.statistic == pytest.approx(expected.statistic, rel=1e-12)
        assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    exact = stats.ks_1samp(x, stats.norm.cdf).statistic
    assert found.threshold > exact
    assert found.passed


def test_statistic_of_two_samples_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal(200), rng.standard_normal(90)
    found = ks_two_samples("two", x, y, 1e-3)
    expected = stats.ks_2samp(x, y, method="asymp")
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert found.p_value == pytest.approx(stats.kstwobign.sf(np.sqrt(200 * 90 / 290) * found.statistic), rel=1e-9)


def test_ks_holds_its_rate_over_correlated_marginals() -> None:
    count = alarms(lambda s: ks_test(PLANE.sample(200, seed=s), PLANE, false_alarm=0.05), 300)
    assert count <= most_alarms(0.05, 300)


def test_ks_sees_a_wrong_correlation_along_a_diagonal_only() -> None:
    right, wrong = Gaussian([0.0, 0.0], [[1.0, 0.5], [0.5, 1.0]]), Gaussian([0.0, 0.0], 1.0)
    x = wrong.sample(2000, seed=0)
    assert ks_test(x, right).passed
    assert not ks_test(x, right, directions=[[1.0, 1.0], [1.0, -1.0]]).passed


def test_mode_weights_hold_their_rate_when_modes_are_apart() -> None:
    count = alarms(lambda s: mode_weights(APART.sample(200, seed=s), APART, 0.05).check, 400)
    assert fewest_alarms(0.05, 400) <= count <= most_alarms(0.05, 400)


def test_mode_weights_are_conservative_when_modes_overlap() -> None:
    overlapping = GaussianMixture([0.5, 0.5], [[-0.5], [0.5]], 1.0)
    assert alarms(lambda s: mode_weights(overlapping.sample(200, seed=s), overlapping, 0.05).check, 200) == 0


def test_mode_weights_find_a_mode_that_chains_do_not_reach() -> None:
    wrong = GaussianMixture([0.25, 0.3, 0.45], APART.means, 0.5)
    found = mode_weights(wrong.sample(4000, seed=0), APART)
    assert not found.check.passed
    assert np.abs(found.weights - wrong.weights).max() < 5 * found.errors.max()
    assert not mode_weights(np.full((100, 2), [9.0, 0.0]), APART).check.passed
    assert "mode 2: 1.0000 ± 0.0000, expected 0.5000" in repr(mode_weights(np.full((100, 2), [9.0, 0.0]), APART))


def test_pearson_is_the_multinomial_statistic() -> None:
    x = np.repeat(APART.means, [10, 40, 50], axis=0)
    expected = stats.chisquare([10, 40, 50], [20, 30, 50])
    found = mode_weights(x, APART).check
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_a_verdict_can_be_read() -> None:
    good = ks_test(PLANE.sample(100, seed=0), PLANE)
    assert "ks_test: passed (statistic" in repr(good)
    assert "2 statistics" in repr(good)
    bad = ks_test(PLANE.sample(100, seed=0) + 5, PLANE)
    assert "FAILED" in repr(bad)
    assert [c.passed for c in bad.failures] == [False, False]
    assert repr(bad).count("beyond") == 2
    assert isinstance(bad, Check)


def test_threshold_and_p_value_agree_on_the_verdict() -> None:
    for seed in range(30):
        check = ks_test(Gaussian([0.2], 1.0).sample(100, seed=seed), Gaussian([0.0], 1.0), false_alarm=0.2)
        assert check.passed == (check.statistic <= check.threshold)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ParameterError, match="distribution function"):
        ks_test(np.zeros((5, 2)), stats.norm.cdf)
    with pytest.raises(ParameterError, match="give a cdf, not a density"):
        ks_test(np.linspace(-1, 1, 20), stats.norm.pdf)
    with pytest.raises(ParameterError, match="mode 0 expects 2 of 10 samples"):
        mode_weights(np.zeros((10, 2)), APART)
    with pytest.raises(ModelError, match="responsibility is known"):
        mode_weights(np.zeros((10, 2)), stats.norm)
