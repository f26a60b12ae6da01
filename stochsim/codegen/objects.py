"""Machine code as bytes: loaded by LLVM alone and called through ctypes, so that no compiler is imported.

The code is an object file as Numba emits it. Its functions follow Numba's calling convention: a place for the
result and one for an exception, then the arguments, an array as (owner, parent, number of items, item size, data,
shape, strides); the returned integer is 0 unless something was raised. Calls let go of the interpreter lock.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np

_SCALARS: dict[str, Any] = {"int64": ctypes.c_int64, "float64": ctypes.c_double}
_LOCK = threading.Lock()
_NUMBERS = count()


@dataclass(frozen=True)
class ObjectCode:
    """One compiled function as it is stored.

    Attributes
    ----------
    symbol : str
        Its name in the object file.
    arguments : tuple of (str, int)
        Type (``int64`` or ``float64``) and number of dimensions of each argument; 0 is a number.
    code : bytes
        The object file.
    """

    symbol: str
    arguments: tuple[tuple[str, int], ...]
    code: bytes

    def to_bytes(self) -> bytes:
        """One file: a checksum of what follows, a line of JSON, the object file."""
        head = json.dumps({"symbol": self.symbol, "arguments": self.arguments}).encode()
        body = head + b"\n" + self.code
        return hashlib.sha256(body).hexdigest().encode() + b"\n" + body

    @staticmethod
    def from_bytes(data: bytes) -> ObjectCode | None:
        """Read `to_bytes`; None if the data are not whole."""
        checksum, _, body = data.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            return None
        head, _, code = body.partition(b"\n")
        fields = json.loads(head)
        return ObjectCode(fields["symbol"], tuple((t, n) for t, n in fields["arguments"]), code)


class CompiledFunction:
    """Machine code as a function of integers, floats and C-contiguous arrays, which it changes in place.

    Parameters
    ----------
    address : int
        Where the code is.
    arguments : tuple of (str, int)
        As in `ObjectCode`.
    owner : object
        Kept alive as long as the function: what holds the memory of the code.
    """

    def __init__(self, address: int, arguments: tuple[tuple[str, int], ...], owner: object) -> None:
        self.address, self.arguments, self._owner = address, arguments, owner
        types: list[Any] = [ctypes.c_void_p, ctypes.c_void_p]
        for kind, ndim in arguments:
            array = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_ssize_t] * 2, ctypes.c_void_p]
            types += [*array, *[ctypes.c_ssize_t] * (2 * ndim)] if ndim else [_SCALARS[kind]]
        self._call = ctypes.CFUNCTYPE(ctypes.c_int32, *types)(address)
        self._dtypes = [np.dtype(kind) for kind, _ in arguments]
        self._space = (ctypes.c_void_p * 2)()  # result and exception: written, never read
        place = ctypes.addressof(self._space)
        self._places = (place, place + ctypes.sizeof(ctypes.c_void_p))

    def __call__(self, *args: Any) -> None:
        """Run it.

        Raises
        ------
        TypeError
            If an array has another type, number of dimensions or memory layout than the code reads.
        RuntimeError
            If the code reports an error.
        """
        flat: list[Any] = list(self._places)
        for value, (_, ndim), dtype in zip(args, self.arguments, self._dtypes, strict=True):
            if ndim:
                flat += _array(value, ndim, dtype)
            else:
                flat.append(value)
        status = self._call(*flat)
        if status != 0:
            raise RuntimeError(f"compiled code ended with status {status}")


def _array(a: Any, ndim: int, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    """The array as the fields of the calling convention."""
    flags, shape = a.flags, a.shape
    if len(shape) != ndim or a.dtype != dtype or not (flags.c_contiguous and flags.aligned):
        raise TypeError(
            f"compiled code got an array of {a.dtype} with {a.ndim} dimensions; give a C-contiguous array of "
            f"{dtype} with {ndim}"
        )
    return (None, None, a.size, a.itemsize, _address(a), *shape, *a.strides)


def _address(a: Any) -> int:
    if a.size and a.flags.writeable:
        return ctypes.addressof(ctypes.c_char.from_buffer(a))  # a microsecond faster than the general way
    return int(a.ctypes.data)


@lru_cache(maxsize=1)
def _jit() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    return llvm.create_lljit_compiler(machine, suppress_errors=True)


def load(stored: ObjectCode, linked: Mapping[str, int]) -> CompiledFunction:
    """Make the stored code callable; ``linked`` gives the addresses of functions that it calls by name.

    Raises
    ------
    RuntimeError
        If it is no object file of this platform, or calls something that is neither linked nor in the process.
    """
    import llvmlite.binding as llvm

    builder = llvm.JITLibraryBuilder().add_object_img(stored.code).add_current_process()
    builder.export_symbol(stored.symbol)
    for name, address in linked.items():
        builder.import_symbol(name, address)
    with _LOCK:
        library = builder.link(_jit(), f"stochsim {next(_NUMBERS)}")
    return CompiledFunction(library[stored.symbol], stored.arguments, library)
