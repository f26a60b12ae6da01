"""Claim: chains are a function of (seed, chain, step): compiled or not, whatever the threads, blocks and calls."""

import numpy as np
import pytest

import stochsim as ss
from stochsim.columns.noise import PhiloxNoise
from stochsim.mcmc import HMC, MALA, ULA
from stochsim.mcmc._chains import Chains, chain_program
from stochsim.mcmc._start import starting_state

KEY = (12, 34)
MIXTURE = ss.densities.GaussianMixture([0.3, 0.7], [[-1.0, 0.0], [1.0, 0.5]], [[0.5, 1.0], [1.0, 0.3]])
DENSE = ss.densities.Gaussian([0.5, -0.5], [[1.0, 0.6], [0.6, 2.0]])


def points(n: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(2, n))


@pytest.mark.parametrize("density", [MIXTURE, DENSE], ids=["mixture", "gaussian"])
@pytest.mark.parametrize("sampler", [ULA(0.1), MALA(0.4), HMC(0.4, 3, metric=[[1.0, 0.2], [0.2, 0.7]])], ids=repr)
def test_kernels_give_the_bits_of_the_formulas(sampler: ss.mcmc.Sampler, density: ss.densities.Density) -> None:
    state = starting_state(sampler, density, points(300), KEY)
    chains = Chains(chain_program(sampler, density.target, 2), KEY, 300, threads=2)
    chains.put(state)
    draws = chains.advance(sampler, density.target, 4)
    for k in range(4):
        state, _ = sampler.step(density.target, state, PhiloxNoise(KEY, 0, k))
        np.testing.assert_array_equal(draws[k, :2, :300], state.x)
    for kept, wanted in zip(chains.state(), state, strict=True):
        np.testing.assert_array_equal(kept, wanted)


def test_draws_do_not_depend_on_threads_chains_or_thinning() -> None:
    def run(**options: object) -> np.ndarray:
        settings = {"n_chains": 700, "n_steps": 12, "n_warmup": 3, "seed": 5, **options}
        return np.asarray(ss.mcmc.sample(MIXTURE, MALA(0.4), **settings).x)

    every = run()
    np.testing.assert_array_equal(run(threads=1), every)
    np.testing.assert_array_equal(run(n_chains=300), every[:300])
    np.testing.assert_array_equal(run(thin=3), every[:, [2, 5, 8, 11]])
    np.testing.assert_array_equal(run(save="final")[:, 0], every[:, -1])


def test_moments_while_running_are_those_of_the_draws() -> None:
    settings = {"n_chains": 500, "n_steps": 40, "n_warmup": 5, "seed": 2}
    draws = np.asarray(ss.mcmc.sample(MIXTURE, MALA(0.4), **settings).x)
    moments = ss.mcmc.sample(MIXTURE, MALA(0.4), save="moments", **settings)
    flat = draws.reshape(-1, 2)
    np.testing.assert_allclose(moments["mean"], flat.mean(axis=0), rtol=0, atol=1e-13)
    np.testing.assert_allclose(moments["covariance"], np.cov(flat.T), rtol=1e-12)
    spread = draws.mean(axis=1).var(axis=0, ddof=1)
    np.testing.assert_allclose(moments["mean_mcse"], np.sqrt(spread / 500), rtol=1e-11)


def test_moments_do_not_depend_on_threads() -> None:
    a, b = (
        ss.mcmc.sample(MIXTURE, MALA(0.4), n_chains=9000, n_steps=6, seed=2, save="moments", threads=t) for t in (1, 2)
    )
    np.testing.assert_array_equal(a["covariance"], b["covariance"])


def test_variances_alone_are_kept_in_many_dimensions() -> None:
    density = ss.densities.Gaussian(np.zeros(10), np.linspace(0.5, 2.0, 10))
    moments = ss.mcmc.sample(density, ULA(0.05), n_chains=300, n_steps=20, seed=1, save="moments")
    draws = np.asarray(ss.mcmc.sample(density, ULA(0.05), n_chains=300, n_steps=20, seed=1).x).reshape(-1, 10)
    np.testing.assert_allclose(moments["variance"], draws.var(axis=0, ddof=1), rtol=1e-12)
    assert "covariance" not in moments
