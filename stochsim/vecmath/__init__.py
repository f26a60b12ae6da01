"""Branch-free elementary functions that stay vector code inside any compiled loop, with the same bits everywhere.

Each function takes and returns one float64 and is compiled by Numba into its caller.
"""

from __future__ import annotations

from stochsim.vecmath.error_function import erf
from stochsim.vecmath.exponentials import cosh, exp, expm1, sinh, tanh
from stochsim.vecmath.inverse import arccos, arcsin, arctan, arctan2
from stochsim.vecmath.logarithms import arcsinh, log, log1p
from stochsim.vecmath.powers import power
from stochsim.vecmath.trigonometry import cos, sin, tan

__all__ = [
    "arccos", "arcsin", "arcsinh", "arctan", "arctan2", "cos", "cosh", "erf", "exp", "expm1",
    "log", "log1p", "power", "sin", "sinh", "tan", "tanh",
]  # fmt: skip
