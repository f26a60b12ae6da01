"""sin, cos and tan: reduction modulo pi/2 in three fused parts, then minimax polynomials on |r| <= pi/4.

With a fused multiply-add, k times the first part (all 53 bits of pi/2) is subtracted exactly (Cody & Waite
1980, with fused products), so the stated accuracy holds for |x| <= 2^45. Beyond, where neighbouring float64
numbers are more than 0.007 radians apart, the functions return nan rather than noise. A CPU without fused
products takes pi/2 in four parts, three of them of 22 bits, to |x| <= 2^30.
"""

from __future__ import annotations

import math

import numpy as np

from stochsim.vecmath._host import HAS_FMA
from stochsim.vecmath._jit import scalar
from stochsim.vecmath._llvm import as_bits, as_float, fma, horner, subtract_multiple
from stochsim.vecmath._numbers import ONE, ROUND, SIGN

TRIGONOMETRIC_LIMIT = 2.0**45 if HAS_FMA else 2.0**30
"""Largest |x| of sin, cos, tan; nan beyond."""

_TWO_OVER_PI = 0.6366197723675814
_HALF_PI = (
    (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
    if HAS_FMA
    else (1.570796012878418, 3.139164164167596e-07, 6.223371969669989e-14, 2.0222662487959506e-21)
)

# (sin r - r) / r^3 and (cos r - 1 + r^2/2) / r^4 as polynomials in r^2; relative errors below 2^-57
_SIN = (
    1.5896504912588458e-10, -2.5050753263940057e-08, 2.7557313662053765e-06,
    -0.00019841269829725194, 0.008333333333322316, -0.16666666666666632,
)  # fmt: skip
_COS = (
    -1.135944865497098e-11, 2.087571955823567e-09, -2.755731432602745e-07,
    2.4801587289394916e-05, -0.001388888888887399, 0.0416666666666666,
)  # fmt: skip

_QUADRANT_SIGN = np.uint64(62)
_ODD_SIGN = np.uint64(63)


@scalar
def _sin_cos(x: float) -> tuple[float, float, int]:
    """Return (sin r, cos r, k): |x| = k pi/2 + r; the two low bits of k name the quadrant."""
    y = abs(x)
    shifted = fma(y if y <= TRIGONOMETRIC_LIMIT else math.nan, _TWO_OVER_PI, ROUND)
    r = subtract_multiple(y, shifted - ROUND, _HALF_PI)
    z = r * r
    half = 0.5 * z
    head = 1.0 - half
    sine = fma(r * z, horner(z, _SIN), r)
    return sine, head + fma(z * z, horner(z, _COS), (1.0 - head) - half), as_bits(shifted)


@scalar
def sin(x: float) -> float:
    """Return sin x (radians) within 1.5 ulp for |x| <= 2^45."""
    sine, cosine, k = _sin_cos(x)
    value = sine if k & ONE == 0 else cosine
    return as_float(as_bits(value) ^ (((k << _QUADRANT_SIGN) ^ as_bits(x)) & SIGN))


@scalar
def cos(x: float) -> float:
    """Return cos x (radians) within 1.5 ulp for |x| <= 2^45."""
    sine, cosine, k = _sin_cos(x)
    value = cosine if k & ONE == 0 else sine
    return as_float(as_bits(value) ^ (((k + ONE) << _QUADRANT_SIGN) & SIGN))


@scalar
def tan(x: float) -> float:
    """Return tan x (radians) within 3 ulp for |x| <= 2^45."""
    sine, cosine, k = _sin_cos(x)
    swap = k & ONE == 0
    value = (sine if swap else cosine) / (cosine if swap else sine)
    return as_float(as_bits(value) ^ (((k << _ODD_SIGN) ^ as_bits(x)) & SIGN))
