"""Guidance on Gaussians against closed forms: what is drawn, and that it is not the tilted law."""

from typing import Any

import numpy as np
import pytest

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import EDM, VE, VP, Flow, Model, exact, sample, samplers
from stochsim.diffusion.guidance.composed import Composed, Guided, given_label, predictor_corrector_guidance, within
from stochsim.diffusion.guidance.guided_laws import guided_map, tilted_gaussian
from stochsim.diffusion.record import no_noise
from stochsim.errors import ModelError, ParameterError
from stochsim.laws import affine_map

RNG = np.random.default_rng(3)
MIXED = GaussianMixture([0.2, 0.5, 0.3], RNG.normal(size=(3, 2)), [0.2, 0.5, 0.3])
LABELS = ["cat", "dog", "cat"]
X = RNG.normal(size=(2, 6))
TURN = np.linalg.qr(RNG.normal(size=(2, 2)))[0]
PAIR = [Gaussian([1.0, 0.0], (TURN * [0.2, 1.0]) @ TURN.T), Gaussian([0.0, -0.5], (TURN * [1.0, 1.5]) @ TURN.T)]


def models(process: Any, parts: Any = PAIR) -> list[Model]:
    return [Model(part, process) for part in parts]


def test_guidance_of_a_gaussian_is_not_the_tilted_law() -> None:
    """VE, c = 0.2, u = 1, γ = 3, T = 10: the variance is 0.0081 and not 0.0769."""
    c, u, w, T = 0.2, 1.0, 2.0, 10.0
    parts = [Gaussian([0.0], [c]), Gaussian([0.0], [u])]
    whole = guided_map(parts, (1.0 + w, -w), EDM(), T, 0.0)
    factor = (c / (c + T**2)) ** ((1.0 + w) / 2.0) * (u / (u + T**2)) ** (-w / 2.0)
    assert whole.matrix[0, 0] == pytest.approx(factor, rel=1e-12)
    drawn = whole.law(np.zeros(1), parts[0].noised(1.0, T).covariance)[1][0, 0]
    tilted = tilted_gaussian(parts, (1.0 + w, -w)).covariance[0, 0]
    assert (round(drawn, 4), round(tilted, 4)) == (0.0081, 0.0769)
    assert drawn == pytest.approx(c ** (1 + w) * u ** (-w) * (c + T**2) ** (-w) * (u + T**2) ** w, rel=1e-12)


@pytest.mark.parametrize("gamma", [1.5, 2.0, 4.0])
def test_two_samplers_without_error_draw_two_laws(gamma: float) -> None:
    """p_c = N(0, 1), p_u = N(0, 2), VE from far: variances 2^(1-γ), (2 - 2^(2-2γ))/(2γ - 1), and 2/(γ + 1) tilted."""
    parts, T = [Gaussian([0.0], [1.0]), Gaussian([0.0], [2.0])], 1e6
    weights = (gamma, 1.0 - gamma)
    process = EDM(t_end=T)

    def drawn(eta: float) -> float:
        return float(guided_map(parts, weights, process, T, 0.0, eta=eta).law([0.0], [[T**2]])[1][0, 0])

    assert drawn(0.0) == pytest.approx(2.0 ** (1.0 - gamma), rel=1e-10)
    assert drawn(1.0) == pytest.approx((2.0 - 2.0 ** (2.0 - 2.0 * gamma)) / (2.0 * gamma - 1.0), rel=1e-10)
    assert tilted_gaussian(parts, weights).covariance[0, 0] == pytest.approx(2.0 / (gamma + 1.0), rel=1e-13)


def slope(errors: list[float]) -> float:
    return float(np.log2(errors[-2] / errors[-1]))


@pytest.mark.parametrize(("name", "eta", "order"), [
    ("ddim", 0.0, 1), ("heun", 0.0, 2), ("dpm_solver_pp_2m", 0.0, 2), ("unipc", 0.0, 3), ("euler_maruyama", 1.0, 1),
    ("ancestral", 1.0, 1),
])  # fmt: skip
def test_samplers_of_a_guided_model_converge_to_the_guided_map(name: str, eta: float, order: float) -> None:
    process = VP()
    exact = guided_map(PAIR, (2.5, -1.5), process, 0.8, 0.05, eta=eta)
    aim = exact.law(PAIR[0].mean, PAIR[0].covariance)
    errors = []
    for n in (40, 80):
        guided = Guided(*models(process), 2.5)
        grid = np.linspace(0.8, 0.05, n + 1)
        law = affine_map(lambda x, z, g=guided, t=grid: samplers.REGISTRY[name](g, x, t, z), 2).law(
            PAIR[0].mean, PAIR[0].covariance
        )
        errors.append(float(np.abs(law[0] - aim[0]).max() + np.abs(law[1] - aim[1]).max()))
    assert slope(errors) == pytest.approx(order, abs=0.2 if order < 3 else 0.6)
    assert errors[-1] < 0.05


def test_the_guided_map_is_the_flow_and_the_law_where_there_is_no_guidance() -> None:
    process, part = Flow(), PAIR[0]
    whole = guided_map([part], [1.0], process, 0.9, 0.1)
    np.testing.assert_allclose(
        whole.matrix @ X + whole.offset[:, None], exact.flow_map(part, process, X, 0.9, 0.1), rtol=1e-11
    )
    for eta in (0.3, 1.0):
        whole = guided_map(PAIR, [1.0, 0.0], process, 0.9, 0.1, eta=eta)
        early, late = part.noised(0.1, 0.9), part.noised(0.9, 0.1)
        mean, cov = whole.law(early.mean, early.covariance)
        np.testing.assert_allclose(mean, late.mean, rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(cov, late.covariance, rtol=1e-11, atol=1e-13)


def cfg_and_pcg(n: int, gamma: float, wrong: float = 0.0) -> float:
    """Distance of the variances of CFG-DDPM at γ and of PCG at 2γ - 1 (+ wrong), in n steps."""
    parts, process = [Gaussian([0.0], [1.0]), Gaussian([0.0], [2.0])], VE(0.05, 10.0)
    grid = np.linspace(1.0, 0.0, n + 1)
    laws = []
    for record, weight in (
        (samplers.REGISTRY["euler_maruyama"], gamma),
        (predictor_corrector_guidance, 2.0 * gamma - 1.0 + wrong),
    ):
        guided = Guided(*models(process, parts), weight)
        whole = affine_map(lambda x, z, r=record, g=guided: r(g, x, grid, z), 1)
        laws.append(whole.law([0.0], [[process.sigma(1.0) ** 2]])[1][0, 0])
    return abs(laws[0] - laws[1])


def test_guidance_is_a_predictor_corrector() -> None:
    """CFG-DDPM at γ and PCG at 2γ - 1 have the same limit (order 1 apart); at 2γ they have not."""
    errors = [cfg_and_pcg(n, 2.0) for n in (100, 200, 400)]
    assert slope(errors) == pytest.approx(1.0, abs=0.1)
    assert cfg_and_pcg(400, 2.0, wrong=1.0) > 5.0 * errors[-1]


def test_many_corrections_reach_the_tilted_law() -> None:
    parts, process, gamma = [Gaussian([0.0], [1.0]), Gaussian([0.0], [2.0])], VE(0.01, 5.0), 3.0
    misses = []
    for corrections in (1, 4, 32):
        guided = Guided(*models(process, parts), gamma)
        record = predictor_corrector_guidance.with_options(corrections=corrections)
        cov = np.array([[process.sigma(1.0) ** 2]])
        for i in range(100):
            step = [1.0 - 0.01 * i, 1.0 - 0.01 * (i + 1)]
            whole = affine_map(lambda x, z, g=guided, r=record, t=step: r(g, x, t, z), 1)
            cov = whole.law(np.zeros(1), cov)[1]
        misses.append(abs(float(cov[0, 0]) * (gamma + 1.0) / 2.0 - 1.0))
    assert misses[2] < 0.03 < misses[1] < misses[0]


def test_a_weight_of_one_is_the_conditional_model_and_costs_one_evaluation() -> None:
    process = VP()
    conditional, unconditional = models(process, [given_label(MIXED, LABELS, "cat"), MIXED])
    guided = Guided(conditional, unconditional, 1.0)
    np.testing.assert_array_equal(guided.score(X, 0.3), conditional.score(X, 0.3))
    assert (guided.nfe, unconditional.nfe) == (2, 0)


def test_predictions_of_a_guided_model_are_guided() -> None:
    process = Flow()
    parts = models(process, [given_label(MIXED, LABELS, "cat"), MIXED])
    guided = Guided(*parts, 3.0)
    for name in ("score", "eps", "denoised", "v", "velocity"):
        each = [getattr(part, name)(X, 0.4) for part in parts]
        np.testing.assert_allclose(getattr(guided, name)(X, 0.4), 3.0 * each[0] - 2.0 * each[1], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(guided.denoised(X, 1.0), np.broadcast_to(
        (3.0 * parts[0].target.mean - 2.0 * MIXED.mean)[:, None], X.shape), rtol=1e-12)  # fmt: skip
    lots = [part.divergence(X, 0.4) for part in parts]
    np.testing.assert_allclose(guided.divergence(X, 0.4), 3.0 * lots[0] - 2.0 * lots[1], rtol=1e-10)
    times = np.full(X.shape[1], 0.4)
    np.testing.assert_allclose(guided.score(X, times), guided.score(X, 0.4), rtol=1e-11)


def test_bayes_rule_gives_the_classifiers_gradient() -> None:
    """s_c - s_u is the gradient of log p(label | x_t): the responsibilities of its components."""
    process, t, h = VP(), 0.2, 1e-4
    conditional, unconditional = models(process, [given_label(MIXED, LABELS, "cat"), MIXED])
    noised = MIXED.noised(float(process.alpha(t)), float(process.sigma(t)))

    def log_label(x: np.ndarray) -> np.ndarray:
        return np.log(noised.responsibilities(x.T)[:, [0, 2]].sum(axis=1))

    for i in range(2):
        e = h * np.eye(2)[:, [i]]
        slope_there = (8 * (log_label(X + e) - log_label(X - e)) - log_label(X + 2 * e) + log_label(X - 2 * e)) / 12 / h
        gap = conditional.score(X, t) - unconditional.score(X, t)
        np.testing.assert_allclose(gap[i], slope_there, rtol=1e-7, atol=1e-9)


def test_guidance_in_an_interval_is_none_outside() -> None:
    process = EDM()
    parts = models(process, [given_label(MIXED, LABELS, "cat"), MIXED])
    guided, always = Guided(*parts, within(process, 3.0, 0.5, 2.0)), Guided(*parts, 3.0)
    np.testing.assert_array_equal(guided.score(X, 0.5), parts[0].score(X, 0.5))
    np.testing.assert_array_equal(guided.score(X, 2.0), always.score(X, 2.0))
    end = samplers.heun(guided, X, np.linspace(4.0, 0.1, 9), no_noise)
    assert np.abs(end - samplers.heun(always, X, np.linspace(4.0, 0.1, 9), no_noise)).max() > 1e-2


def test_samples_of_a_guided_score_are_those_of_its_model() -> None:
    cat, process, grid = given_label(MIXED, LABELS, "cat"), VP(), np.linspace(1.0, 0.1, 11)
    guided, start = Guided(*models(process, [cat, MIXED]), 2.5), RNG.normal(size=(40, 2))
    drawn = sample(cat, "heun", process, grid=grid, n_particles=40, start=start, score=guided.score)
    np.testing.assert_array_equal(drawn.x.values.T, samplers.heun(guided, start.T.copy(), grid, no_noise))


def test_a_composed_model_has_no_target_and_says_so() -> None:
    guided = Guided(*models(VP()), 2.0)
    with pytest.raises(ModelError, match="the noised score of no law"):
        samplers.REGISTRY["exact_kernel"](guided, X, [0.5, 0.4], no_noise)
    twin = guided.twin()
    twin.score(X, 0.3)
    assert (guided.nfe, twin.nfe) == (0, 2)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ParameterError, match="give all the same one"):
        Guided(Model(PAIR[0], VP()), Model(PAIR[1], EDM()), 2.0)
    with pytest.raises(ParameterError, match="1 models were given 2 weights"):
        Composed(models(VP())[:1], [1.0, 2.0])
    with pytest.raises(ParameterError, match="all weights"):
        Composed(models(VP()), [0.0, 0.0]).score(X, 0.3)
    with pytest.raises(ParameterError, match="no component has the label 'cow'"):
        given_label(MIXED, LABELS, "cow")
    with pytest.raises(ParameterError, match="one for each of 3"):
        given_label(MIXED, ["cat"], "cat")
    with pytest.raises(ParameterError, match="lower end first"):
        within(EDM(), 2.0, 1.0, 1.0)
    with pytest.raises(ModelError, match="no normaliser"):
        tilted_gaussian(PAIR, (-1.0, 0.5))
    with pytest.raises(ModelError, match="no common eigenvectors"):
        guided_map([PAIR[0], Gaussian([0.0, 0.0], [[1.0, 0.5], [0.5, 2.0]])], (2.0, -1.0), VP(), 0.5, 0.1)
    with pytest.raises(ParameterError, match="give s below t"):
        guided_map(PAIR, (2.0, -1.0), VP(), 0.1, 0.5)
