"""Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror & Shaw 2011), filled by blocks of paths.

A draw is a pure function of the key (the seed) and the counter (path, index, component, stream), so it does
not depend on threads, blocks or workers, and a single path can be drawn again alone. The counter words are

    c0 = low 32 bits of path,  c1 = index,  c2 = component,  c3 = stream XOR mirrored(high 32 bits of path)

where `mirrored` reverses the order of 32 bits: streams grow from the low end of c3 and paths beyond 2^32 from
its high end, so no two pairs (path, stream) meet while their lengths in bits add up to at most 64 (any stream
with paths below 2^32; streams below 2^16 with paths below 2^48).

Every filler has the signature

    filler(k0, k1, first_path, index, component, stream, out0, out1)

with integers (first_path >= 0, the others in [0, 2^32)) and two contiguous float64 arrays of one length:
element l belongs to path first_path + l. The two variates of a counter are independent. Each combination of
integer types compiles anew, so callers pass int64 throughout.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numba import float64, uint64

from stochsim.vecmath._jit import Array, kernel, part, scalar
from stochsim.vecmath._llvm import as_bits, as_float, bit_reverse, fma, horner, wide_vectors
from stochsim.vecmath._numbers import EXPONENT, INTEGER, MANTISSA, ONE, SIGN, SQRT_HALF_BITS

__all__ = ["normals", "philox4x32", "three_point", "two_point", "uniforms"]

Word: TypeAlias = np.uint64

_WORD = np.uint64(0xFFFFFFFF)
_HIGH = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)  # golden ratio
_WEYL_1 = np.uint64(0xBB67AE85)  # sqrt(3) - 1
_ROUNDS = 10


@scalar
def _rounds(c0: Word, c1: Word, c2: Word, c3: Word, k0: Word, k1: Word) -> tuple[Word, Word, Word, Word]:
    """Ten rounds on 32-bit words held in uint64; the high halves of the results are not cleared."""
    for _ in range(_ROUNDS):
        p0 = (c0 & _WORD) * _MULTIPLIER_0
        p1 = (c2 & _WORD) * _MULTIPLIER_1
        c0, c1, c2, c3 = (p1 >> _HIGH) ^ c1 ^ k0, p1, (p0 >> _HIGH) ^ c3 ^ k1, p0
        k0 = (k0 + _WEYL_0) & _WORD
        k1 = (k1 + _WEYL_1) & _WORD
    return c0, c1, c2, c3


@scalar
def philox4x32(
    c0: int, c1: int, c2: int, c3: int, k0: int, k1: int
) -> tuple[np.uint32, np.uint32, np.uint32, np.uint32]:
    """Return the four uint32 words of counter (c0, c1, c2, c3) under key (k0, k1)."""
    w0, w1, w2, w3 = _rounds(uint64(c0), uint64(c1), uint64(c2), uint64(c3), uint64(k0), uint64(k1))
    return np.uint32(w0 & _WORD), np.uint32(w1 & _WORD), np.uint32(w2 & _WORD), np.uint32(w3 & _WORD)


@part
def _fill_words(
    k0: int, k1: int, first_path: int, index: int, component: int, stream: int, out0: Array, out1: Array
) -> None:
    """Store the counters' 64-bit words, (w0, w1) in out0 and (w2, w3) in out1, as bits of float64 numbers.

    Words and variates are made in two loops: together, an iteration is a chain of operations too long for
    the CPU to overlap with the next one (10 to 20 % slower).
    """
    wide_vectors()
    key0, key1, c1, c2 = uint64(k0), uint64(k1), uint64(index), uint64(component)
    start, size = uint64(0), uint64(out0.size)
    while start < size:
        path = uint64(first_path) + start
        c0, c3 = path & _WORD, uint64(stream) ^ (bit_reverse(path >> _HIGH) >> _HIGH)
        length = min(size - start, _WORD - c0 + ONE)  # up to here the high half of the path does not change
        for l in range(length):
            w0, w1, w2, w3 = _rounds(c0 + l, c1, c2, c3, key0, key1)
            out0[start + l] = as_float((w0 << _HIGH) | (w1 & _WORD))
            out1[start + l] = as_float((w2 << _HIGH) | (w3 & _WORD))
        start += length


# -2 log m = s Q(s^2), s = (m - 1)/(m + 1), for m in [sqrt(1/2), sqrt(2)): relative error below 2^-57
_LOG = (
    -0.2959252244066416, -0.3062804222930135, -0.36367130814690024, -0.44444397107570444,
    -0.5714285748512425, -0.7999999999882793, -1.3333333333333468, -4.0,
)  # fmt: skip
_MINUS_2_LN2 = -1.3862943611198906
# sin(pi f/2)/f and cos(pi f/2) as polynomials in f^2, |f| <= 1/2: relative errors 2^-58 and 2^-54
_SIN = (
    5.633721010760775e-08, -3.598641754437705e-06, 0.0001604411502916483, -0.0046817541322824174,
    0.07969262624603957, -0.6459640975062443, 1.5707963267948966,
)  # fmt: skip
_COS = (
    4.6546176787999586e-07, -2.520008413798261e-05, 0.0009192599355802159, -0.02086348073305856,
    0.25366950789975307, -1.2337005501361489, 0.9999999999999999,
)  # fmt: skip

_ODD_ABOVE_ONE = np.float64(1.0).view(np.uint64) | ONE
_MANTISSA_ONLY = np.uint64(12)
_SIGN_PLACE = np.uint64(63)
_SWAP = np.uint64(2)
_UNIFORM_SHIFT = np.uint64(11)
_PLUS_ONE_BITS = np.float64(1.0).view(np.uint64)
_LOWER_SIXTH = np.uint64(2**64 // 6)
_UPPER_SIXTH = np.uint64(2**64 - 2**64 // 6)


@scalar
def _minus_2_log(word: Word) -> float:
    """Return -2 log u in [0, 88.8), where u = (word | 1)/2^64, rounded to a float64, is in (0, 1]."""
    bits = as_bits(float64(word | ONE))
    above = bits - SQRT_HALF_BITS
    k = as_float((above >> MANTISSA) | INTEGER) - (2.0**52 + 64.0)
    m = as_float(bits - (above & EXPONENT))
    s = (m - 1.0) / (m + 1.0)
    return fma(k, _MINUS_2_LN2, s * horner(s * s, _LOG))


@scalar
def _box_muller(radius_word: Word, angle_word: Word) -> tuple[float, float]:
    """Return two independent standard normals.

    The upper 51 bits of `angle_word` give f, an odd multiple of 2^-52 in (-1/2, 1/2), and the angle f pi/2;
    its two lowest bits choose the quadrant: one turns the sign of the cosine, one swaps cosine and sine.
    f and -f are equally likely, so the normals are exactly symmetric; the radius reaches 9.4.
    """
    radius = np.sqrt(_minus_2_log(radius_word))
    f = as_float((angle_word >> _MANTISSA_ONLY) | _ODD_ABOVE_ONE) - 1.5
    z = f * f
    cosine = as_float(as_bits(radius * horner(z, _COS)) ^ (angle_word << _SIGN_PLACE))
    sine = radius * f * horner(z, _SIN)
    keep = angle_word & _SWAP == 0
    return (cosine if keep else sine), (sine if keep else cosine)


@scalar
def _uniform(word: Word) -> float:
    """Return an odd multiple of 2^-53: 2^52 equally likely values in (0, 1), symmetric about 1/2."""
    return float64((word >> _UNIFORM_SHIFT) | ONE) * 2.0**-53


@scalar
def _two_point(word: Word) -> float:
    """Return 1 or -1, each with probability 1/2."""
    return as_float(_PLUS_ONE_BITS | (word & SIGN))


@scalar
def _three_point(word: Word) -> float:
    """Return sqrt(3) or -sqrt(3), each with probability 1/6 to within 2^-64, else 0."""
    high = math.sqrt(3.0) if word >= _UPPER_SIXTH else 0.0
    return -math.sqrt(3.0) if word < _LOWER_SIXTH else high


@kernel
def normals(
    k0: int, k1: int, first_path: int, index: int, component: int, stream: int, out0: Array, out1: Array
) -> None:
    """Fill two arrays with standard normals, one Box-Muller pair (Box & Muller 1958) a counter.

    Parameters
    ----------
    k0, k1 : int
        Key words, see `stochsim.noise.seeds.seed_key`.
    first_path, index, component, stream : int
        The counter of element 0; only the path changes along the arrays.
    out0, out1 : ndarray, shape (L,), float64, contiguous
        The pair of path first_path + l in element l: exactly symmetric, |z| < 9.42, the Box-Muller formula of
        the counter's words within 8e-16 relative.
    """
    wide_vectors()
    _fill_words(k0, k1, first_path, index, component, stream, out0, out1)
    for l in range(out0.size):
        out0[l], out1[l] = _box_muller(as_bits(out0[l]), as_bits(out1[l]))


@kernel
def uniforms(
    k0: int, k1: int, first_path: int, index: int, component: int, stream: int, out0: Array, out1: Array
) -> None:
    """Fill two arrays with uniforms in the open interval (0, 1): odd multiples of 2^-53."""
    wide_vectors()
    _fill_words(k0, k1, first_path, index, component, stream, out0, out1)
    for l in range(out0.size):
        out0[l], out1[l] = _uniform(as_bits(out0[l])), _uniform(as_bits(out1[l]))


@kernel
def two_point(
    k0: int, k1: int, first_path: int, index: int, component: int, stream: int, out0: Array, out1: Array
) -> None:
    """Fill two arrays with +1 and -1, probability 1/2 each: mean 0, variance 1, third moment 0."""
    wide_vectors()
    _fill_words(k0, k1, first_path, index, component, stream, out0, out1)
    for l in range(out0.size):
        out0[l], out1[l] = _two_point(as_bits(out0[l])), _two_point(as_bits(out1[l]))


@kernel
def three_point(
    k0: int, k1: int, first_path: int, index: int, component: int, stream: int, out0: Array, out1: Array
) -> None:
    """Fill two arrays with +-sqrt(3), probability 1/6 each, and 0: the first five moments of a normal."""
    wide_vectors()
    _fill_words(k0, k1, first_path, index, component, stream, out0, out1)
    for l in range(out0.size):
        out0[l], out1[l] = _three_point(as_bits(out0[l])), _three_point(as_bits(out1[l]))
