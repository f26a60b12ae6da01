"""The kernel cache: found again without the compiler, never stale, safe from damage, and in no one's way."""

import importlib.metadata
import linecache
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import stochsim as ss
from stochsim.codegen import cache, compiler, objects, target
from stochsim.codegen.kernels import advance_text
from stochsim.errors import CacheWarning, StochsimError
from stochsim.steps import step_program
from tests.problems import closure

ROOT = Path(__file__).resolve().parents[2]
TEXT = '''"""double the numbers"""
from stochsim.codegen.compiler import kernel
@kernel("float64[::1]")
def double(x):
    for i in range(x.size):
        x[i] = 2.0 * x[i]
'''
DRAWING = '''"""draw normals"""
from stochsim.codegen.compiler import kernel
from stochsim.codegen.linked import normals
@kernel("float64[:,::1]")
def drawing(z):
    normals(1, 2, 3, 4, 5, 6, z[0], z[1])
'''
RUN = """
import sys
import numpy as np
import stochsim as ss
{model}
for executor in ("lanes", "arrays"):
    print(ss.simulate(sde, ss.schemes.milstein, t_end=1.0, n_steps=20, n_paths=300, seed=7, executor=executor)
          .x.values.tobytes().hex()[:4000])
print(ss.simulate(sde, ss.schemes.milstein, t_end=1.0, n_steps=20, n_paths=300, seed=7, save="moments")
      .x_mean.values.tobytes().hex())
print(sorted({{"numba", "scipy", "sympy", "matplotlib"}} & set(sys.modules)))
"""
BUILT_IN = "sde = ss.models.geometric_brownian_motion(mu=0.3, sigma=0.4)"
OF_A_USER = """
rate = 0.7
sde = ss.SDE(lambda x, t, p: -rate * np.sin(x) * np.exp(-t), lambda x, t, p: p.s * np.cos(x), params={"s": 0.4}, x0=1.0)
"""


class NoCompiler(RuntimeError):
    pass


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """An empty cache folder, and a process that has loaded nothing; called, it forgets what was loaded since."""

    def forget():
        monkeypatch.setattr(cache, "_LOADED", {})

    monkeypatch.setenv("STOCHSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_WARNED", set())
    forget()
    return forget


@pytest.fixture
def no_compiler(monkeypatch):
    def refuse(*args):
        raise NoCompiler

    return lambda: monkeypatch.setattr(compiler, "compile_text", refuse)


def doubles(function):
    x = np.array([1.5, -2.0])
    function(x)
    return x.tolist() == [3.0, -4.0]


def code_file():
    return cache.folder() / "kernels" / f"{cache.name_of(TEXT)}.code"


def python(script, folder, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=os.environ | {"STOCHSIM_CACHE_DIR": str(folder)} | environment,
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def test_a_kernel_is_compiled_once_and_then_loaded(fresh, no_compiler, capsys):
    count = cache.compiled_count
    assert not cache.is_cached(TEXT)
    assert doubles(cache.load(TEXT))
    assert cache.load(TEXT) is cache.load(TEXT)
    assert capsys.readouterr().err.splitlines() == [
        "stochsim: compiling double the numbers (once on this machine, a second or two)"
    ]
    fresh()
    no_compiler()
    assert cache.is_cached(TEXT)
    assert doubles(cache.load(TEXT))
    assert cache.compiled_count == count + 1
    assert capsys.readouterr().err == ""


def test_the_text_is_kept_beside_the_code_and_shown_by_debuggers(fresh):
    cache.load(TEXT)
    assert code_file().with_suffix(".py").read_text() == TEXT
    assert linecache.getline(f"<stochsim {cache.name_of(TEXT)}>", 4) == "def double(x):\n"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: objects.ObjectCode("double", (("float64", 1),), b"whole, but no machine code").to_bytes(),
    ],
)  # fmt: skip
def test_a_damaged_file_is_compiled_again(fresh, no_compiler, damage):
    cache.load(TEXT)
    code_file().write_bytes(damage(code_file().read_bytes()))
    count = cache.compiled_count
    fresh()
    assert doubles(cache.load(TEXT))
    assert cache.compiled_count == count + 1
    fresh()
    no_compiler()
    assert doubles(cache.load(TEXT))


def test_the_check_for_recompiling_can_fail(fresh, no_compiler):
    no_compiler()
    with pytest.raises(NoCompiler):
        cache.load(TEXT)


def test_in_a_folder_that_cannot_be_written_kernels_live_in_memory(fresh, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("STOCHSIM_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.warns(CacheWarning, match="cannot be written .* set STOCHSIM_CACHE_DIR"):
        assert doubles(cache.load(TEXT))
    assert cache.is_cached(TEXT)
    cache.load(TEXT.replace("2.0", "3.0"))  # a second warning would be an error here


def test_a_kernel_that_is_there_is_read_from_a_folder_that_cannot_be_written(fresh, no_compiler, monkeypatch):
    cache.load(TEXT)
    fresh()
    no_compiler()
    monkeypatch.setattr(cache, "_write", lambda *args: pytest.fail("nothing is to be written"))
    assert doubles(cache.load(TEXT))


def test_code_that_cannot_be_loaded_again_stays_in_memory(fresh, monkeypatch):
    def refuse(*args):
        raise RuntimeError("it calls what is not in this process")

    monkeypatch.setattr(objects, "load", refuse)
    with pytest.warns(CacheWarning, match="cannot be loaded again on this platform"):
        assert doubles(cache.load(TEXT))
    assert not code_file().exists()
    z = np.empty((2, 100))
    cache.load(DRAWING)(z)  # calls a function that lives in memory too
    assert 0.5 < z.std() < 1.5


def test_numba_told_not_to_compile_is_reported(fresh, monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with pytest.raises(StochsimError, match="NUMBA_DISABLE_JIT is set"):
        cache.load(TEXT)


def test_where_numba_finds_no_cache_folder_the_library_still_compiles(monkeypatch):
    from numba.core.caching import CompileResultCacheImpl

    from stochsim.vecmath import _jit

    monkeypatch.setattr(CompileResultCacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(_identity)
    assert _jit.kernel(_identity)(2.0) == 2.0


def _identity(x):
    return x


def test_clearing_removes_and_counts(fresh):
    cache.load(TEXT)
    assert cache.clear() == 1
    assert cache.clear() == 0
    assert not code_file().exists()


def test_files_appear_whole_or_not_at_all(fresh, monkeypatch):
    def fail(*args):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.warns(CacheWarning, match="the disk is full"):
        assert doubles(cache.load(TEXT))
    assert list((cache.folder() / "kernels").iterdir()) == []


# --- the name of a kernel ----------------------------------------------------------------------------------


def test_the_version_of_numba_is_read_without_importing_it():
    assert cache.numba_version() == numba.__version__ == importlib.metadata.version("numba")


def test_another_text_has_another_name():
    assert cache.name_of(TEXT) != cache.name_of(TEXT.replace("2.0", "2.5"))


def test_another_title_has_the_same_name():
    assert cache.name_of(TEXT) == cache.name_of(TEXT.replace("double the numbers", "twice"))


@pytest.mark.parametrize("name", ['a "quoted" one', '"""', "back\\slash \\x", "two\nlines", "{braces}", "Itô 🙂"])
def test_a_model_may_have_any_name(name):
    def text(name):
        sde = ss.SDE(closure(2.0), lambda x, t, p: 0.1 * x, x0=1.0, name=name)
        return advance_text(step_program(sde, ss.schemes.euler_maruyama))

    compile(text(name), "kernel", "exec")
    assert cache.name_of(text(name)) == cache.name_of(text("plain"))


@pytest.mark.parametrize(
    "name", ["NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT", "NUMBA_BOUNDSCHECK", "NUMBA_ENABLE_AVX"]
)
def test_settings_of_the_compiler_belong_to_the_name(monkeypatch, name):
    before = target.key()
    monkeypatch.setenv(name, "0")
    assert target.key() != before


def test_settings_that_change_no_code_do_not(monkeypatch):
    before = target.key()
    monkeypatch.setenv("NUMBA_CACHE_DIR", "elsewhere")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert target.key() == before


def test_the_settings_file_of_numba_belongs_to_the_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = target.key()
    (tmp_path / ".numba_config.yaml").write_text("opt: 1\n")
    assert target.key() != before


def copied_package(tmp_path):
    shutil.copytree(ROOT / "stochsim", tmp_path / "stochsim", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "stochsim"


SOURCES = ("vecmath/exponentials.py", "noise/philox.py", "codegen/compiler.py", "codegen/linked.py",
           "codegen/merging.py", "codegen/products.py", "codegen/tiles.py")  # fmt: skip


def test_the_sources_that_kernels_are_made_from_belong_to_the_name(tmp_path):
    package = copied_package(tmp_path)
    keys = []
    for source in (None, *SOURCES, "plot/__init__.py"):
        if source is not None:
            (package / source).write_text((package / source).read_text() + "\n# edited\n")
        script = "from stochsim.codegen.cache import environment_key; print(environment_key())"
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
        )  # fmt: skip
        keys.append(done.stdout)
    assert len(set(keys)) == 1 + len(SOURCES)  # figures are no part of a kernel
    assert keys[-1] == keys[-2]


def test_an_edit_of_the_mathematics_never_meets_old_machine_code(tmp_path):
    package = copied_package(tmp_path)
    script = (
        "from stochsim.codegen.functions import elementary\nfrom stochsim.codegen import cache\n"
        "print(float(elementary('exp')(0.5)).hex(), cache.compiled_count)"
    )

    def run():
        return python(script, tmp_path / "cache", PYTHONPATH=str(tmp_path), PYTHONSAFEPATH="1").stdout.split()

    first, again = run(), run()
    assert first == [np.exp(0.5).hex(), "1"]
    assert again == [first[0], "0"]
    edited = package / "vecmath" / "exponentials.py"
    edited.write_text(edited.read_text().replace("0.5000000000000011,", "0.75,"))
    changed = run()
    assert changed[0] != first[0]
    assert changed[1] == "1"


# --- other processes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [BUILT_IN, OF_A_USER], ids=["built-in", "of a user"])
def test_with_a_warm_cache_no_compiler_is_imported(tmp_path, model):
    cold = python(RUN.format(model=model), tmp_path)
    assert "stochsim: compiling" in cold.stderr
    assert "numba" in cold.stdout.splitlines()[-1]
    warm = python(RUN.format(model=model), tmp_path)
    assert warm.stderr == ""
    lanes, arrays, moments, modules = warm.stdout.splitlines()
    assert modules == "[]"
    assert [lanes, arrays, moments] == cold.stdout.splitlines()[:3]
    assert lanes == arrays


def test_processes_may_fill_one_cache_at_once(tmp_path):
    script = RUN.format(model=BUILT_IN)
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script], env=os.environ | {"STOCHSIM_CACHE_DIR": str(tmp_path)}, cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    results = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    assert results[0][0] == results[1][0]
    assert not list((tmp_path / "kernels").glob("*.part"))
    warm = python(script, tmp_path)
    assert warm.stdout.splitlines()[:3] == results[0][0].splitlines()[:3]
    assert warm.stderr == ""


@pytest.mark.parametrize("scheme", [ss.schemes.euler_maruyama, ss.schemes.platen, ss.schemes.drift_implicit_euler])
def test_the_same_model_has_the_same_kernel(scheme):
    def text(value):
        sde = ss.SDE(closure(value), lambda x, t, p: 0.1 * x, x0=1.0)
        return advance_text(step_program(sde, scheme))

    assert text(2.0) == text(2.0)
    assert text(2.0) != text(np.nextafter(2.0, 3.0))
