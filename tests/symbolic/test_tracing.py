"""Tracing: NumPy formulas become graphs with NumPy's values, and what cannot be traced says why."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.codegen.arrays import compile_arrays
from stochsim.errors import TraceError
from stochsim.symbolic.calculus import Diffusion
from stochsim.symbolic.tracing import Sym, as_sym, symbols, trace

A = np.array([[0.3, -1.2], [0.7, 0.4]])
POINTS = np.array([[0.3, -0.8, 2.5], [1.7, 0.2, -0.6]])  # (component, point)
INSIDE = np.array([[0.3, 0.8, 0.5], [0.7, 0.2, 0.6]])  # where log, sqrt, arcsin are defined

FORMULAS: list[Callable[[Any], Any]] = [
    lambda x: A @ x,
    lambda x: x @ A,
    lambda x: x @ x,
    lambda x: [x[1], -x[0]],
    lambda x: (x[1], 2),
    lambda x: np.array([x[1], -x[0]]),
    lambda x: np.stack([x[0], np.sin(x[1])]),
    lambda x: np.concatenate([x[1:], x[:1]]),
    lambda x: np.hstack([x, x[0]]),
    lambda x: np.vstack([x, 2 * x]),
    lambda x: np.column_stack([x, x**2]),
    lambda x: [[x[0], 0.0], [0.0, x[1]]],
    lambda x: np.diag(x),
    lambda x: np.outer(x, x),
    lambda x: np.add.outer(x, np.array([1.0, 2.0])),
    lambda x: np.dot(A, x),
    lambda x: np.inner(x, x),
    lambda x: np.trace(np.outer(x, x)),
    lambda x: np.linalg.norm(x),
    lambda x: np.sum(x**2) * np.prod(x) + np.mean(x),
    lambda x: x.sum() + x.prod() + x.mean() + x.max() - x.min(),
    lambda x: np.max(x) - np.min(x),
    lambda x: np.roll(x, 1) - 2 * x + np.roll(x, -1),
    lambda x: np.diff(x),
    lambda x: np.where(x > 0, x**2, -x),
    lambda x: np.where((x > 0) & (x < 1) | ~(x > -1), 1.0, x),
    lambda x: np.where(np.logical_and(x > 0, np.logical_not(x >= 1)), x, 0.0),
    lambda x: (x > 0) * x + (x <= 0),
    lambda x: np.clip(x, -0.5, 0.5) + x.clip(0, 1),
    lambda x: np.maximum(x, 0) + np.minimum(x, 1) + np.fmax(x, -1),
    lambda x: abs(x) + np.sign(x) + np.floor(x) + np.fabs(x),
    lambda x: np.exp(x) + np.sin(x) * np.cos(x) - np.tan(x),
    lambda x: np.sinh(x) + np.cosh(x) + np.tanh(x) + np.expm1(x),
    lambda x: np.arctan(x) + np.arcsinh(x) + np.cbrt(x) + np.exp2(x),
    lambda x: np.square(x) + np.reciprocal(x) + np.hypot(x[0], x[1]) + np.heaviside(x, 0.5),
    lambda x: x**3 - x**-2 + 2.0**x + x / 3 + 1 / x,
    lambda x: np.zeros_like(x) + np.ones_like(x) * np.full_like(x, 3.0),
    lambda x: np.broadcast_to(x[0], (2,)) + np.reshape(x, (2,)) + np.transpose(x),
    lambda x: sum(x) + len(x) + x.shape[0] + np.ndim(x),
]
INSIDE_FORMULAS: list[Callable[[Any], Any]] = [
    lambda x: np.log(x) + np.log2(x) + np.log10(x) + np.log1p(x),
    lambda x: np.sqrt(x) + x**0.5 + x**1.5 + x**0.3 + np.power(x, x),
    lambda x: np.arcsin(x) + np.arccos(x) + np.arctanh(x) + np.arccosh(1 / x),
]


def evaluated(result: Sym, points: np.ndarray) -> np.ndarray:
    names = tuple(f"x{i}" for i in range(len(points)))
    values = compile_arrays(tuple(result.flat()), names)(*points)
    return np.stack(np.broadcast_arrays(*values, points[0])[:-1]).reshape(*result.shape, points.shape[1])


@pytest.mark.parametrize(("f", "points"), [(f, POINTS) for f in FORMULAS] + [(f, INSIDE) for f in INSIDE_FORMULAS])
def test_a_traced_formula_has_the_values_of_numpy(f: Callable[[Any], Any], points: np.ndarray) -> None:
    traced = trace(f, (symbols("x", (2,)),), "drift")
    got = evaluated(traced, points)
    expected = np.stack([np.asarray(f(x), dtype=float) for x in points.T], axis=-1)
    np.testing.assert_allclose(got, expected, rtol=4e-15, atol=4e-15)


def test_a_scalar_state_is_a_number() -> None:
    x = symbols("x", ())
    assert trace(lambda x: 0.5 * x, (x,), "drift").shape == ()
    assert as_sym([1.0, x]).shape == (2,)


def test_what_runs_is_what_was_written() -> None:
    traced = trace(lambda x: (1e16 + x) - 1e16, (symbols("x", ()),), "drift")
    assert evaluated(traced, np.array([[1.0]])) == 0.0


def fill(x: Any) -> Any:
    y = np.zeros(2)
    y[0] = x[1]
    return y


def fill_like(x: Any) -> Any:
    y = np.zeros_like(x)
    y[0] = x[1]
    return y


def add_in_place(x: Any) -> Any:
    y = np.ones(2)
    y += x
    return y


REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: x if x[0] > 0 else -x, r"branches on a symbol .*np\.where\(x > 0, a, b\)"),
    (lambda x: max(x[0], 0.0), r"branches on a symbol .*np\.maximum"),
    (lambda x: np.where(0 < x[0] < 1, 1.0, 0.0), r"branches on a symbol .*np\.logical_and"),
    (lambda x: math.exp(x[0]), r"plain number is needed .*use the NumPy function: np\.exp instead of math\.exp"),
    (lambda x: float(x[0]), r"plain number is needed"),
    (lambda x: [x[0] for _ in range(x[1])], r"cannot become an integer .*np\.floor"),
    (lambda x: np.interp(x, [0.0, 1.0], [1.0, 2.0]), r"np\.interp cannot be traced; .*trace=False"),
    (lambda x: np.cumsum(x), r"np\.cumsum cannot be traced; .*elementary operations"),
    (lambda x: x % 2, r"np\.remainder cannot be traced; write it with .*floor.*trace=False"),
    (fill, r"puts a symbol into an array of numbers; build the result with a list or np\.stack"),
    (fill_like, r"item assignment cannot be traced; build the result with np\.stack or a list"),
    (add_in_place, r"in-place array updates cannot be traced; write x = x \+ y"),
    (lambda x: np.exp(x, out=np.zeros(2)), r"in-place array updates"),
    (lambda x: np.sqrt(x, where=np.array([True, False])), r"np\.sqrt with where= cannot be traced; use np\.where"),
    (lambda x: x[2], r"index 2 does not fit a state of shape \(2,\)"),
    (lambda x: np.eye(3) @ x, r"`@` of shapes \(3, 3\) and \(2,\) does not fit"),
    (lambda x: x[0] @ x, r"`@` needs vectors or matrices; multiply scalars"),
    (lambda x: [*x[0]], r"scalar state cannot be unpacked; give x0 as a list"),
    (lambda x: [x, 1.0], r"parts with different shapes"),
    (lambda x: None, r"returned nothing; end the function with return"),
    (lambda x: {"a": x}, r"is not a number or a traced expression"),
    (lambda x: "a", r"is not a number or a traced expression"),
    (lambda x: x * 1j, r"complex number .*real and imaginary parts as two components"),
    (lambda x: x.astype(float), r"failed when called with symbols: .*astype.*NumPy formula of \(x, t, p\)"),
    (lambda x: x / 0 + [][0], r"failed when called with symbols: list index out of range"),
    (lambda x: 1 / 0 * x, r"failed when called with symbols: division by zero"),
    (lambda x: x + np.ones(3), r"failed when called with symbols: .*broadcast"),
]


@pytest.mark.parametrize(("f", "sentence"), REFUSED)
def test_what_cannot_be_traced_says_why_and_what_to_do(f: Callable[[Any], Any], sentence: str) -> None:
    with pytest.raises(TraceError, match=f"(?s)^drift.*{sentence}"):
        trace(f, (symbols("x", (2,)),), "drift")


def test_an_untraceable_model_runs_by_the_array_executor() -> None:
    def drift(x: Any, t: Any, p: Any) -> Any:
        return np.interp(x, [-1.0, 1.0], [1.0, -1.0])

    with pytest.raises(TraceError, match=r"drift: np\.interp"):
        ss.SDE(drift, lambda x, t, p: 0.1, x0=0.3)
    sde = ss.SDE(drift, lambda x, t, p: 0.1 + 0 * x, x0=0.3, trace=False)
    twin = ss.SDE(lambda x, t, p: -np.clip(x, -1, 1), lambda x, t, p: 0.1, x0=0.3)
    run = [ss.simulate(s, ss.schemes.euler_maruyama, t_end=1.0, n_steps=8, n_paths=5, seed=1) for s in (sde, twin)]
    np.testing.assert_allclose(run[0].x, run[1].x, rtol=1e-14)


# --- diffusions ----------------------------------------------------------------------------------------

flat = Diffusion(symbols("b", (2,)).nodes)
matrix = Diffusion(symbols("b", (2, 3)).nodes)


@pytest.mark.parametrize("b", [flat, matrix])
def test_sums_and_multiples_of_diffusions_act_on_noise_as_diffusions(b: Diffusion) -> None:
    dW = symbols("dW", (b.matrix.shape[1],))
    h = symbols("h", ())
    inputs = [n.value for n in [*b.flat(), *dW.flat(), *h.flat()]]
    values = np.linspace(0.3, 1.9, len(inputs))

    def number(noise: Sym) -> np.ndarray:
        assert noise.shape == (2,)
        return np.array(compile_arrays(tuple(noise.flat()), tuple(inputs))(*values))

    expected = number(2.5 * (b @ dW) / h)
    for combined in (2.5 * b / h, (b + b + b / 2) / h, (3 * b - b / 2) * (1 / h), -(-2.5 * b / h)):
        assert isinstance(combined, Diffusion)
        np.testing.assert_allclose(number(combined @ dW), expected, rtol=1e-15)


def test_a_part_or_an_elementwise_product_of_a_diffusion_is_an_ordinary_array() -> None:
    dW = symbols("dW", (3,))
    assert type(matrix[0]) is Sym
    assert (matrix[0] @ dW).shape == ()  # a row times the noise is one number, not three
    assert type(flat * symbols("dW", (2,))) is Sym
    assert type(flat + 1.0) is Sym
    assert type(1.0 / flat) is Sym
    assert type(flat**2) is Sym
