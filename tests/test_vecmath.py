"""The elementary functions: accuracy inside a compiled lane loop, special values, the same bits."""

import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest
from numba import njit

from stochsim import vecmath
from stochsim.vecmath import ARRAY, arctan2, cos, exp, log1p, power, sin, tanh
from stochsim.vecmath._host import FEATURES, HAS_FMA
from stochsim.vecmath._llvm import as_bits, as_float, fma, product_error, wide_vectors
from stochsim.vecmath.trigonometry import TRIGONOMETRIC_LIMIT

# name -> largest error in ulp that its docstring states
ULP = {
    "exp": 0.9, "expm1": 2.2, "sinh": 2.6, "cosh": 1.5, "tanh": 2.8, "log": 0.9, "log1p": 1.0, "arcsinh": 2.0,
    "sin": 1.5, "cos": 1.5, "tan": 3.0, "arctan": 2.3, "arcsin": 2.7, "arccos": 3.0, "erf": 1.5,
}  # fmt: skip
EXACT = {"arcsinh": mpmath.asinh, "arctan": mpmath.atan, "arcsin": mpmath.asin, "arccos": mpmath.acos}
LOOPS: dict = {}


def lane_loop(name):
    """A kernel as the code generator writes it, with one function in its loop."""
    if name not in LOOPS:
        function = getattr(vecmath, name)

        @njit(nogil=True, error_model="numpy")
        def unary(x, out):
            wide_vectors()
            for l in range(out.size):
                out[l] = function(x[l])

        @njit(nogil=True, error_model="numpy")
        def binary(x, y, out):
            wide_vectors()
            for l in range(out.size):
                out[l] = function(x[l], y[l])

        LOOPS[name] = binary if name in ("power", "arctan2") else unary
    return LOOPS[name]


def in_kernel(name, *x):
    out = np.empty(x[0].size)
    lane_loop(name)(*x, out)
    return out


def both_signs(x):
    return np.concatenate([x, -x])


def spread(low, high, n=1500):
    """Numbers spread evenly in their logarithm to base 10, off any regular pattern."""
    return 10.0 ** (low + (high - low) * np.modf(np.arange(1, n + 1) * 0.6180339887498949)[0])


def arguments(name):
    dense = np.linspace(-3.0, 3.0, 1999) + 1e-4
    near_one = 1.0 + both_signs(spread(-16, -1, 500))
    if name == "exp":
        return np.concatenate([np.linspace(-745.1, 709.78, 1500), dense, both_signs(spread(-20, 0))])
    if name in ("expm1", "sinh", "cosh", "tanh", "erf"):
        wide = {"expm1": (-40, 709.78), "sinh": (-710.4, 710.4), "cosh": (-710.4, 710.4)}.get(name, (-7, 7))
        return np.concatenate([np.linspace(*wide, 1500), dense, both_signs(spread(-323, 0))])
    if name in ("sin", "cos", "tan"):
        multiples = np.arange(1, 1200) * (np.pi / 4)
        large = spread(0, math.log10(TRIGONOMETRIC_LIMIT) - 1e-9)
        return np.concatenate([dense, both_signs(large), multiples, 1e6 * multiples, spread(-323, 0, 300)])
    if name in ("arcsin", "arccos"):
        return np.concatenate([dense / 3.01, both_signs(spread(-300, 0)), both_signs(1 - spread(-16, -1))])
    if name in ("log", "log1p"):
        return np.concatenate([spread(-323, 308), near_one, np.linspace(0.3, 2.5, 1999), -spread(-300, -1e-3)])
    return np.concatenate([both_signs(spread(-323, 308)), dense, both_signs(near_one)])


def ulp_errors(computed, exact):
    """Distances to exact values (160 bits) in units of the float64 spacing there."""
    spacing = [mpmath.mpf(float(np.spacing(abs(float(e))))) for e in exact]
    return np.array(
        [float(abs(mpmath.mpf(float(c)) - e) / s) for c, e, s in zip(computed, exact, spacing, strict=True)]
    )


@pytest.fixture(autouse=True)
def _precision():
    with mpmath.workprec(160):
        yield


@pytest.mark.parametrize("name", ULP)
def test_accuracy_in_ulp_inside_a_kernel(name):
    x = arguments(name)
    x = x[x > 0] if name == "log" else x
    exact = [EXACT.get(name, getattr(mpmath, name, None))(mpmath.mpf(float(v))) for v in x]
    errors = ulp_errors(in_kernel(name, x), exact)
    worst = int(np.argmax(errors))
    assert errors[worst] <= ULP[name], f"{errors[worst]:.3f} ulp at {x[worst]!r}"
    assert f"{ULP[name]:g} ulp" in getattr(vecmath, name).__doc__


def test_accuracy_check_sees_an_error_of_three_ulp():
    x = np.linspace(1.0, 2.0, 101)
    wrong = np.exp(x) + 3 * np.spacing(np.exp(x))
    assert ulp_errors(wrong, [mpmath.exp(mpmath.mpf(float(v))) for v in x]).max() > ULP["exp"]


def test_power_is_accurate_where_the_exponent_magnifies_the_logarithm():
    x = np.concatenate([spread(-300, 300), np.linspace(0.5, 2.0, 1500), 1 + both_signs(spread(-15, -2, 400))])
    bound = np.minimum(700 / np.maximum(np.abs(np.log(x)), 1e-300), 1e300)  # |y log x| <= 700
    for y in (np.minimum(bound, 3.0) * np.sin(np.arange(x.size)), bound * np.cos(np.arange(x.size))):
        exact = [mpmath.mpf(float(a)) ** mpmath.mpf(float(b)) for a, b in zip(x, y, strict=True)]
        assert ulp_errors(in_kernel("power", x, y), exact).max() <= 1.0


def test_arctan2_is_accurate_in_all_quadrants_and_scales():
    y = np.concatenate([both_signs(spread(-300, 300)), np.linspace(-2, 2, 1500)])
    x = np.concatenate([both_signs(spread(-290, 305))[::-1], np.cos(np.arange(1500))])
    exact = [mpmath.atan2(mpmath.mpf(float(a)), mpmath.mpf(float(b))) for a, b in zip(y, x, strict=True)]
    normal = np.array([abs(e) > 1e-300 for e in exact])
    assert ulp_errors(in_kernel("arctan2", y, x), exact)[normal].max() <= 2.3


def same(a, b, ulp=0):
    close = np.abs(a - b) <= ulp * np.spacing(np.abs(b)) if ulp else a == b
    return (np.isnan(a) & np.isnan(b)) | (((a == b) | close) & (np.signbit(a) == np.signbit(b)))


SPECIAL = np.array(
    [
        0.0,
        math.inf,
        math.nan,
        5e-324,
        2.2e-308,
        1e308,
        1.0,
        2.0,
        0.5,
        3.0,
        1.5,
        7.5,
        2.0**53 + 2,
        709.9,
        745.2,
    ]
)


@pytest.mark.parametrize("name", ULP)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_special_values_as_numpy_with_the_signs_of_zero(name):
    x = both_signs(SPECIAL)
    if name in ("sin", "cos", "tan"):
        x = x[~(np.abs(x) > TRIGONOMETRIC_LIMIT) | np.isinf(x)]
    expected = np.array([math.erf(v) for v in x]) if name == "erf" else getattr(np, name)(x)
    computed = in_kernel(name, x)
    assert same(computed, expected, ulp=4).all(), [
        (v, c, e) for v, c, e in zip(x, computed, expected, strict=True) if not same(c, e, ulp=4)
    ]


@pytest.mark.parametrize("name", ["power", "arctan2"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_special_pairs_as_numpy(name):
    a, b = (v.ravel() for v in np.meshgrid(both_signs(SPECIAL), both_signs(SPECIAL)))
    computed, expected = in_kernel(name, a, b), getattr(np, name)(a, b)
    wrong = ~same(computed, expected, ulp=4)
    assert not wrong.any(), list(zip(a[wrong], b[wrong], computed[wrong], expected[wrong], strict=True))


def test_trigonometric_functions_return_nan_beyond_their_limit_not_noise():
    beyond = both_signs(np.array([np.nextafter(TRIGONOMETRIC_LIMIT, math.inf), 1e18, 1e300, math.inf]))
    for name in ("sin", "cos", "tan"):
        assert np.isnan(in_kernel(name, beyond)).all()
        assert np.isfinite(in_kernel(name, np.array([TRIGONOMETRIC_LIMIT, -TRIGONOMETRIC_LIMIT]))).all()


def test_exp_rounds_gradually_in_the_subnormal_range():
    x = np.linspace(-745.1, -708.5, 1001)
    exact = [mpmath.exp(mpmath.mpf(float(v))) for v in x]
    assert ulp_errors(in_kernel("exp", x), exact).max() <= 0.9
    assert in_kernel("exp", np.array([-745.14, 709.79])).tolist() == [0.0, math.inf]


def array_of(name, *x):
    return ARRAY[name](*x)


def operands(name):
    x = arguments(name) if name in ULP else both_signs(spread(-3, 3))
    return (x, x[::-1].copy()) if name in ("power", "arctan2") else (x,)


def bits(x):
    return x.view(np.uint64)


@pytest.mark.parametrize("name", sorted(ARRAY))
def test_bits_do_not_depend_on_length_or_position(name):
    """The scalar remainder of a loop and its vector body agree, for every length up to 40."""
    x = operands(name)
    whole = in_kernel(name, *x)
    for length in range(1, 41):
        start = 7 * length
        piece = in_kernel(name, *(v[start : start + length] for v in x))
        assert np.array_equal(bits(piece), bits(whole[start : start + length]))


@pytest.mark.parametrize("name", sorted(ARRAY))
def test_array_form_has_the_bits_of_the_kernel(name):
    x = operands(name)
    assert np.array_equal(bits(array_of(name, *x)), bits(in_kernel(name, *x)))


@njit(nogil=True, error_model="numpy")
def _long_kernel(x, y, out):
    wide_vectors()
    for l in range(x.size):
        a = sin(x[l] * y[l])
        b = exp(-a * a) + cos(x[l] * y[l])
        c = log1p(b * b) * tanh(x[l]) - 0.75 * y[l]
        out[0, l], out[1, l], out[2, l] = a, b, c
        out[3, l] = power(abs(c), 0.75)
        out[4, l] = arctan2(b, c)


def test_bits_inside_a_longer_kernel_equal_those_of_single_functions():
    x, y = np.sin(np.arange(1003.0)) * 9, np.cos(np.arange(1003.0) ** 1.5) * 5
    out = np.empty((5, x.size))
    _long_kernel(x, y, out)
    a = ARRAY["sin"](x * y)
    b = ARRAY["exp"](-a * a) + ARRAY["cos"](x * y)
    c = ARRAY["log1p"](b * b) * ARRAY["tanh"](x) - 0.75 * y
    for row, expected in zip(out, (a, b, c, ARRAY["power"](np.abs(c), 0.75), ARRAY["arctan2"](b, c)), strict=True):
        assert np.array_equal(bits(row), bits(expected))


def test_bits_survive_a_caller_compiled_with_contraction():
    @njit(nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
    def contracted(x, out):
        for l in range(out.size):
            out[l] = tanh(x[l])

    x = np.linspace(-4, 4, 997)
    out = np.empty_like(x)
    contracted(x, out)
    assert np.array_equal(bits(out), bits(in_kernel("tanh", x)))


@pytest.mark.parametrize("name", sorted(ARRAY))
def test_lane_loop_is_vector_code(name):
    if not FEATURES.get("avx2"):
        pytest.skip("register names below are those of AVX2 and AVX-512")
    in_kernel(name, *(v[:8] for v in operands(name)))
    text = next(iter(lane_loop(name).inspect_asm().values()))
    register = "zmm" if FEATURES.get("avx512f") and FEATURES.get("avx512dq") else "ymm"
    packed = re.findall(rf"\bv(?:fn?m(?:add|sub)\d+|mul|add)pd\b.*%{register}", text)
    assert len(packed) >= 10, f"{len(packed)} packed operations"


def test_arrays_of_any_shape_layout_and_kind_are_accepted():
    x = np.linspace(0.1, 2.0, 24).reshape(2, 3, 4)
    frozen = x.copy()
    frozen.flags.writeable = False
    expected = ARRAY["exp"](x.ravel()).reshape(x.shape)
    for given in (x, x.tolist(), np.asfortranarray(x), frozen, np.repeat(x, 2, axis=-1)[..., ::2]):
        result = ARRAY["exp"](given)
        assert np.array_equal(result, expected)
        assert result.flags.c_contiguous
    assert np.array_equal(ARRAY["exp"](np.arange(3)), ARRAY["exp"](np.arange(3.0)))
    assert ARRAY["exp"](0.0).shape == ()
    assert ARRAY["exp"](np.empty((0, 2))).shape == (0, 2)
    assert ARRAY["power"](x, 2.0).shape == x.shape
    assert np.array_equal(ARRAY["arctan2"](x[:, :1], x), ARRAY["arctan2"](np.broadcast_to(x[:, :1], x.shape), x))


def test_every_function_has_an_array_form():
    assert sorted(ARRAY) == sorted(set(vecmath.__all__) - {"ARRAY"})
    with pytest.raises(AttributeError, match="no attribute 'exponential'"):
        _ = vecmath.exponential


@njit(error_model="numpy")
def _building_blocks(a, b, c):
    return fma(a, b, c), product_error(a, b, a * b), as_float(as_bits(a))


def test_building_blocks_are_exact():
    a, b = 1.0 + 2.0**-30, 1.0 - 2.0**-30
    fused, error, copied = _building_blocks(a, b, -1.0)
    assert error == -(2.0**-60)
    assert fused == (-(2.0**-60) if HAS_FMA else 0.0)
    assert copied == a


SCRIPT = """
import numpy as np
from stochsim.vecmath import ARRAY, arrays
print(ARRAY["exp"](np.array([0.5]))[0].hex(), sum(arrays._exp.stats.cache_hits.values()))
"""


def test_an_edit_of_a_helper_in_another_file_never_meets_stale_machine_code(tmp_path):
    source = Path(vecmath.__file__).parent
    package = tmp_path / "stochsim"
    shutil.copytree(source, package / "vecmath", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").touch()
    environment = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PATH": ""}

    def run():
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, check=True, cwd=tmp_path
        )
        return done.stdout.decode().split()

    first, again = run(), run()
    assert first == [math.exp(0.5).hex(), "0"]
    assert again == [first[0], "1"]
    edited = package / "vecmath" / "exponentials.py"
    edited.write_text(edited.read_text().replace("0.5000000000000011,", "0.75,"))
    changed = run()
    assert changed[0] != first[0]
    assert changed[1] == "0"
