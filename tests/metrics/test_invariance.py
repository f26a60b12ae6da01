"""The invariance test: exact kernels pass at the stated rate, and every usual mistake is found."""

from collections.abc import Callable

import numpy as np
import pytest

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.errors import ParameterError
from stochsim.metrics import invariance_test
from tests.metrics.rates import alarms, most_alarms

NORMAL = Gaussian([1.0, -2.0], [[1.0, 0.6], [0.6, 2.0]])
MIXTURE = GaussianMixture([0.3, 0.7], [[-2.0, 0.0], [1.0, 1.0]], [0.5 * np.eye(2), [[1.0, 0.4], [0.4, 0.6]]])

Kernel = Callable[[np.ndarray, int], np.ndarray]


def mala(density: object, h: float, ratio: float = 1.0, drift_in_ratio: bool = True) -> Kernel:
    """Metropolis-adjusted Langevin; `ratio` scales the log acceptance ratio, a mutant drops the proposal densities."""

    def step(x: np.ndarray, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        y = x + h * density.score(x) + np.sqrt(2 * h) * rng.standard_normal(x.shape)
        log_ratio = density.log_prob(y) - density.log_prob(x)
        if drift_in_ratio:
            there, back = y - x - h * density.score(x), x - y - h * density.score(y)
            log_ratio += ((there * there).sum(axis=1) - (back * back).sum(axis=1)) / (4 * h)
        accept = np.log(rng.random(len(x))) < ratio * log_ratio
        return np.where(accept[:, None], y, x)

    return step


def ula(density: object, h: float) -> Kernel:
    def step(x: np.ndarray, seed: int) -> np.ndarray:
        return x + h * density.score(x) + np.sqrt(2 * h) * np.random.default_rng(seed).standard_normal(x.shape)

    return step


def generalised_hmc(density: GaussianMixture, h: float, flip: bool) -> Kernel:
    """One leapfrog step with partial refreshment (Horowitz 1991); without the flip on rejection it is wrong."""

    def step(state: np.ndarray, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        x, p = np.split(state, 2, axis=1)
        p = np.sqrt(0.75) * p + 0.5 * rng.standard_normal(x.shape)
        half = p + h / 2 * density.score(x)
        y = x + h * half
        q = half + h / 2 * density.score(y)
        energy = density.log_prob(y) - density.log_prob(x) + ((p * p).sum(axis=1) - (q * q).sum(axis=1)) / 2
        accept = (np.log(rng.random(len(x))) < energy)[:, None]
        return np.where(accept, np.hstack([y, q]), np.hstack([x, -p if flip else p]))

    return step


@pytest.mark.parametrize("density", [NORMAL, MIXTURE], ids=["normal", "mixture"])
def test_exact_kernels_pass(density: object) -> None:
    assert invariance_test(density, mala(density, 0.3), n_chains=5000).passed
    assert invariance_test(density, lambda x, _: x, n_chains=500).passed


@pytest.mark.parametrize(
    "kernel",
    [mala(MIXTURE, 0.3, ratio=0.8), mala(MIXTURE, 0.3, drift_in_ratio=False), ula(MIXTURE, 0.1)],
    ids=["wrong acceptance ratio", "proposal taken as symmetric", "no acceptance step"],
)
def test_mistakes_are_found(kernel: Kernel) -> None:
    assert not invariance_test(MIXTURE, kernel, n_chains=5000).passed


@pytest.mark.parametrize("h", [0.5, 0.9])
def test_a_momentum_that_is_not_flipped_is_found(h: float) -> None:
    right, wrong = (
        invariance_test(MIXTURE, generalised_hmc(MIXTURE, h, flip), n_chains=5000, n_steps=20, momenta=True)
        for flip in (True, False)
    )
    assert right.passed
    assert "score·p" in [c.name for c in wrong.failures]
    assert "p[1] p[1]" in [c.name for c in right.parts]


def test_a_thermostat_with_too_much_noise_is_found() -> None:
    def thermostat(state: np.ndarray, seed: int) -> np.ndarray:
        x, p = np.split(state, 2, axis=1)
        noise = np.random.default_rng(seed).standard_normal(p.shape)
        return np.hstack([x, 0.8 * p + 0.6 * 1.1 * noise])

    found = invariance_test(NORMAL, thermostat, n_chains=4000, momenta=True)
    assert {c.name for c in found.failures} >= {"p[0] p[0]", "p[1] p[1]"}


def test_the_test_holds_its_rate() -> None:
    kernel = mala(MIXTURE, 0.5)
    count = alarms(lambda s: invariance_test(MIXTURE, kernel, n_chains=200, n_steps=2, seed=s, false_alarm=0.1), 150)
    assert count <= most_alarms(0.1, 150)


def test_a_density_without_exact_marginals_is_tested_against_its_draws() -> None:
    class Uniform:
        """On the unit square; the log-density is minus infinity outside."""

        def log_prob(self, x: np.ndarray) -> np.ndarray:
            return np.where(((x >= 0) & (x <= 1)).all(axis=1), 0.0, -np.inf)

        def sample(self, n: int, *, seed: int) -> np.ndarray:
            return np.random.default_rng(seed).random((n, 2))

    def walk(x: np.ndarray, seed: int) -> np.ndarray:
        return x + 0.3 * np.random.default_rng(seed).standard_normal(x.shape)

    def folded(x: np.ndarray, seed: int) -> np.ndarray:
        return 1 - np.abs(walk(x, seed) % 2 - 1)

    def shrunk(x: np.ndarray, seed: int) -> np.ndarray:
        return 0.5 + 0.99 * (folded(x, seed) - 0.5)

    assert invariance_test(Uniform(), folded, n_chains=2000).passed
    assert not invariance_test(Uniform(), shrunk, n_chains=2000, n_steps=20).passed
    outside = invariance_test(Uniform(), walk, n_chains=2000, n_steps=1)
    assert outside.failures[0].name == "stays in the support"


def test_statistics_of_the_user_join_in() -> None:
    def antisymmetric(x: np.ndarray, seed: int) -> np.ndarray:
        """Moves the third moment of x_0 and keeps the rest nearly as it is."""
        z = x[:, :1]
        return np.concatenate([z + 0.02 * (z**2 - 1), x[:, 1:]], axis=1)

    density = Gaussian([0.0, 0.0], 1.0)
    found = invariance_test(density, antisymmetric, n_chains=5000, n_steps=1, statistics={"x³": lambda x: x[:, 0] ** 3})
    assert "x³" in [c.name for c in found.failures]


def test_a_seed_reproduces_the_verdict() -> None:
    one, two = (invariance_test(NORMAL, mala(NORMAL, 0.3), n_chains=200, seed=5) for _ in range(2))
    assert one == two
    assert one.seed == "5"


def test_bad_kernels_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"returned the shape \(2, 500\)"):
        invariance_test(NORMAL, lambda x, _: x.T, n_chains=500)
    with pytest.raises(ParameterError, match="500 of 500 samples in the states after the transition"):
        invariance_test(NORMAL, lambda x, _: x * np.nan, n_chains=500)
    with pytest.raises(ParameterError, match=r"statistic 'all' has shape \(500, 2\)"):
        invariance_test(NORMAL, lambda x, _: x, n_chains=500, statistics={"all": lambda x: x})
    with pytest.raises(ParameterError, match="n_chains=5"):
        invariance_test(NORMAL, lambda x, _: x, n_chains=5)
