"""A sampler as tables of coefficients: between evaluations of the score, every sampler here is linear.

A sampler is run once on symbols: each state, score and noise is a linear form in the latest state, earlier states,
scores and noises. What comes out is, for each interval of the grid, the points at which the score is evaluated and
the new state, as coefficients. Such a table runs in one kernel whatever the sampler was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from stochsim.diffusion.model import Model
from stochsim.diffusion.record import Sampler
from stochsim.errors import SchemeError

__all__ = ["Evaluation", "Form", "Interval", "tabulate"]

# ("x", i) is the state after i intervals, ("s", j) the j-th score, ("p", j) the point where it was taken, ("z", k) the
# noise of call k
Symbol = tuple[str, int]
MOST_EVALUATIONS, LONGEST_MEMORY = 12, 12  # in an interval; of earlier scores and states


class Form:
    """A linear combination of symbols; what is no such combination is refused.

    Parameters
    ----------
    terms : dict
        Coefficients by symbol.
    """

    __slots__ = ("terms",)
    __array_ufunc__ = None
    shape = (1, 1)
    ndim = 2

    def __init__(self, terms: dict[Symbol, float]) -> None:
        self.terms = terms

    def copy(self) -> Form:
        """The same form, for itself."""
        return Form(dict(self.terms))

    def __add__(self, other: Any) -> Form:
        if isinstance(other, Form):
            terms = dict(self.terms)
            for symbol, value in other.terms.items():
                terms[symbol] = terms.get(symbol, 0.0) + value
            return Form(terms)
        if _is_zero(other):
            return self.copy()
        raise NotLinear("it adds what is neither state, score nor noise")

    def __mul__(self, other: Any) -> Form:
        if isinstance(other, Form) or np.ndim(other):
            raise NotLinear("it multiplies states with one another")
        factor = float(other)
        return Form({symbol: factor * value for symbol, value in self.terms.items()})

    def __truediv__(self, other: Any) -> Form:
        if isinstance(other, Form) or np.ndim(other):
            raise NotLinear("it divides by a state")
        divisor = float(other)
        return Form({symbol: value / divisor for symbol, value in self.terms.items()})

    def __neg__(self) -> Form:
        return self * -1.0

    def __sub__(self, other: Any) -> Form:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Form:
        return self.__neg__().__add__(other)

    __radd__, __rmul__ = __add__, __mul__

    def __getattr__(self, name: str) -> Any:
        raise NotLinear(f"it uses {name} of a state")

    def __len__(self) -> int:
        raise NotLinear("it counts components")

    def __getitem__(self, index: Any) -> Any:
        raise NotLinear("it takes components apart")


class NotLinear(SchemeError):
    """A sampler whose steps depend on the states otherwise than linearly."""


def _is_zero(other: Any) -> bool:
    return isinstance(other, int | float) and other == 0.0


@dataclass(frozen=True)
class Evaluation:
    """A score taken at a time, at a point: coefficients by register.

    Registers are ("x", lag) with 0 the latest state; ("s", lag) and ("p", lag) with 0 the latest score before the
    interval and its point; ("new s", j), ("new p", j) and ("z", j) the j-th score, point and noise of this interval.
    """

    time: float
    point: dict[Symbol, float]


@dataclass(frozen=True)
class Interval:
    """What a sampler does between two times of the grid.

    Attributes
    ----------
    evaluations : tuple of Evaluation
    state : dict
        The new state, by register.
    noises : tuple of int
        Calls of the noise.
    """

    evaluations: tuple[Evaluation, ...]
    state: dict[Symbol, float]
    noises: tuple[int, ...]


@dataclass
class _Record:
    evaluations: list[tuple[float, dict[Symbol, float]]] = field(default_factory=list)
    noises: list[int] = field(default_factory=list)
    scores: int = 0


class _Probe(Model):
    """A model that gives a new symbol for every score."""

    def __init__(self, model: Model, record: _Record) -> None:
        super().__init__(model.target, model.process, score=_never)
        self.target = model.target
        self._record = record

    def score(self, x: Any, t: Any) -> Any:
        if getattr(t, "ndim", 0):
            raise NotLinear("it gives each particle its own time")
        self.nfe += 1
        number = self._record.scores
        self._record.evaluations.append((float(t), dict(x.terms)))
        self._record.scores += 1
        if list(x.terms.values()) != [1.0]:
            x.terms = {("p", number): 1.0}  # what follows is told by the point, not by all that led there
        return Form({("s", number): 1.0})

    def _evaluate(self, method: str, x: Any, t: float, *inputs: Any) -> Any:
        raise NotLinear(f"it asks for the {method} of the target")


def _never(x: Any, t: Any) -> Any:
    raise NotLinear("it asks for a score of no time")


def tabulate(sampler: Sampler, model: Model, grid: np.ndarray) -> list[Interval]:
    """The tables of a sampler along a grid.

    Raises
    ------
    SchemeError
        If its steps are not linear between evaluations (adaptive ones), or remember too much (Picard iteration).
    """
    record = _Record()

    def noise(k: int, shape: Any) -> Form:
        record.noises.append(int(k))
        return Form({("z", int(k)): 1.0})

    x = Form({("x", 0): 1.0})
    intervals: list[Interval] = []
    scores = 0
    try:
        for i, state in enumerate(sampler.steps(_Probe(model, record), x, grid, noise, **sampler.options)):
            if not isinstance(state, Form):
                raise NotLinear("it yields what is no state")
            intervals.append(_interval(record, state, i, scores))
            scores = record.scores
            record.evaluations, record.noises = [], []
            state.terms = {("x", i + 1): 1.0}
    except NotLinear as reason:
        raise SchemeError(f"{sampler.label} cannot be run as one kernel: {reason}; use executor='arrays'") from None
    except TypeError as reason:
        raise SchemeError(f"{sampler.label} cannot be run as one kernel ({reason}); use executor='arrays'") from None
    return intervals


def _interval(record: _Record, state: Form, i: int, scores: int) -> Interval:
    renamed = _renaming(record.noises, i, scores)
    if len(record.evaluations) > MOST_EVALUATIONS:
        raise NotLinear(f"it takes {len(record.evaluations)} evaluations in one interval")
    evaluations = tuple(Evaluation(t, renamed(terms)) for t, terms in record.evaluations)
    return Interval(evaluations, renamed(state.terms), tuple(record.noises))


def _renaming(noises: list[int], i: int, scores: int) -> Callable[[dict[Symbol, float]], dict[Symbol, float]]:
    def register(symbol: Symbol) -> Symbol:
        kind, number = symbol
        if kind == "z":
            if number not in noises:
                raise NotLinear("it uses the noise of an earlier interval")
            return ("z", noises.index(number))
        if kind in ("s", "p") and number >= scores:
            return (f"new {kind}", number - scores)
        lag = i - number if kind == "x" else scores - 1 - number
        if lag > LONGEST_MEMORY:
            raise NotLinear(f"it remembers {lag} steps")
        return (kind, lag)

    return lambda terms: {register(symbol): value for symbol, value in terms.items() if value != 0.0}
