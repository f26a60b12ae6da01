"""What LLVM is told about the host, and that no choice of instructions changes a bit of a result."""

import os
import re
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest
from numba import njit

from stochsim.codegen.target import describe, wide_vectors
from stochsim.vecmath import _host

AVX512 = {"avx512f": True, "avx512dq": True}
RESULTS = """
import hashlib
import numpy as np
from stochsim.codegen.target import describe
from stochsim.noise.philox import normals
from stochsim.vecmath import ARRAY

x = np.linspace(0.01, 30.0, 1001)
digest = hashlib.sha256()
for name in ("exp", "log", "sin", "tanh", "arctan"):
    digest.update(ARRAY[name](x).tobytes())
digest.update(ARRAY["power"](x, 1.7).tobytes())
a, b = np.empty(1001), np.empty(1001)
normals(1, 2, 3, 4, 5, 6, a, b)
digest.update(a.tobytes() + b.tobytes())
print(describe())
print(digest.hexdigest())
"""


@njit(nogil=True, error_model="numpy")
def _wide(x, out):
    wide_vectors()
    for l in range(out.size):
        out[l] = x[l] * 1.5 + 2.0


@njit(nogil=True, error_model="numpy")
def _plain(x, out):
    for l in range(out.size):
        out[l] = x[l] * 1.5 + 2.0


def llvm_text(kernel):
    kernel(np.ones(8), np.ones(8))
    return next(iter(kernel.inspect_llvm().values()))


def test_only_the_kernel_that_asks_gets_the_attributes():
    wide = llvm_text(_wide)
    for name, value in _host.VECTOR_ATTRIBUTES.items():
        assert f'"{name}"="{value}"' in wide
    assert ('"prefer-vector-width"' in wide) == bool(_host.VECTOR_ATTRIBUTES)
    assert '"prefer-vector-width"' not in llvm_text(_plain)


@pytest.mark.parametrize(
    ("features", "cpu", "expected"),
    [
        ({}, "generic", {}),
        ({"avx2": True, "fma": True}, "haswell", {}),
        ({"avx512f": True}, "knl", {}),
        (AVX512, "znver4", {"prefer-vector-width": "512"}),
        (AVX512, "rocketlake", {"prefer-vector-width": "512"}),
        (AVX512 | {"avx512fp16": True}, "sapphirerapids", {"prefer-vector-width": "512"}),
        (
            AVX512 | {"avx512fp16": True},
            "rocketlake",
            {"prefer-vector-width": "512", "tune-cpu": "sapphirerapids"},
        ),
    ],
)
def test_attributes_follow_from_the_features(features, cpu, expected):
    assert _host.vector_attributes(features, cpu) == expected


def test_fused_products_follow_from_the_features():
    assert _host.fused({"fma": True}, "x86_64")
    assert not _host.fused({"fma": False, "avx": True}, "x86_64")
    assert _host.fused({}, "aarch64")


def test_an_unreadable_host_is_taken_as_plain(monkeypatch):
    def unreadable():
        raise RuntimeError("feature detection is not implemented")

    monkeypatch.setattr(_host.config, "CPU_FEATURES", None)
    monkeypatch.setattr(_host.llvm, "get_host_cpu_features", unreadable)
    assert _host.cpu_features() == {}
    assert _host.vector_attributes(_host.cpu_features(), "generic") == {}


def test_features_from_the_environment_are_read(monkeypatch):
    monkeypatch.setattr(_host.config, "CPU_FEATURES", "+avx2,-fma,+sse2")
    assert _host.cpu_features() == {"avx2": True, "fma": False, "sse2": True}
    monkeypatch.setattr(_host.config, "CPU_FEATURES", "")
    assert _host.cpu_features() == {}


def test_description_is_one_line_with_width_cpu_and_fma():
    assert re.fullmatch(r"\S+ \S+ width=\d+ cpu=\S+( tune=\S+)? (no-)?fma", describe())
    assert f"cpu={_host.cpu_name()}" in describe()
    assert ("width=512" in describe()) == bool(_host.VECTOR_ATTRIBUTES)


def environment_without(*prefixes):
    """An environment in which Numba compiles for this host less the features that begin so."""
    features = llvm.get_host_cpu_features()
    for name in features:
        features[name] = features[name] and not name.startswith(prefixes)
    return os.environ | {"NUMBA_CPU_FEATURES": features.flatten(), "NUMBA_CPU_NAME": "x86-64"}


def run_python(environment, *arguments):
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split("\n")


x86_with_fma = pytest.mark.skipif(
    _host.MACHINE not in {"x86_64", "amd64"} or not _host.HAS_FMA, reason="switches off features of x86-64"
)


@x86_with_fma
def test_bits_do_not_depend_on_the_vector_width():
    native = run_python(os.environ, "-c", RESULTS)
    narrow = run_python(environment_without("avx512"), "-c", RESULTS)
    narrowest = run_python(environment_without("avx512", "avx2"), "-c", RESULTS)
    assert "width=512" not in narrow[0]
    assert " avx " in narrowest[0]
    assert native[1] == narrow[1] == narrowest[1]


@x86_with_fma
def test_without_fused_products_the_stated_accuracy_holds_too():
    environment = environment_without("avx", "fma", "vaes", "vpclmulqdq")
    assert run_python(environment, "-c", RESULTS)[0].endswith("no-fma")
    names = "power or limit or (accuracy_in_ulp and (exp or cos or log))"
    run_python(environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_vecmath.py", "-k", names)
