"""Compiled kernels on disk: named by a hash of all they depend on, so a stale one cannot be met.

A user function is traced anew for every run (it takes about a millisecond), so the kernel text always
holds its present values; equal text means equal program. The file name hashes the text together with the
sources it calls, the host, and the versions and settings of the compiler. Each kernel is two files: its text,
to be read, and its machine code with a checksum. Loading the latter needs no compiler; a file that is not whole
is compiled again. Files appear by `os.replace`, so several processes may share the folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
import warnings
from functools import lru_cache
from pathlib import Path

from stochsim.codegen import objects, target
from stochsim.codegen.library import linked_names, linked_text, symbol
from stochsim.codegen.objects import CompiledFunction, ObjectCode
from stochsim.errors import CacheWarning

SOURCES = (  # besides the kernel text, all that is compiled, and how
    *("vecmath/*.py", "noise/philox.py"),
    *(f"codegen/{name}.py" for name in ("blocks", "compiler", "linked", "merging", "products", "tiles")),
)
SUFFIX = ".code"
_LOADED: dict[str, CompiledFunction] = {}
_LOCK = threading.RLock()
_WARNED: set[str] = set()
compiled_count = 0  # functions compiled (not loaded from disk) by this process: kernels, and what they call


def folder() -> Path:
    """Where kernels are kept: ``$STOCHSIM_CACHE_DIR``, else the user's cache folder."""
    chosen = os.environ.get("STOCHSIM_CACHE_DIR")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("stochsim")


def clear() -> int:
    """Delete every cached kernel; returns how many there were."""
    kernels = folder() / "kernels"
    count = len(list(kernels.glob(f"*{SUFFIX}")))
    shutil.rmtree(kernels, ignore_errors=True)
    return count


@lru_cache(maxsize=1)
def environment_key() -> str:
    """What machine code depends on beside the kernel text; found without importing the compiler."""
    digest = hashlib.sha256()
    package = Path(__file__).parent.parent
    for pattern in SOURCES:
        for path in sorted(package.glob(pattern)):
            digest.update(path.read_bytes())
    digest.update(f"{sys.version_info[:2]} {numba_version()} {target.key()}".encode())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def numba_version() -> str:
    """The version of the installed Numba, read without importing it."""
    spec = importlib.util.find_spec("numba")
    if spec is not None and spec.origin is not None:
        written = Path(spec.origin).with_name("_version.py")
        lines = written.read_text().splitlines() if written.exists() else []
        for line in lines:  # ' "version": "0.68.1"', as versioneer writes it
            if line.strip().startswith('"version":'):
                return line.split('"')[3]
    from importlib.metadata import version

    return version("numba")


def name_of(text: str) -> str:
    """The name of the files of a kernel; its title, the docstring that it begins with, does not count."""
    _, _, code = text.split('"""', 2)
    return "k_" + hashlib.sha256((code + environment_key()).encode()).hexdigest()[:24]


def is_cached(text: str) -> bool:
    """Whether machine code for this text is loaded or on disk."""
    name = name_of(text)
    return name in _LOADED or (folder() / "kernels" / (name + SUFFIX)).exists()


def load(text: str, *, quiet: bool = False) -> CompiledFunction:
    """The function of this kernel module: from memory, from disk, or compiled now, which is said on stderr.

    Warns
    -----
    CacheWarning
        Once, if the folder cannot be written or the code not be loaded again: the kernel then lives in memory and
        is compiled in every process.

    Raises
    ------
    StochsimError
        If Numba was told not to compile.
    """
    with _LOCK:
        name = name_of(text)
        if name not in _LOADED:
            if not (quiet or is_cached(text)):
                title = text.split('"""')[1]
                sys.stderr.write(f"stochsim: compiling {title} (once on this machine, a second or two)\n")
            linked = {symbol(n): load(linked_text(n), quiet=True).address for n in linked_names(text)}
            _LOADED[name] = _from_disk(name, linked) or _compile(name, text, linked)
        return _LOADED[name]


def _from_disk(name: str, linked: dict[str, int]) -> CompiledFunction | None:
    try:
        stored = ObjectCode.from_bytes((folder() / "kernels" / (name + SUFFIX)).read_bytes())
    except OSError:  # not there, or not readable: it is compiled
        return None
    return None if stored is None else _linked(stored, linked)


def _linked(stored: ObjectCode, linked: dict[str, int]) -> CompiledFunction | None:
    try:
        return objects.load(stored, linked)
    except RuntimeError:  # LLVM refuses the file, or it calls what is not in this process
        return None


def _compile(name: str, text: str, linked: dict[str, int]) -> CompiledFunction:
    from stochsim.codegen.compiler import compile_text

    global compiled_count
    compiled = compile_text(name, text, linked)
    compiled_count += 1
    loaded = _linked(compiled.stored, linked)
    if loaded is None:
        _warn(
            "compiled kernels cannot be loaded again on this platform; they stay in memory and are compiled in every "
            "process"
        )
        return compiled.in_memory
    try:
        _write(name, text, compiled.stored.to_bytes())
    except OSError as error:
        _warn(
            f"the kernel cache {folder()} cannot be written ({error.strerror or error}); kernels stay in memory and "
            "are compiled again in the next process; set STOCHSIM_CACHE_DIR to a writable folder"
        )
    return loaded


def _write(name: str, text: str, code: bytes) -> None:
    kernels = folder() / "kernels"
    kernels.mkdir(parents=True, exist_ok=True)
    _replace(kernels / f"{name}.py", text.encode())
    _replace(kernels / (name + SUFFIX), code)


def _replace(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _warn(message: str) -> None:
    if message not in _WARNED:
        _WARNED.add(message)
        warnings.warn(message, CacheWarning, stacklevel=2)
