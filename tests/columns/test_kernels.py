"""Claim: a formula over columns gives the same bits by arrays and as a compiled kernel, for any number of columns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from stochsim.codegen import cache
from stochsim.columns import ops
from stochsim.columns.evaluate import Evaluator
from stochsim.columns.graph import Column, as_column
from stochsim.columns.kernels import map_kernel
from stochsim.columns.tracing import Scope, parameters, scope, structure, symbolic, variable
from stochsim.errors import TraceError


@dataclass(frozen=True, eq=False)
class AllWords:
    """A formula with every word of the language, in an order that needs many phases."""

    number: float
    rounds: int
    column: np.ndarray  # (5, 1)
    matrix: np.ndarray  # (6, 5)
    centres: np.ndarray  # (3, 5)
    widths: np.ndarray  # (3, 1)

    def value(self, x: Any) -> tuple[Any, ...]:
        z = ops.matvec(self.matrix, x - self.column)
        halves = ops.segment_sums(z * z, 3)
        near = ops.distances(x, self.centres, self.widths)
        weights, mass = ops.softmax(-near)
        back = ops.matvec_transposed(self.centres, weights)
        spread = ops.repeat(halves, 3) / (1.0 + z * z)
        first, rest = ops.row(x, 0), ops.rows(x, 1, 5)
        joined = ops.join(ops.stack(first, mass), rest)

        def body(u: Any, v: Any) -> tuple[Any, Any]:
            return u + self.number * ops.sin(v) * back, v - self.number * u * ops.exp(-mass)

        u, v = ops.loop(self.rounds, body, x, back)
        chosen = ops.where(ops.dot(u, v) > 0.0, u, ops.maximum(v, -u))
        tail = ops.logsumexp(joined) + ops.greatest(spread) + ops.total(ops.minimum(z, 0.0))
        odd = ops.power(ops.absolute(first) + 1.0, 0.3) + ops.arctan2(first, mass) + ops.erf(first)
        return chosen, tail + odd + ops.sqrt(1.0 + ops.squared_norm(rest)), spread, ops.floor(joined)


@pytest.fixture
def formula(rng: np.random.Generator) -> AllWords:
    matrix, centres = rng.normal(size=(6, 5)), rng.normal(size=(3, 5))
    return AllWords(0.3, 4, rng.normal(size=(5, 1)), matrix, centres, rng.uniform(0.5, 2.0, (3, 1)))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def by_kernel(obj: Any, method: str, x: np.ndarray, threads: int = 2) -> tuple[np.ndarray, ...]:
    evaluate = Evaluator(obj, method)
    kernel, sizes, _ = evaluate._kernel((len(x),))
    return evaluate._by_kernel((x,), kernel, sizes, cache.load(kernel.text, quiet=True), threads)


@pytest.mark.parametrize("n", [1, 7, 300, 1000])
def test_every_word_gives_the_bits_of_arrays(formula: AllWords, rng: np.random.Generator, n: int) -> None:
    x = rng.normal(size=(5, n)) * 2.0
    for compiled, eager in zip(by_kernel(formula, "value", x), formula.value(x), strict=True):
        np.testing.assert_array_equal(compiled, eager)


def test_one_kernel_serves_all_values_of_the_parameters(formula: AllWords, rng: np.random.Generator) -> None:
    other = AllWords(0.1, 2, *(rng.normal(size=a.shape) for a in (formula.column, formula.matrix)), formula.centres,
                     formula.widths)  # fmt: skip
    before = cache.compiled_count
    x = rng.normal(size=(5, 64))
    by_kernel(formula, "value", x)
    between = cache.compiled_count
    by_kernel(other, "value", x)
    assert structure(formula) == structure(other)
    assert cache.compiled_count == between >= before
    np.testing.assert_array_equal(by_kernel(other, "value", x)[0], other.value(x)[0])


def test_a_column_does_not_feel_the_others(formula: AllWords, rng: np.random.Generator) -> None:
    x = rng.normal(size=(5, 500))
    together = by_kernel(formula, "value", x)
    alone = by_kernel(formula, "value", x[:, 123:124].copy())
    disturbed = x.copy()
    disturbed[:, 124] = np.nan
    for a, b, c in zip(together, alone, by_kernel(formula, "value", disturbed, threads=1), strict=True):
        np.testing.assert_array_equal(a[..., 123], b[..., 0])
        np.testing.assert_array_equal(a[..., 123], c[..., 123])


@dataclass(frozen=True, eq=False)
class Exchange:
    """Results that are inputs, in another order."""

    number: float

    def value(self, x: Any) -> tuple[Any, ...]:
        a, b = ops.rows(x, 0, 2), ops.rows(x, 2, 4)

        def swap(u: Any, v: Any) -> tuple[Any, Any]:
            return v, u + self.number

        return ops.loop(3, swap, a, b)


def test_values_that_trade_places_are_not_overwritten_before_they_are_read(rng: np.random.Generator) -> None:
    x = rng.normal(size=(4, 50))
    for compiled, eager in zip(by_kernel(Exchange(2.0), "value", x), Exchange(2.0).value(x), strict=True):
        np.testing.assert_array_equal(compiled, eager)


@dataclass(frozen=True, eq=False)
class Idle:
    """A value that the loop makes and the rest needs too, and a loop that may not run."""

    rounds: int

    def value(self, x: Any) -> Any:
        (u,) = ops.loop(self.rounds, lambda u: (u + ops.total(x * x) * x,), x)
        return u + ops.total(x * x)


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_loops_that_do_not_run_leave_nothing_undone(rounds: int, rng: np.random.Generator) -> None:
    x = rng.normal(size=(4, 50))
    np.testing.assert_array_equal(by_kernel(Idle(rounds), "value", x), Idle(rounds).value(x))


def test_nan_is_neither_lost_nor_made(rng: np.random.Generator) -> None:
    x = rng.normal(size=(4, 20))
    x[2, 3] = np.nan

    @dataclass(frozen=True, eq=False)
    class Extremes:
        def value(self, x: Any) -> tuple[Any, ...]:
            return ops.greatest(x), ops.minimum(x, 0.0), ops.where(x == x, 1.0, 0.0)

    for compiled, eager in zip(by_kernel(Extremes(), "value", x), Extremes().value(x), strict=True):
        np.testing.assert_array_equal(compiled, eager)


def test_equal_operations_are_one_node() -> None:
    x = variable("x", 3)
    assert (x + 1.0 * as_column(2.0)) is not None
    assert x * x is x * x
    assert ops.total(x * x) is ops.total(x * x)


def test_what_cannot_be_traced_is_said() -> None:
    x, y = variable("x", 3), variable("y", 2)
    with pytest.raises(TraceError, match=r"where\(c, a, b\)"):
        bool(x > 0.0)
    with pytest.raises(TraceError, match="2 and 3 rows"):
        x + y
    with pytest.raises(TraceError, match="row 3 of a column with 3 rows"):
        ops.row(x, 3)
    with pytest.raises(TraceError, match="cannot turn"):
        float(x)
    with scope(), pytest.raises(TraceError, match="same numbers of rows"):
        ops.loop(2, lambda a: (ops.stack(ops.row(a, 0)),), x)
    with pytest.raises(TraceError, match="matvec"):
        as_column(np.ones((2, 3))) + 1.0


def test_parameters_are_found_inside_loops(formula: AllWords) -> None:
    twin = symbolic(formula, "obj")
    with scope():
        outputs = list(twin.value(variable("x", 5)))
    paths = {p.path for p in parameters(outputs)}
    assert {"obj.number", "obj.matrix", "obj.centres", "obj.widths", "obj.column", "obj.rounds"} <= paths


def test_the_text_reads_in_place_of_copies() -> None:
    x = variable("x", 2)
    text = map_kernel(x, (x * 2.0 + 1.0,), "twice and one", Scope()).text
    assert text.count("for l in range(256)") == 1
    assert isinstance(x, Column)
