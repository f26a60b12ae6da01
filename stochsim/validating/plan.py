"""What a validation measures: the tasks of every family, and where the measurement of each is found.

A family is a module with ``tasks(quick, seed)``; ``MEASURES``, a function from a task to its rows for each kind of
task; and ``without_result(task, verdict, explanation)``, the row of a task that could not be measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Protocol, cast

from stochsim.errors import ParameterError
from stochsim.report.rows import Row
from stochsim.validating.task import Task

__all__ = ["FAMILIES", "Family", "family", "plan"]


class Family(Protocol):
    """What the module of a family offers."""

    MEASURES: Mapping[str, Callable[[Task], list[Row]]]

    def tasks(self, quick: bool, seed: int) -> Iterator[Task]:
        """The measurements of everything registered."""

    def without_result(self, task: Task, verdict: str, explanation: str) -> Row:
        """The row of a task that could not be measured."""


FAMILIES = {
    "sde": "stochsim.validating.equations",
    "mcmc": "stochsim.validating.chains",
    "diffusion": "stochsim.validating.particles",
}
"""The module of each family; it is imported when it is needed."""


def family(name: str) -> Family:
    """The module of a family.

    Parameters
    ----------
    name : str

    Raises
    ------
    ParameterError
        If the family is unknown.
    """
    if name not in FAMILIES:
        raise ParameterError(f"family is {name!r}; give one of {', '.join(FAMILIES)}")
    return cast("Family", import_module(FAMILIES[name]))


def plan(name: str | None = None, *, quick: bool = False, only: str | None = None, seed: int = 0) -> list[Task]:
    """The tasks of a validation, in the order in which to begin them.

    Parameters
    ----------
    name : str, optional
        Of one family; default all.
    quick : bool
        A subset that takes half a minute and compiles nothing.
    only : str, optional
        Keep tasks whose ``kind/scheme/problem`` holds this pattern.
    seed : int
        Of every measurement.

    Raises
    ------
    ParameterError
        If the family is unknown.
    """
    chosen = FAMILIES if name is None else [name]
    tasks = [task for each in chosen for task in family(each).tasks(quick, seed)]
    return [task for task in tasks if only is None or task.matches(only)]
