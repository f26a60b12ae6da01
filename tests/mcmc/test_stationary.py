"""Stationary laws by quadrature: against exact affine laws, and the orders of the bias on an anharmonic well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stochsim.densities import Gaussian, from_log_prob
from stochsim.errors import ModelError, ParameterError
from stochsim.mcmc import ABOBA, BAOAB, BUB, GJF, OABAO, OBABO, ULA, ExponentialEuler, Splitting
from stochsim.mcmc.hamiltonian.integrators import BCSS3, OMELYAN, YOSHIDA
from stochsim.mcmc.hamiltonian.trajectories import UnadjustedHMC
from stochsim.mcmc.laws.affine import affine_law
from stochsim.mcmc.laws.stationary import stationary_bias, stationary_law

NORMAL = Gaussian([0.3], 1.0)
QUARTIC = from_log_prob(lambda x: -(x[0] ** 4) / 4 - x[0] ** 2 / 2, d=1)
HALVED = [0.2, 0.1, 0.05]


def square(x: np.ndarray) -> np.ndarray:
    return x**2


@pytest.mark.parametrize("sampler", [ULA(0.2), UnadjustedHMC(0.5, 3)], ids=lambda s: s.name)
def test_laws_of_position_agree_with_exact_ones(sampler: Any) -> None:
    law, exact = stationary_law(sampler, NORMAL), affine_law(sampler, NORMAL.target, 1)
    assert law.residual < 1e-13
    assert law.expectation(lambda x: x) == pytest.approx(exact.mean[0], abs=1e-11)
    assert law.expectation(lambda x: (x - 0.3) ** 2) == pytest.approx(exact.covariance[0, 0], abs=1e-10)
    assert law.expectation(lambda x: (x - 0.3) ** 4) == pytest.approx(3 * exact.covariance[0, 0] ** 2, abs=1e-8)


@pytest.mark.parametrize("sampler", [OBABO(0.3, 1.0), GJF(0.3, 1.0)], ids=lambda s: s.name)
def test_kinetic_laws_agree_with_exact_ones(sampler: Any) -> None:
    law = stationary_law(sampler, NORMAL)
    exact = affine_law(sampler, NORMAL.target, 1).covariance[0, 0]
    assert law.expectation(lambda x: (x - 0.3) ** 2) == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize(
    ("sampler", "steps"),
    [
        (ULA(0.1), [0.04, 0.02, 0.01, 0.005]),
        (UnadjustedHMC(0.1, 2), [0.2, 0.1, 0.05, 0.025]),
        (UnadjustedHMC(0.1, 2, None, BCSS3), [0.3, 0.15, 0.075, 0.0375]),
        (UnadjustedHMC(0.1, 2, None, YOSHIDA), [0.2, 0.1, 0.05, 0.025]),
        (UnadjustedHMC(0.1, 2, None, OMELYAN), [0.2, 0.1, 0.05, 0.025]),
    ],
    ids=lambda v: getattr(getattr(v, "integrator", v), "name", None),
)
def test_orders_of_the_bias_of_position_chains(sampler: Any, steps: list[float]) -> None:
    bias = stationary_bias(sampler, QUARTIC, square, steps)
    assert bias.order == pytest.approx(sampler.claims.bias_order, abs=0.03), bias


@pytest.mark.parametrize(
    ("scheme", "nodes"),
    [(BAOAB, 36), (GJF, 36), (BUB, 36), (ABOBA, 32), (OBABO, 32), (OABAO, 28)],
    ids=lambda v: getattr(v, "__name__", None),
)
def test_orders_of_the_bias_of_kinetic_schemes(scheme: Any, nodes: int) -> None:
    bias = stationary_bias(scheme(0.1, 1.0), QUARTIC, square, HALVED, nodes=(nodes, nodes))
    assert bias.order == pytest.approx(scheme.claims.bias_order, abs=0.03), bias


@pytest.mark.parametrize("sampler", [ExponentialEuler(0.1, 1.0), Splitting("OAB", 0.1, 1.0)])
def test_orders_of_the_bias_of_baselines(sampler: Any) -> None:
    bias = stationary_bias(sampler, QUARTIC, square, [0.04, 0.02, 0.01], nodes=(32, 32))
    assert sampler.claims.bias_order == 1
    assert bias.order == pytest.approx(1, abs=0.05), bias


def test_baoab_is_of_order_four_at_high_friction() -> None:
    steps = [0.4 / 2 ** (i / 2) for i in range(5)]
    bias = stationary_bias(BAOAB(0.1, 2000.0), QUARTIC, square, steps, nodes=(36, 36), noise_nodes=32)
    assert bias.order == pytest.approx(4, abs=0.05), bias


def test_temperature_is_that_of_the_law() -> None:
    law = stationary_law(BAOAB(0.3, 1.0, 0.5), Gaussian([0.0], 1.0), nodes=(36, 36))
    assert law.expectation(square) == pytest.approx(0.5, abs=1e-7)


def test_the_exact_law_has_no_bias() -> None:
    assert stationary_bias(BAOAB(0.1, 1.0), NORMAL, square, HALVED, nodes=(32, 32)).order == np.inf


def test_more_components_are_refused() -> None:
    with pytest.raises(ParameterError, match="has 2 components"):
        stationary_law(ULA(0.1), Gaussian([0.0, 0.0]))


def test_steps_that_are_not_finite_are_refused() -> None:
    with np.errstate(all="ignore"), pytest.raises(ModelError, match="not finite within the box"):
        stationary_law(UnadjustedHMC(5.0, 9), QUARTIC)
