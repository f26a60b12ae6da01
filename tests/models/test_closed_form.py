"""Models made from a closed form: coefficients are derived, and wrong claims refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.errors import ModelError
from stochsim.models.closed_form import from_exact
from stochsim.symbolic.display import sde_text
from stochsim.symbolic.numbers import is_zero
from stochsim.symbolic.proofs import prove_solution
from stochsim.symbolic.tracing import as_sym

GBM = {"params": {"mu": 0.05, "s": 0.2}, "name": "gbm"}


def gbm(x0: Any, t: Any, W: Any, p: Any) -> Any:
    return x0 * np.exp((p.mu - p.s**2 / 2) * t + p.s * W)


def test_both_coefficients_of_geometric_brownian_motion_follow_from_its_solution() -> None:
    sde = from_exact(gbm, **GBM)
    assert sde_text(sde.formula()) == "dx = mu*x dt + s*x dW"
    assert prove_solution(sde)
    assert sde.satisfies == ()
    assert sde_text(from_exact(gbm, calculus="stratonovich", **GBM).formula()) == "dx = x*(2*mu - s**2)/2 dt + s*x o dW"


def test_one_given_coefficient_is_kept_and_checked() -> None:
    sde = from_exact(gbm, diffusion=lambda x, t, p: x * p.s, **GBM)
    assert sde_text(sde.formula()) == "dx = mu*x dt + s*x dW"
    with pytest.raises(ModelError, match="gbm is wrong: the diffusion identity"):
        from_exact(gbm, diffusion=lambda x, t, p: 1.001 * x * p.s, **GBM)


def test_a_claim_with_both_coefficients_is_proved_or_refused() -> None:
    sde = from_exact(gbm, drift=lambda x, t, p: p.mu * x, diffusion=lambda x, t, p: p.s * x, **GBM)
    assert sde.exact is gbm
    with pytest.raises(ModelError, match=r"exact solution of gbm is wrong: the drift identity .* fails at x0="):
        from_exact(gbm, drift=lambda x, t, p: 1.001 * p.mu * x, diffusion=lambda x, t, p: p.s * x, **GBM)


SOLUTIONS: list[tuple[Callable[..., Any], dict[str, Any], Callable[..., Any], Callable[..., Any]]] = [
    (
        lambda x0, t, W, p: np.sinh(np.arcsinh(x0) + t + W),
        {"x0": 0.3},
        lambda x, t, p: x / 2 + np.sqrt(1 + x**2),
        lambda x, t, p: np.sqrt(1 + x**2),
    ),
    (
        lambda x0, t, W, p: np.arctan(np.tan(x0) + p.a * W),
        {"x0": 0.5, "params": {"a": 0.3}},
        lambda x, t, p: -(p.a**2) * np.sin(x) * np.cos(x) ** 3,
        lambda x, t, p: p.a * np.cos(x) ** 2,
    ),
    (
        lambda x0, t, W, p: ((1 + x0) * np.exp(2 * p.a * W) + x0 - 1) / ((1 + x0) * np.exp(2 * p.a * W) + 1 - x0),
        {"x0": 0.3, "params": {"a": 0.5}},
        lambda x, t, p: -(p.a**2) * x * (1 - x**2),
        lambda x, t, p: p.a * (1 - x**2),
    ),
    (
        lambda x0, t, W, p: (x0 + p.b * (t + p.a * W)) / np.sqrt(1 + t),
        {"params": {"a": 0.3, "b": 0.5}},
        lambda x, t, p: p.b / np.sqrt(1 + t) - x / (2 * (1 + t)),
        lambda x, t, p: p.a * p.b / np.sqrt(1 + t),
    ),
    (
        lambda x0, t, W, p: (np.cbrt(x0) + 2 * t + W / 3) ** 3,
        {},
        lambda x, t, p: np.cbrt(x) / 3 + 6 * np.cbrt(x) ** 2,
        lambda x, t, p: np.cbrt(x) ** 2,
    ),
]


@pytest.mark.parametrize(("exact", "known", "drift", "diffusion"), SOLUTIONS)
def test_derived_coefficients_are_the_known_ones(
    exact: Callable[..., Any], known: dict[str, Any], drift: Callable[..., Any], diffusion: Callable[..., Any]
) -> None:
    formula = from_exact(exact, **known).formula()
    arguments = (formula.x, formula.t, formula.p)
    differences = [*(formula.a - as_sym(drift(*arguments))).flat()]
    differences += (as_sym(formula.b.nodes) - as_sym(diffusion(*arguments))).flat()
    assert is_zero(differences, formula.points, every_piece=False)


def test_several_noises_need_the_inverse() -> None:
    def exact(x0: Any, t: Any, W: Any, p: Any) -> Any:
        return [x0[0] * np.exp(W[0]), x0[1] + W[1]]

    def inverse(x: Any, x0: Any, t: Any, p: Any) -> Any:
        return [np.log(x[0] / x0[0]), x[1] - x0[1]]

    sde = from_exact(exact, inverse=inverse, x0=[1.0, 2.0])
    assert sde_text(sde.formula()).splitlines() == ["dx_1 = x_1/2 dt + x_1 dW_1", "dx_2 = dW_2"]
    with pytest.raises(ModelError, match=r"could not be solved for W.*or inverse=lambda x, x0, t, p: W"):
        from_exact(exact, x0=[1.0, 2.0])
    with pytest.raises(ModelError, match="no SDE with coefficients of"):
        from_exact(exact, inverse=lambda x, x0, t, p: [2 * np.log(x[0] / x0[0]), x[1]], x0=[1.0, 2.0])
    with pytest.raises(ModelError, match="inverse returned 1 values for 2 Brownian motions"):
        from_exact(exact, inverse=lambda x, x0, t, p: x[0], x0=[1.0, 2.0])


def test_a_derived_model_runs_on_its_own_path() -> None:
    sde = from_exact(gbm, **GBM)
    run = {"t_end": 1.0, "n_steps": 256, "n_paths": 20, "seed": 5, "executor": "arrays"}
    exact, milstein = (ss.simulate(sde, s, **run).x.values for s in (ss.schemes.exact, ss.schemes.milstein))
    np.testing.assert_allclose(milstein, exact, rtol=1e-3)


@pytest.mark.parametrize(
    ("exact", "sentence"),
    [
        (lambda x0, t, W, p: x0 + x0 * W, "no SDE with coefficients of .* the diffusion identity"),  # needs x0 for ever
        (lambda x0, t, W, p: x0 + W + 1, "no SDE .* the initial value"),
        (lambda x0, t, W, p: x0 + np.tanh(W), "no SDE .* identity"),
        (lambda x0, t, W, p: x0 + W**2, "could not be solved for W, .* give drift and diffusion, or inverse="),
        (lambda x0, t, W, p: x0 * np.exp(t), "could not be solved for W"),
        (lambda x0, t, W, p: [x0, W], "exact returned 2 values for a state of 1"),
    ],
)
def test_what_no_sde_solves_is_refused(exact: Callable[..., Any], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        from_exact(exact)
