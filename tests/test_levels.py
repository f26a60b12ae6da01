"""Claims of the coupled levels: merged noise is exact, both executors agree to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.levels import CoupledRun, Levels
from stochsim.orders.outside import solver_source
from tests.problems import cubic, gbm, non_commuting, two_noises

S = ss.schemes
LEVELS = Levels(finest=6, n_levels=5)
KEY = (3, 4)


def run(sde: ss.SDE, scheme: Any, executor: str, **options: Any) -> Any:
    return next(CoupledRun.of(sde, scheme, LEVELS, KEY, executor=executor, **options).chunks(300))


@pytest.mark.parametrize(
    ("sde", "scheme"),
    [(gbm(), S.euler_maruyama), (cubic(), S.platen), (two_noises(), S.milstein), (cubic(), S.drift_implicit_euler)],
)
def test_kernel_and_arrays_agree_to_the_bit(sde: ss.SDE, scheme: Any) -> None:
    a, b = (run(sde, scheme, e) for e in ("lanes", "arrays"))
    np.testing.assert_array_equal(a.x, b.x)  # NaN where Newton's method fails, on the same paths
    assert np.array_equal(a.exact, b.exact)
    assert np.array_equal(a.noise["dW"], b.noise["dW"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"t_end": 0.0},
        {"t_end": np.nan},
        {"t0": np.inf},
        {"n_levels": 8},
        {"n_levels": 0},
        {"finest": -1},
        {"refine": 3},
    ],
    ids=str,
)
def test_levels_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ss.errors.ParameterError, match="give"):
        Levels(**{"finest": 6, "n_levels": 5} | wrong)


def test_sup_errors_agree_to_the_bit_and_bound_the_end_error() -> None:
    a, b = (run(gbm(), S.milstein, e, sup=True) for e in ("lanes", "arrays"))
    assert np.array_equal(a.sup, b.sup)
    assert (a.sup >= np.abs(a.x - a.exact)[:, 0] - 1e-15).all()


def test_levels_share_their_brownian_path() -> None:
    # with dX = dW every level ends at the same W_T
    sde = ss.SDE(lambda x, t, p: 0 * x, lambda x, t, p: 1.0 + 0 * x, x0=0.0, exact=lambda x0, t, W, p: x0 + W)
    ends = run(sde, S.euler_maruyama, "arrays")
    np.testing.assert_allclose(ends.x, np.broadcast_to(ends.exact, ends.x.shape), atol=1e-13)
    np.testing.assert_allclose(ends.noise["dW"], ends.exact, atol=1e-13)


@S.scheme(strong_order=1.0, noise="general")
def area_scheme(sde: Any, x: Any, t: Any, h: Any, dW: Any, dZ: Any, A: Any) -> Any:
    """Accumulates W_1, int W_1 dt and the Lévy area of a three-component state, each exactly."""
    return x + np.stack([dW[0], dZ[0] + x[0] * h, A[0, 1] + (x[0] * dW[1] - x[2 + 1] * dW[0]) / 2, dW[1]])


def test_integrals_and_areas_merge_by_chen() -> None:
    # the functionals over [0, 1] do not depend on the level at which they are accumulated
    sde = ss.SDE(
        lambda x, t, p: 0 * x,
        lambda x, t, p: [[1, 0], [x[0], 0], [0, x[0]], [0, 1]],
        x0=[0.0, 0.0, 0.0, 0.0],
    )
    ends = run(sde, area_scheme, "arrays", exact=False)
    np.testing.assert_allclose(ends.x, np.broadcast_to(ends.x[-1], ends.x.shape), atol=1e-12)
    assert np.array_equal(ends.x, run(sde, area_scheme, "lanes", exact=False).x)


def test_law_of_integral_and_area_of_one_step() -> None:
    # variances 1/3 and 1/4, covariance of W and int W dt 1/2: 5 standard errors (false-alarm rate 2e-6)
    sde = ss.SDE(lambda x, t, p: 0 * x, lambda x, t, p: [[1, 0], [x[0], 0], [0, x[0]], [0, 1]], x0=[0.0, 0.0, 0.0, 0.0])
    n = 40_000
    x = ss.simulate(sde, area_scheme, t_end=1.0, n_steps=1, n_paths=n, seed=2, executor="arrays").x.values
    w, z, a = x[:, 0], x[:, 1], x[:, 2]
    for values, expected in ((z**2, 1 / 3), (a**2, 1 / 4), (w * z, 1 / 2), (a * w * x[:, 3], 0.0)):
        assert abs(values.mean() - expected) < 5 * values.std() / np.sqrt(n)
    wrong = 1.33 * a**2  # the published mistake: a third too much variance
    assert abs(wrong.mean() - 1 / 4) > 5 * wrong.std() / np.sqrt(n)


def test_outside_solver_sees_the_same_noise_as_a_scheme() -> None:
    def euler(x0: Any, t: Any, noise: Any, params: Any) -> Any:
        x = x0.copy()
        for k in range(len(t) - 1):
            x = x + params.mu * x * (t[k + 1] - t[k]) + params.sigma * x * noise.dW[:, k]
        return x

    sde = gbm()
    quiet = CoupledRun.of(sde, None, LEVELS, KEY)
    theirs = next(solver_source(quiet, euler, sde.parameters.first(), 1)(100, 0))
    ours = run(sde, S.euler_maruyama, "arrays")
    np.testing.assert_allclose(theirs.x, ours.x[..., :100], rtol=1e-12)
    np.testing.assert_array_equal(theirs.exact, ours.exact[:, :100])


def test_weak_variables_have_no_strong_order() -> None:
    weak = S.scheme(weak_order=1.0)(lambda sde, x, t, h, dW3: x + sde.drift(x, t) * h + sde.diffusion(x, t) @ dW3)
    with pytest.raises(ss.errors.SchemeError, match="no strong order"):
        ss.strong_order(gbm(), weak)


def test_paths_do_not_depend_on_chunks_or_threads() -> None:
    a = list(CoupledRun.of(gbm(), S.milstein, LEVELS, KEY, executor="arrays").chunks(5000, threads=2))
    b = CoupledRun.of(gbm(), S.milstein, LEVELS, KEY, executor="arrays").run_arrays(
        [CoupledRun.of(gbm(), S.milstein, LEVELS, KEY).program.step], 2048, 2100
    )[0]
    assert np.array_equal(a[1].x[..., :52], b.x)


def test_non_commuting_differences_have_a_right_limit() -> None:
    estimate = ss.strong_order(non_commuting(), S.euler_maruyama, n_paths=2048, levels=Levels(finest=8, n_levels=6))
    assert estimate.method == "differences"
    assert estimate.verdict != "wrong limit"
