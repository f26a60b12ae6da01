"""Claims: every order of visits has its probability, epochs visit each block as often as they say, kernels agree."""

from itertools import permutations, product

import numpy as np
import pytest

import stochsim as ss
from stochsim.columns.noise import PhiloxNoise
from stochsim.mcmc import BADODAB, FALD, FSGLD, SGHMC, SGLD, SGNHT, Sampler, StochasticGradientSplitting
from stochsim.mcmc._chains import Chains, chain_program
from stochsim.mcmc._start import starting_state
from stochsim.mcmc.stochastic_gradients.batches import INDEPENDENT, RESHUFFLED, SYMMETRIC, Batches, Visit
from stochsim.mcmc.stochastic_gradients.targets import BlockPosterior, QuadraticSum, control_variate

RNG = np.random.default_rng(7)
ROOTS = RNG.normal(size=(4, 2, 2))
QUADRATICS = QuadraticSum(ROOTS @ ROOTS.transpose(0, 2, 1) + 0.1 * np.eye(2), RNG.normal(size=(4, 2)), 0.3)
LOGISTIC = BlockPosterior(ss.densities.LogisticPosterior.simulate(10, 2, seed=1), 5)
KEY = (3, 4)


def visits(batches: Batches, uniforms: np.ndarray, n_blocks: int) -> np.ndarray:
    """The blocks chosen by uniforms (steps, n)."""
    blocks = np.arange(float(n_blocks))[:, None]
    visit: Visit = batches.begin(blocks, np.zeros((1, uniforms.shape[1])))
    chosen = []
    for u in uniforms:
        block, visit = batches.draw(blocks, visit, u)
        chosen.append(block)
    return np.array(chosen)


def test_every_permutation_has_the_same_probability() -> None:
    K, epochs = 4, 2
    choices = [[(j + 0.5) / (K - k) for j in range(K - k)] for k in range(K)]
    uniforms = np.array(list(product(*choices * epochs))).T
    chosen = visits(RESHUFFLED, uniforms, K)
    for epoch in range(epochs):
        found, counts = np.unique(chosen[epoch * K : (epoch + 1) * K].T, axis=0, return_counts=True)
        np.testing.assert_array_equal(found, sorted(permutations(range(K))))
        assert set(counts) == {uniforms.shape[1] // 24}
    joint = np.unique(chosen.T, axis=0)
    assert len(joint) == 24**2  # epochs are independent of each other


def test_symmetric_epochs_come_back_the_way_they_went() -> None:
    chosen = visits(SYMMETRIC, RNG.uniform(size=(30, 200)), 5)
    for begin in range(0, 30, 10):
        np.testing.assert_array_equal(chosen[begin : begin + 5], chosen[begin + 9 : begin + 4 : -1])
        np.testing.assert_array_equal(np.sort(chosen[begin : begin + 5], axis=0), np.tile(np.arange(5.0), (200, 1)).T)


def test_independent_visits_split_the_unit_interval_evenly() -> None:
    np.testing.assert_array_equal(
        visits(INDEPENDENT, np.array([[0.01, 0.24, 0.26, 0.99, np.nextafter(1, 0)]]), 4), [[0, 0, 1, 3, 3]]
    )


@pytest.mark.parametrize("K", [1, 2, 4])
def test_means_over_subsets_are_means_over_permutations(K: int) -> None:
    maps = list(RNG.normal(size=(K, 3, 3)))
    orders = [[maps[b] for b in order] for order in permutations(range(K))]
    chains = [np.linalg.multi_dot([*order, np.eye(3)]) for order in orders]
    there_and_back = [np.linalg.multi_dot([*order, *order[::-1]]) for order in orders]
    np.testing.assert_allclose(RESHUFFLED.averaged(maps), np.mean(chains, axis=0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(SYMMETRIC.averaged(maps), np.mean(there_and_back, axis=0), rtol=0, atol=1e-11)


def test_too_many_permutations_are_refused() -> None:
    with pytest.raises(ss.errors.ParameterError, match="13 blocks"):
        RESHUFFLED.averaged([np.eye(2)] * 13)


EXACT = control_variate(QUADRATICS, QUADRATICS)
SAMPLERS = [
    (SGLD(0.05, SYMMETRIC, control_variate(LOGISTIC, [0.1, 0.2]), 0.7, [1.0, 0.5]), LOGISTIC),
    (StochasticGradientSplitting(0.05, RESHUFFLED, EXACT, scheme="OBABO"), QUADRATICS),
    (SGHMC(0.05, friction=2.0, noise_estimate=0.3), QUADRATICS),
    (SGNHT(0.05, RESHUFFLED, temperature=0.5), QUADRATICS),
    (BADODAB(0.05, metric=[[1.0, 0.2], [0.2, 0.7]]), QUADRATICS),
    (FALD(0.02, 3, 0.4, participants=2), QUADRATICS),
    (FSGLD(0.02, 3, EXACT), QUADRATICS),
]


@pytest.mark.parametrize(("sampler", "density"), SAMPLERS, ids=lambda v: getattr(v, "name", ""))
def test_kernels_give_the_bits_of_the_formulas(sampler: Sampler, density: ss.densities.Density) -> None:
    state = starting_state(sampler, density, RNG.normal(size=(2, 300)), (1, 2))
    chains = Chains(chain_program(sampler, density.target, 2), KEY, 300, threads=1)
    chains.put(state)
    draws = chains.advance(sampler, density.target, 9)
    for k in range(9):
        state, _ = sampler.step(density.target, state, PhiloxNoise(KEY, 0, k))
        np.testing.assert_array_equal(draws[k, :2, :300], state.x)
    for kept, wanted in zip(chains.state(), state, strict=True):
        np.testing.assert_array_equal(kept, wanted)


def test_users_sample_a_posterior_by_blocks() -> None:
    chain = ss.mcmc.sample(QUADRATICS, SAMPLERS[1][0], n_chains=20, n_steps=10, seed=1)
    assert chain.x.shape == (20, 10, 2)


def test_bad_input_is_told() -> None:
    with pytest.raises(ss.errors.ParameterError, match="give INDEPENDENT, RESHUFFLED or SYMMETRIC"):
        SGLD(0.1, "reshuffled")
    with pytest.raises(ss.errors.ParameterError, match="needs a sum over blocks"):
        SGLD(0.1).init(ss.densities.Gaussian(0.0).target, np.zeros((1, 2)))
    with pytest.raises(ss.errors.ParameterError, match="noise_estimate is 3"):
        SGHMC(0.1, friction=2.0, noise_estimate=3.0)
    with pytest.raises(ss.errors.ParameterError, match="scheme is 'BAX'"):
        StochasticGradientSplitting(0.1, scheme="BAX")
    with pytest.raises(ss.errors.ParameterError, match="step_size is -1"):
        BADODAB(-1)
