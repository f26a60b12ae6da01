"""Claim: products and distances are right to rounding, and a column's bits do not depend on the others."""

import numpy as np
import pytest

from stochsim.columns import ops

SHAPES = [(1, 1), (2, 3), (4, 4), (5, 9), (50, 50), (6, 2)]


@pytest.mark.parametrize(("m", "k"), SHAPES)
@pytest.mark.parametrize("n", [1, 17, 300])
def test_products_are_right(m: int, k: int, n: int) -> None:
    rng = np.random.default_rng(m + k)
    A, x, y = rng.normal(size=(m, k)), rng.normal(size=(k, n)), rng.normal(size=(m, n))
    np.testing.assert_allclose(ops.matvec(A, x), A @ x, rtol=0, atol=1e-13 * k)
    np.testing.assert_allclose(ops.matvec_transposed(A, y), A.T @ y, rtol=0, atol=1e-13 * m)


@pytest.mark.parametrize(("m", "d"), SHAPES)
def test_distances_are_right(m: int, d: int) -> None:
    rng = np.random.default_rng(m + d)
    c, x = rng.normal(size=(m, d)), rng.normal(size=(d, 40))
    for weights in (rng.uniform(0.5, 2.0, (m, 1)), rng.uniform(0.5, 2.0, (m, d))):
        expected = (weights[:, :, None] * (x[None] - c[:, :, None]) ** 2).sum(axis=1)
        np.testing.assert_allclose(ops.distances(x, c, weights), expected, rtol=1e-13)


def test_a_column_has_its_bits_alone_or_among_many() -> None:
    rng = np.random.default_rng(0)
    A, x = rng.normal(size=(7, 13)), rng.normal(size=(13, 1000))
    together = ops.matvec(A, x)
    for j in (0, 255, 256, 999):
        np.testing.assert_array_equal(together[:, j], ops.matvec(A, x[:, j : j + 1])[:, 0])
