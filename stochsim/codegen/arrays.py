"""The array executor: a program as a NumPy function of whole arrays, nothing to compile.

It runs the same operations in the same order as the lane kernels, with the same elementary functions,
so it returns the same bits. It is the oracle of the tests, the runner of every model too small to repay
a compile, and the only runner of functions that could not be traced.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from stochsim.codegen.text import CALLS, Writer, identifier
from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node
from stochsim.symbolic.implicit import MAX_ITERATIONS, TOLERANCE, Implicit
from stochsim.symbolic.program import Program

EXACT_ROUNDING = {
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sign": np.sign,
    "floor": np.floor,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "where": np.where,
    "logical_not": np.logical_not,
    "nan": np.nan,
    "inf": np.inf,
}


@lru_cache(maxsize=512)
def compile_arrays(outputs: tuple[Node, ...], inputs: tuple[str, ...]) -> Callable[..., tuple[Any, ...]]:
    """A function of the named inputs (arrays or numbers, broadcast together) that returns the outputs."""
    writer = Writer()
    extra: dict[str, Any] = {}
    writer.special = lambda node, args: _special(node, args, extra)
    lines = writer.write(outputs)
    names = [writer.name(o) for o in outputs]
    body = "\n    ".join([*lines, f"return ({''.join(n + ', ' for n in names)})"])
    source = f"def program({', '.join(identifier(i) for i in inputs)}):\n    {body}\n"
    used = {node.op for node in g.walk(outputs)}
    for node in g.walk(outputs):
        if node.op == "solve":
            used |= {n.op for n in g.walk(node.value.update)}
    namespace: dict[str, Any] = _functions(used) | extra
    filename = f"<stochsim program {abs(hash(source)):x}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), namespace)
    return namespace["program"]


def _functions(used: set[str]) -> dict[str, Any]:
    table: dict[str, Any] = dict(EXACT_ROUNDING)
    transcendental = {CALLS[op] for op in used if op in CALLS} - set(EXACT_ROUNDING)
    if transcendental:
        from stochsim.codegen.functions import elementary

        table |= {name: elementary(name) for name in transcendental}
    return table


def _special(node: Node, args: list[str], extra: dict[str, Any]) -> str:
    if node.op not in ("extern", "solve"):
        raise ValueError(f"no text for operation {node.op}")
    name = f"{node.op}_{node.serial}"
    extra[name] = _newton(node.value) if node.op == "solve" else node.value
    return f"{name}({', '.join(args)})"


def _newton(spec: Implicit) -> Callable[..., list[Any]]:
    names = tuple(f"u{i}" for i in range(spec.n)) + spec.captured
    correction = compile_arrays(spec.update, names)

    def iterate(*args: Any) -> list[Any]:
        values = np.broadcast_arrays(*args)
        u, captured = [np.array(v, dtype=float) for v in values[: spec.n]], args[spec.n :]
        active = np.ones(u[0].shape, dtype=bool)
        for _ in range(MAX_ITERATIONS):
            delta = correction(*u, *captured)
            moved = np.zeros(u[0].shape, dtype=bool)
            for i in range(spec.n):
                new = u[i] - delta[i]
                moved |= np.abs(delta[i]) > TOLERANCE * (1.0 + np.abs(new))
                u[i] = np.where(active, new, u[i])
            active &= moved
            if not active.any():
                break
        return [np.where(active, np.nan, v) for v in u]

    return iterate


def evaluate(program: Program, values: dict[str, Any]) -> tuple[Any, ...]:
    """Outputs of a program for the given inputs (a dict by input name; surplus entries are ignored)."""
    names = tuple(sorted(program.inputs))
    with np.errstate(all="ignore"):
        return compile_arrays(program.outputs, names)(*(values[n] for n in names))


def parameter_values(names: Sequence[str], values: Sequence[float]) -> dict[str, np.float64]:
    """The parameter vector as inputs of a program."""
    return {n: np.float64(v) for n, v in zip(names, values, strict=True)}
