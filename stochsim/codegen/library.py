"""Kernel modules of the fixed functions: random numbers, elementary functions over arrays, merging of moments.

They are compiled, stored and loaded as generated kernels are. Kernels call the `LINKED` ones by symbol.
"""

from __future__ import annotations

import re

_FILLER = "int64, int64, int64, int64, int64, int64, float64[::1], float64[::1]"
FILLERS = ("normals", "uniforms", "two_point", "three_point")
_ARRAY = "float64[::1]"
_OTHERS = {  # name -> module of this package, argument types
    "merge_block": ("merging", f"{_ARRAY}, int64, {_ARRAY}, {_ARRAY}"),
    "matvec": ("products", f"{_ARRAY}, int64, int64, int64, int64, int64, {_ARRAY}, {_ARRAY}"),
    "distances": (
        "products",
        f"{_ARRAY}, int64, {_ARRAY}, int64, int64, int64, int64, int64, {_ARRAY}, {_ARRAY}",
    ),
}
LINKED = dict.fromkeys(FILLERS, _FILLER) | {name: arguments for name, (_, arguments) in _OTHERS.items()}
TWO_OPERANDS = frozenset({"arctan2", "power"})
_IMPORT = re.compile(r"^from stochsim\.codegen\.linked import (.+)$", re.MULTILINE)


def symbol(name: str) -> str:
    """The name under which machine code calls a linked function."""
    return f"stochsim_{name}"


def linked_names(text: str) -> list[str]:
    """The linked functions that a kernel module calls."""
    return [name.strip() for names in _IMPORT.findall(text) for name in names.split(",")]


def filler_text(name: str) -> str:
    """The module of a filler of `stochsim.noise.philox`."""
    return _module("stochsim.noise", "philox", name, name, LINKED[name])


def fixed_text(name: str) -> str:
    """The module of a function of this package: merging of moments, products."""
    module, arguments = _OTHERS[name]
    return _module("stochsim.codegen", module, name, name, arguments)


def elementary_text(name: str) -> str:
    """The module of a function of `stochsim.vecmath` over arrays."""
    operands = 2 if name in TWO_OPERANDS else 1
    return _module("stochsim.vecmath", "arrays", f"_{name}", name, ", ".join(["float64[::1]"] * (operands + 1)))


def linked_text(name: str) -> str:
    """The module of a linked function."""
    return fixed_text(name) if name in _OTHERS else filler_text(name)


def _module(package: str, module: str, function: str, name: str, arguments: str) -> str:
    return "\n".join(
        [
            f'"""{name} over arrays"""',
            "",
            "from stochsim.codegen.compiler import kernel",
            f"from {package} import {module}",
            "",
            f'{name} = kernel("{arguments}")({module}.{function}.py_func)',
            "",
        ]
    )
