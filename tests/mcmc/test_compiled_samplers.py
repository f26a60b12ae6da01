"""Claim: samplers with loops, turned stacks and drawn indices give the same bits as kernels and as arrays."""

import numpy as np
import pytest

from stochsim.columns.noise import PhiloxNoise
from stochsim.densities import Gaussian, GaussianMixture
from stochsim.mcmc import (
    MALA,
    Barker,
    DenoisingAutoencoder,
    DenoisingGibbs,
    EllipticalSlice,
    KineticRandomizedMidpoint,
    MirrorLangevin,
    ParallelTempering,
    PreconditionedCrankNicolson,
    RandomWalkMetropolis,
    Sampler,
    ThetaMethod,
)
from stochsim.mcmc._chains import Chains, chain_program
from stochsim.mcmc.langevin.mirror_maps import EntropicSimplex
from stochsim.mcmc.populations import _moves

MIXTURE = GaussianMixture([0.3, 0.7], [[-1.0, 0.0], [1.0, 0.5]], [0.5, 0.3])
PRIOR = Gaussian([0.5, -0.5], [[1.0, 0.3], [0.3, 2.0]])
KEY = (12, 34)
COMPILED = [
    ThetaMethod(0.4, n_newton=3, n_cg=2),
    ParallelTempering(MALA(0.3), (1.0, 0.4, 0.2)),
]
TRACED = [
    EllipticalSlice(PRIOR, n_tries=5),
    DenoisingGibbs(0.2, (0.1, 1.0, 3.0)),
    DenoisingAutoencoder(0.5),
    Barker(0.7),
    KineticRandomizedMidpoint(0.3),
    PreconditionedCrankNicolson(0.4, PRIOR),
    MirrorLangevin(0.01, EntropicSimplex()),
    ParallelTempering(RandomWalkMetropolis(0.3), (1.0, 0.4)),
]


def points(n: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(2, n))


@pytest.mark.parametrize("sampler", COMPILED, ids=lambda s: s.name)
def test_kernels_give_the_bits_of_the_formulas(sampler: Sampler) -> None:
    state = sampler.init(MIXTURE.target, points(300))
    chains = Chains(chain_program(sampler, MIXTURE.target, 2), KEY, 300, threads=2)
    chains.put(state)
    draws = chains.advance(sampler, MIXTURE.target, 3)
    for k in range(3):
        state, _ = sampler.step(MIXTURE.target, state, PhiloxNoise(KEY, 0, k))
        np.testing.assert_array_equal(draws[k, :2, :300], state.x)
    for kept, wanted in zip(chains.state(), state, strict=True):
        np.testing.assert_array_equal(kept, wanted)


@pytest.mark.parametrize("sampler", TRACED, ids=lambda s: s.name)
def test_every_sampler_can_be_traced(sampler: Sampler) -> None:
    assert chain_program(sampler, MIXTURE.target, 2).kernel.text


def test_one_kernel_serves_all_parameters() -> None:
    one, other = (
        chain_program(ParallelTempering(MALA(h), betas), MIXTURE.target, 2).kernel.text
        for h, betas in ((0.3, (1.0, 0.4, 0.2)), (0.5, (1.0, 0.9, 0.1)))
    )
    assert one == other


def test_moves_by_kernel_and_by_arrays_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler, ends = ThetaMethod(0.4, n_newton=3, n_cg=2), []
    for threshold in (0, 10**12):
        monkeypatch.setattr(_moves, "COMPILE_FROM", threshold)
        monkeypatch.setattr(_moves.cache, "is_cached", lambda text: False)
        ends.append(_moves.moved(sampler, MIXTURE.target, points(300), KEY, begin=5, n_steps=4)[0])
    np.testing.assert_array_equal(*ends)
