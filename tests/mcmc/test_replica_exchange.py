"""Claim: parallel tempering leaves the product of its tempered laws invariant, and carries chains between modes.

False-alarm rate: 1e-3 for each invariance test; 5000 chains from exact draws of every rung.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from stochsim.columns.noise import PhiloxNoise
from stochsim.densities import GaussianMixture, from_log_prob
from stochsim.errors import ParameterError
from stochsim.mcmc import HMC, MALA, ULA, ParallelTempering, RandomWalkMetropolis, Sampler
from stochsim.mcmc.populations import replica_exchange as module
from stochsim.mcmc.populations.replica_exchange import Ladder
from stochsim.mcmc.populations.tempered import GeometricPath, ScaledPower
from stochsim.metrics import Check, invariance_test
from stochsim.noise.seeds import seed_key

BETAS = (1.0, 0.5, 0.2)
WELL = from_log_prob(lambda x: -2.0 * (x**2 - 1.0) ** 2 + 0.5 * x, d=1)
RUNGS = [from_log_prob(lambda x, b=b: b * (-2.0 * (x**2 - 1.0) ** 2 + 0.5 * x), d=1) for b in BETAS]
FAR = GaussianMixture([0.25, 0.75], [[-5.0, 0.0], [5.0, 0.0]], [0.5, 1.0])


@dataclass
class Product:
    """The law of all replicas, (n, 3)."""

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return np.hstack([rung.sample(n, seed=rng) for rung in RUNGS])

    def log_prob(self, x: np.ndarray) -> np.ndarray:
        return np.sum([rung.log_prob(x[:, [i]]) for i, rung in enumerate(RUNGS)], axis=0)


def advance(sampler: Sampler, x: np.ndarray, seed: int, n_steps: int) -> Any:
    key = seed_key(seed)[:2]
    state: Ladder = sampler.init(WELL.target, x[:, :1].T)
    log_probs = np.stack([WELL.target.log_prob(x[:, [i]].T) for i in range(3)])
    state = state._replace(replicas=np.ascontiguousarray(x.T), log_probs=log_probs)
    for k in range(n_steps):
        state, info = sampler.step(WELL.target, state, PhiloxNoise(key, 0, k))
    return state, info


def invariance(sampler: Sampler) -> Check:
    def transition(x: np.ndarray, seed: int) -> np.ndarray:
        return np.ascontiguousarray(advance(sampler, x, seed, 6)[0].replicas.T)

    return invariance_test(Product(), transition, n_chains=5_000, n_steps=1, seed=0, false_alarm=1e-3)


@pytest.mark.parametrize("move", [MALA(0.1), RandomWalkMetropolis(0.5)], ids=lambda s: s.name)
def test_the_laws_of_all_rungs_are_invariant(move: Sampler) -> None:
    check = invariance(ParallelTempering(move, BETAS))
    assert check.passed, check


def test_a_swap_that_ignores_the_temperatures_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = module._swap

    def wrong(d: int, noise: Any, x: Any, log_probs: Any, flags: Any, betas: Any, *rest: Any) -> tuple[Any, ...]:
        return right(d, noise, x, log_probs, flags, 0.7 * betas, *rest)

    monkeypatch.setattr(module, "_swap", wrong)
    assert not invariance(ParallelTempering(MALA(0.1), BETAS)).passed


def test_the_books_are_kept() -> None:
    sampler = ParallelTempering(MALA(0.1), BETAS)
    state, info = advance(sampler, Product().sample(500, seed=1), 3, 40)
    np.testing.assert_array_equal(state.x, state.replicas[:1])
    for i in range(3):
        np.testing.assert_allclose(state.log_probs[i], WELL.target.log_prob(state.replicas[i : i + 1]), atol=1e-12)
    np.testing.assert_array_equal(state.log_prob, state.log_probs[0])
    rates = state.swaps / 20
    assert np.all((rates > 0.0) & (rates <= 1.0))
    assert np.all((info.swap_prob >= 0.0) & (info.swap_prob <= 1.0))
    assert state.round_trips.mean() > 1.0
    np.testing.assert_array_equal(state.from_hot[[0, 2]], [[0.0] * 500, [1.0] * 500])


def test_swap_rate_of_two_gaussian_rungs_is_the_closed_form() -> None:
    """From independent N(0, 1/β): E min(1, exp(Δβ Δlog p)), by quadrature, against the pair's own probability."""
    betas, n = (1.0, 0.4), 1000
    u = (np.arange(n) + 0.5) / n * np.pi  # angle of two standard normals; r² is exponential
    t, w = np.polynomial.laguerre.laggauss(40)
    radius = np.sqrt(2 * t)[:, None]
    x = np.stack([(radius * np.cos(u)).ravel(), (radius * np.sin(u)).ravel() / np.sqrt(betas[1])])
    log_probs = -(x**2) / 2
    zeros = np.zeros(x.shape[1])
    out = module._swap(
        1, PhiloxNoise((1, 2), 0, 0), x, log_probs, 0 * x, np.array(betas)[:, None] + 0 * x, 0 * x[:1], zeros + 1, zeros
    )
    found = float(w @ out[-1].reshape(len(t), n).mean(axis=1))
    angle = (np.arange(100_000) + 0.5) / 100_000 * np.pi
    gap = (betas[0] - betas[1]) * (np.cos(angle) ** 2 - np.sin(angle) ** 2 / betas[1])  # of log p, per r²/2
    exact = float(np.mean(1 / (1 - np.minimum(gap, 0.0))))  # ∫ e^{-t} min(1, e^{t gap}) dt over the angles
    np.testing.assert_allclose(found, exact, atol=1e-4)


def test_replicas_cross_where_a_single_chain_does_not() -> None:
    """From the small mode: the share of the large one, 0.75, within 5 standard errors; HMC alone stays."""
    move, n = HMC(0.5, 5), 2000
    tempered = ParallelTempering(move, np.geomspace(1.0, 0.02, 6))
    shares = []
    for sampler in (tempered, move):
        state = sampler.init(FAR.target, np.repeat([[-5.0], [0.0]], n, axis=1))
        for k in range(60):
            state, _ = sampler.step(FAR.target, state, PhiloxNoise((5, 6), 0, k))
        shares.append(float(np.mean(state.x[0] > 0.0)))
    assert abs(shares[0] - 0.75) < 5 * np.sqrt(0.75 * 0.25 / n)
    assert shares[1] < 0.01


def test_tempered_targets_have_consistent_derivatives() -> None:
    x = np.random.default_rng(0).normal(size=(2, 40))
    path = GeometricPath(GaussianMixture([1.0], [[0.0, 0.0]], [4.0]).target, FAR.target, 0.3)
    for target in (ScaledPower(FAR.target, np.sqrt(0.3)), path):
        log_prob, score = target.log_prob_and_score(x)
        np.testing.assert_allclose(log_prob, target.log_prob(x), rtol=1e-14)
        np.testing.assert_allclose(score, target.score(x), rtol=1e-13)
        e, laplacian = 1e-5, 0.0
        for i, axis in enumerate(np.eye(2)[:, :, None]):
            slope = (target.log_prob(x + e * axis) - target.log_prob(x - e * axis)) / (2 * e)
            np.testing.assert_allclose(slope, score[i], atol=1e-7)
            column = (target.score(x + e * axis) - target.score(x - e * axis)) / (2 * e)
            np.testing.assert_allclose(column, target.hessian_vector(x, axis + 0 * x), atol=1e-7)
            laplacian = laplacian + column[i]
        np.testing.assert_allclose(laplacian, target.laplacian(x), atol=1e-7)


@pytest.mark.parametrize("betas", [[1.0], [0.9, 0.5], [1.0, 1.0], [1.0, 0.0], [1.0, 0.2, 0.5]])
def test_bad_ladders_are_refused(betas: list[float]) -> None:
    with pytest.raises(ParameterError, match="betas"):
        ParallelTempering(MALA(0.1), betas)


def test_an_unadjusted_move_is_refused() -> None:
    with pytest.raises(ParameterError, match="not adjusted"):
        ParallelTempering(ULA(0.1), BETAS)
