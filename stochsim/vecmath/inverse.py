"""arctan, arctan2, arcsin and arccos: one division, then a minimax polynomial on |t| <= tan(pi/8).

atan(a/b) for 0 <= a <= b is atan t or pi/4 + atan t, with t = a/b or t = (a - b)/(a + b) by the addition
theorem, so every result is n pi/4 +- atan t with a whole number n. The polynomial's relative error is below
2^-59.
"""

from __future__ import annotations

import math

import numpy as np

from stochsim.vecmath._jit import scalar
from stochsim.vecmath._llvm import as_bits, copysign, fma, horner
from stochsim.vecmath._numbers import SIGN

# (atan t - t) / t^3 as a polynomial in t^2
_ATAN = (
    -0.017907338410404837, 0.03806494981503115, -0.05039330622256873, 0.0584789734609933,
    -0.06663105449651979, 0.07692060361338111, -0.09090897767063882, 0.11111110783814578,
    -0.14285714280204045, 0.19999999999953663, -0.333333333333332,
)  # fmt: skip
_TAN_PI_8 = 0.41421356237309503
_QUARTER_PI_HIGH = 0.7853981633974483
_QUARTER_PI_LOW = 3.061616997868383e-17


@scalar
def _angle(a: float, b: float, left: bool) -> float:
    """Return the angle in [0, pi] of the point (b, a) with a, b >= 0, or of (-b, a) when `left`."""
    steep = not a <= b
    low, high = (b, a) if steep else (a, b)
    diagonal = low > _TAN_PI_8 * high
    t = (low - high if diagonal else low) / (low + high if diagonal else (high if high != 0.0 else 1.0))
    z = t * t
    arc = fma(t * z, horner(z, _ATAN), t)
    eighths = 1.0 if diagonal else 0.0
    eighths, arc = (2.0 - eighths, -arc) if steep else (eighths, arc)
    eighths, arc = (4.0 - eighths, -arc) if left else (eighths, arc)
    return fma(eighths, _QUARTER_PI_HIGH, fma(eighths, _QUARTER_PI_LOW, arc))


@scalar
def arctan(x: float) -> float:
    """Return the arc tangent, in [-pi/2, pi/2], within 2.3 ulp."""
    return copysign(_angle(abs(x), 1.0, False), x)


@scalar
def arctan2(y: float, x: float) -> float:
    """Return the angle of the point (x, y), in [-pi, pi], within 2.3 ulp; signed zeros as in C."""
    a, b = abs(y), abs(x)
    both_infinite = a == b and a == math.inf
    scale = 0.25 if (a if a > b else b) > 1e300 else 1.0
    a = 1.0 if both_infinite else a * scale
    b = 1.0 if both_infinite else b * scale
    return copysign(_angle(a, b, as_bits(x) & SIGN != 0), y)


@scalar
def arcsin(x: float) -> float:
    """Return the arc sine within 2.7 ulp; nan outside [-1, 1]."""
    return copysign(_angle(abs(x), np.sqrt((1.0 - x) * (1.0 + x)), False), x)


@scalar
def arccos(x: float) -> float:
    """Return the arc cosine within 3 ulp; nan outside [-1, 1]."""
    return _angle(np.sqrt((1.0 - x) * (1.0 + x)), abs(x), x < 0.0)
