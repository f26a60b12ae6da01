"""Kernels of traced formulas: one that maps columns to columns, one that advances chains through their steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from stochsim.codegen.lanes import indent
from stochsim.columns.graph import Column
from stochsim.columns.layout import Layout, lanes
from stochsim.columns.text import Emitter
from stochsim.columns.tracing import Scope, parameters

MAP = {
    "par": "float64[::1]",
    "x": "float64[:,::1]",
    "first": "int64",
    "last": "int64",
    "w": "float64[::1]",
    "out": "float64[:,::1]",
}
ADVANCE = {
    "par": "float64[::1]",
    "per_step": "float64[:,::1]",
    "key0": "int64",
    "key1": "int64",
    "first_path": "int64",
    "step_offset": "int64",
    "first": "int64",
    "last": "int64",
    "state": "float64[:,::1]",
    "phase": "int64",
    "every": "int64",
    "first_slot": "int64",
    "out": "float64[:,:,:,::1]",
    "out_block": "int64",
}


STAGES = {
    "steps": "float64[:,::1]",
    "key0": "int64",
    "key1": "int64",
    "first_path": "int64",
    "x": "float64[:,::1]",
    "first": "int64",
    "last": "int64",
    "w": "float64[::1]",
}


@dataclass(frozen=True)
class Kernel:
    """A kernel's text, how many columns go through together, its work space, and its parameters.

    Parameters
    ----------
    text : str
    lanes, rows : int
        Lanes of a block; rows of its work space (the state first).
    parameters : tuple of Column
        In the order in which their values stand in ``par``.
    """

    text: str
    lanes: int
    rows: int
    parameters: tuple[Column, ...]

    def pack(self, **objects: Any) -> np.ndarray:
        """The values of the parameters, read from the objects by name; values of the formula itself stay."""
        values = [_value(p, objects) for p in self.parameters]
        return np.concatenate([np.zeros(0), *(np.asarray(v, dtype=float).reshape(-1) for v in values)])


def _value(p: Column, objects: dict[str, Any]) -> Any:
    if not p.path:
        return p.value
    name, _, path = p.path.partition(".")
    return attrgetter(path)(objects[name])


def _offsets(nodes: Sequence[Column]) -> dict[int, int]:
    offsets, position = {}, 0
    for node in nodes:
        offsets[node.serial] = position
        position += int(np.prod(node.shape))
    return offsets


def _fitted(
    write: Callable[[Emitter], list[str]], offsets: dict[int, int], varying: tuple[str, ...] = (), single: bool = False
) -> tuple[list[str], Emitter]:
    """The lines for the number of lanes with which a block stays in cache, or for a single one."""
    rehearsal = Emitter(offsets, 1, Layout(), varying=varying)
    write(rehearsal)
    emitter = Emitter(offsets, 1 if single else lanes(rehearsal.layout.used), Layout(), varying=varying)
    return write(emitter), emitter


def map_kernel(x: Column, outputs: Sequence[Column], title: str, loops: Scope, single: bool = False) -> Kernel:
    """A kernel of ``outputs`` as functions of the variable ``x``: columns (d, n) to (rows, n), block by block.

    ``loops`` is the scope in which the formula was traced; ``single`` asks for blocks of one column, for a GPU.
    """
    nodes = parameters(list(outputs))
    size = sum(o.rows or 1 for o in outputs)

    def write(emitter: Emitter) -> list[str]:
        source, target = emitter.layout.keep(x), emitter.layout.take(size)
        targets = _consecutive(outputs, target)
        n = emitter.lanes
        return [
            "n = x.shape[1]",
            "for b in range(first, last):",
            *indent(
                [
                    f"start = b * {n}",
                    f"valid = min({n}, n - start)",
                    f"for i in range({x.rows}):",
                    *indent(_load(source, n)),
                    *emitter.block(outputs, targets, loops),
                    f"for i in range({size}):",
                    *indent(["for l in range(valid):", f"    out[i, start + l] = w[{target * n} + i * {n} + l]"]),
                ]
            ),
        ]

    lines, emitter = _fitted(write, _offsets(nodes), single=single)
    text = _module("evaluate", MAP, lines, title, emitter)
    return Kernel(text, emitter.lanes, emitter.layout.used, tuple(nodes))


def _load(source: int, n: int) -> list[str]:
    at = f"w[{source * n} + i * {n} + l]"
    return [
        "for l in range(valid):",
        f"    {at} = x[i, start + l]",
        f"for l in range(valid, {n}):",
        f"    {at} = x[i, start]",
    ]


def advance_kernel(
    state: Sequence[Column],
    update: Sequence[Column],
    saved: Sequence[Column],
    draws: Scope,
    title: str,
    varying: tuple[str, ...] = (),
) -> Kernel:
    """A kernel that takes blocks of columns through steps ``first .. last - 1``.

    ``update`` are the new values of the variables ``state``. ``saved`` (numbers or vectors of the new state or of the
    step, one after the other in the rows of ``out``) is written when ``every`` divides ``k + 1 + phase``, to
    ``first_slot`` and on. ``varying`` are paths of parameters whose values stand in ``per_step``.
    """
    nodes = parameters([*update, *saved])
    extra = [s for s in saved if s.serial not in {u.serial for u in update}]

    def write(emitter: Emitter) -> list[str]:
        places = [emitter.layout.keep(v) for v in state]
        kept = {u.serial: place for u, place in zip(update, places, strict=True)}
        for s in extra:
            kept[s.serial] = emitter.layout.take(s.rows)
        targets = [*places, *(kept[s.serial] for s in extra)]
        n = emitter.lanes
        step = emitter.block([*update, *extra], targets, draws)
        writes, row = [], 0
        for s in saved:
            value = f"w[{kept[s.serial] * n} + i * {n} + l]"
            writes += [
                f"for i in range({s.rows or 1}):",
                f"    for l in range({n}):",
                f"        out[slot, {row} + i, out_block + b, l] = {value}",
            ]
            row += s.rows or 1
        save = ["if (k + 1 + phase) % every == 0:", *indent([*writes, "slot += 1"])]
        return [
            "for b in range(state.shape[0]):",
            *indent(
                [
                    "w = state[b]",
                    f"path = first_path + b * {n}",
                    "slot = first_slot",
                    "base0 = 0",
                    "for k in range(first, last):",
                    *indent(["index = k + step_offset", *step, *save]),
                ]
            ),
        ]

    lines, emitter = _fitted(write, _offsets(nodes), varying)
    text = _module("advance", ADVANCE, lines, title, emitter)
    return Kernel(text, emitter.lanes, emitter.layout.used, tuple(nodes))


def stages_kernel(state: Sequence[Column], update: Sequence[Column], title: str, single: bool = False) -> Kernel:
    """A kernel that takes columns through all rows of ``steps``, each with its own values of every parameter.

    ``state`` are the variables, the rows of ``x`` one after the other; ``update`` their new values. Blocks ``first``
    to ``last - 1`` are taken through all steps one after the other, in place. ``single`` asks for blocks of one column,
    for a GPU.
    """
    nodes = parameters(list(update))
    size = sum(v.rows or 1 for v in state)

    def write(emitter: Emitter) -> list[str]:
        places = [emitter.layout.keep(v) for v in state]
        n = emitter.lanes
        step = emitter.block(update, places, Scope())
        return [
            "n = x.shape[1]",
            "for b in range(first, last):",
            *indent(
                [
                    f"start = b * {n}",
                    f"valid = min({n}, n - start)",
                    "path = first_path + start",
                    f"for i in range({size}):",
                    *indent(_load(0, n)),
                    "for k in range(steps.shape[0]):",
                    *indent(["par = steps[k]", *step]),
                    f"for i in range({size}):",
                    *indent(["for l in range(valid):", f"    x[i, start + l] = w[i * {n} + l]"]),
                ]
            ),
        ]

    lines, emitter = _fitted(write, _offsets(nodes), single=single)
    text = _module("run_stages", STAGES, lines, title, emitter)
    return Kernel(text, emitter.lanes, emitter.layout.used, tuple(nodes))


def _consecutive(outputs: Sequence[Column], first: int) -> list[int]:
    places = []
    for o in outputs:
        places.append(first)
        first += o.rows or 1
    return places


def _module(name: str, arguments: dict[str, str], body: Sequence[str], title: str, emitter: Emitter) -> str:
    said = title.replace("\\", "/").replace('"', "'").replace("\n", " ")
    linked, math = sorted(emitter.linked), sorted(emitter.math)
    lines = [f'"""{said}"""', "", "from math import inf, nan", "from numpy import floor, sqrt"]
    lines += ["from stochsim.codegen.compiler import kernel"]
    lines += [f"from stochsim.codegen.linked import {', '.join(linked)}"] if linked else []
    lines += ["from stochsim.codegen.target import wide_vectors"]
    lines += [f"from stochsim.vecmath import {', '.join(math)}"] if math else []
    lines += ["", "", f'@kernel("{", ".join(arguments.values())}")']
    lines += [f"def {name}({', '.join(arguments)}):", *indent(["wide_vectors()", *body]), ""]
    return "\n".join(lines)
