"""Kernel discrepancies: exact kernel means and variances, false-alarm rates, power, negative controls."""

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.stats import chi2

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.errors import ModelError, ParameterError
from stochsim.metrics import kernel_stein_discrepancy, mmd
from stochsim.metrics._degenerate import tail, tail_point
from stochsim.metrics._mixtures import components
from stochsim.metrics.embeddings import _null_moments, kernel_mean
from tests.metrics.rates import alarms, fewest_alarms, most_alarms

LINE = GaussianMixture([0.3, 0.7], [[-2.0], [1.5]], [[[0.25]], [[1.0]]])
PLANE = GaussianMixture([0.3, 0.7], [[-2.0, 0.0], [1.0, 1.0]], [0.5 * np.eye(2), [[1.0, 0.4], [0.4, 0.6]]])


def grid(law: GaussianMixture, n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Trapezoidal points and weights of a law, so smooth that sums over them are exact to rounding."""
    axis = np.linspace(-9.0, 9.0, n)
    points = np.stack(np.meshgrid(*[axis] * law.d, indexing="ij"), axis=-1).reshape(-1, law.d)
    return points, np.exp(law.log_prob(points)) * (axis[1] - axis[0]) ** law.d


@pytest.mark.parametrize("l", [0.3, 1.0, 4.0])
def test_kernel_means_and_moments_are_integrals(l: float) -> None:
    law = components(LINE)
    assert law is not None
    points, weights = grid(LINE)
    kernel = np.exp(-((points - points.T) ** 2) / (2 * l**2))
    mean = kernel @ weights
    assert np.allclose(kernel_mean(law, points, l), mean, atol=1e-12)
    exact = (weights @ mean, weights @ kernel**2 @ weights, weights @ mean**2)
    assert np.allclose(_null_moments(law, l), exact, rtol=1e-11)


def test_kernel_moments_in_the_plane_are_integrals() -> None:
    law = components(PLANE)
    assert law is not None
    points, weights = grid(PLANE)
    mean = kernel_mean(law, points, 0.7)
    c, _, square = _null_moments(law, 0.7)
    assert weights @ mean == pytest.approx(c, rel=1e-11)
    assert weights @ mean**2 == pytest.approx(square, rel=1e-11)


def test_kernel_mean_of_one_point_by_quadrature() -> None:
    law = components(PLANE)
    assert law is not None
    x = np.array([0.3, -0.4])

    def integrand(u: float, v: float) -> float:
        y = np.array([u, v])
        return float(np.exp(-((x - y) @ (x - y)) / 2) * np.exp(PLANE.log_prob(y)))

    exact = dblquad(integrand, -9, 9, -9, 9, epsabs=1e-7)[0]
    assert kernel_mean(law, x[None], 1.0)[0] == pytest.approx(exact, abs=1e-6)


def test_u_and_v_statistics_are_the_same_numbers_with_and_without_the_diagonal() -> None:
    x, l = PLANE.sample(60, seed=0), 0.8
    law = components(PLANE)
    assert law is not None
    kernel = np.exp(-((x[:, None] - x) ** 2).sum(axis=-1) / (2 * l**2))
    mu, c = kernel_mean(law, x, l), _null_moments(law, l)[0]
    h = kernel - mu[:, None] - mu + c
    off = (h.sum() - np.trace(h)) / (60 * 59)
    assert mmd(x, PLANE, l).squared == pytest.approx(off, abs=1e-14)
    assert mmd(x, PLANE, l, statistic="v").squared == pytest.approx(h.mean(), abs=1e-14)


def test_null_mean_and_deviation_are_those_of_repeats() -> None:
    # 150 repeats: the mean lies within 5 sd/sqrt(150) (rate 6e-7); the variance, whose own relative sd is
    # about sqrt((kurtosis - 1)/150) = 0.2 for this spectrum, within 4 of those
    found = [mmd(LINE.sample(30, seed=s), LINE, 1.0, statistic="v") for s in range(150)]
    values, one = np.array([f.squared for f in found]), found[0]
    assert abs(values.mean() - one.null_mean) < 5 * one.null_sd / np.sqrt(150)
    assert values.var() == pytest.approx(one.null_sd**2, rel=0.8)


def test_tails_of_sums_of_chi_squares() -> None:
    for q in (1.0, 4.0, 20.0, 40.0):
        assert tail(np.ones(1), q - 1) == pytest.approx(chi2(1).sf(q), rel=0.1)
        assert tail(np.ones(6), q - 6) == pytest.approx(chi2(6).sf(q), rel=0.01)
    assert tail(np.ones(3), -3.5) == 1.0
    spectrum = 0.6 ** np.arange(20)
    assert tail(spectrum, 1e-7) == pytest.approx(tail(spectrum, 1e-2), rel=0.02)  # across the removable point
    for p in (0.5, 1e-3, 1e-9):
        assert tail(spectrum, tail_point(spectrum, p)) == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize("statistic", ["u", "v"])
def test_mmd_holds_its_rate(statistic: str) -> None:
    count = alarms(lambda s: mmd(LINE.sample(100, seed=s), LINE, 1.0, statistic=statistic, false_alarm=0.05).check, 120)
    assert fewest_alarms(0.05, 120) <= count <= most_alarms(0.05, 120)


def test_mmd_of_two_samples_holds_its_rate() -> None:
    def check(seed: int) -> object:
        return mmd(LINE.sample(100, seed=seed), LINE.sample(60, seed=10_000 + seed), 1.0, false_alarm=0.05).check

    assert fewest_alarms(0.05, 120) <= alarms(check, 120) <= most_alarms(0.05, 120)


def test_mmd_finds_wrong_laws() -> None:
    wrong = GaussianMixture([0.4, 0.6], PLANE.means, PLANE.covariances)
    x = wrong.sample(1000, seed=0)
    assert not mmd(x, PLANE, 1.0).check.passed
    assert mmd(x, wrong, 1.0).check.passed
    assert not mmd(x, PLANE.sample(1000, seed=1), 1.0).check.passed
    assert mmd(np.zeros((50, 2)), PLANE, 1.0).check.p_value < 1e-12


def test_stein_kernel_has_mean_zero_under_its_law() -> None:
    # E h(x, Y) = 0 for every x: a V-statistic over the quadrature points with their weights vanishes
    from stochsim.metrics.stein import _KERNELS, _stein

    points, weights = grid(LINE, 400)
    scores = LINE.score(points)
    for radial in _KERNELS.values():
        h = _stein(points, scores, points, scores, radial, 0.7)
        assert np.abs(h @ weights)[150:250].max() < 1e-10


def test_stein_kernel_is_the_operator_applied_twice() -> None:
    # against finite differences of k = (1 + |x - y|²/l²)^(-1/2), in two dimensions
    from stochsim.metrics.stein import _KERNELS, _stein

    x, y, l, e = np.array([0.3, -0.2]), np.array([-0.5, 0.4]), 1.3, 1e-4

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((1 + ((a - b) ** 2).sum() / l**2) ** -0.5)

    s, r = PLANE.score(x), PLANE.score(y)
    total = s @ r * k(x, y)
    for axis in np.eye(2) * e:
        dy = (k(x, y + axis) - k(x, y - axis)) / (2 * e)
        dx = (k(x + axis, y) - k(x - axis, y)) / (2 * e)
        both = k(x + axis, y + axis) - k(x + axis, y - axis) - k(x - axis, y + axis) + k(x - axis, y - axis)
        total += (s @ axis / e) * dy + (r @ axis / e) * dx + both / (4 * e**2)
    assert _stein(x[None], s[None], y[None], r[None], _KERNELS["imq"], l)[0, 0] == pytest.approx(total, abs=1e-6)


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_stein_discrepancy_holds_its_rate_and_finds_a_wrong_scale(kernel: str) -> None:
    target, wide = Gaussian([1.0, 0.0], [1.0, 4.0]), Gaussian([1.0, 0.0], [1.6, 4.0])

    def check(density: Gaussian, seed: int) -> object:
        return kernel_stein_discrepancy(density.sample(150, seed=seed), target, kernel, false_alarm=0.05).check

    assert alarms(lambda s: check(target, s), 60) <= most_alarms(0.05, 60)
    assert not kernel_stein_discrepancy(wide.sample(2000, seed=1), target.score, kernel).check.passed


def test_stein_discrepancy_takes_a_score_in_any_form() -> None:
    x = PLANE.sample(50, seed=0)
    values = {kernel_stein_discrepancy(x, form).squared for form in (PLANE, PLANE.score, PLANE.score(x))}
    assert len(values) == 1
    v = kernel_stein_discrepancy(x, PLANE, statistic="v")
    assert v.value == np.sqrt(v.squared)
    assert "kernel Stein discrepancy²" in repr(v)


def test_bad_input_is_refused() -> None:
    x = np.zeros((5, 2))
    with pytest.raises(ParameterError, match="lengthscale=0"):
        mmd(x, PLANE, 0.0)
    with pytest.raises(ParameterError, match="statistic='w'"):
        mmd(x, PLANE, 1.0, statistic="w")
    with pytest.raises(ParameterError, match="at least 2 samples"):
        mmd(x[:1], PLANE, 1.0)
    with pytest.raises(ParameterError, match="false_alarm=0"):
        mmd(x, PLANE, 1.0, false_alarm=0.0)
    with pytest.raises(ParameterError, match="kernel='box'"):
        kernel_stein_discrepancy(x, PLANE, "box")
    with pytest.raises(ParameterError, match=r"score has shape \(5,\)"):
        kernel_stein_discrepancy(x, lambda x: x[:, 0])
    with pytest.raises(ModelError, match="kernel mean is known in closed form"):
        mmd(x, type("Other", (), {"log_prob": None})(), 1.0)
