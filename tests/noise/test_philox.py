"""The counter-based generator: known answers, addressing by counter alone, and the laws of its variates.

Statistical checks use fixed counters, so they cannot flicker. Each rejects at p < 1e-4: that was the chance
of a sound generator to fail when the key was chosen. Beside each stands a faulty generator that must fail.
"""

import math

import mpmath
import numpy as np
import pytest
from numba import njit
from scipy import stats

from stochsim.noise import philox
from stochsim.noise.philox import normals, philox4x32, three_point, two_point, uniforms

LEVEL = 1e-4
KEY = (0x243F6A88, 0x85A308D3)
FILLERS = (normals, uniforms, two_point, three_point)
PATHS, INDICES = 4096, 256


@njit(error_model="numpy")
def _block(c0, c1, c2, c3, k0, k1):
    return philox4x32(c0, c1, c2, c3, k0, k1)


@njit(error_model="numpy")
def _box_muller(radius_word, angle_word):
    return philox._box_muller(radius_word, angle_word)


def fill(filler, first_path, size, index=0, component=0, stream=0, key=KEY):
    out = np.empty((2, size))
    filler(*key, first_path, index, component, stream, out[0], out[1])
    return out


def reference_words(path, index, component, stream, key=KEY):
    """Philox 4x32-10 in Python integers: the two 64-bit words of a counter."""
    mirrored = int(f"{path >> 32:032b}"[::-1], 2)
    c = [path & 0xFFFFFFFF, index, component, stream ^ mirrored]
    k = list(key)
    for _ in range(10):
        (h0, l0), (h1, l1) = divmod(0xD2511F53 * c[0], 1 << 32), divmod(0xCD9E8D57 * c[2], 1 << 32)
        c = [h1 ^ c[1] ^ k[0], l1, h0 ^ c[3] ^ k[1], l0]
        k = [(k[0] + 0x9E3779B9) % (1 << 32), (k[1] + 0xBB67AE85) % (1 << 32)]
    return (c[0] << 32) | c[1], (c[2] << 32) | c[3]


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0,) * 4, (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_random123_known_answers(counter, key, words):
    assert tuple(int(w) for w in _block(*counter, *key)) == words


# --- addressing ------------------------------------------------------------------------------------


COUNTERS = [
    (0, 0, 0, 0),
    (5, 1, 2, 3),
    (2**32 - 1, 2**32 - 1, 2**32 - 1, 2**32 - 1),
    (2**47 + 3, 9, 1, 2**16 - 1),
]


@pytest.mark.parametrize("counter", COUNTERS)
def test_a_counter_is_path_index_component_and_stream(counter):
    first, second = reference_words(*counter)
    odd = [((w >> 11) | 1) / 2**53 for w in (first, second)]
    assert fill(uniforms, counter[0], 1, *counter[1:])[:, 0].tolist() == odd


@pytest.mark.parametrize("filler", FILLERS)
def test_bits_do_not_depend_on_block_length_or_split(filler):
    whole = fill(filler, 1000, 301, 7, 1, 2)
    for size in (1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257):
        for start in (0, 1, 44):
            assert np.array_equal(fill(filler, 1000 + start, size, 7, 1, 2), whole[:, start : start + size])


@pytest.mark.parametrize("filler", FILLERS)
def test_a_path_alone_equals_the_path_in_its_block(filler):
    whole = fill(filler, 250, 20, 3, 1, 4)
    alone = np.concatenate([fill(filler, 250 + i, 1, 3, 1, 4) for i in range(20)], axis=1)
    assert np.array_equal(alone, whole)


def test_a_block_may_cross_the_low_half_of_the_path():
    first = 2**32 - 5
    block = fill(uniforms, first, 12)
    assert np.array_equal(block, np.concatenate([fill(uniforms, first + i, 1) for i in range(12)], axis=1))
    assert not np.isin(block[0, 5:], fill(uniforms, 0, 7)[0]).any()  # path 2^32 + i is not path i


def test_long_paths_and_streams_do_not_meet():
    """Distinct (path, stream) with lengths adding to at most 64 bits give distinct counters."""
    paths = [0, 1, 2**32, 2**32 + 1, 2**33, 2**40, 2**47, 2**48 - 1]
    streams = [0, 1, 2, 255, 2**15, 2**16 - 1]
    values = {fill(uniforms, p, 1, stream=s)[0, 0] for p in paths for s in streams}
    assert len(values) == len(paths) * len(streams)


@pytest.mark.parametrize("filler", FILLERS)
def test_empty_blocks_are_allowed(filler):
    assert fill(filler, 0, 0).shape == (2, 0)


def test_integer_types_of_the_caller_do_not_matter():
    expected = fill(normals, 3, 9, 1, 2, 4)
    out = np.empty((2, 9))
    normals(np.uint64(KEY[0]), np.uint64(KEY[1]), 3, np.int64(1), np.int64(2), np.int64(4), out[0], out[1])
    assert np.array_equal(out, expected)


# --- the map from words to variates ----------------------------------------------------------------


def exact_box_muller(radius_word, angle_word):
    """Box & Muller (1958) in 120 bits, for the float64 uniform and the angle that the words stand for."""
    u = mpmath.mpf(float(radius_word | 1)) / 2**64
    f = mpmath.mpf(((angle_word >> 12) | 1) - 2**51) / 2**52
    radius, angle = mpmath.sqrt(-2 * mpmath.log(u)), f * mpmath.pi / 2
    cosine, sine = radius * mpmath.cos(angle), radius * mpmath.sin(angle)
    cosine = -cosine if angle_word & 1 else cosine
    return (sine, cosine) if angle_word & 2 else (cosine, sine)


EDGES = [0, 1, 2**11, 2**52, 2**63 - 1, 2**63, 2**64 - 2**12, 2**64 - 1]


def test_normals_are_the_box_muller_pair_to_rounding():
    words = [reference_words(p, 0, 0, 0) for p in range(500)] + [(a, b) for a in EDGES for b in EDGES]
    computed = np.array([_box_muller(np.uint64(a), np.uint64(b)) for a, b in words])
    with mpmath.workprec(120):
        exact = [exact_box_muller(a, b) for a, b in words]
        errors = [
            float(abs(c - e) / abs(e)) if e else abs(c)
            for pair, exact_pair in zip(computed, exact, strict=True)
            for c, e in zip(pair, exact_pair, strict=True)
        ]
    assert max(errors) < 8e-16
    assert np.array_equal(computed[:500].T, fill(normals, 0, 500))


def test_the_tail_reaches_nine_standard_deviations_and_no_value_is_infinite():
    radius, _ = _box_muller(np.uint64(0), np.uint64(2**63))
    assert math.isclose(radius, math.sqrt(128 * math.log(2)), rel_tol=1e-15)
    assert radius > 9.4
    assert max(abs(v) for v in _box_muller(np.uint64(2**64 - 1), np.uint64(2**63))) == 0.0


def test_normals_are_exactly_symmetric():
    """Complementing the angle's fraction negates the sine, its lowest bit the cosine: a bijection."""
    for path in range(200):
        radius_word, angle_word = reference_words(path, 1, 2, 3)
        z = _box_muller(np.uint64(radius_word), np.uint64(angle_word))
        mirrored = _box_muller(np.uint64(radius_word), np.uint64(angle_word ^ (2**64 - 2**12) ^ 1))
        assert mirrored == (-z[0], -z[1])


def test_three_point_thresholds_are_a_sixth_to_64_bits():
    low, high = int(philox._LOWER_SIXTH), int(philox._UPPER_SIXTH)
    assert low == 2**64 - high  # exactly symmetric
    assert abs(low / 2**64 - 1 / 6) < 2.0**-53
    assert abs(6 * low - 2**64) < 6


@pytest.mark.parametrize("filler", [two_point, three_point])
def test_discrete_variates_take_their_values_with_their_probabilities(filler):
    """Chi-square over the pairs of both variates of a counter: values, probabilities and independence."""
    values = {two_point: [-1.0, 1.0], three_point: [-math.sqrt(3), 0.0, math.sqrt(3)]}[filler]
    p = {two_point: [1 / 2, 1 / 2], three_point: [1 / 6, 2 / 3, 1 / 6]}[filler]
    out = fill(filler, 0, 600_000)
    assert np.isin(out, values).all()
    places = np.searchsorted(values, out)
    counts = np.bincount(places[0] * len(values) + places[1], minlength=len(values) ** 2)
    expected = np.outer(p, p).ravel() * out.shape[1]
    assert stats.chisquare(counts, expected).pvalue > LEVEL
    skewed = counts.copy()  # negative control: probabilities off by half a per cent
    skewed[0] += round(0.005 * out.shape[1])
    skewed[-1] -= round(0.005 * out.shape[1])
    assert stats.chisquare(skewed, expected).pvalue < LEVEL


# --- laws ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample():
    """Array z[index, mate, path] of 2 * 256 * 4096 standard normals."""
    return np.stack([fill(normals, 0, PATHS, index=j) for j in range(INDICES)])


def hermite(x, n):
    """Hermite polynomials He_1..He_n over sqrt(k!): mean 0, variance 1 and uncorrelated under N(0, 1)."""
    rows = [np.ones_like(x), x]
    for k in range(1, n):
        rows.append(x * rows[k] - k * rows[k - 1])
    return np.stack([row / math.sqrt(math.factorial(k)) for k, row in enumerate(rows)][1:])


def moments_p(x):
    """P-value of the first four moments: n times the squared means of He_1..He_4 is chi-square (4)."""
    means = np.array([h.mean() for h in hermite(x.ravel(), 4)])
    return float(stats.chi2.sf(x.size * np.sum(means**2), 4))


def dependence_p(x, y):
    """P-value of independence: He_a(x) He_b(y), a, b = 1, 2, see linear and volatility dependence."""
    a, b = hermite(x.ravel(), 2), hermite(y.ravel(), 2)
    return float(stats.chi2.sf(np.sum((a @ b.T) ** 2) / x.size, 4))


def tail_p(x, beyond=4.0):
    """P-value of the number of values beyond +-4 standard deviations, and of their signs."""
    count, above = int((np.abs(x) > beyond).sum()), int((x > beyond).sum())
    number = stats.binomtest(count, x.size, 2 * stats.norm.sf(beyond)).pvalue
    return min(number, stats.binomtest(above, max(count, 1), 0.5).pvalue) * 2


def test_normals_pass_kolmogorov_smirnov(sample):
    for mate in (0, 1):
        assert stats.kstest(sample[:, mate].ravel(), "norm").pvalue > LEVEL
    assert stats.kstest(1.01 * sample[:, 0].ravel(), "norm").pvalue < LEVEL


def test_normals_have_the_moments_of_a_normal(sample):
    for mate in (0, 1):
        assert moments_p(sample[:, mate]) > LEVEL
    assert moments_p(sample.clip(-3.5, 3.5)) < LEVEL


def test_normals_have_the_tail_of_a_normal(sample):
    assert tail_p(sample) > LEVEL
    coarse = np.sqrt(-2 * np.log(np.ceil(fill(uniforms, 0, 10**6)[0] * 2**11) / 2**11))
    turned = coarse * np.cos(2 * np.pi * fill(uniforms, 0, 10**6)[1])
    assert tail_p(turned) < LEVEL  # negative control: an 11-bit uniform under the logarithm ends at 3.9


PAIRS = {
    "mates of one counter": lambda z: (z[:, 0], z[:, 1]),
    "neighbouring paths": lambda z: (z[:, 0, :-1], z[:, 0, 1:]),
    "paths one vector apart": lambda z: (z[:, 0, :-8], z[:, 0, 8:]),
    "paths one block apart": lambda z: (z[:, 0, :-256], z[:, 0, 256:]),
    "consecutive steps": lambda z: (z[:-1, 1], z[1:, 0]),
    "steps two apart": lambda z: (z[:-1, 0], z[1:, 0]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_normals_of_neighbours_are_independent(sample, name):
    assert dependence_p(*PAIRS[name](sample)) > LEVEL


OTHERS = {"component": {"component": 1}, "stream": {"stream": 1}, "key": {"key": (KEY[0] ^ 1, KEY[1])}}


@pytest.mark.parametrize("name", OTHERS)
def test_normals_of_other_components_streams_and_keys_are_independent(sample, name):
    other = np.stack([fill(normals, 0, PATHS, index=j, **OTHERS[name]) for j in range(64)])
    assert dependence_p(sample[:64], other) > LEVEL


def test_dependence_check_sees_what_it_must_see(sample):
    z = sample[:, 0]
    assert dependence_p(z, 0.01 * z + np.roll(z, 3)) < LEVEL  # correlation 0.01
    radius = np.sqrt(-2 * np.log(fill(uniforms, 0, z.size)[0])).reshape(z.shape)
    angle = 2 * np.pi * fill(uniforms, 0, z.size, index=1)[0].reshape(z.shape)
    reused = radius * np.cos(2 * angle)  # mates that share the radius but not a right angle: uncorrelated, dependent
    assert dependence_p(radius * np.cos(angle), reused) < LEVEL


def test_sums_over_steps_have_variance_one(sample):
    """The Brownian end point: a subtle dependence between steps would add up in it."""
    ends = sample.sum(axis=(0, 1)) / math.sqrt(2 * INDICES)
    assert moments_p(ends) > LEVEL
    assert stats.kstest(ends, "norm").pvalue > LEVEL
    doubled = 2 * sample[::2].sum(axis=(0, 1)) / math.sqrt(2 * INDICES)  # every draw used for two steps
    assert moments_p(doubled) < LEVEL


def test_uniforms_are_uniform_in_the_open_interval():
    u = fill(uniforms, 0, 10**6)
    assert u.min() > 0.0
    assert u.max() < 1.0
    assert np.array_equal((u * 2**53) % 2, np.ones_like(u))
    for row in u:
        assert stats.kstest(row, "uniform").pvalue > LEVEL
    assert dependence_p(*stats.norm.ppf(u)) > LEVEL
    assert stats.kstest(u[0] ** 1.01, "uniform").pvalue < LEVEL
