"""Claim: each column is given the row of the table that it asks for, with the same bits by arrays and as a kernel."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from stochsim.codegen import cache
from stochsim.columns import ops
from stochsim.columns.evaluate import Evaluator


@dataclass(frozen=True, eq=False)
class Chosen:
    """Rows by an index of each column, a fixed row, and rows inside of a loop."""

    table: np.ndarray  # (K, 4)
    names: np.ndarray  # (K, 1)
    fixed: float

    def value(self, x: Any) -> tuple[Any, ...]:
        index = ops.row(x, 0)

        def body(u: Any, at: Any) -> tuple[Any, Any]:
            return u + ops.pick(self.table, at) * u, at + 1.0

        u, _ = ops.loop(3, body, x, index)
        one = ops.row(ops.pick(self.names, index), 0)
        tall = ops.segment_sums(ops.tile(x * u, 3), 4)
        return ops.pick(self.table, index), one, x * ops.pick(self.table, self.fixed), u, ops.tile(tall, 2)


def by_kernel(obj: Any, x: np.ndarray) -> tuple[np.ndarray, ...]:
    evaluate = Evaluator(obj, "value")
    kernel, sizes, _ = evaluate._kernel((len(x),))
    return evaluate._by_kernel((x,), kernel, sizes, cache.load(kernel.text, quiet=True), 1)


@pytest.fixture
def formula() -> Chosen:
    rng = np.random.default_rng(3)
    return Chosen(rng.normal(size=(5, 4)), np.arange(5.0)[:, None], 2.0)


def test_rows_are_those_asked_for(formula: Chosen) -> None:
    index = np.array([0.0, 4.0, 2.0, 2.9, 1.0])
    np.testing.assert_array_equal(ops.pick(formula.table, index), formula.table[[0, 4, 2, 2, 1]].T)


def test_tiles_stand_one_below_the_other() -> None:
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(ops.tile(x, 2), [*x, *x])


def test_an_index_outside_is_put_back(formula: Chosen) -> None:
    index = np.array([-3.0, -0.5, 5.0, 1e300, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(ops.pick(formula.names, index), [[0.0, 0.0, 4.0, 4.0, 4.0, 0.0, 0.0]])


@pytest.mark.parametrize("n", [1, 300])
def test_kernels_give_the_bits_of_arrays(formula: Chosen, n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(size=(4, n))
    x[0] = rng.uniform(-2.0, 7.0, n)
    x[0, ::7] = np.array([np.nan, np.inf, -np.inf, 4.0, 5.0, 0.0])[np.arange(len(x[0, ::7])) % 6]
    for compiled, eager in zip(by_kernel(formula, x), formula.value(x), strict=True):
        np.testing.assert_array_equal(compiled, eager)
