"""What a density is: a formula over columns, and the exact facts that go with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any, Protocol, TypeVar

import numpy as np

from stochsim.columns.evaluate import Evaluator
from stochsim.errors import ParameterError


class Target(Protocol):
    """The formulas of a density, over columns x (d, n): what samplers are given.

    They are methods of a frozen dataclass whose numbers and 2-d arrays are its parameters, so they run on arrays and
    trace into kernels.
    """

    def log_prob(self, x: Any) -> Any:
        """The logarithm of p, (d, n) -> (n,); without its normaliser if that is not known."""

    def score(self, x: Any) -> Any:
        """∇ log p, (d, n) -> (d, n)."""

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        """Both."""

    def hessian_vector(self, x: Any, v: Any) -> Any:
        """∇² log p(x) v, (d, n), (d, n) -> (d, n)."""

    def laplacian(self, x: Any) -> Any:
        """Δ log p, (d, n) -> (n,)."""


class Density(ABC):
    """A probability density on ℝᵈ whose score is a formula.

    Attributes
    ----------
    target : Target
        The formulas over columns, for samplers.
    d : int
        Number of components.
    normalised : bool
        Whether `log_prob` holds the normalising constant.
    """

    target: Target
    d: int
    normalised: bool = True

    @property
    def name(self) -> str:
        """How it is called in tables and titles."""
        return type(self).__name__

    def log_prob(self, x: Any) -> Any:
        """Log-density.

        Parameters
        ----------
        x : array_like, shape (n, d) or (d,)

        Returns
        -------
        ndarray, shape (n,), or float
        """
        return self._at("log_prob", x)

    def score(self, x: Any) -> np.ndarray:
        """∇ log p.

        Parameters
        ----------
        x : array_like, shape (n, d) or (d,)

        Returns
        -------
        ndarray, of the shape of x
        """
        return np.asarray(self._at("score", x))

    def hessian_vector(self, x: Any, v: Any) -> np.ndarray:
        """∇² log p(x) v, without the matrix.

        Parameters
        ----------
        x, v : array_like, shape (n, d) or (d,)

        Returns
        -------
        ndarray, of their common shape
        """
        return np.asarray(self._at("hessian_vector", *np.broadcast_arrays(*map(np.asarray, (x, v)))))

    def laplacian(self, x: Any) -> Any:
        """Δ log p, the trace of the Hessian.

        Parameters
        ----------
        x : array_like, shape (n, d) or (d,)

        Returns
        -------
        ndarray, shape (n,), or float
        """
        return self._at("laplacian", x)

    def hessian(self, x: Any) -> np.ndarray:
        """∇² log p.

        Parameters
        ----------
        x : array_like, shape (n, d) or (d,)

        Returns
        -------
        ndarray, shape (n, d, d) or (d, d)
        """
        x = np.asarray(x, dtype=float)
        return np.stack([self.hessian_vector(x, np.broadcast_to(e, x.shape)) for e in np.eye(self.d)], axis=-1)

    @abstractmethod
    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Exact draws, shape (n, d).

        Parameters
        ----------
        n : int
        seed : int, SeedSequence, Generator or None
        """

    @property
    @abstractmethod
    def mean(self) -> np.ndarray:
        """E x, shape (d,)."""

    @property
    @abstractmethod
    def covariance(self) -> np.ndarray:
        """Cov x, shape (d, d)."""

    @cached_property
    def _evaluators(self) -> dict[str, Evaluator]:
        return {}

    def _at(self, method: str, *points: Any) -> Any:
        arrays = [self._checked(x) for x in points]
        evaluate = self._evaluators.setdefault(method, Evaluator(self.target, method))
        values = evaluate(*(np.ascontiguousarray(np.atleast_2d(x).T) for x in arrays))
        if arrays[0].ndim == 1:
            return values[:, 0] if values.ndim == 2 else float(values[0])
        return values.T if values.ndim == 2 else values

    def _checked(self, x: Any) -> np.ndarray:
        array = np.asarray(x, dtype=float)
        if array.ndim not in (1, 2) or array.shape[-1] != self.d:
            raise ParameterError(
                f"{self.name} has {self.d} components and got points of shape {array.shape}; give (n, {self.d}) or "
                f"({self.d},)"
            )
        return array

    def __repr__(self) -> str:
        return f"<{self.name}, d={self.d}{'' if self.normalised else ', not normalised'}>"

    def _repr_html_(self) -> str:
        known = "normalised" if self.normalised else "not normalised"
        return f"<b>{escape(self.name)}</b>: {self.d} component{'s' * (self.d > 1)}, {known}"


@dataclass(frozen=True)
class DensityRecord:
    """A row of the table of densities.

    Attributes
    ----------
    name : str
    build : type
    examples : tuple of callable
        Each makes one density, for contract tests.
    """

    name: str
    build: type[Density]
    examples: tuple[Callable[[], Density], ...]

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (self.build.__doc__ or "").strip().split("\n")[0]


Family = TypeVar("Family", bound=type[Density])
REGISTRY: dict[str, DensityRecord] = {}


def registered(*examples: Callable[[], Density]) -> Callable[[Family], Family]:
    """Enter a class into the table of densities, with the examples that contract tests run over."""

    def enter(build: Family) -> Family:
        REGISTRY[build.__name__] = DensityRecord(build.__name__, build, examples)
        return build

    return enter
