"""The table of named models: each is a function that returns an `SDE`, and gets its row from that alone.

Conventions of the closed forms that models carry, with ``p`` the parameters as attributes and ``t`` the time
since the start (for coefficients that depend on time: a start at 0):

* ``mean(t, x0, p)`` and ``cov(t, x0, p)``: numbers for a scalar model, else (d,) and (d, d);
* ``density(x, t, x0, p)`` and ``stationary(x, p)``: ``x`` is an array of any shape for a scalar model, else
  (..., d); one number for each point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from stochsim.errors import ParameterError
from stochsim.sde import SDE

__all__ = ["REGISTRY", "ModelRecord", "model"]

Builder = TypeVar("Builder", bound=Callable[..., SDE])


@dataclass(frozen=True)
class ModelRecord:
    """A row of the table of models.

    Attributes
    ----------
    name : str
    build : callable
        Every parameter has a default.
    """

    name: str
    build: Callable[..., SDE]

    @cached_property
    def default(self) -> SDE:
        """The model at its default parameters."""
        return self.build()

    @property
    def summary(self) -> str:
        """First line of the docstring."""
        return (self.build.__doc__ or "").strip().split("\n")[0]

    @property
    def answers(self) -> tuple[str, ...]:
        """Which closed forms the model carries."""
        sde = self.default
        named = ("exact", "transition", "mean", "cov", "density", "stationary")
        return tuple(name for name in named if getattr(sde, name) is not None)


REGISTRY: dict[str, ModelRecord] = {}


def model(build: Builder) -> Builder:
    """Enter a function that returns an `SDE` into the table of models."""
    REGISTRY[build.__name__] = ModelRecord(build.__name__, build)
    return build


def require_positive(sde: SDE, *names: str) -> SDE:
    """The model, if all values of the named parameters are positive.

    Raises
    ------
    ParameterError
        If one is not.
    """
    for name in names:
        value = sde.parameters.values[name]
        if not np.all(value > 0.0):
            raise ParameterError(f"{sde.name}: {name} is {value!r}; give positive numbers")
    return sde


def matrix(name: str, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """The value as an array of the given shape (None: any size).

    Raises
    ------
    ParameterError
        If it has another shape or holds anything but numbers.
    """
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise ParameterError(f"{name} is {value!r}; give an array of numbers") from None
    wanted = len(shape) == array.ndim and all(n in (None, k) for n, k in zip(shape, array.shape, strict=True))
    if not wanted:
        text = ", ".join("any" if n is None else str(n) for n in shape)
        raise ParameterError(f"{name} has shape {array.shape}; give shape ({text})")
    return array
