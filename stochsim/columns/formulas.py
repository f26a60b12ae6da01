"""Scalar programs as words of the language: formulas of a few components, with the derivatives taken of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.codegen.arrays import compile_arrays
from stochsim.codegen.text import CALLS
from stochsim.columns import eager
from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node

_INLINE = frozenset({"sqrt", "abs", "sign", "floor", "minimum", "maximum", "where", "logical_not"})


@dataclass(frozen=True, eq=False)
class Formula:
    """Numbers computed from the components ``x0, x1, ...`` of a column and from named parameters.

    Parameters
    ----------
    outputs : tuple of Node
        Their expressions.
    d : int
        Number of components.
    parameters : tuple of str
        Names of the parameters, in the order in which `stochsim.columns.ops.formula` is given their values.
    """

    outputs: tuple[Node, ...]
    d: int
    parameters: tuple[str, ...] = ()

    @property
    def n_outputs(self) -> int:
        """Number of rows that it returns."""
        return len(self.outputs)

    @property
    def elementary(self) -> set[str]:
        """Names of the elementary functions in it."""
        return {CALLS[n.op] for n in g.walk(self.outputs) if n.op in CALLS} - _INLINE

    def __call__(self, x: Any, *parameters: float) -> Any:
        """The values for an array (d, n), as an array (m, n)."""
        xp = eager.module(x)
        names = (*(f"x{i}" for i in range(self.d)), *self.parameters)
        function = compile_arrays(self.outputs, names)
        with np.errstate(all="ignore"):
            values = function(*x, *parameters)
        return xp.stack([xp.broadcast_to(v, x.shape[1:]) for v in values])
