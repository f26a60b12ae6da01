"""The formula check: a scheme's program against its transcription, in plain NumPy, from the literature.

The transcription stands with the scheme (`Scheme.transcription`) and is written for one component and one
noise. It is independent of the symbolic derivatives: derivatives here are extrapolated central differences. The
check catches a change that no order test can see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.codegen.arrays import compile_arrays
from stochsim.formula import Formula
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE
from stochsim.steps import ArrayStep, symbol
from stochsim.symbolic.graph import Node

Field = Callable[[Any, Any], Any]
AGREE = 1e-8  # relative: the differences are good to about 1e-11, the smallest planted change is 1e-3


@dataclass(frozen=True)
class Coefficients:
    """a, b and their x-derivatives as functions of arrays (x, t)."""

    a: Field
    b: Field

    def da(self, x: Any, t: Any) -> Any:
        """da/dx."""
        return _slope(self.a, x, t)

    def db(self, x: Any, t: Any) -> Any:
        """db/dx."""
        return _slope(self.b, x, t)


def _slope(f: Field, x: Any, t: Any) -> Any:
    coarse, fine = ((f(x + e, t) - f(x - e, t)) / (2 * e) for e in (2e-3, 1e-3))
    finest = (f(x + 5e-4, t) - f(x - 5e-4, t)) / 1e-3
    first, second = (4 * fine - coarse) / 3, (4 * finest - fine) / 3
    return (16 * second - first) / 15


def formula_agrees(sde: SDE, scheme: Scheme, lag: str = "") -> bool | None:
    """Whether the program of a scheme does what the literature says; None without a transcription.

    Parameters
    ----------
    sde : SDE
        With one component and one noise; None is returned for any other.
    scheme : Scheme
        Its transcription is called as ``f(c, x, t, h, <the noise that the scheme needs>)``.
    lag : str
        A scheme that uses the increment of another step disagrees.
    """
    transcription = scheme.transcription
    if transcription is None or sde.d != 1 or sde.m != 1:
        return None
    if lag:
        return False
    formula, step = sde.formula(), ArrayStep(sde, scheme)
    c = Coefficients(_field(formula.a.flat()[0], formula), _field(formula.b.flat()[0], formula))
    x = sde.start.reshape(-1)[0] * np.linspace(0.7, 1.4, 8) + np.linspace(0.02, 0.2, 8)
    h, z = 0.07, np.stack([np.roll(np.linspace(-1.7, 2.1, 8), 3 * i) for i in range(len(step.primitives))])
    expected = transcription(c, x, 0.3, h, *_noise(scheme, formula, h, z))
    found = step(x[None], 0.3, h, z)[0]
    return bool(np.all(np.abs(found - expected) <= AGREE * (1.0 + np.abs(found))))


def _noise(scheme: Scheme, formula: Formula, h: float, z: np.ndarray) -> tuple[Any, ...]:
    """The noise that a scheme needs, one array for each kind, from its standardised draws."""
    built = scheme.plan(formula).draw(symbol("h"))
    nodes = tuple(built[kind].flat()[0] for kind in scheme.needs)
    return compile_arrays(nodes, ("h", *(f"n{i}" for i in range(len(z)))))(np.float64(h), *z)


def _field(node: Node, formula: Formula) -> Field:
    values = formula.parameters.first_vector()
    f = compile_arrays((node,), ("x0", "t", *values))
    return lambda x, t: f(x, np.float64(t), *values.values())[0] + 0.0 * x
