"""A stand-in for CuPy: the source made for a GPU is compiled for the CPU, and run thread after thread."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

COMPILER = shutil.which("g++")


class StandIn:
    """The names of CuPy that runs use."""

    class cuda:
        class runtime:
            free = 2**30

            @classmethod
            def memGetInfo(cls) -> tuple[int, int]:
                return cls.free, 2**31

    int64, zeros = np.int64, staticmethod(np.zeros)
    asarray = staticmethod(lambda a, dtype=None: np.array(a, dtype=dtype))
    asnumpy = staticmethod(np.asarray)

    def __init__(self, folder: Path) -> None:
        self.folder, self.launches = folder, 0

    def RawModule(self, code: str, options: tuple[str, ...]) -> Any:
        self.launches += 1
        source, library = self.folder / f"k{self.launches}.cpp", self.folder / f"k{self.launches}.so"
        source.write_text(code)
        flags = ["-O1", *options, "-ffp-contract=off", "-shared", "-fPIC", "-Wno-unknown-pragmas"]
        subprocess.run([str(COMPILER), *flags, "-o", library, source], check=True)
        return _Module(ctypes.CDLL(str(library)))


class _Module:
    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library

    def get_function(self, name: str) -> Any:
        def function(blocks: tuple[int], threads: tuple[int], arguments: tuple[Any, ...]) -> None:
            converted = [_converted(a) for a in arguments]
            for column in range(blocks[0] * threads[0]):
                self.library.stochsim_set_column(ctypes.c_longlong(column))
                getattr(self.library, name)(*converted)

        return function


def _converted(a: Any) -> Any:
    if isinstance(a, np.ndarray):
        return a.ctypes.data_as(ctypes.c_void_p)
    return ctypes.c_double(a) if isinstance(a, float) else ctypes.c_longlong(int(a))
