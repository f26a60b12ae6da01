"""Generated kernel modules on disk: named by a hash of all they depend on, so a stale one cannot be met.

A user function is traced anew for every run (it takes about a millisecond), so the kernel text always
holds its present values; equal text means equal program. The file name hashes the text together with
the sources it calls, the host and the Numba version. Machine code is kept beside it by Numba.
"""

from __future__ import annotations

import hashlib
import importlib.util
import linecache
import os
import shutil
import sys
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from stochsim.errors import CacheWarning

PACKAGE = "stochsim_kernels"
_LOADED: dict[str, ModuleType] = {}
compiled_count = 0  # kernels compiled (not loaded from disk) by this process


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
    count = len(list(kernels.glob("k_*.py")))
    shutil.rmtree(kernels, ignore_errors=True)
    return count


@lru_cache(maxsize=1)
def environment_key() -> str:
    """What machine code depends on beside the kernel text."""
    import numba

    from stochsim import vecmath
    from stochsim.codegen import target
    from stochsim.noise import philox

    digest = hashlib.sha256()
    sources = [
        Path(str(philox.__file__)),
        Path(str(target.__file__)),
        *sorted(Path(str(vecmath.__file__)).parent.glob("*.py")),
    ]
    for path in (*sources, Path(__file__).with_name("blocks.py")):
        digest.update(path.read_bytes())
    digest.update(f"{numba.__version__} {sys.version_info[:2]} {target.describe()}".encode())
    return digest.hexdigest()


def name_of(text: str) -> str:
    return "k_" + hashlib.sha256((text + environment_key()).encode()).hexdigest()[:24]


def is_cached(text: str) -> bool:
    """Whether machine code for this text is loaded or on disk."""
    name = name_of(text)
    if name in _LOADED:
        return True
    return any((folder() / "kernels").rglob(f"{name}*.nbi"))


def load(text: str) -> ModuleType:
    """The kernel module of this text: from memory, from disk, or written now.

    Warns
    -----
    CacheWarning
        If the folder cannot be written: the kernel then lives in memory and is compiled each time.
    """
    name = name_of(text)
    if name not in _LOADED:
        try:
            _LOADED[name] = _from_file(name, _write(name, text))
        except OSError as error:
            warnings.warn(
                f"the kernel cache {folder()} cannot be written ({error.strerror or error}); kernels stay in "
                "memory and are compiled again in the next process; set STOCHSIM_CACHE_DIR to a writable folder",
                CacheWarning,
                stacklevel=2,
            )
            _LOADED[name] = _from_memory(name, text)
    return _LOADED[name]


def _write(name: str, text: str) -> Path:
    kernels = folder() / "kernels"
    path = kernels / f"{name}.py"
    if not path.exists():
        kernels.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=kernels, suffix=".part")
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.replace(temporary, path)
    if not os.access(kernels, os.W_OK):
        raise PermissionError(13, "Permission denied")
    return path


def _from_file(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{PACKAGE}.{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[f"{PACKAGE}.{name}"] = module  # before the first call, or Numba cannot unpickle the code
    spec.loader.exec_module(module)
    return module


def _from_memory(name: str, text: str) -> ModuleType:
    module = ModuleType(f"{PACKAGE}.{name}")
    filename = f"<{name}>"
    source = text.replace("cache=True", "cache=False")
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    sys.modules[module.__name__] = module
    exec(compile(source, filename, "exec"), module.__dict__)
    return module
