"""Claim: noised mixtures and their posteriors are exact; the autoencoder chain is invariant at any noise.

False-alarm rate: 1e-3 for each statistical test.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from stochsim.columns.noise import Noise, PhiloxNoise
from stochsim.densities import Gaussian, GaussianMixture
from stochsim.errors import ModelError, ParameterError
from stochsim.mcmc import DenoisingAutoencoder, DenoisingGibbs
from stochsim.mcmc.langevin.overdamped import Position
from stochsim.mcmc.laws.affine import GivenNoise, affine_law
from stochsim.mcmc.record import NoInfo
from stochsim.mcmc.smoothing.noised_mixtures import log_noised, noised_mixture, noised_score, one_hot, posterior_draw
from stochsim.metrics import invariance_test
from stochsim.noise.seeds import seed_key

ISOTROPIC = GaussianMixture([0.3, 0.7], [[-2.0, 0.0], [2.0, 0.5]], [0.2, 0.5])
FULL = GaussianMixture([0.3, 0.7], [[-2.0, 0.0], [2.0, 0.5]], [[[0.5, 0.2], [0.2, 0.6]], [[1.0, 0.0], [0.0, 0.3]]])
LINE = GaussianMixture([0.4, 0.6], [[-1.0], [1.5]], [0.3, 0.6])
BOTH = pytest.mark.parametrize("density", [ISOTROPIC, FULL], ids=["isotropic", "full"])
SIGMAS = (0.0, 0.1, 1.0, 7.0)


@BOTH
def test_noised_densities_and_scores_are_those_of_the_noised_mixture(density: GaussianMixture) -> None:
    x = 3.0 * np.random.default_rng(0).normal(size=(2, 60))
    family = noised_mixture(density.target)
    every = np.repeat(SIGMAS, 15)  # a level of its own for every column
    log_prob, score = log_noised(family, x, every), noised_score(family, x, every)
    for sigma in SIGMAS:
        law, own = density.noised(1.0, sigma), every == sigma
        np.testing.assert_allclose(log_prob[own], law.log_prob(x.T[own]), rtol=1e-12)
        np.testing.assert_allclose(score[:, own].T, law.score(x.T[own]), rtol=1e-11, atol=1e-12)


@BOTH
def test_posterior_draws_have_exact_weights_means_and_covariances(density: GaussianMixture) -> None:
    """Affine in the normals once the uniform has chosen the component."""
    y, sigma = np.array([0.3, -0.4]), 0.8
    posterior = density.posterior(np.eye(2), y, sigma**2)
    edge = posterior.weights[0]
    for k, u in ((0, edge - 1e-12), (1, edge + 1e-12), (0, 1e-9), (1, 1 - 1e-9)):
        normals = np.hstack([np.zeros((2, 1)), np.eye(2)])
        columns = np.repeat(y[:, None], 3, axis=1)
        draws = posterior_draw(noised_mixture(density.target), columns, sigma, GivenNoise(normals, np.full((1, 3), u)))
        mean, root = draws[:, 0], draws[:, 1:] - draws[:, :1]
        np.testing.assert_allclose(mean, posterior.means[k], rtol=0, atol=1e-13)
        np.testing.assert_allclose(root @ root.T, posterior.covariances[k], rtol=0, atol=1e-13)


def test_one_hot_chooses_one_row_always() -> None:
    weights = np.random.default_rng(0).dirichlet(np.ones(7), size=500).T
    for u in (1e-300, 0.5, 1.0 - 2.0**-53):
        chosen = one_hot(weights, np.full(500, u))
        np.testing.assert_array_equal(chosen.sum(axis=0), np.ones(500))
        np.testing.assert_array_equal(np.sort(chosen, axis=0)[:-1], 0.0)


@pytest.mark.parametrize("sigma", [0.1, 1.0, 10.0])
def test_on_a_gaussian_the_autoencoder_is_autoregressive(sigma: float) -> None:
    v = 0.7
    law = affine_law(DenoisingAutoencoder(sigma), GaussianMixture([1.0], [[2.0]], [v]).target, 1)
    np.testing.assert_allclose([law.mean[0], law.covariance[0, 0]], [2.0, v], rtol=1e-12)
    np.testing.assert_allclose(law.autocorrelation(1), v / (v + sigma**2), rtol=1e-12)


@dataclass(frozen=True)
class PosteriorMean(DenoisingAutoencoder):
    """Mutant: the mean of the posterior instead of a draw."""

    def step(self, target: Any, state: Position, noise: Noise) -> tuple[Position, NoInfo]:
        y = state.x + self.sigma * noise.normal(state.x)
        return Position(y + self.sigma**2 * noised_score(noised_mixture(target), y, self.sigma)), NoInfo()


def invariant(density: GaussianMixture, sampler: Any) -> bool:
    def transition(x: np.ndarray, seed: int) -> np.ndarray:
        noise = PhiloxNoise(seed_key(seed)[:2], 0, 0)
        return np.ascontiguousarray(sampler.step(density.target, Position(np.ascontiguousarray(x.T)), noise)[0].x.T)

    return invariance_test(density, transition, n_chains=5_000, n_steps=4, seed=0, false_alarm=1e-3).passed


@BOTH
@pytest.mark.parametrize("sigma", [0.3, 2.0])
def test_the_autoencoder_chain_is_invariant_without_small_noise(density: GaussianMixture, sigma: float) -> None:
    assert invariant(density, DenoisingAutoencoder(sigma))
    assert not invariant(density, PosteriorMean(sigma))


def test_more_noise_crosses_between_modes_faster() -> None:
    """Eigenvalues of the transition are the squares of the singular values of (x, y) -> p(x, y)/√(p(x) p(y))."""
    gaps = []
    for sigma in (0.3, 1.0, 3.0):
        t, w = np.polynomial.legendre.leggauss(120)
        x, y, reach = 7 * t, (7 + 5 * sigma) * t, 7 + 5 * sigma
        joint = np.exp(-((y[None] - x[:, None]) ** 2) / (2 * sigma**2)) / np.sqrt(2 * np.pi) / sigma
        ratio = LINE.log_prob(x[:, None])[:, None] - LINE.noised(1.0, sigma).log_prob(y[:, None])[None]
        weights = np.sqrt(7 * w[:, None] * reach * w[None])
        values = np.linalg.svd(joint * np.exp(ratio / 2) * weights, compute_uv=False) ** 2
        np.testing.assert_allclose(values[0], 1.0, atol=1e-8)
        gaps.append(1.0 - values[1])
    assert gaps[0] < gaps[1] < gaps[2]


@pytest.mark.parametrize("weights", [None, [1.0, 5.0, 2.0, 0.5]])
def test_levels_are_drawn_from_their_exact_law(weights: list[float] | None) -> None:
    """chi² of 40000 draws given one x, at the rate 1e-3 for each; the neighbouring x must fail."""
    sampler, n = DenoisingGibbs(0.1, np.geomspace(0.2, 5.0, 4), weights), 40_000
    prior = np.ones(4) if weights is None else np.array(weights)

    def statistic(at: np.ndarray, drawn_at: np.ndarray) -> float:
        columns = np.repeat(drawn_at[:, None], n, axis=1)
        levels = sampler._level(noised_mixture(FULL.target), columns, PhiloxNoise((3, 4), 0, 0))
        counts = np.array([np.sum(levels == s) for s in sampler.sigmas[:, 0]])
        law = prior * [np.exp(FULL.noised(1.0, s).log_prob(at)) for s in sampler.sigmas[:, 0]]
        law = law / law.sum()
        return float(np.sum((counts - n * law) ** 2 / (n * law)))

    limit = chi2.isf(1e-3, 3)
    assert statistic(np.array([1.0, 2.0]), np.array([1.0, 2.0])) < limit
    assert statistic(np.array([1.0, 2.0]), np.array([1.0, 1.5])) > limit


def joint_stationary(eta: float, sigmas: np.ndarray) -> tuple[float, np.ndarray]:
    """E x² and the law of the level for the joint chain on a line: functions of (x, level) at Chebyshev nodes."""
    n, K, reach = 72, len(sigmas), 13.0
    nodes = -reach * np.cos(np.pi * (np.arange(n) + 0.5) / n)
    signs = (-1.0) ** np.arange(n) * np.sin(np.pi * (np.arange(n) + 0.5) / n)
    xi, w = np.polynomial.hermite_e.hermegauss(32)
    family, operator = noised_mixture(LINE.target), np.zeros((K, n, K, n))
    for k, s in enumerate(sigmas):
        x = nodes[None]
        drift = nodes + eta / 2 * s**2 * noised_score(family, x, s)[0]
        ends = np.clip(drift[:, None] + np.sqrt(eta) * s * xi, -reach, reach)
        gaps = ends.reshape(-1, 1) - nodes
        gaps[gaps == 0.0] = 1e-300
        basis = signs / gaps
        basis = (basis / basis.sum(axis=1, keepdims=True)).reshape(n, len(xi), n)
        logs = np.stack([log_noised(family, ends.reshape(1, -1), t) for t in sigmas]).reshape(K, n, len(xi))
        levels = np.exp(logs - logs.max(axis=0))
        levels /= levels.sum(axis=0)
        operator[k] = np.einsum("j,kij,ijm->ikm", w / w.sum(), levels, basis)
    flat = operator.reshape(K * n, K * n)
    system = np.vstack([flat.T - np.eye(K * n), np.ones(K * n)])
    law = np.linalg.lstsq(system, np.append(np.zeros(K * n), 1.0), rcond=None)[0].reshape(K, n)
    return float((law * nodes**2).sum()), law.sum(axis=1)


def test_bias_of_denoising_gibbs_is_of_order_one() -> None:
    """E x² and the level's law against π = (1/2, 1/2), without Monte Carlo."""
    sigmas = np.array([0.8, 2.0])
    exact = np.mean([LINE.noised(1.0, s).covariance[0, 0] + LINE.mean[0] ** 2 for s in sigmas])
    etas = np.array([0.2, 0.1, 0.05])
    found = [joint_stationary(eta, sigmas) for eta in etas]
    bias = np.array([second - exact for second, _ in found])
    levels = np.array([law[0] - 0.5 for _, law in found])
    assert abs(np.log2(bias[1] / bias[2]) - DenoisingGibbs.claims.bias_order) < 0.1
    assert abs(np.log2(levels[1] / levels[2]) - DenoisingGibbs.claims.bias_order) < 0.1


def test_one_level_is_ula_on_the_noised_law() -> None:
    eta, sigma, v = 0.3, 0.5, 0.7
    sampler, target = DenoisingGibbs(eta, [sigma]), GaussianMixture([1.0], [[0.0]], [v]).target
    x, xi = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    state, _ = sampler.step(target, sampler.init(target, x), GivenNoise(xi, np.full((1, 2), 0.5)))
    decay, spread = state.x[0]
    h, total = eta * sigma**2 / 2, v + sigma**2
    np.testing.assert_allclose(spread**2 / (1 - decay**2), total / (1 - h / (2 * total)), rtol=1e-12)


def test_densities_without_exact_noised_law_are_refused() -> None:
    with pytest.raises(ModelError, match="GaussianMixture"):
        noised_mixture(Gaussian([0.0], 1.0).target)


def test_bad_levels_are_refused() -> None:
    with pytest.raises(ParameterError, match="sigmas"):
        DenoisingGibbs(0.1, [0.0, 1.0])
    with pytest.raises(ParameterError, match="weights"):
        DenoisingGibbs(0.1, [0.5, 1.0], [1.0])
