"""Blocks of rows one below the other, worked on by turns: loops have no index, so the stack turns under them."""

from __future__ import annotations

from typing import Any

from stochsim.columns.graph import Column
from stochsim.columns.ops import join, rows

__all__ = ["height", "turned"]


def height(x: Any) -> int:
    """How many rows a vector has."""
    return (x.rows or 1) if isinstance(x, Column) else len(x)


def turned(stack: Any, size: int, first: Any = None) -> Any:
    """The stack with its first block of ``size`` rows, or what replaces it, at the end."""
    moved = rows(stack, 0, size) if first is None else first
    return join(rows(stack, size, height(stack)), moved) if height(stack) > size else moved
