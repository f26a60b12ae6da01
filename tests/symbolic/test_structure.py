"""Noise classes are read off the formulas, and a flat diffusion is not taken for a diagonal one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.errors import ModelError

ROTATION = np.array([[0.0, -1.0], [1.0, 0.0]])
SHEAR = np.array([[1.0, 0.4], [0.0, 1.0]])
ALL = {"scalar", "diagonal", "additive", "commutative", "general"}


def linear(*matrices: np.ndarray) -> Callable[..., Any]:
    return lambda x, t, p: np.stack([m @ x for m in matrices], axis=1)


CASES: dict[str, tuple[Callable[..., Any], Any, set[str]]] = {
    "gbm": (lambda x, t, p: 0.3 * x, 1.0, ALL - {"additive"}),
    "ou": (lambda x, t, p: 0.3, 1.0, ALL),
    "time-dependent additive": (lambda x, t, p: [np.exp(-t), 1 + t], [1.0, 2.0], ALL - {"scalar"}),
    "full constant matrix": (lambda x, t, p: SHEAR, [1.0, 2.0], {"additive", "commutative", "general"}),
    "one noise on two components": (
        lambda x, t, p: [[x[1]], [-x[0]]],
        [1.0, 2.0],
        {"scalar", "commutative", "general"},
    ),
    "two noises on one component": (lambda x, t, p: [[x, 2 * x]], 1.0, {"commutative", "general"}),
    "two noises that do not commute": (lambda x, t, p: [[x, 1.0]], 1.0, {"general"}),
    "diagonal": (lambda x, t, p: [np.sin(x[0]), x[1] ** 2], [1.0, 2.0], {"diagonal", "commutative", "general"}),
    "diagonal as a matrix": (lambda x, t, p: np.diag(x), [1.0, 2.0], {"diagonal", "commutative", "general"}),
    "heston-like": (lambda x, t, p: [np.sqrt(x[1]) * x[0], np.sqrt(x[1])], [1.0, 0.04], {"general"}),
    "flat, coupled by the other's level": (lambda x, t, p: x[::-1], [1.0, 2.0], {"general"}),
    "flat, coupled, yet commutative": (lambda x, t, p: [x[1], 0.0], [1.0, 2.0], {"commutative", "general"}),
    "commuting matrices": (linear(ROTATION, np.eye(2)), [1.0, 2.0], {"commutative", "general"}),
    "matrices that do not commute": (linear(ROTATION, SHEAR), [1.0, 2.0], {"general"}),
    "heisenberg": (
        lambda x, t, p: [[1.0, 0.0], [0.0, 1.0], [-x[1] / 2, x[0] / 2]],
        [0.0, 0.0, 0.0],
        {"general"},
    ),
    "an identity only of the values": (
        lambda x, t, p: [[np.sin(x[0]) ** 2 + np.cos(x[0]) ** 2, 0.0], [0.0, x[1]]],
        [1.0, 2.0],
        {"diagonal", "commutative", "general"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_noise_classes_are(name: str) -> None:
    diffusion, x0, expected = CASES[name]
    sde = ss.SDE(lambda x, t, p: 0.0 * x, diffusion, x0=x0)
    assert sde.noise_classes == expected


def test_a_declaration_is_checked_against_what_is_found() -> None:
    diffusion, x0, _ = CASES["heston-like"]
    with pytest.raises(
        ModelError, match=r"declared 'diagonal', but the diffusion has general noise .*drop the declaration"
    ):
        ss.SDE(lambda x, t, p: 0.0 * x, diffusion, x0=x0, noise="diagonal")
    ss.SDE(lambda x, t, p: 0.0 * x, diffusion, x0=x0, noise="general")
    with pytest.raises(ModelError, match="noise is 'white'; give one of scalar, diagonal"):
        ss.SDE(lambda x, t, p: 0.0 * x, diffusion, x0=x0, noise="white")


def test_milstein_refuses_noise_that_only_looks_diagonal() -> None:
    diffusion, x0, _ = CASES["heston-like"]
    sde = ss.SDE(lambda x, t, p: 0.0 * x, diffusion, x0=x0)
    with pytest.raises(ss.errors.SchemeError, match="milstein needs commutative noise, this SDE has general noise"):
        ss.simulate(sde, ss.schemes.milstein, t_end=1.0, n_steps=2, seed=0)


def test_a_piece_that_holds_far_from_the_start_counts() -> None:
    sde = ss.SDE(lambda x, t, p: 0.0 * x, lambda x, t, p: np.where(x > 50, x, 1.0), x0=1.0)
    assert "additive" not in sde.noise_classes
    kinked = ss.SDE(
        lambda x, t, p: 0.0 * x, lambda x, t, p: np.stack([np.maximum(x[1], 0), 1 + 0 * x[0]]), x0=[1.0, -3.0]
    )
    assert "additive" not in kinked.noise_classes


def test_matrices_given_as_parameters_commute_as_they_are() -> None:
    def model(second: np.ndarray) -> ss.SDE:
        params = {"A": ss.fixed(ROTATION * 0.1), "B": ss.fixed(second)}
        return ss.SDE(
            lambda x, t, p: x, lambda x, t, p: np.stack([p.A @ x, p.B @ x], axis=1), params=params, x0=[1.0, 2.0]
        )

    power = 0.3 * ROTATION @ ROTATION + 0.7 * ROTATION
    assert model(power).noise_structure == "commutative"
    assert model(power + np.diag([1e-9, 0.0])).noise_structure == "general"
    assert model(power).with_params(B=ss.fixed(SHEAR)).noise_structure == "general"


def test_matrices_that_commute_to_rounding_count_as_commuting() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=(3, 3))
    second = first @ first - 0.3 * first  # exact in real numbers, rounded here
    assert np.any(first @ second != second @ first)
    sde = ss.SDE(lambda x, t, p: x, linear(first, second), x0=[1.0, 2.0, 3.0])
    assert sde.noise_structure == "commutative"


def test_the_classes_of_an_untraced_model_are_the_widest() -> None:
    one = ss.SDE(lambda x, t, p: -x, lambda x, t, p: x, x0=1.0, trace=False)
    two = ss.SDE(lambda x, t, p: -x, lambda x, t, p: x, x0=[1.0, 2.0], trace=False)
    assert one.noise_classes == {"scalar", "commutative", "general"}
    assert two.noise_classes == {"general"}


@pytest.mark.parametrize(
    ("name", "structure"),
    [("ou", "additive"), ("gbm", "scalar"), ("diagonal", "diagonal"), ("commuting matrices", "commutative")],
)
def test_the_most_telling_class_is_named(name: str, structure: str) -> None:
    diffusion, x0, _ = CASES[name]
    assert ss.SDE(lambda x, t, p: 0.0 * x, diffusion, x0=x0).noise_structure == structure
