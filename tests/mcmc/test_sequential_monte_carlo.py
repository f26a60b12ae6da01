"""Claim: tempered SMC has an unbiased normalising constant on a fixed ladder, and finds the weights of modes."""

import numpy as np
import pytest
from scipy.stats import norm

from stochsim.densities import Gaussian, GaussianMixture, from_log_prob
from stochsim.errors import ModelError, ParameterError
from stochsim.mcmc import MALA, ULA, RandomWalkMetropolis
from stochsim.mcmc.populations.sequential_monte_carlo import normalised, systematic, tempered_smc

WELL = from_log_prob(lambda x: -2.0 * (x**2 - 1.0) ** 2 + 0.5 * x, d=1)


def test_the_normaliser_is_unbiased_on_a_fixed_ladder() -> None:
    """Mean of Z over 300 runs of 40 particles within 3.3 standard errors (rate 1e-3); without one stage it is not."""
    exact = np.exp(WELL.log_normaliser())
    ladder, move = [0.0, 0.1, 0.4, 1.0], RandomWalkMetropolis(0.7)
    runs = [
        tempered_smc(WELL, n_particles=40, move=move, n_moves=1, betas=ladder, adapt=False, seed=s, threads=1)
        for s in range(300)
    ]
    ratios = np.exp([run.log_normaliser for run in runs]) / exact
    error = ratios.std(ddof=1) / np.sqrt(len(ratios))
    z = (ratios.mean() - 1.0) / error
    assert error < 0.03
    assert abs(z) < norm.isf(5e-4)
    assert abs((1.1 * ratios.mean() - 1.0) / error) > norm.isf(5e-4)


def test_the_ratio_of_gaussians_is_the_closed_form() -> None:
    """log Z = (d/2) log(2π/b) of exp(-b |x|²/2), to 4 of its standard deviation over 8 runs."""
    d, b = 6, 4.0
    density = from_log_prob(lambda x: -0.5 * b * sum(x[i] ** 2 for i in range(d)), d=d)
    found = np.array([tempered_smc(density, n_particles=600, seed=s, threads=1).log_normaliser for s in range(8)])
    assert abs(found.mean() - d / 2 * np.log(2 * np.pi / b)) < 4 * found.std(ddof=1) / np.sqrt(8)
    assert found.std() < 0.2


def test_modes_keep_their_weights() -> None:
    """5 times the binomial error of 3000 particles with a third of them independent; MALA alone could not cross."""
    density = GaussianMixture([0.25, 0.75], [[-5.0, 0.0], [5.0, 0.0]], [0.5, 1.0])
    run = tempered_smc(density, n_particles=3000, reference=Gaussian([0.0, 0.0], 16.0), seed=4, threads=1)
    assert abs(np.mean(run.x[:, 0] > 0) - 0.75) < 5 * np.sqrt(0.75 * 0.25 / 1000)
    assert abs(run.log_normaliser) < 0.2
    assert run.ess.min() > 0.49
    assert run.accept_prob.min() > 0.3
    assert "log normaliser" in repr(run)


def test_runs_are_functions_of_the_seed() -> None:
    a, b = (tempered_smc(WELL, n_particles=200, seed=7, threads=t) for t in (1, 2))
    np.testing.assert_array_equal(a.x, b.x)
    assert a.log_normaliser == b.log_normaliser
    assert a.seed == "7"


def test_systematic_resampling_keeps_every_count_within_one() -> None:
    weights = np.random.default_rng(0).dirichlet(np.full(50, 0.3))
    for u in (0.0, 0.37, 1 - 1e-16):
        counts = np.bincount(systematic(weights, u), minlength=50)
        assert counts.sum() == 50
        assert np.all(np.abs(counts - 50 * weights) < 1.0 + 1e-9)


def test_expected_counts_of_systematic_resampling_are_the_weights() -> None:
    """Averaged over a fine grid of its uniform number: no Monte Carlo."""
    weights = np.random.default_rng(0).dirichlet(np.full(20, 0.5))
    grid = (np.arange(20_000) + 0.5) / 20_000
    mean = np.mean([np.bincount(systematic(weights, u), minlength=20) for u in grid], axis=0)
    np.testing.assert_allclose(mean, 20 * weights, atol=2e-3)


def test_weights_that_vanish_are_refused() -> None:
    with pytest.raises(ModelError, match="reference"):
        normalised(np.full(3, -np.inf))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"betas": [0.0, 0.5]}, "betas"),
        ({"ess": 1.0}, "ess"),
        ({"move": ULA(0.1)}, "adjusted"),
        ({"reference": Gaussian([0.0, 0.0], 1.0)}, "reference"),
        ({"n_particles": 0}, "n_particles"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, object], word: str) -> None:
    with pytest.raises(ParameterError, match=word):
        tempered_smc(WELL, **{"move": MALA(0.1), **options})  # type: ignore[arg-type]
