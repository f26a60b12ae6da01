"""Claims of the scheme table: every formula is the one in the literature, every record is complete."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.orders.mutants import mutants
from stochsim.orders.transcriptions import TRANSCRIPTIONS, formula_agrees
from stochsim.steps import ArrayStep
from tests.problems import cubic, gbm, non_commuting, stratonovich_gbm, two_noises

S = ss.schemes
FORMULAS = [s for s in S.REGISTRY.values() if not s.is_exact]


def problem_for(scheme: Any) -> ss.SDE:
    return cubic() if scheme.calculus == "ito" else stratonovich_gbm()


@pytest.mark.parametrize("scheme", FORMULAS, ids=lambda s: s.name)
def test_formula_is_the_one_in_the_literature(scheme: Any) -> None:
    assert scheme.name in TRANSCRIPTIONS
    assert formula_agrees(problem_for(scheme), scheme)


@pytest.mark.parametrize("scheme", FORMULAS, ids=lambda s: s.name)
def test_formula_check_sees_every_mutant(scheme: Any) -> None:
    sde = problem_for(scheme)
    assert all(formula_agrees(sde, m.scheme, m.lag) is False for m in mutants(scheme, sde))


@pytest.mark.parametrize("scheme", FORMULAS, ids=lambda s: s.name)
def test_record_is_complete(scheme: Any) -> None:
    assert scheme.reference
    assert scheme.__doc__
    assert scheme.declared("strong", frozenset({"general", "commutative", "diagonal", "scalar"})) in (0.5, 1.0)


def test_declared_order_depends_on_the_noise() -> None:
    assert S.euler_maruyama.declared("strong", frozenset({"general"})) == 0.5
    assert S.euler_maruyama.declared("strong", frozenset({"general", "additive"})) == 1.0


def test_milstein_for_commutative_noise_uses_every_pair() -> None:
    # exact to the second order in the increments: against the closed form at a tiny step
    sde, h = two_noises(), 1e-6
    xi = np.array([[1.3], [-0.7]])
    x = ArrayStep(sde, S.milstein)(np.array([[1.0], [2.0]]), 0.0, h, xi)[:, 0]
    w = np.sqrt(h) * xi[:, 0]
    exact = [np.exp(-0.025 * h + 0.3 * w[0] + 0.4 * w[1]), 2 * np.exp(0.075 * h + 0.2 * w[0] - 0.1 * w[1])]
    assert np.abs(x - exact).max() < 2e-9  # the third-order term is about 1e-10, the second about 1e-7
    euler = ArrayStep(sde, S.euler_maruyama)(np.array([[1.0], [2.0]]), 0.0, h, xi)[:, 0]
    assert np.abs(euler - exact).max() > 1e-8


def test_a_scheme_of_ones_own_is_one_function() -> None:
    @S.scheme(strong_order=0.5, weak_order=1.0, reference="nowhere")
    def mine(sde, x, t, h, dW):  # type: ignore[no-untyped-def]
        """Euler-Maruyama again."""
        return x + sde.drift(x, t) * h + sde.diffusion(x, t) @ dW

    a = ss.simulate(gbm(), mine, t_end=1.0, n_steps=5, n_paths=4, seed=1, executor="arrays").x.values
    b = ss.simulate(gbm(), S.euler_maruyama, t_end=1.0, n_steps=5, n_paths=4, seed=1, executor="arrays").x.values
    assert np.array_equal(a, b)
    assert mine.name not in S.REGISTRY


def test_schemes_with_every_kind_of_noise_run() -> None:
    @S.scheme(strong_order=0.5, weak_order=1.0)
    def everything(sde, x, t, h, dW, dZ, A, dW3, dW2, V):  # type: ignore[no-untyped-def]
        return x + sde.diffusion(x, t) @ (dW + 0 * (dZ + dW3 + dW2) + 0.0 * (A + V) @ dW)

    ds = ss.simulate(non_commuting(), everything, t_end=1.0, n_steps=5, n_paths=4, seed=1, executor="arrays")
    assert np.isfinite(ds.x.values).all()


def test_bad_schemes_get_one_sentence() -> None:
    with pytest.raises(ss.errors.SchemeError, match="noise named dW"):
        S.scheme()(lambda sde, x, t, h, dB: x)
    with pytest.raises(ss.errors.SchemeError, match="'ito' or 'stratonovich'"):
        S.scheme(calculus="it")
    with pytest.raises(ss.errors.SchemeError, match="give one of"):
        S.scheme(noise="white")
    wrong = S.scheme()(lambda sde, x, t, h, dW: [x[0], x[0]])
    with pytest.raises(ss.errors.SchemeError, match="returned shape"):
        ss.simulate(gbm(), wrong, t_end=1.0, n_steps=2)


def test_newton_failure_is_reported_as_divergence() -> None:
    # x_1 = x_0 + h (1 + x_1^2) with h = 1 has no real solution
    sde = ss.SDE(lambda x, t, p: 1 + x**2, lambda x, t, p: 0.0 * x, x0=0.0)
    with pytest.raises(ss.errors.DivergenceError):
        ss.simulate(sde, S.drift_implicit_euler, t_end=1.0, n_steps=1, seed=1, executor="arrays")
