"""The wrong-limit test: false alarms, power, and what it must not see.

False alarms are counted on 200 disjoint batches of 1024 paths, power on batches of 4096.
"""

from functools import cache

import numpy as np
import pytest
from scipy import integrate

from stochsim.errors import ParameterError
from stochsim.orders.limits import (
    LimitResult,
    LimitSums,
    Projection,
    limit_test,
    limit_threshold,
    projections,
)
from tests.orders.coupled_paths import SCHEMES, SD_X, Batch, run, sums_of_batches

H = 2.0 ** -np.arange(3, 12)


@cache
def batch(noise: float = 1.0, drift: float = 1.0, seed: int = 1000) -> Batch:
    return run(4096, seed, noise=noise, drift=drift)


def plain(values: np.ndarray, z: np.ndarray) -> LimitSums:
    """Sums of one-component errors (n_levels, n_paths) and one noise."""
    return LimitSums.of(H, values[:, None], z[None])


# the functions


def test_the_weights_are_hermite_polynomials_times_a_gaussian_and_orthogonal_under_the_normal_law() -> None:
    z = np.linspace(-9, 9, 20_001)[None]
    psi = np.array([weight(z) for weight in projections(1)])
    np.testing.assert_allclose(psi[2], (z[0] ** 2 - 1) * np.exp(-(z[0] ** 2) / 4))
    assert np.abs(psi).max() < 2
    gram = integrate.simpson(psi[:, None] * psi, z[0])  # exp(-z^2/2) is the product of the two weights
    np.testing.assert_allclose(gram / np.sqrt(2 * np.pi), np.diag([1, 1, 2, 6]), atol=1e-10)


def test_several_noises_have_their_own_functions_and_their_products() -> None:
    assert [str(psi) for psi in projections(1)] == ["psi0(z1)", "psi1(z1)", "psi2(z1)", "psi3(z1)"]
    assert len(projections(3)) == 3 * 4 + 3
    z = np.array([[0.5, -1.0], [2.0, 1.0]])
    first, second = Projection(((0, 1),)), Projection(((1, 1),))
    np.testing.assert_allclose(projections(2)[-1](z), first(z) * second(z))


@pytest.mark.parametrize(("n_tests", "level", "z"), [(4, 1e-3, 3.66), (4, 1e-4, 4.21), (1, 0.05, 1.96)])
def test_the_threshold_divides_the_level_among_the_tests(n_tests: int, level: float, z: float) -> None:
    assert limit_threshold(n_tests, level) == pytest.approx(z, abs=0.005)


# false alarms


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_right_limit_raises_no_alarm(scheme: str) -> None:
    # level 1e-4 without the margin: an alarm among 200 batches has probability .02
    results = [limit_test(limits, SD_X, margin=0) for _, limits in sums_of_batches()[scheme]]
    assert not any(result.wrong for result in results)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_z_is_standard_normal_when_the_limit_is_right(scheme: str) -> None:
    # 800 values, four of a batch nearly independent: .05 +- .031 and 1 +- .1 are four standard deviations
    z = np.array([limit_test(limits, SD_X).z for _, limits in sums_of_batches()[scheme]])
    assert abs(np.mean(np.abs(z) > 1.96) - 0.05) < 0.031
    assert z.std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_200_batches_together_show_no_offset(scheme: str) -> None:
    limits = [limits for _, limits in sums_of_batches()[scheme]]
    result = limit_test(sum(limits[1:], limits[0]), SD_X, margin=0)
    assert result.n_paths == 204_800
    assert not result.wrong
    assert np.abs(result.offset).max() < 2e-4 * SD_X


@pytest.mark.parametrize("spread", [0.0, 1e-6, 1e-3])
@pytest.mark.parametrize(("offset", "wrong"), [(0.0, False), (0.01, True)])
def test_errors_that_hardly_vary_are_judged_by_their_expansion(spread: float, offset: float, wrong: bool) -> None:
    # the covariance is singular along the mean: neither the h^2.5 term nor the offset may pass for noise
    z = np.random.default_rng(0).standard_normal(4096)
    errors = (offset + 2 * H - 1.3 * H**2.5)[:, None] * np.exp(spread * z)
    assert limit_test(plain(errors, z), 1.0, margin=0).wrong is wrong


# power


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("defect", [{"noise": 0.99}, {"noise": 1.01}, {"drift": 0.99}], ids=str)
def test_one_per_cent_in_noise_or_drift_is_seen(scheme: str, defect: dict[str, float]) -> None:
    # |z| is 33 or more over a threshold of 4.2: a miss has no measurable probability
    result = limit_test(batch(**defect).limit_sums(scheme), SD_X)
    assert result.wrong
    assert np.abs(result.z).max() > 25


@pytest.mark.parametrize("scheme", SCHEMES)
def test_two_per_mille_in_the_noise_is_seen(scheme: str) -> None:
    assert limit_test(batch(noise=0.998).limit_sums(scheme), SD_X).wrong


def test_a_dropped_correction_term_lowers_the_order_and_keeps_the_limit() -> None:
    # Milstein without its correction is Euler-Maruyama
    assert not limit_test(batch().limit_sums("euler_maruyama"), SD_X).wrong


def test_the_sentence_names_the_function_and_the_size() -> None:
    result = limit_test(batch(noise=0.99).limit_sums("milstein"), SD_X)
    i, j = result.worst
    assert result.excess[i, j] == result.excess.max() > 1
    assert f"psi{j}(z1)" in str(result)
    assert f"{abs(result.z[i, j]):.1f} standard errors" in str(result)


# two schemes against each other, several noises, several components


def test_two_schemes_with_one_limit_agree_and_a_third_does_not() -> None:
    right, other = batch(), batch(noise=0.99)
    euler, milstein = (right.errors[scheme] for scheme in SCHEMES)
    assert not limit_test(plain(milstein - euler, right.w), SD_X).wrong
    assert limit_test(plain(other.errors["milstein"] - euler, right.w), SD_X).wrong


@cache
def two_noises(second: float, coupling: float = 0.0) -> LimitResult:
    """Milstein for dX = X (.3 dW1 + second dW2) judged by X with .4; component 2 adds coupling W1 W2."""
    rng = np.random.Generator(np.random.SFC64(7))
    n, steps = 4096, 512
    dw = rng.standard_normal((2, n, steps)) / np.sqrt(steps)
    w = dw.sum(axis=2)
    x = np.exp(0.3 * w[0] + 0.4 * w[1] - 0.125)
    h, errors = 2.0 ** -np.arange(3, 10), []
    for step in h[::-1]:
        noise = 0.3 * dw[0] + second * dw[1]
        growth = 1 + noise + (noise**2 - (0.09 + second**2) * step) / 2
        errors.append([growth.prod(axis=1) - x, 0.1 * step * w[0] + coupling * w[0] * w[1]])
        dw = dw[:, :, ::2] + dw[:, :, 1::2]
    return limit_test(LimitSums.of(h, np.array(errors[::-1]), w), [x.std(), 1.0])


def test_several_noises_and_components_raise_no_alarm() -> None:
    result = two_noises(0.4)
    assert result.offset.shape == (2, 9)
    assert result.threshold == pytest.approx(limit_threshold(18))
    assert not result.wrong


def test_the_wrong_sign_of_one_noise_is_seen_by_its_own_functions() -> None:
    result = two_noises(-0.4)
    assert result.wrong
    assert result.worst == (0, 5)  # psi1(z2) of component 1


def test_a_defect_in_the_product_of_two_noises_is_seen_by_the_product_alone() -> None:
    result = two_noises(0.4, coupling=0.01)
    assert result.worst == (1, 8)
    assert result.wrong
    assert (result.excess[1, :8] < 1).all()


# weak order one half


def test_a_weak_error_of_order_one_half_needs_its_column() -> None:
    rng = np.random.default_rng(5)
    z = rng.standard_normal(16_384)
    noise = 0.02 * np.sqrt(H)[:, None] * rng.standard_normal((9, z.size))
    half = 0.3 * np.sqrt(H)[:, None] + noise
    assert limit_test(plain(half, z), 1.0).wrong  # c sqrt(h) leaves .013 c behind
    assert not limit_test(plain(half, z), 1.0, weak_order=0.5).wrong
    assert limit_test(plain(half + 0.05, z), 1.0, weak_order=0.5).wrong


# levels, sums, bad input


def test_the_seven_finest_usable_levels_are_used() -> None:
    sums = batch().limit_sums("milstein")
    assert limit_test(sums, SD_X).used == tuple(range(2, 9))
    assert limit_test(sums, SD_X, levels=(0, 1, 2, 3, 4)).used == (0, 1, 2, 3, 4)


def test_levels_that_blew_up_are_left_out() -> None:
    errors = batch().errors["milstein"].copy()
    errors[:4, 3] = [np.nan, np.inf, -np.inf, 1e300]
    result = limit_test(plain(errors, batch().w), SD_X)
    assert result.used == (4, 5, 6, 7, 8)
    assert not result.wrong
    with pytest.raises(ParameterError, match="needs 4"):
        limit_test(plain(errors, batch().w), SD_X, levels=(3, 4, 5, 6))


def test_a_component_without_error_is_not_wrong() -> None:
    z = np.random.default_rng(0).standard_normal(1000)
    assert not limit_test(plain(np.zeros((9, 1000)), z), 1.0).wrong
    assert limit_test(plain(np.zeros((9, 1000)), z), 0.0).excess.max() == 0


def test_a_constant_offset_without_noise_is_wrong() -> None:
    z = np.zeros(1000)
    assert limit_test(plain(np.full((9, 1000), 0.01), z), 1.0).wrong


def test_chunks_add_up() -> None:
    errors, w = batch().errors["milstein"], batch().w
    whole = plain(errors, w)
    parts = plain(errors[:, :1000], w[:1000]) + plain(errors[:, 1000:], w[1000:])
    assert parts.n_paths == whole.n_paths
    np.testing.assert_allclose(parts.first, whole.first, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(parts.second, whole.second, rtol=1e-12)
    with pytest.raises(ParameterError, match="same in all chunks"):
        whole + LimitSums.of(H, np.zeros((9, 2, 5)), np.zeros((1, 5)))


@pytest.mark.parametrize(("errors", "z"), [((9, 50), (1, 50)), ((8, 1, 50), (1, 50)), ((9, 1, 50), (1, 49))])
def test_bad_shapes_are_refused(errors: tuple[int, ...], z: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError, match="end points"):
        LimitSums.of(H, np.zeros(errors), np.zeros(z))
