"""Densities followed along paths against exact ones, and samplers built on them."""

from typing import Any

import numpy as np
import pytest

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import VP, Flow, Model, samplers
from stochsim.diffusion.guidance.composed import Composed
from stochsim.diffusion.guidance.superposition import superposed_all, superposed_any, tracked_log_prob
from stochsim.diffusion.record import no_noise
from stochsim.errors import ParameterError

RNG = np.random.default_rng(4)
FIRST = GaussianMixture([0.4, 0.6], [[-1.0, 0.5], [1.0, 0.0]], [0.2, 0.4])
OTHER = GaussianMixture([0.5, 0.5], [[0.0, -1.0], [0.5, 1.0]], [0.3, 0.3])
ROUND = [Gaussian([1.0, 0.0], [0.3, 0.5]), Gaussian([-0.5, 0.5], [1.0, 0.2])]
FINE = 640
N = 64


def brownian(n: int) -> Any:
    """Normals of n steps that add up to the same path for each n."""
    fine = np.random.default_rng(9).standard_normal((FINE, 2, N))
    coarse = fine.reshape(n, FINE // n, 2, N).sum(axis=1) * np.sqrt(n / FINE)
    return lambda k, shape: coarse[k]


def start() -> np.ndarray:
    return np.random.default_rng(6).standard_normal((2, N))


def slope(errors: list[float]) -> float:
    return float(np.polyfit(np.arange(len(errors)), -np.log2(errors), 1)[0])


def followed(sampler: Any, model: Model, process: Any, n: int, eta: float, told: float | None = None) -> float:
    """Root mean square error of log p at the end of paths driven by another model."""
    grid = np.linspace(0.9, 0.1, n + 1)
    driver = Model(OTHER, process)
    states = sampler.trajectory(driver, start(), grid, brownian(n) if eta else no_noise)
    values = tracked_log_prob(model, states, grid, eta=eta if told is None else told)
    return float(np.sqrt(((values[-1] - model.log_prob(states[-1], 0.1)) ** 2).mean()))


@pytest.mark.parametrize("process", [VP(), Flow()], ids=repr)
@pytest.mark.parametrize(("eta", "order"), [(0.0, 1.0), (1.0, 0.5), (0.5, 0.5)])
def test_followed_densities_converge_whatever_drives_the_path(process: Any, eta: float, order: float) -> None:
    sampler = samplers.euler if eta == 0.0 else samplers.euler_maruyama.with_options(eta=eta)
    model = Model(FIRST, process)
    errors = [followed(sampler, model, process, n, eta) for n in (80, 320)]
    assert 0.5 * slope(errors) == pytest.approx(order, abs=0.15)
    wrong = followed(sampler, model, process, 320, eta, told=1.0 - eta if eta != 0.5 else 1.0)
    assert wrong > 5.0 * errors[-1]


def ends(operation: Any, n: int, targets: Any) -> np.ndarray:
    process = VP()
    model = Composed([Model(target, process) for target in targets], [0.5] * len(targets))
    return np.asarray(operation(model, start(), np.linspace(1.0, 0.1, n + 1), brownian(n)))


def test_any_with_temperature_one_follows_the_reverse_equation_of_the_mixture() -> None:
    """The same noise gives the paths of the mixture, closer as steps shrink (order ½); temperature 3 does not."""
    weights = np.array([0.3, 0.7])
    whole = GaussianMixture(
        np.concatenate([weights[0] * FIRST.weights, weights[1] * OTHER.weights]),
        np.concatenate([FIRST.means, OTHER.means]),
        np.concatenate([FIRST.covariances, OTHER.covariances]),
    )
    bias = tuple(np.log(weights).tolist())
    errors = []
    for n in (40, 160, 640):
        grid = np.linspace(1.0, 0.1, n + 1)
        aim = samplers.euler_maruyama(Model(whole, VP()), start(), grid, brownian(n))
        x = ends(superposed_any.with_options(bias=bias), n, (FIRST, OTHER))
        errors.append(float(np.sqrt(((x - aim) ** 2).mean())))
    assert 0.5 * slope(errors) == pytest.approx(0.5, abs=0.15)
    other = ends(superposed_any.with_options(bias=bias, temperature=3.0), 640, (FIRST, OTHER))
    assert np.sqrt(((other - aim) ** 2).mean()) > 5.0 * errors[-1]


def drift_of_the_gap(n: int, targets: Any, curvature: bool) -> tuple[float, float]:
    """Mean, and root mean square, of the change of log q_1 - log q_0 from first to last."""
    process = VP()
    x = ends(superposed_all.with_options(curvature=curvature), n, targets)
    one, other = (Model(target, process) for target in targets)
    gap = [other.log_prob(y, t) - one.log_prob(y, t) for y, t in ((start(), 1.0), (x, 0.1))]
    return float((gap[1] - gap[0]).mean()), float(np.sqrt(((gap[1] - gap[0]) ** 2).mean()))


def test_all_keeps_the_difference_of_densities_with_the_curvature_term() -> None:
    errors = [drift_of_the_gap(n, ROUND, True)[1] for n in (40, 160, 640)]
    assert 0.5 * slope(errors) == pytest.approx(0.5, abs=0.15)
    assert errors[-1] < 0.04


def test_the_published_rule_loses_the_difference_however_small_the_steps() -> None:
    """Its noise across the level sets is cancelled, which the estimator does not know: off by 0.36 nats here."""
    drifts = [drift_of_the_gap(n, ROUND, False)[0] for n in (80, 320)]
    assert drifts[0] == pytest.approx(drifts[1], abs=0.02)
    assert drifts[1] < -0.3


def test_the_published_rule_is_right_for_equal_hessians() -> None:
    """The difference of densities is then linear in x: what is left is the error of the time steps, of order 1."""
    alike = [Gaussian([1.0, 0.0], 0.4), Gaussian([-0.5, 0.5], 0.4)]
    for curvature in (False, True):
        errors = [drift_of_the_gap(n, alike, curvature)[1] for n in (80, 160, 320)]
        assert slope(errors) == pytest.approx(1.0, abs=0.1)


def test_bad_input_is_refused() -> None:
    model = Model(FIRST, VP())
    with pytest.raises(ParameterError, match="0 parts"):
        superposed_any(model, start(), [0.5, 0.4], no_noise)
    with pytest.raises(ParameterError, match="3 parts"):
        superposed_all(Composed([model] * 3, [1.0] * 3), start(), [0.5, 0.4], no_noise)
    with pytest.raises(ParameterError, match="bias has 1 entries"):
        superposed_any.with_options(bias=(0.1,))(Composed([model] * 2, [0.5] * 2), start(), [0.5, 0.4], no_noise)
