"""log x and what is built on it: log1p, arcsinh.

x = 2^k m with m in [sqrt(1/2), sqrt(2)); log m = f - s (f - R), f = m - 1, s = f/(2 + f), where
R = s^2 P(s^2) and P is a minimax polynomial (relative error of log m below 2^-57). The sum is arranged as in
fdlibm (Sun Microsystems 1993), with fused products.
"""

from __future__ import annotations

import math

import numpy as np

from stochsim.vecmath._jit import scalar
from stochsim.vecmath._llvm import as_bits, as_float, copysign, fma, horner
from stochsim.vecmath._numbers import BIAS, EXPONENT, INTEGER, MANTISSA, ONE, SQRT_HALF_BITS

# ln 2 in two parts; k times the first is exact.
_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10

# (log((1+s)/(1-s)) - 2 s) / s^3 as a polynomial in s^2
_LOG = (
    0.1479626122033208, 0.15314021114650675, 0.18183565407345012, 0.22222198553785222,
    0.28571428742562127, 0.39999999999413965, 0.6666666666666734,
)  # fmt: skip

_SHIFT = (BIAS + ONE) << MANTISSA
_SMALLEST_NORMAL = 2.2250738585072014e-308
_BIG = 2.0**500


@scalar
def _log_sum(x: float, k_offset: float, tail: float) -> float:
    """Return log(x 2^k_offset) + tail for a positive normal x and a small tail."""
    bits = as_bits(x)
    above = bits - SQRT_HALF_BITS + _SHIFT
    k = as_float((above >> MANTISSA) | INTEGER) - (2.0**52 + 1024.0) + k_offset
    f = as_float(bits - (above & EXPONENT) + _SHIFT) - 1.0
    s = f / (2.0 + f)
    half_square = 0.5 * f * f
    z = s * s
    rest = fma(s, fma(z, horner(z, _LOG), half_square), fma(k, _LN2_LOW, tail))
    return fma(k, _LN2_HIGH, f - (half_square - rest))


@scalar
def log(x: float) -> float:
    """Return the natural logarithm within 0.9 ulp; -inf at 0, nan below."""
    tiny = x < _SMALLEST_NORMAL
    value = _log_sum(x * 2.0**54 if tiny else x, -54.0 if tiny else 0.0, 0.0)
    value = value if x < math.inf else x
    value = value if x > 0.0 else math.nan
    return -math.inf if x == 0.0 else value


@scalar
def log1p(x: float) -> float:
    """Return log(1 + x) within 1 ulp, without cancellation near 0; -inf at -1, nan below."""
    u = 1.0 + x
    high, low = (x, 1.0) if x > 1.0 else (1.0, x)
    value = _log_sum(u, 0.0, (low - (u - high)) / u)
    value = value if x < math.inf else x
    value = value if x > -1.0 else math.nan
    return -math.inf if x == -1.0 else copysign(value, x)


@scalar
def arcsinh(x: float) -> float:
    """Return arcsinh x within 2 ulp: log1p(y + y^2/(1 + sqrt(1 + y^2))), y = |x|."""
    y = abs(x)
    big = y > _BIG
    a = 1.0 if big else y
    argument = a + a * a / (1.0 + np.sqrt(fma(a, a, 1.0)))
    value = log1p(y if big else argument) + (0.6931471805599453 if big else 0.0)
    return copysign(value, x)
