"""Claim: mean-field Langevin has its exact law at finite N; fictitious play contracts at its exact rate."""

import numpy as np
import pytest
from scipy.stats import norm

from stochsim.densities import Gaussian
from stochsim.errors import DivergenceError, ParameterError
from stochsim.mcmc.populations.interacting import MeanFieldLangevin, entropic_fictitious_play

A, B = 0.7, 1.3


def law(sampler: MeanFieldLangevin, a: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Propagator (n, n) of one ensemble on the potential a x²/2, and its stationary covariance (Euler: B = √(2h))."""
    unit = np.eye(n)[None]  # (1, ensembles, particles): the particles of ensemble i stand at e_i
    matrix = sampler.step(lambda x: -a * x, unit, 0.0 * unit)[0].T
    covariance = np.linalg.inv(np.eye(n) - matrix @ matrix) * 2 * sampler.step_size
    return matrix, covariance


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("h", [1e-3, 0.2])
def test_one_particle_has_the_exact_variance_at_finite_n(n: int, h: float) -> None:
    matrix, covariance = law(MeanFieldLangevin(h, B), A, n)
    euler = 1 / (n * A * (1 - A * h / 2)) + (1 - 1 / n) / ((A + B) * (1 - (A + B) * h / 2))
    np.testing.assert_allclose(np.diag(covariance), euler, rtol=1e-10)
    np.testing.assert_allclose(matrix @ np.ones(n), 1 - A * h, rtol=1e-13)


def test_as_the_step_goes_to_zero_it_is_the_law_of_the_diffusion() -> None:
    n, steps = 5, np.array([0.002, 0.001])
    found = np.array([law(MeanFieldLangevin(h, B), A, n)[1][0, 0] for h in steps])
    exact = 1 / (n * A) + (1 - 1 / n) / (A + B)
    np.testing.assert_allclose(2 * found[1] - found[0], exact, rtol=1e-5)
    np.testing.assert_allclose(np.diff(found) / np.diff(steps), 0.5, rtol=0.01)  # each variance has the bias h/2


def test_a_run_has_the_law_of_its_formula() -> None:
    """Variance over 4000 ensembles within 4 standard errors of the exact one after 30 steps; uncoupled it is not."""
    n, M, steps, h = 3, 4000, 30, 0.1
    sampler = MeanFieldLangevin(h, B)
    x = sampler.run(Gaussian([0.0], 1 / A), np.zeros((M, n, 1)), steps, seed=0)
    matrix, _ = law(sampler, A, n)
    covariance = sum(2 * h * np.linalg.matrix_power(matrix, 2 * k) for k in range(steps))
    z = np.mean(x[:, 0, 0] ** 2) / covariance[0, 0] - 1.0
    alone = 2 * h * sum((1 - A * h) ** (2 * k) for k in range(steps))
    assert abs(z) < 4 * np.sqrt(2 / M)
    assert abs(np.mean(x[:, 0, 0] ** 2) / alone - 1.0) > 4 * np.sqrt(2 / M)
    np.testing.assert_array_equal(sampler.run(Gaussian([0.0], 1 / A), np.zeros((9, n, 1)), steps, seed=0), x[:9])


def test_divergence_is_told() -> None:
    with pytest.raises(DivergenceError, match="smaller steps"), np.errstate(all="ignore"):
        MeanFieldLangevin(50.0, 1.0).run(Gaussian([0.0], 0.1), np.ones((2, 2, 1)), 300, seed=0)


def test_bad_starts_are_refused() -> None:
    with pytest.raises(ParameterError, match="ensembles"):
        MeanFieldLangevin(0.1, 1.0).run(Gaussian([0.0], 1.0), np.zeros((4, 1)), 3)


def test_fictitious_play_contracts_at_its_exact_rate() -> None:
    """F = (E x - y)²/2 + λ' E x²/2: m' = m - γ ((1 + 1/λ') m - y/λ'), to y/(1 + λ'); 4 errors of N particles."""
    y, lam1, lam, gamma, n = 2.0, 2.0, 0.5, 0.3, 40_000

    def gibbs(x: np.ndarray) -> Gaussian:
        return Gaussian([(y - x.mean()) / lam1], lam / lam1)

    m, x = 5.0, np.full((n, 1), 5.0)
    for k in range(6):
        x = entropic_fictitious_play(gibbs, x, gamma=gamma, n_steps=1, seed=k)
        m -= gamma * ((1 + 1 / lam1) * m - y / lam1)
        assert abs(x.mean() - m) < 4 * np.sqrt(12.0 / n)
    x = entropic_fictitious_play(gibbs, x, gamma=gamma, n_steps=25, seed=9)
    assert abs(x.mean() - y / (1 + lam1)) < norm.isf(1e-4) * np.sqrt(2 * lam / lam1 / n)
    np.testing.assert_allclose(x.var(), lam / lam1, rtol=0.05)


@pytest.mark.parametrize("gamma", [0.0, 1.5])
def test_bad_rates_are_refused(gamma: float) -> None:
    with pytest.raises(ParameterError, match="gamma"):
        entropic_fictitious_play(lambda x: Gaussian([0.0], 1.0), np.zeros((3, 1)), gamma=gamma, n_steps=1)
