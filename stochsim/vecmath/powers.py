"""x^y for real y, as e^(y log x) with the logarithm carried in two float64 (about 2^-66 relative)."""

from __future__ import annotations

import math

import numpy as np

from stochsim.vecmath._jit import scalar
from stochsim.vecmath._llvm import as_bits, as_float, copysign, fma, horner, product_error
from stochsim.vecmath._numbers import BIAS, EXPONENT, INTEGER, MANTISSA, ONE, SQRT_HALF_BITS
from stochsim.vecmath.exponentials import exp_sum

# log((1+s)/(1-s)) = 2 s + s^3 (2/3 + s^2 P(s^2)); P below, 2/3 in two parts
_LOG = (
    0.11989171476704054, 0.11674799544090878, 0.13336318351028745, 0.1538455684682417,
    0.18181818870668381, 0.22222222217533585, 0.28571428571445123, 0.3999999999999998,
)  # fmt: skip
_TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
# ln 2 in two parts; k times the first is exact.
_LN2 = (0.6931471805598903, 5.497923018708371e-14)

_SHIFT = (BIAS + ONE) << MANTISSA
_SMALLEST_NORMAL = 2.2250738585072014e-308


@scalar
def _multiply(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:
    """Return (a + a_low)(b + b_low) in two parts (Dekker 1971)."""
    high = a * b
    return high, product_error(a, b, high) + fma(a, b_low, a_low * b)


@scalar
def _quick_add(a: float, b: float) -> tuple[float, float]:
    """Return a + b in two parts, for |a| >= |b| or a = 0 (Dekker 1971)."""
    high = a + b
    return high, (a - high) + b


@scalar
def _log_two_parts(x: float) -> tuple[float, float]:
    """Return log x, x > 0 and finite, in two parts."""
    tiny = x < _SMALLEST_NORMAL
    bits = as_bits(x * 2.0**54 if tiny else x)
    above = bits - SQRT_HALF_BITS + _SHIFT
    k = as_float((above >> MANTISSA) | INTEGER) - (2.0**52 + 1024.0) - (54.0 if tiny else 0.0)
    m = as_float(bits - (above & EXPONENT) + _SHIFT)
    f, d = m - 1.0, m + 1.0
    inverse = 1.0 / d
    s = f * inverse
    product = s * d
    remainder = (f - product) - product_error(s, d, product)
    s_low = (remainder - s * (m - (d - 1.0))) * inverse
    z, z_low = _multiply(s, s_low, s, s_low)
    cube, cube_low = _multiply(s, s_low, z, z_low)
    factor, factor_low = _quick_add(_TWO_THIRDS[0], z * horner(z, _LOG))
    term, term_low = _multiply(cube, cube_low, factor, factor_low + _TWO_THIRDS[1])
    high, low = _quick_add(2.0 * s, term)
    total, rest = _quick_add(k * _LN2[0], high)
    return _quick_add(total, rest + (low + (term_low + 2.0 * s_low) + k * _LN2[1]))


@scalar
def power(x: float, y: float) -> float:
    """Return x^y within 1 ulp; special cases as C99 `pow` (nan for x < 0 unless y is whole)."""
    base = abs(x)
    high, low = _log_two_parts(base)
    regular = 0.0 < base < math.inf
    high = high if regular else (-math.inf if base == 0.0 else base)
    product = y * high
    correction = product_error(y, high, product) + y * (low if regular else 0.0)
    moderate = abs(product) < 800.0
    value = exp_sum(product, correction if moderate else 0.0)
    whole = np.floor(y) == y
    odd = whole and np.floor(0.5 * y) * 2.0 != y
    value = 1.0 if base == 1.0 and not np.isnan(y) else value
    value = value if whole or not -math.inf < x < 0.0 else math.nan
    value = 1.0 if y == 0.0 or x == 1.0 else value
    return copysign(value, x) if odd else value
