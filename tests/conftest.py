"""Points every kernel cache at a folder named by the sources, before anything imports Numba.

Numba's own cache does not see an edit in a function that a kernel calls from another file; a folder per
state of the sources makes a stale kernel impossible and a second run fast.
"""

import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

import platformdirs
import pytest

SOURCES = Path(__file__).resolve().parent.parent / "stochsim"
KEPT_SECONDS = 7 * 24 * 3600  # kernels of a state of the sources that no run has used for longer are removed


def sources_hash(folder: Path) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def use_cache_folder(parent: Path) -> Path:
    folder = parent / sources_hash(SOURCES)
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    for other in parent.iterdir():
        if other.stat().st_mtime < time.time() - KEPT_SECONDS:
            shutil.rmtree(other, ignore_errors=True)  # another run may be removing it too
    return folder


if "STOCHSIM_CACHE_DIR" not in os.environ:
    if "numba" in sys.modules:
        raise RuntimeError("numba was imported before tests/conftest.py could choose its cache folder")
    cache = use_cache_folder(platformdirs.user_cache_path("stochsim") / "tests")
    os.environ["STOCHSIM_CACHE_DIR"] = str(cache / "kernels")
    os.environ["NUMBA_CACHE_DIR"] = str(cache / "numba")

os.environ["MPLBACKEND"] = "agg"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The count of kernels comes after everything that needs one."""
    items.sort(key=lambda item: item.path.name == "test_kernel_budget.py")
