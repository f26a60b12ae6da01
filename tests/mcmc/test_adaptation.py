"""Warm-up: each part against its formula, and whole warm-ups against what is known of the targets."""

import math
from typing import Any

import numpy as np
import pytest

import stochsim.mcmc as mcmc
from stochsim.densities import Gaussian
from stochsim.errors import ParameterError
from stochsim.mcmc._start import starting_state
from stochsim.mcmc.warming._length import Length, halton, leapfrogs, slope
from stochsim.mcmc.warming._step_size import DualAveraging, first_step_size
from stochsim.mcmc.warming._windows import Spread, slow_windows
from stochsim.mcmc.warming.adaptation import WarmUp, warm_up
from stochsim.noise.seeds import seed_key

KEY = seed_key(11)[:2]
SCALES = np.array([0.1, 1.0, 10.0])
INDEPENDENT = Gaussian(np.zeros(3), SCALES**2)
MATRIX = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 4.0]])
CORRELATED = Gaussian(np.zeros(3), MATRIX)


# --- step size ----------------------------------------------------------------------------------------------------


def test_dual_averaging_is_that_of_the_paper() -> None:
    """Two updates by hand from Hoffman & Gelman 2014, eq. (6)."""
    averaging = DualAveraging.begin(0.5, 0.8).update(0.3)
    error = (0.8 - 0.3) / 11.0
    log_step = math.log(5.0) - error / 0.05
    assert math.isclose(averaging.log_step, log_step, rel_tol=1e-14)
    assert math.isclose(averaging.log_average, log_step, rel_tol=1e-14)
    again = averaging.update(0.9)
    error = (1 - 1 / 12) * error + (0.8 - 0.9) / 12
    step = math.log(5.0) - math.sqrt(2) / 0.05 * error
    assert math.isclose(again.log_step, step, rel_tol=1e-14)
    assert math.isclose(again.log_average, 2**-0.75 * step + (1 - 2**-0.75) * log_step, rel_tol=1e-14)


def test_dual_averaging_finds_the_step_of_the_target() -> None:
    """The averaged error dies out as γ (μ - log ε)/√m, so the step is found to 1 % after 8000 steps."""
    averaging = DualAveraging.begin(3.0, 0.8)
    for _ in range(8000):
        averaging = averaging.update(math.exp(-averaging.step_size))
    assert abs(averaging.average / -math.log(0.8) - 1.0) < 0.01


@pytest.mark.parametrize("guess", [1e-6, 0.1, 50.0])
def test_first_guess_is_within_a_factor_of_two(guess: float) -> None:
    found = first_step_size(lambda h: math.exp(-h), guess, 0.8)
    assert 0.5 <= found / -math.log(0.8) <= 2.0


# --- metric -------------------------------------------------------------------------------------------------------


def test_windows_are_stan_s() -> None:
    assert slow_windows(1000) == [(75, 100), (100, 150), (150, 250), (250, 450), (450, 950)]
    assert slow_windows(150) == [(75, 100)]
    assert slow_windows(100) == [(15, 90)]
    assert slow_windows(19) == []


@pytest.mark.parametrize("dense", [False, True])
def test_pooled_spread_is_the_covariance(dense: bool) -> None:
    parts = np.random.default_rng(0).normal(size=(6, 3, 4)) * [[1.0], [100.0], [0.01]] + 50.0
    spread = Spread.empty(3, dense=dense)
    for x in parts:
        spread = spread.add(x)
    covariance = np.cov(parts.transpose(1, 0, 2).reshape(3, -1))
    expected = covariance if dense else np.diag(covariance)
    shrunk = 24 / 29 * expected + 1e-3 * 5 / 29 * (np.eye(3) if dense else 1.0)
    np.testing.assert_allclose(spread.regularised(), shrunk, rtol=1e-10, atol=1e-13)


# --- length -------------------------------------------------------------------------------------------------------


def test_halton_sequence() -> None:
    assert [halton(k) for k in range(7)] == [0.5, 0.25, 0.75, 0.125, 0.625, 0.375, 0.875]


@pytest.mark.parametrize("time", [0.3, 1.0, 2.0])
def test_slope_is_the_derivative_of_the_criterion(time: float) -> None:
    """On N(0, 1) the criterion is sin² t, so its derivative with respect to log t is t sin 2t: exact by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    q, p = (a.ravel() for a in np.meshgrid(nodes, nodes))
    both = np.outer(weights, weights).ravel()
    after, velocity = q * np.cos(time) + p * np.sin(time), p * np.cos(time) - q * np.sin(time)
    found = slope(q[None], after[None], velocity[None], both, time)
    assert math.isclose(found, time * math.sin(2.0 * time), rel_tol=1e-12)


def test_length_follows_the_slope() -> None:
    """Up the mean of sin²(u T) over u, whose first maximum solves tan 2T = 2T: T = 2.2467."""
    length = Length.begin(0.3)
    for k in range(3000):
        t = halton(k) * length.length
        length = length.update(t * math.sin(2.0 * t))
    assert abs(length.average - 2.24670) < 0.05


def test_chees_finds_the_length_of_a_gaussian() -> None:
    """The same maximum from chains, to a tenth; trajectories are longer than asked by half a step on average."""
    density = Gaussian(np.zeros(2), 1.0)
    sampler, report, _ = warmed(mcmc.JitteredHMC(0.5, 1), density, 400, 500, length="chees", target_acceptance=0.99)
    assert report.length is not None
    assert abs((report.length + 0.5 * report.step_size) / 2.2467 - 1.0) < 0.1
    assert sampler.jitter == 1.0
    assert sampler.n_leapfrog == leapfrogs(report.length, 2.0 * sampler.step_size)


# --- whole warm-ups -----------------------------------------------------------------------------------------------


def warmed(
    sampler: Any, density: Any, n_chains: int, n_warmup: int, threads: int = 1, **options: Any
) -> tuple[Any, WarmUp, Any]:
    points = np.random.default_rng(2).normal(size=(density.d, n_chains))
    state = starting_state(sampler, density, points, (1, 2))
    return warm_up(sampler, density, state, key=KEY, n_warmup=n_warmup, threads=threads, **options)


SAMPLERS = {
    "NUTS": mcmc.NUTS(),
    "HMC": mcmc.HMC(0.01, 5),
    "MALA": mcmc.MALA(3.0),
    "GHMC": mcmc.GHMC(0.1),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_acceptance_and_variances_are_found(name: str) -> None:
    """Over 64 chains and 200 steps the pooled variances have standard errors of a few per cent."""
    sampler, report, state = warmed(SAMPLERS[name], INDEPENDENT, 64, 300)
    assert abs(report.acceptance - report.target_acceptance) < 0.05
    np.testing.assert_allclose(sampler.metric.inverse_mass[:, 0] / SCALES**2, 1.0, atol=0.35)
    assert report.metric == "diagonal"
    after = mcmc.sample(INDEPENDENT, sampler, n_chains=64, n_steps=50, seed=1, x0=state.x.T)
    assert abs(float(after.accept_prob.mean()) - report.target_acceptance) < 0.08


def test_covariances_are_found_where_the_metric_is_a_matrix() -> None:
    sampler, report, _ = warmed(mcmc.NUTS(metric=np.eye(3)), CORRELATED, 8, 400)
    np.testing.assert_allclose(sampler.metric.inverse_mass, MATRIX, atol=0.4)
    assert report.metric == "dense"


def test_sampler_without_metric_gets_its_step_size() -> None:
    _, report, _ = warmed(mcmc.Barker(1.0), Gaussian(np.zeros(3), 1.0), 64, 150, target_acceptance=0.4)
    assert abs(report.acceptance - 0.4) < 0.05
    assert report.metric == "none"


def test_threads_do_not_matter() -> None:
    one, two = (warmed(mcmc.NUTS(), INDEPENDENT, 6, 60, threads=n) for n in (1, 2))
    assert one[0].step_size == two[0].step_size
    np.testing.assert_array_equal(one[2].x, two[2].x)
    np.testing.assert_array_equal(one[1].step_sizes, two[1].step_sizes)


def test_sample_warms_up() -> None:
    ds = mcmc.sample(INDEPENDENT, mcmc.NUTS(), n_chains=4, n_steps=20, n_warmup=60, seed=3)
    assert "warm-up of NUTS, 4 chains x 60 steps" in ds.attrs["warmup"]
    assert "step_size=None" not in ds.attrs["sampler"]


def test_momenta_are_drawn_anew_with_the_metric() -> None:
    """The momenta of GHMC have variances 1/scale² after a warm-up: their old law, 1, is far off (control)."""
    sampler, _, state = warmed(SAMPLERS["GHMC"], INDEPENDENT, 64, 300)
    scaled = (state.p * np.sqrt(sampler.metric.inverse_mass)).var(axis=1)
    assert np.all((scaled > 0.4) & (scaled < 2.2))
    assert not np.all((state.p.var(axis=1) > 0.4) & (state.p.var(axis=1) < 2.2))


@pytest.mark.parametrize(
    ("sampler", "options", "said"),
    [
        (mcmc.ULA(0.1), {}, "accepts every step"),
        (mcmc.HMC(0.1, 5), {"length": "chees"}, "JitteredHMC"),
        (mcmc.HMC(0.1, 5), {"length": "long"}, "length"),
        (mcmc.HMC(0.1, 5), {"target_acceptance": 1.0}, "target_acceptance"),
        (mcmc.EllipticalSlice(Gaussian(np.zeros(3), 1.0)), {}, "no step size"),
    ],
)
def test_what_cannot_be_tuned_is_refused(sampler: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        warmed(sampler, Gaussian(np.zeros(3), 1.0), 4, 30, **options)
