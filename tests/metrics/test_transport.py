"""Wasserstein distances of samples: against SciPy, quadrature, and closed forms."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import wasserstein_distance

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.errors import ModelError, ParameterError
from stochsim.metrics import sliced_wasserstein2, wasserstein1d
from stochsim.metrics._mixtures import Marginal, components

LINE = GaussianMixture([0.3, 0.7], [[-2.0], [1.5]], [[[0.04]], [[1.0]]])
PLANE = GaussianMixture([0.3, 0.7], [[-2.0, 0.0], [1.0, 1.0]], [0.5 * np.eye(2), [[1.0, 0.4], [0.4, 0.6]]])


def test_order_one_agrees_with_scipy_for_any_sizes() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(301), rng.standard_cauchy(70)
    assert wasserstein1d(x, y, order=1) == pytest.approx(wasserstein_distance(x, y), rel=1e-12)


def test_a_shift_is_its_own_distance() -> None:
    x = np.random.default_rng(0).standard_normal(50)
    repeated = np.repeat(x, 3) + 0.25
    assert wasserstein1d(x, repeated) == pytest.approx(0.25, rel=1e-12)


@pytest.mark.parametrize("n", [1, 7, 20])
def test_the_distance_to_a_density_is_the_integral_over_its_quantiles(n: int) -> None:
    x = np.sort(np.random.default_rng(n).standard_normal(n))
    law = Marginal(np.array([0.3, 0.7]), np.array([-2.0, 1.5]), np.array([0.2, 1.0]))
    edges = np.r_[-9.0, law.quantile(np.arange(1, n) / n), 11.0]

    def cost(y: float, at: float) -> float:
        return float((at - y) ** 2 * law.pdf(np.array([y]))[0])

    pieces = [quad(cost, edges[i], edges[i + 1], args=(x[i],), epsabs=1e-13, limit=200)[0] for i in range(n)]
    assert wasserstein1d(x, LINE) == pytest.approx(np.sqrt(sum(pieces)), abs=1e-10)


def test_one_point_at_the_mean_is_the_standard_deviation_away() -> None:
    assert wasserstein1d([3.0], Gaussian([3.0], [[4.0]])) == pytest.approx(2.0, rel=1e-14)


def test_quantiles_invert_the_distribution_function_into_the_tails() -> None:
    law = Marginal(np.array([1e-3, 0.999]), np.array([-50.0, 0.0]), np.array([1e-3, 1.0]))
    u = np.array([1e-12, 1e-6, 5e-4, 1e-3, 1.001e-3, 0.5, 1 - 1e-9])
    assert np.allclose(law.cdf(law.quantile(u)), u, rtol=1e-9, atol=0)


def test_slices_of_a_mixture_are_its_exact_marginals() -> None:
    # of the same directions, many draws of the target approach the exact marginals; sd of the gap is below 0.005
    x = np.random.default_rng(3).standard_normal((200, 2))
    sampled = sliced_wasserstein2(x, PLANE.sample(20_000, seed=1), n_projections=16)
    assert sliced_wasserstein2(x, PLANE, n_projections=16) == pytest.approx(sampled, abs=0.03)


def test_sliced_distance_of_a_shift_is_known() -> None:
    # mean over directions of (theta . m)² is |m|²/d, exact in orthonormal blocks
    x = np.random.default_rng(4).standard_normal((30, 3))
    m = np.array([1.0, -2.0, 0.5])
    assert sliced_wasserstein2(x, x + m, n_projections=9) == pytest.approx(np.linalg.norm(m) / np.sqrt(3), rel=1e-12)


def test_sliced_distance_sees_a_wrong_weight() -> None:
    right, wrong = PLANE, GaussianMixture([0.5, 0.5], PLANE.means, PLANE.covariances)
    x = right.sample(2000, seed=2)
    assert sliced_wasserstein2(x, wrong, 16) > 5 * sliced_wasserstein2(x, right, 16)


def test_seeds_decide_the_directions() -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 40, 3))
    assert sliced_wasserstein2(x, y, 5, seed=1) == sliced_wasserstein2(x, y, 5, seed=1)
    assert sliced_wasserstein2(x, y, 5, seed=1) != sliced_wasserstein2(x, y, 5, seed=2)


def test_components_of_both_kinds_of_density() -> None:
    one, two = components(Gaussian([1.0, 2.0], 3.0)), components(PLANE)
    assert one is not None
    assert two is not None
    assert np.array_equal(one.covariances, 3.0 * np.eye(2)[None])
    assert np.allclose(two.mean, PLANE.mean)
    assert np.allclose(two.covariance, PLANE.covariance)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ParameterError, match="has 2 components and the line has 1"):
        wasserstein1d(np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(ParameterError, match="2 components and the target has 1"):
        sliced_wasserstein2(np.zeros((3, 2)), LINE)
    with pytest.raises(ParameterError, match="only order 2 is exact"):
        wasserstein1d(np.zeros(3), LINE, order=1)
    with pytest.raises(ParameterError, match="order=0"):
        wasserstein1d(np.zeros(3), np.zeros(3), order=0.5)
    with pytest.raises(ParameterError, match="1 of 3 samples in x are not finite"):
        wasserstein1d([0.0, np.nan, 1.0], [0.0])
    with pytest.raises(ParameterError, match="n_projections=0"):
        sliced_wasserstein2(np.zeros((3, 2)), np.zeros((3, 2)), 0)


def test_a_density_without_closed_form_is_refused() -> None:
    class Other:
        def log_prob(self, x: np.ndarray) -> np.ndarray:
            return -np.abs(x[:, 0])

    with pytest.raises(ModelError, match="Other was given; give samples"):
        wasserstein1d(np.zeros(3), Other())
