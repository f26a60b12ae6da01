"""Claim: the adjusted samplers leave their target invariant, with the acceptance of the closed forms; mutants do not.

False-alarm rate: 1e-3 for each invariance test, with fixed seeds; 10000 chains from exact draws.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from stochsim.columns.noise import Noise, PhiloxNoise
from stochsim.columns.ops import erf, sqrt, squared_norm, tanh, where
from stochsim.densities import Gaussian, GaussianMixture
from stochsim.errors import ParameterError
from stochsim.mcmc import (
    MALA,
    Barker,
    EllipticalSlice,
    IndependenceMetropolis,
    PreconditionedCrankNicolson,
    RandomWalkMetropolis,
    Sampler,
)
from stochsim.mcmc.langevin.overdamped import Acceptance, Evaluated, metropolis
from stochsim.mcmc.laws.affine import GivenNoise
from stochsim.mcmc.metropolis.proposals import Weighed
from stochsim.mcmc.metropolis.reference import GaussianReference, gaussian_reference
from stochsim.metrics import Check, invariance_test
from stochsim.noise.seeds import seed_key

MIXTURE = GaussianMixture([0.3, 0.7], [[-1.0, 0.0], [1.0, 0.5]], [[[0.5, 0.2], [0.2, 1.0]], [[1.0, 0.0], [0.0, 0.3]]])
METRIC = np.array([[1.0, 0.4], [0.4, 0.6]])
WIDE = Gaussian([0.2, 0.0], [[3.0, 0.5], [0.5, 2.0]])
PRIOR = Gaussian([0.5, -0.5], [[1.0, 0.3], [0.3, 2.0]])
POSTERIOR = PRIOR.posterior([[1.0, 2.0]], [1.5], 0.5)


def invariance(density: Any, sampler: Sampler, n_steps: int = 8, seed: int = 0) -> Check:
    """Exact draws through some steps of a sampler."""

    def transition(x: np.ndarray, seed: int) -> np.ndarray:
        key = seed_key(seed)[:2]
        state = sampler.init(density.target, np.ascontiguousarray(x.T))
        with np.errstate(all="ignore"):
            state, _ = sampler.step(density.target, state, PhiloxNoise(key, 0, 0))
        return np.ascontiguousarray(state.x.T)

    return invariance_test(density, transition, n_chains=10_000, n_steps=n_steps, seed=seed, false_alarm=1e-3)


@pytest.mark.parametrize(
    "sampler",
    [
        MALA(0.6),
        MALA(0.8, metric=METRIC),
        MALA(0.8, metric=[1.0, 0.5]),
        RandomWalkMetropolis(1.0),
        RandomWalkMetropolis(1.5, metric=METRIC),
        Barker(1.2),
        IndependenceMetropolis(WIDE),
    ],
    ids=repr,
)
def test_the_target_is_invariant(sampler: Sampler) -> None:
    check = invariance(MIXTURE, sampler)
    assert check.passed, check


@pytest.mark.parametrize(
    "sampler",
    [
        PreconditionedCrankNicolson(0.5, PRIOR),
        EllipticalSlice(PRIOR),
        EllipticalSlice(PRIOR, n_tries=1),
        EllipticalSlice(PRIOR, n_tries=2),
        IndependenceMetropolis(PRIOR),
    ],
    ids=lambda s: f"{s.name}{getattr(s, 'n_tries', '')}",
)
def test_the_posterior_is_invariant(sampler: Sampler) -> None:
    check = invariance(POSTERIOR, sampler)
    assert check.passed, check


@dataclass(frozen=True)
class WrongRatio(MALA):
    """Mutant: the proposal counted as symmetric."""

    def step(self, target: Any, state: Evaluated, noise: Noise) -> tuple[Evaluated, Acceptance]:
        y = state.x + self.step_size * state.score + sqrt(2.0 * self.step_size) * noise.normal(state.x)
        proposal = Evaluated(y, *target.log_prob_and_score(y))
        return metropolis(proposal.log_prob - state.log_prob, proposal, state, noise.uniform(y))


@dataclass(frozen=True)
class TwiceTheNoise(MALA):
    """Mutant: the normal law of the proposal with 2h for the variance in its density, 2√h for its deviation."""

    def step(self, target: Any, state: Evaluated, noise: Noise) -> tuple[Evaluated, Acceptance]:
        h, xi = self.step_size, noise.normal(state.x)
        y = state.x + h * state.score + 2.0 * sqrt(h) * xi
        proposal = Evaluated(y, *target.log_prob_and_score(y))
        forward, back = y - state.x - h * state.score, state.x - y - h * proposal.score
        skew = (squared_norm(forward) - squared_norm(back)) / (4.0 * h)
        return metropolis(proposal.log_prob - state.log_prob + skew, proposal, state, noise.uniform(y))


@dataclass(frozen=True)
class BarkerWithoutSkew(Barker):
    """Mutant: the asymmetric proposal ignored."""

    def step(self, target: Any, state: Evaluated, noise: Noise) -> tuple[Evaluated, Acceptance]:
        z = self.step_size * noise.normal(state.x)
        up = erf(noise.normal(z) / np.sqrt(2.0)) < tanh(0.5 * z * state.score)
        y = state.x + where(up, z, -z)
        proposal = Evaluated(y, *target.log_prob_and_score(y))
        return metropolis(proposal.log_prob - state.log_prob, proposal, state, noise.uniform(y))


@dataclass(frozen=True)
class IndependenceWithoutWeights(IndependenceMetropolis):
    """Mutant: the density of the proposal left out."""

    def step(self, target: Any, state: Weighed, noise: Noise) -> tuple[Weighed, Acceptance]:
        y = self.proposal.mean + self.proposal.spread(noise.normal(state.x))
        proposal = Weighed(y, target.log_prob(y))
        return metropolis(proposal.log_prob - state.log_prob, proposal, state, noise.uniform(y))


@pytest.mark.parametrize(
    "mutant", [WrongRatio(0.6), TwiceTheNoise(0.6), BarkerWithoutSkew(1.2), IndependenceWithoutWeights(WIDE)],
    ids=lambda s: s.name,
)  # fmt: skip
def test_mutants_are_found(mutant: Sampler) -> None:
    assert not invariance(MIXTURE, mutant).passed


@pytest.mark.parametrize("build", [EllipticalSlice, lambda prior: PreconditionedCrankNicolson(0.5, prior)])
def test_a_prior_drawn_from_another_law_than_weighed_is_found(build: Callable[[Any], Sampler]) -> None:
    right, wrong = (
        gaussian_reference("prior", PRIOR),
        gaussian_reference("prior", Gaussian(PRIOR.mean, 1.3 * PRIOR.covariance)),
    )
    mutant = build(GaussianReference(right.mean, wrong.root, right.inverse_root))
    assert not invariance(POSTERIOR, mutant).passed


def mean_acceptance(sampler: Sampler, kinks: list[float]) -> float:
    """Stationary acceptance on N(0, 1) by quadrature of the step's own probability in polar coordinates of (x, ξ).

    The log-ratio is r² g(θ): Gauss-Laguerre in r²/2, Gauss-Legendre between the angles where g changes sign.
    """
    target = Gaussian(0.0, 1.0).target
    t, w = np.polynomial.laguerre.laggauss(48)
    nodes, weights = np.polynomial.legendre.leggauss(48)
    edges = np.unique([*np.mod([*kinks, 0.0], np.pi), np.pi])
    total = 0.0
    for a, b in pairwise(edges):
        angle = (a + b) / 2 + (b - a) / 2 * nodes
        r = np.sqrt(2 * t)[:, None]
        x, xi = (r * np.cos(angle)).reshape(1, -1), (r * np.sin(angle)).reshape(1, -1)
        _, info = sampler.step(target, sampler.init(target, x), GivenNoise(xi, np.full_like(x, 0.5)))
        total += (b - a) / 2 * float(w @ info.accept_prob.reshape(len(t), -1) @ weights)
    return total / np.pi


@pytest.mark.parametrize("h", [0.05, 0.5, 1.5])
def test_mala_accepts_as_often_as_its_closed_form(h: float) -> None:
    found = mean_acceptance(MALA(h), [np.arctan2(h, np.sqrt(2 * h)), np.arctan2(h - 2, np.sqrt(2 * h))])
    np.testing.assert_allclose(found, 1 - 2 / np.pi * np.arctan(np.sqrt(h**3 / 8)), rtol=0, atol=1e-8)


@pytest.mark.parametrize("s", [0.3, 1.0, 2.4])
def test_random_walk_accepts_as_often_as_its_closed_form(s: float) -> None:
    found = mean_acceptance(RandomWalkMetropolis(s), [np.arctan2(-2.0, s)])
    np.testing.assert_allclose(found, 2 / np.pi * np.arctan(2 / s), rtol=0, atol=1e-8)


def test_log_ratio_of_mala_on_a_gaussian() -> None:
    h, x, xi = 0.7, np.linspace(-2, 2, 9)[None], np.linspace(1, -1.5, 9)[None]
    target = Gaussian(0.0, 1.0).target
    y = (1 - h) * x + np.sqrt(2 * h) * xi
    _, info = MALA(h).step(target, MALA(h).init(target, x), GivenNoise(xi, np.full_like(x, 0.5)))
    np.testing.assert_allclose(info.accept_prob, np.minimum(1, np.exp(h / 4 * (x**2 - y**2)))[0], rtol=1e-13)


@pytest.mark.parametrize(("shift", "sigma"), [(0.5, 1.0), (2.0, 0.7)])
def test_independent_proposals_of_a_shifted_law_accept_as_the_closed_form(shift: float, sigma: float) -> None:
    """E min(1, w(y)/w(x)) = 2 Φ(-|m|/(√2 σ)) for N(0, σ²) proposed by N(m, σ²)."""
    from scipy.special import ndtr

    t, w = np.polynomial.legendre.leggauss(60)
    law, target = Gaussian(shift, sigma**2), Gaussian(0.0, sigma**2).target
    sampler = IndependenceMetropolis(law)
    # with x = σ a and y = m + σ b the ratio is exp((a - b) m/σ - m²/σ²): it changes at a - b = m/σ
    u, v = 9 * t, None
    total = 0.0
    for low, high in ((-11.0, shift / sigma), (shift / sigma, 11.0)):
        v = (low + high) / 2 + (high - low) / 2 * t  # a - b
        a, b = (v[:, None] + u) / 2, (u - v[:, None]) / 2
        x = sigma * a.reshape(1, -1)
        _, info = sampler.step(target, sampler.init(target, x), GivenNoise(b.reshape(1, -1), np.full_like(x, 0.5)))
        density = np.exp(-(a**2 + b**2) / 2) / (2 * np.pi) / 2
        total += (high - low) / 2 * 9 * float(w @ (density * info.accept_prob.reshape(a.shape)) @ w)
    np.testing.assert_allclose(total, 2 * ndtr(-shift / (np.sqrt(2) * sigma)), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "build",
    [
        lambda: PreconditionedCrankNicolson(0.0, PRIOR),
        lambda: PreconditionedCrankNicolson(0.5, MIXTURE),
        lambda: EllipticalSlice(PRIOR, n_tries=0),
        lambda: IndependenceMetropolis(1.0),
        lambda: RandomWalkMetropolis(-1.0),
        lambda: Barker(0.0),
    ],
)
def test_bad_arguments_are_refused(build: Callable[[], Sampler]) -> None:
    with pytest.raises(ParameterError, match="give"):
        build()


def test_a_log_density_that_is_not_a_number_refuses() -> None:
    class Broken:
        def log_prob(self, x: np.ndarray) -> np.ndarray:
            return np.where(x[0] > 0, np.nan, 0.0)

    x = np.full((1, 50), -0.01)
    sampler = RandomWalkMetropolis(1.0)
    state, info = sampler.step(Broken(), sampler.init(Broken(), x), PhiloxNoise((1, 2), 0, 0))
    assert np.all(state.x <= 0.0)
    assert np.all(info.accept_prob[state.x[0] == -0.01] == 0.0)
