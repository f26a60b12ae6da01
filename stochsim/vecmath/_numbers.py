"""Constants of the float64 format, typed uint64: Numba turns uint64 + int literal into a float64."""

from __future__ import annotations

import math

import numpy as np

ONE = np.uint64(1)
MANTISSA = np.uint64(52)
"""Number of mantissa bits: shifting by it moves the exponent."""
BIAS = np.uint64(1023)
SIGN = np.uint64(1 << 63)
EXPONENT = np.uint64(0xFFF << 52)
"""Sign and exponent field."""

ROUND = 1.5 * 2.0**52
"""Adding it rounds |x| < 2^51 to an integer, which then stands in the low bits."""
ROUND_BITS = np.float64(ROUND).view(np.uint64)
INTEGER = np.float64(2.0**52).view(np.uint64)
"""OR-ing an integer below 2^52 into these bits gives the float64 2^52 + integer."""
SQRT_HALF_BITS = np.float64(math.sqrt(0.5)).view(np.uint64)
