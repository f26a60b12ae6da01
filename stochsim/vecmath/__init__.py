"""Branch-free elementary functions that stay vector code inside any compiled loop, with the same bits in all.

Each function takes and returns float64 numbers and is compiled by Numba into its caller; `ARRAY` maps its
name to the same function over arrays. Stated errors are the largest found in a search of some 10^6 arguments,
rounded up;
1 ulp is the distance between the float64 numbers next to the exact result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stochsim.vecmath.error_function import erf
from stochsim.vecmath.exponentials import cosh, exp, expm1, sinh, tanh
from stochsim.vecmath.inverse import arccos, arcsin, arctan, arctan2
from stochsim.vecmath.logarithms import arcsinh, log, log1p
from stochsim.vecmath.powers import power
from stochsim.vecmath.trigonometry import cos, sin, tan

if TYPE_CHECKING:
    from stochsim.vecmath.arrays import ARRAY

__all__ = [
    "ARRAY", "arccos", "arcsin", "arcsinh", "arctan", "arctan2", "cos", "cosh", "erf", "exp",
    "expm1", "log", "log1p", "power", "sin", "sinh", "tan", "tanh",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load the array forms at their first use: kernels need only the scalar ones."""
    if name == "ARRAY":
        from stochsim.vecmath.arrays import ARRAY

        return ARRAY
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
