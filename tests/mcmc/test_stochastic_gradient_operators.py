"""Claim: on a target that is not Gaussian too, the order of the bias is that of the batches; by quadrature."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.mcmc import SGLD, StochasticGradientSplitting
from stochsim.mcmc.laws.stationary import stationary_law
from stochsim.mcmc.stochastic_gradients.batch_laws import batch_law
from stochsim.mcmc.stochastic_gradients.batches import INDEPENDENT, RESHUFFLED, SYMMETRIC, Batches
from stochsim.mcmc.stochastic_gradients.epochs import epoch_law
from stochsim.mcmc.stochastic_gradients.targets import BlockPosterior, QuadraticSum
from stochsim.orders.richardson import SlopeFit, fit_order

LOGISTIC = BlockPosterior(ss.densities.LogisticPosterior([[1.5], [-0.7], [2.0], [0.3]], [1, 0, 0, 1], 2.0), 2)
QUADRATICS = QuadraticSum([[0.3], [0.9]], [[1.0], [-0.4]])
SPLITTING = StochasticGradientSplitting(1.0, friction=1.5, scheme="BAOAB")


def bias_of_the_mean(sampler: Any, nodes: tuple[int, ...]) -> SlopeFit:
    h = 0.2 * 2.0 ** -np.arange(4.0)
    laws = [epoch_law(replace(sampler, step_size=float(step)), LOGISTIC, nodes=nodes) for step in h]
    return fit_order(h, [law.expectation(np.positive) - LOGISTIC.mean[0] for law in laws], 1e-8)


@pytest.mark.parametrize(
    ("batches", "order", "nodes"),
    [(INDEPENDENT, 1.0, (32, 24)), (RESHUFFLED, 2.0, (40, 32))],
    ids=["indep.", "reshuffled"],
)
def test_the_order_of_a_splitting_is_that_of_its_batches(
    batches: Batches, order: float, nodes: tuple[int, int]
) -> None:
    fit = bias_of_the_mean(replace(SPLITTING, batches=batches), nodes)
    assert fit.uncertainty < 0.15  # of the Richardson limit, told by itself
    assert fit.order == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("batches", [INDEPENDENT, RESHUFFLED, SYMMETRIC], ids=["indep.", "reshuffled", "sym."])
def test_eulers_method_is_of_order_one_with_all_of_them(batches: Batches) -> None:
    assert bias_of_the_mean(SGLD(1.0, batches), (80,)).order == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("batches", [INDEPENDENT, RESHUFFLED, SYMMETRIC], ids=["indep.", "reshuffled", "sym."])
@pytest.mark.parametrize(("sampler", "nodes"), [(SGLD(0.2), (80,)), (replace(SPLITTING, step_size=0.2), (36, 30))])
def test_quadrature_agrees_with_linear_algebra_on_quadratics(sampler: Any, nodes: Any, batches: Batches) -> None:
    sampler = replace(sampler, batches=batches)
    found, exact = epoch_law(sampler, QUADRATICS, nodes=nodes), batch_law(sampler, QUADRATICS.target, 1)
    assert found.expectation(np.positive) == pytest.approx(exact.mean[0], abs=1e-7)
    assert found.expectation(np.square) == pytest.approx(exact.covariance[0, 0] + exact.mean[0] ** 2, abs=1e-6)


def test_a_single_block_is_the_whole_gradient() -> None:
    one = BlockPosterior(LOGISTIC.posterior, 1)
    law = stationary_law(ss.mcmc.ULA(0.2), LOGISTIC.posterior, nodes=(80,), noise_nodes=12)
    assert epoch_law(SGLD(0.2, RESHUFFLED), one, nodes=(80,), noise_nodes=12).expectation(np.square) == pytest.approx(
        law.expectation(np.square), rel=1e-9
    )


def test_more_than_one_dimension_is_refused() -> None:
    with pytest.raises(ss.errors.ParameterError, match="has 2 components"):
        epoch_law(SGLD(0.1), QuadraticSum(np.ones((2, 2)), np.zeros((2, 2))))
