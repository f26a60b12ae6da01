"""Parameters of a model: numbers, swept axes, and arrays that are one value (`fixed`)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from stochsim.errors import ParameterError
from stochsim.symbolic import graph as g
from stochsim.symbolic.tracing import Sym, symbols


@dataclass(frozen=True)
class Fixed:
    """An array that is one parameter value; see `fixed`."""

    array: np.ndarray


def fixed(array: Any) -> Fixed:
    """Mark an array as one (vector- or matrix-valued) parameter instead of an axis to sweep.

    Parameters
    ----------
    array : array_like
        Finite numbers, any shape. In the model's functions ``p.name`` has this shape.

    Raises
    ------
    ParameterError
        If an entry is not a finite number.
    """
    return Fixed(_numbers("fixed(...)", array))


def _numbers(name: str, value: Any) -> np.ndarray:
    try:
        given = np.asarray(value)
        if given.dtype.kind not in "biufO":  # strings and complex numbers would be converted silently
            raise TypeError(given.dtype)
        array = np.array(given, dtype=float)
    except (TypeError, ValueError):
        raise ParameterError(f"parameter {name} is {value!r}; give a number or an array of numbers") from None
    if not np.isfinite(array).all():
        raise ParameterError(f"parameter {name} is {value!r}; every parameter must be a finite number")
    return array


@dataclass(frozen=True)
class Parameters:
    """Checked parameter values: ``values[name]`` is an array; ``swept`` are the names that are axes."""

    values: dict[str, np.ndarray]
    swept: tuple[str, ...]

    @staticmethod
    def of(params: Mapping[str, Any]) -> Parameters:
        """Check values as a user gives them."""
        if not isinstance(params, Mapping):
            raise ParameterError(f"params is {params!r}; give a dict of names and values: {{'mu': 0.05}}")
        values: dict[str, np.ndarray] = {}
        swept = []
        for name, value in params.items():
            if not (isinstance(name, str) and name.isidentifier()) or name.startswith("_"):
                raise ParameterError(f"parameter name {name!r} is no public Python identifier; rename it")
            values[name] = value.array if isinstance(value, Fixed) else _numbers(name, value)
            if isinstance(value, Fixed):
                continue
            if values[name].ndim > 1:
                raise ParameterError(
                    f"parameter {name} has shape {values[name].shape}: wrap a matrix as ss.fixed(...) to use "
                    "it as one value, or give a 1-d array to sweep over"
                )
            if values[name].ndim == 1:
                if values[name].size == 0:
                    raise ParameterError(f"parameter {name} is an empty array; give at least one value")
                swept.append(name)
        return Parameters(values, tuple(swept)).without_clashes()

    def without_clashes(self) -> Parameters:
        """Itself, if no parameter is called like an entry of an array (``A0_1`` beside a matrix ``A``)."""
        owner: dict[str, str] = {}
        for name in self.values:
            for entry in self._entries(name):
                if entry in owner:
                    raise ParameterError(
                        f"parameters {owner[entry]} and {name} clash: entries of arrays are known as "
                        f"{entry.removeprefix('p.')} and the like; rename one of them"
                    )
                owner[entry] = name
        return self

    def array_entries(self) -> dict[str, float]:
        """Values of the entries of array parameters, by input name."""
        return {
            entry: float(number)
            for name, value in self.values.items()
            if name not in self.swept and value.ndim
            for entry, number in zip(self._entries(name), value.ravel(), strict=True)
        }

    def replace(self, changes: Mapping[str, Any]) -> Parameters:
        """The same parameters with some values changed."""
        for name in changes:
            if name not in self.values:
                raise ParameterError(unknown_parameter(name, list(self.values)))
        new = Parameters.of(changes)
        values = self.values | new.values
        swept = tuple(n for n in values if n in new.swept or (n in self.swept and n not in new.values))
        return Parameters(values, swept).without_clashes()

    @property
    def vector_names(self) -> tuple[str, ...]:
        """Input names of the parameter vector, in order."""
        return tuple(n for name in self.values for n in self._entries(name))

    def _entries(self, name: str) -> list[str]:
        if name in self.swept or self.values[name].ndim == 0:
            return [f"p.{name}"]
        return [n.value for n in symbols(f"p.{name}", self.values[name].shape).flat()]

    def symbols(self) -> Namespace:
        """What model functions see as ``p``."""
        entries = {}
        for name, value in self.values.items():
            scalar = name in self.swept or value.ndim == 0
            entries[name] = Sym(np.array(g.var(f"p.{name}"))) if scalar else symbols(f"p.{name}", value.shape)
        return Namespace(entries)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the swept axes."""
        return tuple(self.values[n].size for n in self.swept)

    def points(self) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        """Every combination of swept values: its index and the parameter vector (one if nothing is swept)."""
        for index in product(*(range(n) for n in self.shape)):
            chosen = dict(zip(self.swept, index, strict=True))
            parts = [np.ravel(v[chosen[n]] if n in chosen else v) for n, v in self.values.items()]
            yield index, np.concatenate(parts) if parts else np.empty(0)

    def first(self) -> dict[str, Any]:
        """One value of each parameter (the first of a swept one): floats and arrays."""
        result: dict[str, Any] = {}
        for name, value in self.values.items():
            scalar = name in self.swept or value.ndim == 0
            result[name] = float(value.flat[0]) if scalar else value
        return result

    def first_vector(self) -> dict[str, float]:
        """The first parameter vector, by input name."""
        _, vector = next(self.points())
        return dict(zip(self.vector_names, vector.tolist(), strict=True))


def unknown_parameter(name: str, known: list[str]) -> str:
    """The sentence for a parameter that does not exist."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown parameter {name!r}; this model has {', '.join(known) or 'none'}{hint}"


class Namespace:
    """Named values as attributes or items; an unknown name is a `ParameterError` listing the known ones."""

    def __init__(self, entries: Mapping[str, Any]) -> None:
        self.__dict__.update(entries)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ParameterError(unknown_parameter(name, list(self.__dict__)))

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def __repr__(self) -> str:
        return f"Namespace({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"
