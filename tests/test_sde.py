"""The SDE: shapes and conventions, and one clear sentence for each bad input, before anything is compiled."""

import math
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.errors import ModelError, ParameterError, StochsimError, TraceError


def linear(x: Any, t: Any, p: Any) -> Any:
    return 0.5 * x


SHAPES = [
    (1.0, lambda x, t, p: 0.3 * x, 1, 1),
    (1.0, lambda x, t, p: 0.3, 1, 1),
    (1.0, lambda x, t, p: [0.3 * x], 1, 1),
    (1.0, lambda x, t, p: [[x, 1.0, t]], 1, 3),
    ([1.0], lambda x, t, p: x, 1, 1),
    ([1.0, 2.0], lambda x, t, p: x, 2, 2),
    ([1.0, 2.0], lambda x, t, p: (x[0], 0.1), 2, 2),
    ([1.0, 2.0], lambda x, t, p: [[x[0]], [x[1]]], 2, 1),
    ([1.0, 2.0], lambda x, t, p: np.outer(x, np.array([1.0, 2.0, 3.0])), 2, 3),
]


@pytest.mark.parametrize(("x0", "diffusion", "d", "m"), SHAPES)
def test_the_sizes_are_read_off(x0: Any, diffusion: Any, d: int, m: int) -> None:
    sde = ss.SDE(linear, diffusion, x0=x0)
    assert (sde.d, sde.m, sde.scalar_state) == (d, m, np.ndim(x0) == 0)
    run = ss.simulate(sde, ss.schemes.euler_maruyama, t_end=1.0, n_steps=2, n_paths=3, seed=0, executor="arrays")
    assert np.isfinite(run.x.values).all()


def test_components_name_the_state_and_its_default_start() -> None:
    sde = ss.SDE(linear, linear, components=["S", "v"])
    assert sde.start.tolist() == [1.0, 1.0]
    assert repr(sde) == "SDE(sde: d=2, m=2, diagonal noise, ito)"
    assert ss.SDE(linear, linear).start.shape == ()


def test_changed_globals_are_seen() -> None:
    rate = {"value": 1.0}
    sde = ss.SDE(lambda x, t, p: rate["value"] * x, lambda x, t, p: 0.0)
    first = sde.formula().a.flat()
    rate["value"] = 2.0
    assert sde.formula().a.flat() != first


def test_a_model_is_changed_by_making_another() -> None:
    sde = ss.SDE(lambda x, t, p: p.mu * x, linear, params={"mu": 0.1})
    other = sde.with_params(mu=0.2).with_x0(3.0)
    assert (sde.params["mu"], other.params["mu"], float(other.start)) == (0.1, 0.2, 3.0)
    with pytest.raises(AttributeError):
        sde.x0 = 2.0  # type: ignore[misc]


BAD: list[tuple[dict[str, Any], type[StochsimError], str]] = [
    (
        {"drift": lambda x, t, p: [x, x]},
        ModelError,
        r"drift returned shape \(2,\) for a state of 1 component; return 1 value",
    ),
    (
        {"drift": lambda x, t, p: x[0], "x0": [1.0, 2.0]},
        ModelError,
        r"drift returned shape \(\) for a state of 2 components; return 2 values, one",
    ),
    ({"drift": lambda x, t, p: [x[0]] * 3, "x0": [1.0, 2.0]}, ModelError, r"drift returned shape \(3,\)"),
    (
        {"diffusion": lambda x, t, p: [x, x]},
        ModelError,
        r"diffusion returned shape \(2,\) for a state of 1 component; return shape \(1,\)",
    ),
    (
        {"diffusion": lambda x, t, p: [[x[0], x[1]]], "x0": [1.0, 2.0]},
        ModelError,
        r"diffusion returned shape \(1, 2\) .* or \(2, m\) for m Brownian motions",
    ),
    (
        {"diffusion": lambda x, t, p: np.zeros((2, 0)), "x0": [1.0, 2.0]},
        ModelError,
        r"diffusion returned shape \(2, 0\)",
    ),
    ({"drift": 0.05}, ModelError, r"drift is 0\.05; give a function of \(x, t, p\)"),
    ({"diffusion": None}, ModelError, r"diffusion is None; give a function of \(x, t, p\)"),
    ({"drift": lambda x, t: x}, TraceError, r"drift failed when called with symbols: .* positional argument"),
    ({"drift": lambda x, t, p: p.nu * x}, ParameterError, "unknown parameter 'nu'; this model has none"),
    (
        {"drift": lambda x, t, p: x if x > 0 else 0.0},
        TraceError,
        r"drift: the function branches on a symbol .* np\.where",
    ),
    (
        {"diffusion": lambda x, t, p: x * np.random.default_rng().normal()},
        ModelError,
        "diffusion is another formula at each call; .* random numbers",
    ),
    ({"x0": "1.0"}, ModelError, r"x0 is '1\.0'; give a number or a 1-d array of numbers"),
    ({"x0": 1j}, ModelError, "x0 is 1j; give a number"),
    ({"x0": [1.0, [2.0]]}, ModelError, "x0 is .*; give a number or a 1-d array"),
    ({"x0": float("nan")}, ModelError, "x0 is nan; give one finite number, or a 1-d array of them"),
    ({"x0": [[1.0, 2.0]]}, ModelError, "give one finite number, or a 1-d array"),
    ({"x0": []}, ModelError, "give one finite number, or a 1-d array"),
    ({"calculus": "Ito"}, ModelError, "calculus is 'Ito'; give 'ito' or 'stratonovich'"),
    ({"noise": "diag"}, ModelError, "noise is 'diag'; give one of scalar, diagonal, additive, commutative, general"),
    ({"noise": "additive"}, ModelError, "noise was declared 'additive', but the diffusion has scalar noise"),
    ({"components": ["S", "v"]}, ModelError, "2 component names were given for a state of 1"),
    ({"components": ["S", "S"], "x0": [1.0, 2.0]}, ModelError, "not distinct; give each its own name"),
    ({"components": "Sv", "x0": [1.0, 2.0]}, ModelError, "components is 'Sv'; give a list of names"),
    ({"components": [1, 2], "x0": [1.0, 2.0]}, ModelError, r"components is \[1, 2\]; give a list of names"),
    ({"params": {"mu": "high"}}, ParameterError, "parameter mu is 'high'; give a number"),
]


@pytest.mark.parametrize(("changes", "error", "sentence"), BAD)
def test_bad_input_is_refused_in_one_sentence(
    changes: dict[str, Any], error: type[StochsimError], sentence: str
) -> None:
    given = {"drift": linear, "diffusion": linear, "x0": 1.0} | changes
    with pytest.raises(error, match=sentence):
        ss.SDE(**given)


@pytest.mark.parametrize(
    ("drift", "sentence"),
    [
        (lambda x, t, p: math.sqrt(x), r"drift \(trace=False\) failed on arrays of shape \(n,\): only .*scalar"),
        (lambda x, t, p: np.ones((2, 3)), r"drift returned shape \(2,\)"),
    ],
)
def test_an_untraced_function_is_tried_on_arrays_at_once(drift: Any, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        ss.SDE(drift, linear, x0=1.0, trace=False)


def test_conversion_of_an_untraced_model_is_refused() -> None:
    sde = ss.SDE(linear, linear, x0=1.0, trace=False)
    assert sde.to_ito() is sde
    with pytest.raises(ModelError, match="trace=False does not have; write the diffusion so that it can be traced"):
        sde.to_stratonovich()


def test_a_simulation_loads_no_sympy() -> None:
    code = (
        "import sys, numpy as np, stochsim as ss\n"
        "sde = ss.SDE(lambda x, t, p: [x[1], -np.sin(x[0])], lambda x, t, p: [0.1 * x[1], 0.2], x0=[1.0, 0.0])\n"
        "for scheme in (ss.schemes.euler_maruyama, ss.schemes.drift_implicit_euler):\n"
        "    ss.simulate(sde, scheme, t_end=1.0, n_steps=2, n_paths=2, seed=0, executor='arrays')\n"
        "strat = ss.SDE(lambda x, t, p: x, lambda x, t, p: x * p.s, params={'s': [0.1, 0.2]}).to_stratonovich()\n"
        "ss.simulate(strat, ss.schemes.stratonovich_milstein, t_end=1.0, n_steps=2, seed=0, executor='arrays')\n"
        "print('sympy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_derived_coefficients_answer_numbers_with_numbers() -> None:
    # a converted or transformed model can be handed to any other solver
    gbm = ss.models.geometric_brownian_motion(mu=0.5, sigma=0.8)
    p = SimpleNamespace(mu=0.5, sigma=0.8)
    assert gbm.to_stratonovich().drift(1.3, 0.0, p) == pytest.approx(1.3 * (0.5 - 0.32))
    np.testing.assert_allclose(gbm.ito(np.log).drift(np.array([1.0, 2.0]), 0.0, p), [0.18, 0.18])
    other = SimpleNamespace(mu=0.1, sigma=0.2)  # the given parameters count, not the model's
    assert gbm.to_stratonovich().drift(1.0, 0.0, other) == pytest.approx(0.08)
