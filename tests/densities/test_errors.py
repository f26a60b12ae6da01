"""Bad input of densities: every sentence names what was given and what to do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stochsim.densities import (
    Banana,
    Checkerboard,
    DoubleWell,
    Funnel,
    Gaussian,
    GaussianMixture,
    LinearPosterior,
    LogisticPosterior,
    MuellerBrown,
    Ring,
    StudentT,
    Tempered,
    TruncatedGaussian,
    TwoMoons,
    VonMisesMixture,
)
from stochsim.errors import ModelError, ParameterError

PLANE = Gaussian([0.0, 0.0])
PAIR = GaussianMixture([0.5, 0.5], [[0.0, 0.0], [1.0, 1.0]])
CASES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: Gaussian([0, 0], [[1, 2], [2, 1]]), ModelError, "smallest eigenvalue is -1; give positive"),
    (lambda: Gaussian([0, 0], [1.0, -0.25]), ModelError, "smallest eigenvalue is -0.25"),
    (lambda: Gaussian([0, 0], [[1, 1], [1, 1]]), ModelError, "smallest eigenvalue is "),
    (lambda: Gaussian([0, 0], [[1, 0.5], [0.4, 1]]), ModelError, "covariance is not symmetric"),
    (lambda: Gaussian([0, 0], np.eye(3)), ParameterError, r"shape \(3, 3\) and mean \(2,\)"),
    (lambda: Gaussian([0, np.nan]), ParameterError, "mean holds numbers that are not finite"),
    (lambda: Gaussian([[0, 0]]), ParameterError, r"mean has shape \(1, 2\); give shape \(d,\)"),
    (lambda: PLANE.tempered(0.0), ParameterError, "beta is 0.0; give a positive number"),
    (lambda: PLANE.noised(0.0, 0.0), ParameterError, "alpha and sigma are both 0"),
    (lambda: PLANE.marginal([0, 2]), ParameterError, "different integers from 0 to 1"),
    (lambda: PLANE.marginal([1, 1]), ParameterError, "different integers"),
    (lambda: PLANE.product(Gaussian(0.0)), ParameterError, "2 components was multiplied by one of 1"),
    (lambda: PLANE.posterior([[1.0, 0.0]], [1.0, 2.0], 1.0), ParameterError, r"A has shape \(1, 2\); give \(2, 2\)"),
    (lambda: PLANE.posterior([[1.0, 0.0]], [1.0], [1.0, 2.0]), ParameterError, r"noise has shape \(2,\)"),
    (lambda: PLANE.posterior([[1.0, 0.0]], [1.0], -3.0), ModelError, "covariance of y is not positive definite"),
    (lambda: GaussianMixture([0.5, 0.6], [0.0, 1.0]), ModelError, "weights sum to 1.1 .*sum to 1"),
    (lambda: GaussianMixture([1.5, -0.5], [0.0, 1.0]), ModelError, "smallest is -0.5"),
    (lambda: GaussianMixture([0.5, np.nan], [0.0, 1.0]), ModelError, "weights sum to nan"),
    (lambda: GaussianMixture([1.0], [0.0, 1.0]), ParameterError, r"weights have shape \(1,\) and means \(2, 1\)"),
    (lambda: GaussianMixture([0.5, 0.5], [0.0, 1.0], [1.0, -2.0]), ModelError, "smallest eigenvalue is -2"),
    (lambda: GaussianMixture([1.0], [[0.0, 0.0]], [[[1, 2], [2, 1]]]), ModelError, "smallest eigenvalue is -1"),
    (lambda: GaussianMixture([1.0], [[0.0, 0.0]], np.eye(2)), ParameterError, r"covariances have shape \(2, 2\)"),
    (lambda: PAIR.product(GaussianMixture([1.0], [0.0])), ParameterError, "multiplied by one of 1"),
    (lambda: PAIR.tempered(-1.0), ParameterError, "beta is -1.0"),
    (lambda: PAIR.marginal([]), ParameterError, "components are"),
    (lambda: PAIR.noised(0.0, np.inf), ParameterError, "sigma is inf; give a finite number"),
    (lambda: StudentT(0.0), ParameterError, "df is 0.0; give a positive number"),
    (lambda: StudentT(3.0, [0.0, 0.0], [[1, 2], [2, 1]]), ModelError, "scale is not positive definite: .* is -1"),
    (lambda: StudentT(3.0, [0.0, 0.0], np.eye(3)), ParameterError, r"scale has shape \(3, 3\)"),
    (lambda: Banana(d=1), ParameterError, "d is 1; give an integer number of components, at least 2"),
    (lambda: Banana(spread=-1.0), ParameterError, "spread is -1.0"),
    (lambda: Banana(bend="much"), ParameterError, "bend is 'much'; give a number"),
    (lambda: Funnel(d=2.0), ParameterError, "d is 2.0"),
    (lambda: Ring(width=0.0), ParameterError, "width is 0.0"),
    (lambda: DoubleWell(barrier=np.inf), ParameterError, "barrier is inf; give a finite number"),
    (lambda: TwoMoons(noise=0), ParameterError, "noise is 0"),
    (lambda: Checkerboard(noise=0), ParameterError, "noise is 0"),
    (lambda: MuellerBrown(temperature=-2), ParameterError, "temperature is -2"),
    (lambda: Tempered(PLANE, 0), ParameterError, "beta is 0"),
    (lambda: VonMisesMixture([0.4, 0.5], [[0.0], [1.0]]), ModelError, "weights sum to 0.9"),
    (lambda: VonMisesMixture([1.0], [[0.0]], -1.0), ParameterError, "smallest -1; give numbers >= 0"),
    (lambda: VonMisesMixture([1.0], [[0.0]]).circular_moment([1, 2]), ParameterError, r"orders have shape \(2,\)"),
    (lambda: TruncatedGaussian(0.0, 1.0, 1.0, 1.0), ModelError, "give low < high"),
    (lambda: TruncatedGaussian(0.0, -1.0, 0.0, 1.0), ModelError, "smallest variance is -1"),
    (lambda: TruncatedGaussian([0.0, 0.0], np.eye(2), 0.0, 1.0), ParameterError, r"variances has shape \(2, 2\)"),
    (lambda: LogisticPosterior([[1.0]], [0.5]), ModelError, r"y holds \[0.5\]; give zeros and ones"),
    (lambda: LogisticPosterior([[1.0]], [0, 1]), ParameterError, r"X has shape \(1, 1\) and y \(2,\)"),
    (lambda: LogisticPosterior([[1.0]], [0], prior_variance=0), ParameterError, "prior_variance is 0"),
    (lambda: LogisticPosterior.simulate(5, 3, seed=0).mean, ModelError, "for one and two components"),
    (lambda: LinearPosterior([[1.0]], [0], noise_variance=-1), ParameterError, "noise_variance is -1"),
    (lambda: PLANE.score(np.zeros((2, 2, 2))), ParameterError, r"got points of shape \(2, 2, 2\)"),
    (lambda: PLANE.log_prob(1.0), ParameterError, r"got points of shape \(\)"),
]


@pytest.mark.parametrize(("make", "error", "sentence"), CASES)
def test_bad_input_is_named(make: Callable[[], Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        make()
