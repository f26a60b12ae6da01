"""Hamiltonian samplers: exact laws without the Metropolis step, invariance with it, and mutants that must fail.

Every invariance test has the false-alarm rate 1e-4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stochsim.columns.noise import PhiloxNoise
from stochsim.densities import Gaussian, GaussianMixture
from stochsim.errors import ParameterError
from stochsim.mcmc import GHMC, HMC, MALT, JitteredHMC, Splitting, UnadjustedHMC
from stochsim.mcmc._chains import Chains, chain_program
from stochsim.mcmc.hamiltonian.integrators import OMELYAN, YOSHIDA
from stochsim.mcmc.laws.affine import affine_law, stability_limit
from stochsim.metrics import invariance_test
from tests.mcmc.exact_starts import GeneratorNoise, transition

NORMAL = Gaussian([0.0], 1.0)
MIXTURE = GaussianMixture([0.4, 0.6], [[-1.0, 0.0], [1.0, 0.5]], [[0.3, 1.0], [1.0, 0.2]])
ADJUSTED = [
    HMC(0.7, 3),
    HMC(0.7, 3, [0.5, 2.0], YOSHIDA),
    JitteredHMC(0.7, 3),
    GHMC(0.7, 0.9),
    GHMC(0.6, 0.7, 3, MIXTURE.covariance),
    MALT(0.7, 4, 1.0),
    MALT(1.1, 4, 1.0, [0.5, 2.0], OMELYAN),
    Splitting("O{BAB}O", 0.7, 1.0),
    Splitting("{OBABO}", 0.7, 1.0),
    Splitting("O{ABA}{BAB}O", 1.2, 1.0),
    Splitting("{UBU}", 0.7, 1.0),
    Splitting("{BUB}", 0.9, 1.0, 1.0, [0.5, 2.0]),
]


def invariant(sampler: Any, n_steps: int, **spoiled: float) -> Any:
    move = transition(sampler, MIXTURE.target, n_steps, **spoiled)
    return invariance_test(MIXTURE, move, n_chains=20_000, n_steps=1, seed=0, false_alarm=1e-4)


@pytest.mark.parametrize("sampler", ADJUSTED, ids=lambda s: s.name)
def test_adjusted_samplers_leave_the_target_invariant(sampler: Any) -> None:
    assert sampler.claims.adjusted
    check = invariant(sampler, 8)
    assert check.passed, check


@pytest.mark.parametrize("sampler", ADJUSTED, ids=lambda s: s.name)
def test_a_wrong_acceptance_ratio_is_found(sampler: Any) -> None:
    # log u² < r accepts with the probability exp(r/2)
    assert not invariant(sampler, 8, power=2.0).passed


class NoTurn(GHMC):
    """GHMC that forgets to turn the momentum of a refused trajectory."""

    def step(self, target: Any, state: Any, noise: Any) -> Any:
        new, info = super().step(target, state, noise)
        return new._replace(p=np.where(info.accepted > 0, new.p, -new.p)), info


def test_ghmc_needs_the_turn_of_the_momentum() -> None:
    assert invariant(GHMC(0.9, 0.95), 20).passed
    assert not invariant(NoTurn(0.9, 0.95), 20).passed


@pytest.mark.parametrize("string", ["O{BA}O", "{AB}O"])
def test_proposals_that_read_otherwise_backwards_would_not_do(string: str) -> None:
    sampler = Splitting("O{BAB}O", 0.7, 1.0)
    object.__setattr__(sampler, "scheme", string)
    assert not invariant(sampler, 8).passed


@pytest.mark.parametrize("sampler", [UnadjustedHMC(0.7, 3), Splitting("OBABO", 0.7, 1.0)], ids=lambda s: s.name)
def test_unadjusted_samplers_fail(sampler: Any) -> None:
    assert not sampler.claims.adjusted
    assert not invariant(sampler, 8).passed


@pytest.mark.parametrize("n_leapfrog", [1, 3, 10])
@pytest.mark.parametrize("h", [0.1, 0.5, 1.5])
def test_unadjusted_hmc_is_too_wide_by_the_same_factor_for_every_length(h: float, n_leapfrog: int) -> None:
    law = affine_law(UnadjustedHMC(h, n_leapfrog), NORMAL.target, 1)
    assert law.covariance[0, 0] == pytest.approx(1 / (1 - h * h / 4), rel=1e-10)


def test_unadjusted_hmc_is_the_cosine_of_its_angle() -> None:
    h, n = 0.3, 5
    law = affine_law(UnadjustedHMC(h, n), NORMAL.target, 1)
    assert law.autocorrelation(1) == pytest.approx(np.cos(n * np.arccos(1 - h * h / 2)), rel=1e-12)


def test_the_metric_rescales_the_step() -> None:
    narrow = Gaussian([0.0, 1.0], [0.01, 4.0])
    law = affine_law(UnadjustedHMC(0.5, 4, [0.01, 4.0]), narrow.target, 2)
    np.testing.assert_allclose(law.covariance, narrow.covariance / (1 - 0.25 / 4), atol=1e-12)
    assert stability_limit(UnadjustedHMC(0.1, 1), narrow.target, 2) == pytest.approx(0.2, rel=1e-4)


def test_ghmc_is_a_metropolised_splitting() -> None:
    h, gamma = 0.7, 0.8
    ghmc, splitting = GHMC(h, float(np.exp(-gamma * h))), Splitting("O{BAB}", h, gamma)
    x = MIXTURE.sample(200, seed=0).T
    a, b = ghmc.init(MIXTURE.target, x), splitting.init(MIXTURE.target, x)
    one, two = (GeneratorNoise(np.random.default_rng(1)) for _ in range(2))
    for _ in range(5):
        a, b = ghmc.step(MIXTURE.target, a, one)[0], splitting.step(MIXTURE.target, b, two)[0]
    np.testing.assert_allclose(a.x, b.x, atol=1e-11)
    np.testing.assert_allclose(a.p, b.p, atol=1e-11)


def test_malt_without_friction_is_hmc() -> None:
    x = MIXTURE.sample(200, seed=0).T
    z = np.random.default_rng(3).standard_normal(x.shape)
    states, infos = [], []
    for sampler in (HMC(0.7, 3), MALT(0.7, 3, 0.0)):
        noise = GeneratorNoise(np.random.default_rng(2))
        noise.normal = lambda x: z  # type: ignore[method-assign]
        state, info = sampler.step(MIXTURE.target, sampler.init(MIXTURE.target, x), noise)
        states.append(state)
        infos.append(info)
    np.testing.assert_allclose(states[0].x, states[1].x, atol=1e-11)
    np.testing.assert_allclose(infos[0].energy_error, infos[1].energy_error, atol=1e-11)
    np.testing.assert_allclose(infos[0].energy, infos[1].energy, atol=1e-11)


def test_malt_makes_the_steps_of_obabo() -> None:
    # one leapfrog with friction around it: the error is the shadow work of the splitting in braces
    h, gamma, x = 0.7, 1.0, MIXTURE.sample(100, seed=0).T
    malt, obabo = MALT(h, 1, gamma), Splitting("BABO", h, gamma)
    noise = GeneratorNoise(np.random.default_rng(4))
    info = malt.step(MIXTURE.target, malt.init(MIXTURE.target, x), noise)[1]
    again = GeneratorNoise(np.random.default_rng(4))
    state = obabo.init(MIXTURE.target, x)
    state = state._replace(p=again.normal(x))
    work = obabo.step(MIXTURE.target, state, again)[1].shadow_work
    np.testing.assert_allclose(info.energy_error, work, atol=1e-12)


def test_jitter_spreads_the_step_sizes() -> None:
    frozen, spread = JitteredHMC(0.5, 2, jitter=0.0), HMC(0.5, 2)
    x = MIXTURE.sample(50, seed=0).T
    ends = []
    for sampler in (frozen, spread):
        noise = GeneratorNoise(np.random.default_rng(0))
        noise.uniform = lambda x: np.full(x.shape[-1], 0.01)  # type: ignore[method-assign]
        ends.append(sampler.step(MIXTURE.target, sampler.init(MIXTURE.target, x), noise)[0].x)
    np.testing.assert_allclose(*ends, atol=1e-14)


def test_lengths_may_vary_from_step_to_step() -> None:
    # random lengths, shared by all chains of a step: the compiled kernel against arrays, bit by bit
    lengths, n = [1, 5, 3], 40
    chains = Chains(chain_program(HMC(0.4, 1), MIXTURE.target, 2, ("sampler.n_leapfrog",)), (1, 2), n, 1)
    state = HMC(0.4, 1).init(MIXTURE.target, MIXTURE.sample(n, seed=0).T)
    chains.put(state)
    chains.advance(HMC(0.4, 1), MIXTURE.target, len(lengths), table=np.array(lengths, dtype=float)[:, None])
    for k, length in enumerate(lengths):
        state = HMC(0.4, length).step(MIXTURE.target, state, PhiloxNoise((1, 2), 0, k))[0]
    for a, b in zip(chains.state(), state, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_diverging_trajectory_is_refused_and_told() -> None:
    state = HMC(50.0, 20).init(MIXTURE.target, MIXTURE.sample(20, seed=0).T)
    with np.errstate(all="ignore"):
        new, info = HMC(50.0, 20).step(MIXTURE.target, state, GeneratorNoise(np.random.default_rng(0)))
    np.testing.assert_array_equal(new.x, state.x)
    np.testing.assert_array_equal(info.diverging, 1.0)
    np.testing.assert_array_equal(info.accept_prob, 0.0)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: HMC(0.0, 3), "step_size is 0.0"),
        (lambda: HMC(0.1, 0), "n_leapfrog is 0"),
        (lambda: HMC(0.1, 2.5), "n_leapfrog is 2.5"),
        (lambda: JitteredHMC(0.1, 3, jitter=1.5), "jitter is 1.5"),
        (lambda: GHMC(0.1, 1.0), "persistence is 1.0"),
        (lambda: MALT(0.1, 3, -1.0), "friction is -1.0"),
        (lambda: HMC(0.1, 3, [[1.0, 2.0], [2.0, 1.0]]), "smallest eigenvalue is -1"),
    ],
)
def test_bad_parameters_are_refused(build: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build()


def test_bad_parameters_are_parameter_errors() -> None:
    with pytest.raises(ParameterError):
        HMC(-1.0, 3)
