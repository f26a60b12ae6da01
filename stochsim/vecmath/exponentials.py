"""e^x and what is built on it: expm1, sinh, cosh, tanh.

All start from e^x = 2^k (1 + r + r^2 q), k = round(x / ln 2), |r| <= ln(2)/2, with q a minimax polynomial
(Remez 1934; relative error of e^r below 2^-57).
"""

from __future__ import annotations

import numpy as np

from stochsim.vecmath._host import HAS_FMA
from stochsim.vecmath._jit import scalar
from stochsim.vecmath._llvm import as_bits, as_float, copysign, fma, horner, subtract_multiple
from stochsim.vecmath._numbers import BIAS, MANTISSA, ONE, ROUND, ROUND_BITS

_INVERSE_LN2 = 1.4426950408889634
# With a fused product the first part may use all 53 bits; without, k times it must be exact by itself.
_LN2 = (
    (0.6931471805599453, 2.3190468138462996e-17)
    if HAS_FMA
    else (0.6931471803691238, 1.9082149292705877e-10)
)  # fmt: skip

# (e^r - 1 - r) / r^2
_EXP = (
    2.5000058111501482e-08, 2.7630248412081725e-07, 2.7557586384839976e-06, 2.4801493098822176e-05,
    0.00019841269506566347, 0.001388888894363018, 0.008333333333494468, 0.041666666666530155,
    0.16666666666666413, 0.5000000000000011,
)  # fmt: skip

_OFFSET = np.uint64(2048)
_LARGEST = np.uint64(2048 + 1023)


@scalar
def _reduce(x: float) -> tuple[float, float, int]:
    """Return (r, q, k + 2048) with e^x = 2^k (1 + r + r^2 q)."""
    shifted = fma(x, _INVERSE_LN2, ROUND)
    r = subtract_multiple(x, shifted - ROUND, _LN2)
    return r, horner(r, _EXP), as_bits(shifted) - ROUND_BITS + _OFFSET


@scalar
def _scales(n: int) -> tuple[float, float]:
    """Split 2^k, n = k + 2048, k > -1022, into two float64 factors; the second is 1 unless k > 1023."""
    low = n if n < _LARGEST else _LARGEST
    return as_float((low - _OFFSET + BIAS) << MANTISSA), as_float((n - low + BIAS) << MANTISSA)


@scalar
def _clamp(x: float) -> float:
    """Keep x where e^x is neither beyond overflow nor below half the smallest subnormal; nan stays nan."""
    x = 710.0 if x > 710.0 else x
    return -746.0 if x < -746.0 else x


@scalar
def _join(r: float, rest: float, n: int) -> float:
    """Return 2^k (1 + r + rest), n = k + 2048, with one rounding in the normal range."""
    head = 1.0 + r
    half = n >> ONE
    mantissa = head + (((1.0 - head) + r) + rest)
    return mantissa * as_float((half - ONE) << MANTISSA) * as_float((n - half - ONE) << MANTISSA)


@scalar
def exp(x: float) -> float:
    """Return e^x within 0.9 ulp; correct at overflow, underflow and in the subnormal range."""
    r, q, n = _reduce(_clamp(x))
    return _join(r, r * r * q, n)


@scalar
def exp_sum(x: float, low: float) -> float:
    """Return e^(x + low) within 1 ulp, for |low| < 1e-10."""
    r, q, n = _reduce(_clamp(x))
    rest = r * r * q
    return _join(r, fma(low, 1.0 + (r + rest), rest), n)


@scalar
def _expm1(x: float) -> tuple[float, float]:
    """Return (E, s) with e^x - 1 = E s for -40 <= x < 1025 ln 2; s is 1 unless x is near overflow."""
    r, q, n = _reduce(x)
    scale, excess = _scales(n)
    return fma(scale, fma(r * r, q, r), scale - 1.0), excess


@scalar
def expm1(x: float) -> float:
    """Return e^x - 1 within 2.2 ulp, without cancellation near 0."""
    y = 710.0 if x > 710.0 else x
    e, excess = _expm1(-40.0 if y < -40.0 else y)
    return copysign(e * excess, x)


@scalar
def sinh(x: float) -> float:
    """Return sinh x within 2.6 ulp: (E + E/(E+1))/2 with E = e^|x| - 1."""
    y = abs(x)
    e, excess = _expm1(711.0 if y > 711.0 else y)
    return copysign((e + e / (e + 1.0)) * (0.5 * excess), x)


@scalar
def cosh(x: float) -> float:
    """Return cosh x within 1.5 ulp: (e^|x| + e^-|x|)/2."""
    y = abs(x)
    r, q, n = _reduce(711.0 if y > 711.0 else y)
    scale, excess = _scales(n)
    e = fma(scale, fma(r * r, q, r), scale)
    return e * (0.5 * excess) + 0.5 / e


@scalar
def tanh(x: float) -> float:
    """Return tanh x within 2.8 ulp: E/(E+2) with E = e^(2|x|) - 1."""
    y = abs(x)
    e, _ = _expm1(2.0 * (22.0 if y > 22.0 else y))
    return copysign(e / (e + 2.0), x)
