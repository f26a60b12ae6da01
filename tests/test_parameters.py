"""Parameters: what is given, what is swept, and one sentence for everything else."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.errors import ParameterError
from stochsim.parameters import Parameters


def test_numbers_sweeps_and_arrays_are_told_apart() -> None:
    given = {"mu": 1, "sigma": [0.1, 0.2, 0.3], "A": ss.fixed([[1.0, 2.0], [3.0, 4.0]]), "one": ss.fixed(2.0)}
    parameters = Parameters.of(given)
    assert (parameters.swept, parameters.shape) == (("sigma",), (3,))
    assert parameters.vector_names == ("p.mu", "p.sigma", "p.A0_0", "p.A0_1", "p.A1_0", "p.A1_1", "p.one")
    points = dict(parameters.points())
    assert points[(1,)].tolist() == [1.0, 0.2, 1.0, 2.0, 3.0, 4.0, 2.0]
    assert parameters.first()["sigma"] == 0.1
    assert parameters.array_entries() == {"p.A0_0": 1.0, "p.A0_1": 2.0, "p.A1_0": 3.0, "p.A1_1": 4.0}


def test_two_sweeps_make_a_grid() -> None:
    parameters = Parameters.of({"a": [1.0, 2.0], "b": [3.0, 4.0, 5.0]})
    assert parameters.shape == (2, 3)
    assert [v.tolist() for _, v in parameters.points()][-1] == [2.0, 5.0]
    assert [index for index, _ in parameters.points()][1] == (0, 1)


def test_symbols_have_the_shape_of_the_values() -> None:
    p = Parameters.of({"mu": [1.0, 2.0], "A": ss.fixed(np.eye(2))}).symbols()
    assert (p.mu.shape, p.A.shape, p["A"].shape) == ((), (2, 2), (2, 2))


def test_replacing_keeps_order_and_changes_what_is_swept() -> None:
    parameters = Parameters.of({"a": 1.0, "b": [1.0, 2.0]})
    assert parameters.replace({"a": [3.0, 4.0]}).swept == ("a", "b")
    assert parameters.replace({"b": 3.0}).swept == ()
    assert parameters.replace({"b": 3.0}).vector_names == ("p.a", "p.b")


@pytest.mark.parametrize("value", [1, 2.5, np.float32(0.5), Fraction(1, 3), True, np.array(2)])
def test_any_real_number_is_a_value(value: Any) -> None:
    assert Parameters.of({"a": value}).first()["a"] == pytest.approx(float(value))


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"mu": float("nan")}, "parameter mu is nan; every parameter must be a finite number"),
        ({"mu": float("inf")}, "parameter mu is inf; every parameter must be a finite number"),
        ({"mu": [0.1, float("nan")]}, "parameter mu .* finite number"),
        ({"mu": "0.1"}, "parameter mu is '0.1'; give a number or an array of numbers"),
        ({"mu": None}, "parameter mu is None; every parameter must be a finite number"),
        ({"mu": 1j}, "parameter mu is 1j; give a number"),
        ({"mu": np.array([1.0 + 2.0j])}, "parameter mu .* give a number"),
        ({"mu": {"a": 1}}, "parameter mu .* give a number"),
        ({"mu": lambda t: t}, "parameter mu .* give a number"),
        ({"mu": [[1.0, 2.0], [3.0, 4.0]]}, r"parameter mu has shape \(2, 2\): wrap a matrix as ss\.fixed"),
        ({"mu": []}, "parameter mu is an empty array; give at least one value"),
        ({"2mu": 1.0}, "parameter name '2mu' is no public Python identifier; rename it"),
        ({"_mu": 1.0}, "parameter name '_mu' is no public Python identifier"),
        ({3: 1.0}, "parameter name 3 is no public Python identifier"),
        ({"A": ss.fixed([1.0, 2.0]), "A1": 3.0}, "parameters A and A1 clash: entries of arrays are known as A1"),
        ([("mu", 1.0)], "params is .*; give a dict of names and values"),
    ],
)
def test_bad_values_are_refused(params: Any, sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        Parameters.of(params)
    with pytest.raises(ParameterError, match=sentence):
        ss.SDE(lambda x, t, p: x, lambda x, t, p: x, params=params)


def test_bad_entries_of_fixed_arrays_are_refused_at_once() -> None:
    with pytest.raises(ParameterError, match="finite number"):
        ss.fixed([1.0, float("nan")])
    with pytest.raises(ParameterError, match="give a number or an array of numbers"):
        ss.fixed([[1.0], [2.0, 3.0]])


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    sde = ss.SDE(lambda x, t, p: p.kappa * x, lambda x, t, p: x, params={"kappa": 1.0, "sigma": 0.1})
    for attempt in (
        lambda: sde.with_params(kapa=2.0),
        lambda: ss.SDE(lambda x, t, p: p.kapa * x, lambda x, t, p: x, params={"kappa": 1.0, "sigma": 0.1}),
        lambda: ss.SDE(lambda x, t, p: p["kapa"] * x, lambda x, t, p: x, params={"kappa": 1.0, "sigma": 0.1}),
    ):
        with pytest.raises(
            ParameterError, match=r"unknown parameter 'kapa'; this model has kappa, sigma; did you mean 'kappa'\?"
        ):
            attempt()
    with pytest.raises(ParameterError, match="this model has none"):
        ss.SDE(lambda x, t, p: p.a * x, lambda x, t, p: x)


def test_a_clash_made_later_is_refused_too() -> None:
    parameters = Parameters.of({"A": ss.fixed(1.0), "A1": 3.0})  # a single number has no entries
    with pytest.raises(ParameterError, match="clash"):
        parameters.replace({"A": ss.fixed([1.0, 2.0])})
