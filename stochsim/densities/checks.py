"""Arguments of densities: checked, and given the shapes that formulas want."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.errors import ModelError, ParameterError


def generator(seed: Any) -> np.random.Generator:
    """NumPy's generator of a seed, for exact draws outside of kernels."""
    return seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)


def vector(name: str, value: Any, d: int | None = None) -> np.ndarray:
    """The value as an array (d,); a number is taken for one component.

    Raises
    ------
    ParameterError
        If it has another shape, or entries that are not finite.
    """
    array = np.atleast_1d(np.asarray(value, dtype=float))
    if array.ndim != 1 or (d is not None and len(array) != d):
        wanted = "(d,)" if d is None else f"({d},)"
        raise ParameterError(f"{name} has shape {array.shape}; give shape {wanted}")
    return finite(name, array)


def number(name: str, value: Any) -> float:
    """The value as a finite float.

    Raises
    ------
    ParameterError
        If it is no number, or not finite.
    """
    try:
        given = float(value)
    except (TypeError, ValueError):
        raise ParameterError(f"{name} is {value!r}; give a number") from None
    if not np.isfinite(given):
        raise ParameterError(f"{name} is {value!r}; give a finite number")
    return given


def positive(name: str, value: Any) -> float:
    """The value as a finite float above 0.

    Raises
    ------
    ParameterError
        If it is not one.
    """
    given = number(name, value)
    if given <= 0.0:
        raise ParameterError(f"{name} is {value!r}; give a positive number")
    return given


def dimension(d: Any, *, at_least: int = 1) -> int:
    """A number of components.

    Raises
    ------
    ParameterError
        If it is no integer, or too small.
    """
    if not isinstance(d, int | np.integer) or d < at_least:
        raise ParameterError(f"d is {d!r}; give an integer number of components, at least {at_least}")
    return int(d)


def finite(name: str, array: np.ndarray) -> np.ndarray:
    """The array, if all its entries are finite numbers.

    Raises
    ------
    ParameterError
        If one is not.
    """
    if not np.all(np.isfinite(array)):
        raise ParameterError(f"{name} holds numbers that are not finite; give finite ones")
    return array


def mixing(weights: Any, means: Any) -> tuple[np.ndarray, np.ndarray]:
    """Weights (K,) and means (K, d) of a mixture; means of shape (K,) are of one component.

    Raises
    ------
    ModelError
        If the weights are negative, or do not sum to 1 within 1e-9: the sum is named.
    ParameterError
        If shapes do not fit.
    """
    w = np.atleast_1d(np.asarray(weights, dtype=float))
    m = finite("means", np.asarray(means, dtype=float))
    m = m[:, None] if m.ndim == 1 else m
    if w.ndim != 1 or m.ndim != 2 or len(w) != len(m):
        raise ParameterError(f"weights have shape {w.shape} and means {m.shape}; give (K,) and (K, d) with one K")
    mass = float(w.sum())
    if not (np.all(w >= 0.0) and abs(mass - 1.0) <= 1e-9):
        raise ModelError(
            f"the weights sum to {mass:g} and the smallest is {w.min():g}; give positive weights that sum to 1"
        )
    return w, m


def not_positive(name: str, smallest: float) -> ModelError:
    """The error of a covariance that is none."""
    return ModelError(f"{name} is not positive definite: its smallest eigenvalue is {smallest:g}; give positive ones")


def selection(components: Any, d: int) -> np.ndarray:
    """Indices of some of d components.

    Raises
    ------
    ParameterError
        If one does not exist, stands there twice, or none is given.
    """
    index = np.atleast_1d(np.asarray(components))
    fits = index.ndim == 1 and index.size > 0 and index.dtype.kind in "iu"
    if not fits or index.min() < 0 or index.max() >= d or len(np.unique(index)) < len(index):
        raise ParameterError(f"components are {components!r}; give different integers from 0 to {d - 1}")
    return index


def noise_levels(alpha: Any, sigma: Any) -> tuple[float, float]:
    """Scale and noise of a law α x + σ z that has a density.

    Raises
    ------
    ParameterError
        If one is not finite, or both are 0.
    """
    a, s = number("alpha", alpha), number("sigma", sigma)
    if a == 0.0 and s == 0.0:
        raise ParameterError("alpha and sigma are both 0; give at least one of them, or there is no density")
    return a, s


def positive_definite(name: str, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (..., d) and eigenvectors (..., d, d) of symmetric positive definite matrices.

    Raises
    ------
    ModelError
        If one is not symmetric, or not positive definite: its smallest eigenvalue is named.
    """
    finite(name, matrix)
    scale = np.max(np.abs(matrix), initial=0.0)
    if np.max(np.abs(matrix - np.swapaxes(matrix, -1, -2)), initial=0.0) > 1e-10 * scale:
        raise ModelError(f"{name} is not symmetric; give a symmetric matrix")
    values, vectors = np.linalg.eigh((matrix + np.swapaxes(matrix, -1, -2)) / 2.0)
    smallest = float(values.min())
    if smallest <= 1e-15 * scale:
        raise not_positive(name, smallest)
    return values, vectors
