"""Itô's lemma: the SDE of a function of a solution, with its solution carried over."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.errors import ModelError, TraceError
from stochsim.steps import ArrayStep
from stochsim.symbolic.display import sde_text
from stochsim.symbolic.proofs import prove_solution

GBM = ss.SDE(
    lambda x, t, p: p.mu * x,
    lambda x, t, p: p.s * x,
    params={"mu": 0.05, "s": 0.2},
    exact=lambda x0, t, W, p: x0 * np.exp((p.mu - p.s**2 / 2) * t + p.s * W),
    name="gbm",
)
KUBO = ss.SDE(
    lambda x, t, p: [-p.w * x[1], p.w * x[0]],
    lambda x, t, p: [[-p.s * x[1]], [p.s * x[0]]],
    params={"w": 1.0, "s": 0.3},
    x0=[1.0, 0.5],
    calculus="stratonovich",
    exact=lambda x0, t, W, p: [
        np.cos(p.w * t + p.s * W) * x0[0] - np.sin(p.w * t + p.s * W) * x0[1],
        np.sin(p.w * t + p.s * W) * x0[0] + np.cos(p.w * t + p.s * W) * x0[1],
    ],
)
CUBE = ss.SDE(
    lambda x, t, p: np.cbrt(x) / 3 + 6 * np.cbrt(x) ** 2,
    lambda x, t, p: np.cbrt(x) ** 2,
    exact=lambda x0, t, W, p: (np.cbrt(x0) + 2 * t + W / 3) ** 3,
)
SINH = ss.SDE(lambda x, t, p: x / 2 + np.sqrt(x**2 + 1), lambda x, t, p: np.sqrt(x**2 + 1), x0=0.3)
CIR = ss.SDE(
    lambda x, t, p: p.k * (p.m - x), lambda x, t, p: p.s * np.sqrt(x), params={"k": 1.0, "m": 0.5, "s": 0.3}, x0=0.4
)


@pytest.mark.parametrize(
    ("sde", "f", "inverse", "text"),
    [
        (GBM, np.log, None, "dy = (mu - s**2/2) dt + s dW"),
        (GBM, lambda x: 1 / x, None, "dy = y*(-mu + s**2) dt - s*y dW"),
        (GBM, lambda x: x**2, np.sqrt, "dy = y*(2*mu + s**2) dt + 2*s*y dW"),
        (GBM.to_stratonovich(), np.log, None, "dy = (mu - s**2/2) dt + s o dW"),
        (CUBE, np.cbrt, None, "dy = 2 dt + 1/3 dW"),
        (SINH, np.arcsinh, None, "dy = dt + dW"),
    ],
)
def test_an_invertible_function_has_an_equation_of_its_own(
    sde: ss.SDE, f: Callable[[Any], Any], inverse: Callable[[Any], Any] | None, text: str
) -> None:
    result = sde.ito(f, inverse)
    assert (result.d, result.scalar_state, result.calculus) == (1, True, sde.calculus)
    assert float(result.start) == pytest.approx(float(f(sde.start)))
    assert sde_text(result.formula(), result.components) == text
    if sde.exact is not None:
        assert prove_solution(result)


def test_the_lamperti_transform_of_the_square_root_process() -> None:
    result = CIR.ito(np.sqrt)
    p = {"k": 1.0, "m": 0.5, "s": 0.3}
    assert result.noise_structure == "additive"
    y = np.array([0.3, 0.9])
    step = ArrayStep(result, ss.schemes.euler_maruyama)
    drift = (step(y[None], 0.0, 1e-3, np.zeros((1, 2)))[0] - y) / 1e-3
    np.testing.assert_allclose(drift, (p["k"] * (p["m"] - y**2) - p["s"] ** 2 / 4) / (2 * y), rtol=1e-10)


def test_a_function_that_cannot_be_inverted_is_carried_beside_the_state() -> None:
    result = GBM.ito(lambda x: x**2)
    assert sde_text(result.formula(), result.components).splitlines() == [
        "dx = mu*x dt + s*x dW",
        "dy = x**2*(2*mu + s**2) dt + 2*s*x**2 dW",
    ]
    assert result.start.tolist() == [1.0, 1.0]
    assert prove_solution(result)


def test_a_conserved_quantity_has_no_drift_and_no_noise() -> None:
    for sde in (KUBO, KUBO.to_ito()):
        result = sde.ito(lambda x: x @ x)
        assert sde_text(result.formula(), result.components).splitlines()[2] == "dy = 0"
        assert prove_solution(result)


def test_a_vector_function_with_its_inverse() -> None:
    result = KUBO.ito(lambda x: [x[0] + x[1], x[0] - x[1]], inverse=lambda y: [(y[0] + y[1]) / 2, (y[0] - y[1]) / 2])
    assert (result.components, result.start.tolist()) == (("y_1", "y_2"), [1.5, 0.5])
    assert sde_text(result.formula(), result.components).splitlines()[0] == "dy_1 = w*y_2 dt + s*y_2 o dW"
    assert prove_solution(result)


def test_the_correction_term_is_there() -> None:
    # negative control: without 1/2 b² f'' the logarithm of X would have drift mu
    log = GBM.ito(np.log)
    wrong = ss.SDE(lambda x, t, p: p.mu, lambda x, t, p: p.s, params=dict(GBM.params), x0=0.0, exact=log.exact)
    assert prove_solution(log)
    assert not prove_solution(wrong)


def test_paths_of_the_new_equation_are_images_of_the_old() -> None:
    """Euler-Maruyama on log X is exact (additive noise, constant drift): it must equal log of the exact X."""
    log = GBM.ito(np.log)
    run = {"t_end": 1.0, "n_steps": 4, "n_paths": 6, "seed": 3, "executor": "arrays"}
    path = ss.simulate(log, ss.schemes.euler_maruyama, **run)
    exact = ss.simulate(GBM, ss.schemes.exact, **run)
    np.testing.assert_allclose(path.y, np.log(exact.x), rtol=1e-12, atol=1e-14)


def test_a_solution_by_path_functionals_is_carried_over() -> None:
    ou = ss.models.ornstein_uhlenbeck()
    cubed = ou.ito(lambda x: x**3 + x)
    run = {"t_end": 1.0, "n_steps": 4, "n_paths": 6, "seed": 3, "executor": "arrays"}
    x = ss.simulate(ou, ss.schemes.exact, **run).x.values
    y = ss.simulate(cubed, ss.schemes.exact, **run).y.values
    np.testing.assert_allclose(y, x**3 + x, rtol=1e-9)


def test_parameters_stay_parameters() -> None:
    log = GBM.ito(np.log).with_params(mu=0.3)
    assert sde_text(log.formula(), log.components) == "dy = (mu - s**2/2) dt + s dW"
    assert log.parameters.first()["mu"] == 0.3


def test_no_hypothesis_is_claimed_for_the_new_equation() -> None:
    assert GBM.ito(np.log).satisfies == ()


@pytest.mark.parametrize(
    ("build", "error", "sentence"),
    [
        (
            lambda: GBM.ito(lambda x: x**2, inverse=lambda y: y),
            ModelError,
            r"inverse\(f\(x\)\) is .* at x=.*near the start of gbm",
        ),
        (lambda: GBM.ito(lambda x: [x, x], inverse=lambda y: y[0]), ModelError, "2 values of a state of 1"),
        (lambda: GBM.ito(np.log, inverse=lambda y: [y, y]), ModelError, "inverse returned 2 values; return the state"),
        (lambda: GBM.ito(lambda x: [[x, x]]), ModelError, r"f returned shape \(1, 2\); return a number or a vector"),
        (lambda: GBM.with_x0(-1.0).ito(np.log), ModelError, r"not defined at the start -1\.0"),
        (lambda: GBM.ito(np.abs), TraceError, "second derivative of a kinked function"),
        (lambda: GBM.ito(lambda x: x if x > 0 else -x), TraceError, "f: the function branches on a symbol"),
        (
            lambda: ss.SDE(lambda x, t, p: x, lambda x, t, p: x, x0=1.0, trace=False).ito(np.log),
            ModelError,
            "trace=False",
        ),
    ],
)
def test_bad_functions_are_refused(build: Callable[[], Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        build()
