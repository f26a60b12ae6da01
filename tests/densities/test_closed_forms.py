"""Facts of single families against closed forms and independent integrals."""

from itertools import combinations
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from stochsim.densities import (
    Banana,
    Checkerboard,
    DoubleWell,
    Funnel,
    LinearPosterior,
    LogisticPosterior,
    MuellerBrown,
    Ring,
    StudentT,
    TruncatedGaussian,
    TwoMoons,
    VonMisesMixture,
)
from stochsim.densities.normal_tail import erfcx
from stochsim.densities.quadrature import table
from stochsim.errors import ModelError


def near(found: Any, wanted: Any, tolerance: float) -> bool:
    """Whether two arrays differ by no more than this share of the larger of 1 and the largest entry."""
    return bool(np.max(np.abs(np.asarray(found) - wanted)) <= tolerance * max(1.0, float(np.max(np.abs(wanted)))))


def test_scaled_tail_has_full_precision_on_the_half_line() -> None:
    x = np.concatenate([[0.0], np.geomspace(1e-8, 25.0, 200)])
    with mp.workdps(40):
        exact = np.array([float(mp.exp(mp.mpf(v) ** 2) * mp.erfc(mp.mpf(v))) for v in x])
    assert np.max(np.abs(erfcx(x) / exact - 1.0)) < 1e-15
    assert erfcx(np.array([1e9]))[0] == pytest.approx(1.0 / (1e9 * np.sqrt(np.pi)), rel=1e-15)


@pytest.mark.parametrize("noise", [0.02, 0.4, 30.0])
def test_checkerboard_keeps_its_digits_far_from_the_board(noise: float) -> None:
    board = Checkerboard(noise=noise)
    x = np.array([[0.3, -0.7], [2.0, 2.0], [2.0 + 8.0 * noise, -1.2], [-2.0 - 25.0 * noise, 60.0 * noise]])
    with mp.workdps(60):
        exact = [float(_board(mp.mpf(noise), *map(mp.mpf, point))) for point in x.tolist()]
    assert near(board.log_prob(x), exact, 3e-12)


def _board(noise: mp.mpf, *point: mp.mpf) -> mp.mpf:
    def stripe(x: mp.mpf, low: int) -> mp.mpf:
        a, b = ((x - edge) / (noise * mp.sqrt(2)) for edge in (low, low + 1))
        return (mp.erfc(b) - mp.erfc(a)) / 2 if a > 0 else (mp.erfc(-a) - mp.erfc(-b)) / 2

    squares = [(i - 2, j - 2) for i in range(4) for j in range(4) if (i + j) % 2 == 0]
    return mp.log(sum(stripe(point[0], i) * stripe(point[1], j) for i, j in squares) / 8)


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.5])
def test_two_moons_are_the_integral_over_the_arcs(noise: float) -> None:
    """More nodes of the Gauss rule change nothing."""
    moons = TwoMoons(noise)
    x = moons.sample(200, seed=0)
    nodes, weights = np.polynomial.legendre.leggauss(700)
    angle = np.pi * (nodes + 1.0) / 2.0
    arc = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    exact = np.zeros(len(x))
    for centres in (arc, np.array([1.0, 0.5]) - arc):
        squares = ((x[:, None] - centres) ** 2).sum(axis=2)
        exact += np.exp(-0.5 * squares / noise**2) @ weights / (8.0 * np.pi * noise**2)
    assert np.max(np.abs(np.exp(moons.log_prob(x)) - exact)) < 1e-12 * exact.max()


def test_mueller_brown_has_its_three_minima() -> None:
    minima = np.array([[-0.558223635, 1.441725842], [0.623499405, 0.028037759], [-0.050010823, 0.466694105]])
    surface = MuellerBrown(temperature=1.0)
    assert near(surface.log_prob(minima), [146.699517, 108.166724, 80.767818], 1e-8)
    assert np.max(np.abs(surface.score(minima))) < 1e-5


def test_mueller_brown_loses_nothing_at_the_edges_of_its_domain() -> None:
    surface = MuellerBrown(temperature=1000.0)
    x0, x1 = (np.linspace(*side, 400) for side in MuellerBrown.domain)
    (a, b), (c, d) = MuellerBrown.domain
    border = [(x, y) for x in x0 for y in (c, d)] + [(x, y) for x in (a, b) for y in x1]
    assert surface.log_prob(np.array(border)).max() < surface.log_normaliser() - 30.0


def test_double_well_has_the_moments_of_an_independent_quadrature() -> None:
    well = DoubleWell(barrier=2.0, position=1.3, tilt=0.5, d=4)
    with mp.workdps(25):
        p = [
            mp.quad(lambda x, k=k: x**k * mp.exp(-2 * ((x / 1.3) ** 2 - 1) ** 2 - x / 2), [-8, -1, 0, 1, 8])
            for k in range(3)
        ]
    mean = float(p[1] / p[0])
    assert near(well.mean, mean, 1e-13)
    assert near(np.diag(well.covariance), float(p[2] / p[0] - (p[1] / p[0]) ** 2), 1e-13)
    assert well.log_prob(np.zeros(4)) == pytest.approx(-4 * (2.0 + float(mp.log(p[0]))), abs=1e-12)


def test_ring_in_the_plane_has_its_known_mass() -> None:
    """∫ r exp(-(r - R)²/2s²) dr = s² e^(-R²/2s²) + R s √(π/2) (1 + erf(R / s√2))."""
    R, s = 1.2, 0.7
    with mp.workdps(25):
        part = s**2 * mp.exp(-(R**2) / (2 * s**2)) + R * s * mp.sqrt(mp.pi / 2) * (1 + mp.erf(R / (s * mp.sqrt(2))))
        log_mass = float(mp.log(2 * mp.pi * part))
    assert Ring(R, s).log_prob([R, 0.0]) == pytest.approx(-log_mass, abs=1e-13)


def test_banana_straightened_is_a_gaussian() -> None:
    x = Banana(d=3).sample(1000, seed=0)
    straight = x[:, 1] + 0.03 * (x[:, 0] ** 2 - 100.0)
    expected = -0.5 * ((x[:, 0] / 10.0) ** 2 + straight**2 + x[:, 2] ** 2) - np.log(10.0) - 1.5 * np.log(2 * np.pi)
    assert near(Banana(d=3).log_prob(x), expected, 1e-12)


def test_funnel_is_a_gaussian_given_its_scale() -> None:
    from scipy.stats import norm

    x = Funnel(d=4).sample(100, seed=0)
    expected = norm.logpdf(x[:, 0], scale=3.0) + norm.logpdf(x[:, 1:], scale=np.exp(x[:, :1] / 2)).sum(axis=1)
    assert near(Funnel(d=4).log_prob(x), expected, 1e-11)


def test_student_is_scipys_and_its_marginals_too() -> None:
    from scipy.stats import multivariate_t

    scale = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 0.5]])
    law = StudentT(4.5, [1.0, 0.0, -1.0], scale)
    x = law.sample(50, seed=0)
    assert near(law.log_prob(x), multivariate_t([1.0, 0.0, -1.0], scale, 4.5).logpdf(x), 1e-12)
    part = law.marginal([2, 0])
    assert near(part.scale, scale[np.ix_([2, 0], [2, 0])], 1e-11)
    assert part.mean.tolist() == [-1.0, 1.0]


def test_student_without_moments_says_so() -> None:
    assert StudentT(1.5).mean.tolist() == [0.0]
    with pytest.raises(ModelError, match=r"1.5 degrees of freedom has no covariance"):
        _ = StudentT(1.5).covariance
    with pytest.raises(ModelError, match=r"1 degrees of freedom has no mean"):
        _ = StudentT(1.0).mean


@pytest.mark.parametrize(("low", "high"), [(-1.0, 0.5), (3.0, np.inf), (30.0, np.inf), (-np.inf, -8.0), (6.0, 6.01)])
def test_truncated_gaussian_has_exact_moments_in_the_tails(low: float, high: float) -> None:
    m, s = 0.3, 1.7
    law = TruncatedGaussian(m, s**2, low, high)
    with mp.workdps(60):
        a, b = (mp.mpf(low) - m) / s, (mp.mpf(high) - m) / s
        mass = mp.ncdf(-a) - mp.ncdf(-b) if a > 0 else mp.ncdf(b) - mp.ncdf(a)
        phi_a, phi_b = mp.npdf(a), mp.npdf(b)
        mean = (phi_a - phi_b) / mass
        bulk = (0 if mp.isinf(a) else a * phi_a) - (0 if mp.isinf(b) else b * phi_b)
        variance = 1 + bulk / mass - mean**2
        mean, variance, log_mass = float(m + s * mean), float(s * s * variance), float(mp.log(mass))
    assert law.mean[0] == pytest.approx(mean, rel=1e-13)
    assert law.covariance[0, 0] == pytest.approx(variance, rel=1e-11)
    inside = max(low, -1e3) + 0.001 if low > -np.inf else high - 0.001
    logpdf = -0.5 * ((inside - m) / s) ** 2 - np.log(s) - 0.5 * np.log(2 * np.pi)
    assert law.log_prob([inside]) == pytest.approx(logpdf - log_mass, rel=1e-12, abs=1e-12)
    x = law.sample(1000, seed=0)
    assert x.min() >= low
    assert x.max() <= high


def test_truncated_gaussian_is_nothing_outside_of_its_box() -> None:
    law = TruncatedGaussian([0.0, 0.0], 1.0, [0.0, -np.inf], 1.0)
    assert np.isfinite(law.log_prob([[0.5, -3.0], [0.0, 1.0], [-0.1, 0.0], [0.5, 1.1]])).tolist() == [1, 1, 0, 0]


def test_circular_moments_are_the_integrals() -> None:
    law = VonMisesMixture([0.3, 0.7], [[-2.0, 0.0], [1.0, 2.5]], [[4.0, 1.0], [0.5, 30.0]])
    plane = table(law.log_prob, 2, [(-np.pi, np.pi)] * 2)
    for n in ((1, 0), (0, 2), (2, -3)):
        found = plane.expectation(lambda x, n=n: np.stack([np.cos(x @ n), np.sin(x @ n)], axis=1))
        assert law.circular_moment(n) == pytest.approx(complex(*found), abs=1e-13)


def test_von_mises_is_periodic_and_uniform_without_concentration() -> None:
    law = VonMisesMixture([1.0], [[0.4]], 500.0)
    assert law.log_prob([0.5]) == pytest.approx(law.log_prob([0.5 + 4 * np.pi]), abs=1e-11)
    assert VonMisesMixture([1.0], [[0.4]], 0.0).log_prob([2.0]) == pytest.approx(-np.log(2 * np.pi), abs=1e-15)


LOGISTIC = LogisticPosterior.simulate(6, 2, seed=3)
LINEAR = LinearPosterior.simulate(6, 2, noise_variance=0.4, prior_variance=3.0, seed=3)


def test_log_evidence_of_a_logistic_regression() -> None:
    one = LogisticPosterior([[1.0], [-0.5], [2.0]], [1, 0, 0], prior_variance=2.0)
    with mp.workdps(25):

        def joint(x: mp.mpf) -> mp.mpf:
            signed = (x, mp.mpf("0.5") * x, -2 * x)
            return mp.npdf(x, 0, mp.sqrt(2)) / mp.fprod(1 + mp.exp(-s) for s in signed)

        exact = float(mp.log(mp.quad(joint, [-40, -5, 0, 5, 40])))
    assert one.log_normaliser() == pytest.approx(exact, abs=1e-13)


def test_laplace_is_at_the_mode_with_its_curvature() -> None:
    law = LOGISTIC.laplace()
    assert np.max(np.abs(LOGISTIC.score(law.mean))) < 1e-12
    assert near(law.covariance @ LOGISTIC.hessian(law.mean), -np.eye(2), 1e-12)
    assert near(LINEAR.laplace().covariance, LINEAR.covariance, 1e-13)


def test_linear_posterior_is_its_gaussian() -> None:
    x = LINEAR.sample(50, seed=0)
    assert near(LINEAR.log_prob(x), LINEAR.gaussian.log_prob(x), 1e-12)
    assert near(LINEAR.score(x), LINEAR.gaussian.score(x), 1e-12)


@pytest.mark.parametrize("posterior", [LOGISTIC, LINEAR], ids=["logistic", "linear"])
def test_minibatch_scores_are_unbiased(posterior: LogisticPosterior | LinearPosterior) -> None:
    """The mean over all batches of two is the score; so is the mean with each batch drawn twice over."""
    x = posterior.laplace().sample(4, seed=0)
    batches = list(combinations(range(6), 2))
    mean = np.mean([posterior.minibatch_score(x, batch) for batch in batches], axis=0)
    assert near(mean, posterior.score(x), 1e-12)
    twice = posterior.minibatch_score(x[0], [2, 2, 4])
    prior = -x[0] / posterior.prior_variance
    parts = posterior.data_scores(x[0])
    assert near(twice, prior + 6 / 3 * (2 * parts[2] + parts[4]), 1e-12)
    assert near(posterior.data_scores(x).sum(axis=1) - x / posterior.prior_variance, posterior.score(x), 1e-11)


@pytest.mark.parametrize("posterior", [LOGISTIC, LINEAR], ids=["logistic", "linear"])
def test_each_point_may_have_its_own_batch(posterior: LogisticPosterior | LinearPosterior) -> None:
    x = posterior.laplace().sample(3, seed=0)
    index = np.array([[0, 1], [2, 2], [5, 3]])
    each = np.stack([posterior.minibatch_score(point, batch) for point, batch in zip(x, index, strict=True)])
    assert near(posterior.minibatch_score(x, index), each, 1e-13)


def test_all_data_is_the_score() -> None:
    x = LOGISTIC.laplace().sample(3, seed=0)
    assert near(LOGISTIC.minibatch_score(x, np.arange(6)), LOGISTIC.score(x), 1e-13)
