"""Explicit Runge–Kutta methods: tableaux, and one step with any of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stochsim.diffusion.samplers._coefficients import combine
from stochsim.errors import ParameterError

Rate = Callable[[Any, float], Any]


@dataclass(frozen=True)
class Tableau:
    """Coefficients of an explicit Runge–Kutta method.

    Parameters
    ----------
    order : int
    a : tuple of tuple of float
        Row i holds the weights of the earlier slopes in stage i + 1; c is the sum of a row.
    b : tuple of float
    lower : tuple of float
        Weights of the embedded method of order ``order - 1``; empty if there is none.
    """

    order: int
    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]
    lower: tuple[float, ...] = ()

    @property
    def c(self) -> tuple[float, ...]:
        """Places of the stages after the first."""
        return tuple(round(sum(row), 15) for row in self.a)  # rounded: 1 is recognised as the end of the step

    @property
    def stages(self) -> int:
        """Slopes a step."""
        return len(self.b)


TABLEAUX = {
    "euler": Tableau(1, (), (1.0,)),
    "midpoint": Tableau(2, ((1 / 2,),), (0.0, 1.0)),
    "heun": Tableau(2, ((1.0,),), (1 / 2, 1 / 2)),
    "ralston": Tableau(2, ((2 / 3,),), (1 / 4, 3 / 4)),
    "heun3": Tableau(3, ((1 / 3,), (0.0, 2 / 3)), (1 / 4, 0.0, 3 / 4)),
    "kutta3": Tableau(3, ((1 / 2,), (-1.0, 2.0)), (1 / 6, 2 / 3, 1 / 6)),
    "rk4": Tableau(4, ((1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
    "bogacki_shampine": Tableau(
        3,
        ((1 / 2,), (0.0, 3 / 4), (2 / 9, 1 / 3, 4 / 9)),
        (2 / 9, 1 / 3, 4 / 9, 0.0),
        (7 / 24, 1 / 4, 1 / 3, 1 / 8),
    ),
    "dormand_prince": Tableau(
        5,
        (
            (1 / 5,),
            (3 / 40, 9 / 40),
            (44 / 45, -56 / 15, 32 / 9),
            (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
            (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
            (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
        ),
        (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0.0),
        (5179 / 57600, 0.0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40),
    ),
}


def tableau(name: str) -> Tableau:
    """The tableau of this name.

    Parameters
    ----------
    name : str

    Raises
    ------
    ParameterError
        If there is none.
    """
    if name not in TABLEAUX:
        raise ParameterError(f"no tableau is called {name!r}; there are {', '.join(TABLEAUX)}")
    return TABLEAUX[name]


def slopes(method: Tableau, rate: Rate, y: Any, h: Any, first: Any, stages: int | None = None) -> list[Any]:
    """Slopes of all stages that count.

    Parameters
    ----------
    method : Tableau
    rate : callable
        ``rate(y, c)``: the slope at the fraction c of the step.
    y : array
    h : float or array, shape (n,)
    first : array
        The slope at the start.
    stages : int, optional
        Fewer than all.
    """
    known = [first]
    for row, c in zip(method.a[: (stages or method.stages) - 1], method.c, strict=False):
        known.append(rate(y + h * combine(row, known), c))
    return known


def explicit_step(method: Tableau, rate: Rate, y: Any, h: float, first: Any) -> Any:
    """One step of an explicit method.

    Parameters
    ----------
    method : Tableau
    rate : callable
    y : array
    h : float
    first : array

    Notes
    -----
    A last slope that only the embedded method uses is left out.
    """
    b = method.b[:-1] if method.b[-1] == 0.0 else method.b
    return y + h * combine(b, slopes(method, rate, y, h, first, len(b)))
