"""Machine code that is loaded without a compiler: whole or refused, called safely, the same bits as Numba's."""

import threading
import time

import numpy as np
import pytest

from stochsim.codegen import cache, objects
from stochsim.codegen.compiler import compile_text
from stochsim.codegen.functions import elementary, filler
from stochsim.codegen.library import FILLERS, LINKED, TWO_OPERANDS, fixed_text, linked_text, symbol
from stochsim.codegen.objects import ObjectCode
from stochsim.noise import philox
from stochsim.vecmath import ARRAY

HALVE = '''"""halve"""
from stochsim.codegen.compiler import kernel
@kernel("float64[::1], int64, float64")
def halve(x, n, by):
    for i in range(n):
        x[i] = x[i] / by
'''
SLOW = '''"""slow"""
from stochsim.codegen.compiler import kernel
@kernel("float64[::1], int64")
def slow(x, n):
    for i in range(n):
        x[0] = 1.0 / (1.0 + x[0])
'''
REFUSING = '''"""refusing"""
from stochsim.codegen.compiler import kernel
@kernel("int64")
def refusing(n):
    if n < 0:
        raise ValueError("negative")
'''
DRAWING = '''"""drawing"""
from stochsim.codegen.compiler import kernel
from stochsim.codegen.linked import normals
@kernel("float64[:,::1]")
def drawing(z):
    normals(1, 2, 3, 4, 5, 6, z[0], z[1])
'''


def stored(text, linked=None):
    return compile_text("test", text, linked or {}).stored


def same(a, b):
    return np.array_equal(np.asarray(a).view(np.int64), np.asarray(b).view(np.int64))


@pytest.fixture(scope="module")
def halve():
    return stored(HALVE)


def test_stored_code_reads_back_and_runs(halve):
    again = ObjectCode.from_bytes(halve.to_bytes())
    assert again == halve
    assert again.arguments == (("float64", 1), ("int64", 0), ("float64", 0))
    x = np.arange(6.0)
    objects.load(again, {})(x, 4, 2.0)
    assert x.tolist() == [0.0, 0.5, 1.0, 1.5, 4.0, 5.0]


def test_a_damaged_file_is_recognised(halve):
    data = halve.to_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    for bad in (b"", b"\n", data[:-1], data[:30], data[: len(data) // 2], bytes(flipped), b"x" + data):
        assert ObjectCode.from_bytes(bad) is None


@pytest.mark.parametrize("code", [b"", b"not machine code", b"\x7fELF" + bytes(60)])
def test_what_is_no_object_file_is_refused_not_run(halve, code):
    with pytest.raises(RuntimeError):
        objects.load(ObjectCode(halve.symbol, halve.arguments, code), {})


def test_a_missing_function_is_refused_not_called(halve):
    address = filler("normals").address
    drawing = stored(DRAWING, {symbol("normals"): address})
    with pytest.raises(RuntimeError):
        objects.load(drawing, {})
    with pytest.raises(RuntimeError):
        objects.load(ObjectCode("no_such_symbol", halve.arguments, halve.code), {})
    z, expected = np.empty((2, 100)), np.empty((2, 100))
    objects.load(drawing, {symbol("normals"): address})(z)
    philox.normals(1, 2, 3, 4, 5, 6, expected[0], expected[1])
    assert same(z, expected)


@pytest.mark.parametrize(
    "x",
    [
        np.arange(4),
        np.zeros((2, 2)),
        np.zeros(8)[::2],
        np.zeros(4, dtype=np.float32),
        np.zeros(33, "i1")[1:].view("f8"),
    ],
)
def test_an_array_that_the_code_does_not_read_is_refused(halve, x):
    function = objects.load(halve, {})
    with pytest.raises(TypeError, match=r"give a C-contiguous array of float64 with 1"):
        function(x, 1, 2.0)
    with pytest.raises(ValueError, match="argument"):
        function(np.zeros(4), 1)


def test_empty_and_read_only_arrays_are_taken(halve):
    function = objects.load(halve, {})
    function(np.empty(0), 0, 2.0)
    x = np.ones(2)
    x.flags.writeable = False
    function(x, 0, 2.0)
    assert x.tolist() == [1.0, 1.0]


def test_an_error_inside_the_code_is_raised():
    function = objects.load(stored(REFUSING), {})
    function(1)
    with pytest.raises(RuntimeError, match="status"):
        function(-1)


def test_other_threads_run_during_a_call():
    function, x = objects.load(stored(SLOW), {}), np.ones(1)
    begun = time.perf_counter()
    function(x, 10_000_000)
    seconds = time.perf_counter() - begun
    thread = threading.Thread(target=function, args=(x, int(10_000_000 * 0.3 / seconds)))
    thread.start()
    turns = 0
    while thread.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns > 10  # 1 or 2 if the call kept the interpreter lock


@pytest.mark.parametrize("name", FILLERS)
def test_fillers_have_the_bits_of_the_generator(name):
    z, expected = np.empty((2, 515)), np.empty((2, 515))
    filler(name)(7, 8, 2**32 - 200, 11, 2, 3, z[0], z[1])
    getattr(philox, name)(7, 8, 2**32 - 200, 11, 2, 3, expected[0], expected[1])
    assert same(z, expected)


@pytest.mark.parametrize("name", sorted(ARRAY))
def test_elementary_functions_have_the_bits_of_vecmath(name):
    x = np.concatenate([np.linspace(-0.999, 0.999, 101), [0.0, -0.0, 1e-300]]).reshape(2, 52)
    operands = (x, 0.7) if name in TWO_OPERANDS else (x,)
    result = elementary(name)(*operands)
    assert result.shape == x.shape
    assert same(result, ARRAY[name](*operands))
    assert elementary(name)(*(0.5 for _ in operands)).shape == ()


def test_two_operand_functions_are_known():
    assert {name for name in ARRAY if name in TWO_OPERANDS} == TWO_OPERANDS


def merged(blocks, k):
    acc, scratch = np.zeros(1 + k + k * (k + 1) // 2), np.empty(256 * (-(-2 * k // 256)))
    for rows in blocks:
        padded = np.full((k, 256), 1e9)
        padded[:, : rows.shape[1]] = rows
        cache.load(fixed_text("merge_block"))(padded.reshape(-1), rows.shape[1], acc, scratch)
    return acc


@pytest.mark.parametrize("k", [1, 3, 130])
def test_merged_blocks_have_the_moments_of_all_paths(k):
    rng = np.random.default_rng(k)
    blocks = [5.0 + rng.standard_normal((k, n)) for n in (256, 256, 100)]
    x = np.concatenate(blocks, axis=1)
    i, j = np.triu_indices(k)
    acc = merged(blocks, k)
    assert acc[0] == 612
    np.testing.assert_allclose(acc[1 : 1 + k], x.mean(axis=1), rtol=1e-13)
    np.testing.assert_allclose(acc[1 + k :], (np.cov(x).reshape(k, k) * 611)[i, j], rtol=1e-11, atol=1e-11)


def test_merging_leaves_out_paths_that_are_not_finite():
    x = np.arange(20.0).reshape(2, 10)
    x[0, 3], x[1, 7] = np.inf, np.nan
    kept = np.delete(x, [3, 7], axis=1)
    assert same(merged([x], 2), merged([kept], 2))
    assert merged([np.full((2, 5), np.nan)], 2).tolist() == [0.0] * 6


def test_every_linked_function_has_a_module_and_an_intrinsic():
    from stochsim.codegen import linked

    for name in LINKED:
        assert hasattr(linked, name)
        assert f"{name} = kernel" in linked_text(name)
