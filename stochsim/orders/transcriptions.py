"""The schemes once more, transcribed from the literature for one component and one noise, in plain NumPy.

Independent of the symbolic derivatives: derivatives here are extrapolated central differences, the implicit
step is a fixed number of Newton iterations. The formula check compares these with the programs that
run; it is what catches a change that no order test can see.
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
from stochsim.steps import ArrayStep
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


def _euler_maruyama(c: Coefficients, x: Any, t: float, h: float, dw: Any) -> Any:
    return x + c.a(x, t) * h + c.b(x, t) * dw


def _tamed_euler(c: Coefficients, x: Any, t: float, h: float, dw: Any) -> Any:
    increment = c.a(x, t) * h
    return x + increment / (1.0 + np.abs(increment)) + c.b(x, t) * dw


def _drift_implicit_euler(c: Coefficients, x: Any, t: float, h: float, dw: Any) -> Any:
    known = x + c.b(x, t) * dw
    y = known + c.a(x, t) * h
    for _ in range(30):
        y = y - (y - c.a(y, t + h) * h - known) / (1.0 - c.da(y, t + h) * h)
    return y


def _milstein(c: Coefficients, x: Any, t: float, h: float, dw: Any) -> Any:
    return _euler_maruyama(c, x, t, h, dw) + 0.5 * c.b(x, t) * c.db(x, t) * (dw * dw - h)


def _stratonovich_milstein(c: Coefficients, x: Any, t: float, h: float, dw: Any) -> Any:
    return _euler_maruyama(c, x, t, h, dw) + 0.5 * c.b(x, t) * c.db(x, t) * dw * dw


def _platen(c: Coefficients, x: Any, t: float, h: float, dw: Any) -> Any:
    support = x + c.a(x, t) * h + c.b(x, t) * np.sqrt(h)
    return _euler_maruyama(c, x, t, h, dw) + (c.b(support, t) - c.b(x, t)) * (dw * dw - h) / (2.0 * np.sqrt(h))


def _euler_heun(c: Coefficients, x: Any, t: float, h: float, dw: Any) -> Any:
    predictor = x + c.b(x, t) * dw
    return x + c.a(x, t) * h + 0.5 * (c.b(x, t) + c.b(predictor, t)) * dw


def _stratonovich_heun(c: Coefficients, x: Any, t: float, h: float, dw: Any) -> Any:
    predictor = x + c.a(x, t) * h + c.b(x, t) * dw
    return x + 0.5 * (c.a(x, t) + c.a(predictor, t + h)) * h + 0.5 * (c.b(x, t) + c.b(predictor, t + h)) * dw


TRANSCRIPTIONS: dict[str, Callable[..., Any]] = {
    "euler_maruyama": _euler_maruyama,
    "tamed_euler": _tamed_euler,
    "drift_implicit_euler": _drift_implicit_euler,
    "milstein": _milstein,
    "stratonovich_milstein": _stratonovich_milstein,
    "platen": _platen,
    "euler_heun": _euler_heun,
    "stratonovich_heun": _stratonovich_heun,
}


def formula_agrees(sde: SDE, scheme: Scheme, lag: str = "") -> bool | None:
    """Whether the program of a scheme does what the literature says; None without a transcription.

    The model must have one component and one noise. A scheme that uses the increment of another step
    (``lag``) disagrees.
    """
    transcription = TRANSCRIPTIONS.get(scheme.name)
    if transcription is None or sde.d != 1 or sde.m != 1:
        return None
    if lag:
        return False
    formula = sde.formula()
    c = Coefficients(_field(formula.a.flat()[0], formula), _field(formula.b.flat()[0], formula))
    x = sde.start.reshape(-1)[0] * np.linspace(0.7, 1.4, 8) + np.linspace(0.02, 0.2, 8)
    h, z = 0.07, np.linspace(-1.7, 2.1, 8)
    expected = transcription(c, x, 0.3, h, np.sqrt(h) * z)
    found = ArrayStep(sde, scheme)(x[None], 0.3, h, z[None])[0]
    return bool(np.all(np.abs(found - expected) <= AGREE * (1.0 + np.abs(found))))


def _field(node: Node, formula: Formula) -> Field:
    values = formula.parameters.first_vector()
    f = compile_arrays((node,), ("x0", "t", *values))
    return lambda x, t: f(x, np.float64(t), *values.values())[0] + 0.0 * x
