"""What a sampler of Markov chains is: a frozen dataclass with two formulas, and a record of its claims."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, NamedTuple, TypeAlias, TypeVar

from stochsim.columns.noise import Noise
from stochsim.densities.record import Target
from stochsim.errors import ParameterError

__all__ = ["REGISTRY", "Claims", "Sampler", "sampler"]


StepSize: TypeAlias = Any
"""A positive number; None asks a warm-up to find it; a symbol in a trace."""


@dataclass(frozen=True)
class Claims:
    """What is claimed of a sampler.

    Parameters
    ----------
    reference : str
        Authors, year, equation.
    bias_order : float
        Power of the step size with which the bias of stationary expectations vanishes; infinite for adjusted ones.
    exact_gaussian : tuple of str
        Marginals ("position", "momentum") whose stationary law is exact on Gaussian targets, for any stable step.
    strong_order : float, optional
        Of the path, for discretised diffusions.
    gradients : int
        Gradient evaluations of a step (or of one leapfrog).
    """

    reference: str
    bias_order: float
    exact_gaussian: tuple[str, ...] = ()
    strong_order: float | None = None
    gradients: int = 1

    @property
    def adjusted(self) -> bool:
        """Whether the target itself is invariant."""
        return self.bias_order == float("inf")


class Sampler(ABC):
    """A Markov kernel as a formula over columns: each chain is a column.

    A sampler is a frozen dataclass; its numbers and 2-d arrays are parameters of the compiled kernel. ``target`` holds
    the formulas of the density (`stochsim.densities.Target`), ``noise`` gives the random numbers. Called with arrays
    both methods run at once; called with symbols they are compiled.
    """

    claims: ClassVar[Claims]

    @abstractmethod
    def init(self, target: Target, x: Any) -> Any:
        """The state of chains that stand at x (d, n): a NamedTuple of columns whose first field is ``x``.

        Random parts of it (momenta) begin at zero and are drawn in the first step, or drawn by `refresh`.
        """

    @abstractmethod
    def step(self, target: Target, state: Any, noise: Noise) -> tuple[Any, Any]:
        """One step: the new state, and a NamedTuple of numbers of each chain that tell how it went."""

    @property
    def name(self) -> str:
        """How it is called in tables."""
        return type(self).__name__


class NoInfo(NamedTuple):
    """For samplers with nothing to tell."""


S = TypeVar("S", bound=type[Sampler])
REGISTRY: dict[str, type[Sampler]] = {}


def sampler(claims: Claims) -> Any:
    """Enter a class into the table of samplers, with its claims."""

    def enter(cls: S) -> S:
        cls.claims = claims
        REGISTRY[cls.__name__] = cls
        return cls

    return enter


def require_positive(name: str, value: Any) -> None:
    """Refuse what is not a positive and finite number.

    Raises
    ------
    ParameterError
        With the name and the value.
    """
    if not isinstance(value, Real) or not 0.0 < float(value) < float("inf"):
        raise ParameterError(f"{name} is {value!r}; give a positive number")


def require_step_size(value: Any) -> None:
    """Refuse a step size that is neither positive nor None, which asks for a warm-up to find one.

    Raises
    ------
    ParameterError
        With the value.
    """
    if value is not None:
        require_positive("step_size", value)
