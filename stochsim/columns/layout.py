"""Where values live in the work space of a block: rows of one number for each lane."""

from __future__ import annotations

from dataclasses import dataclass, field

from stochsim.columns.graph import Column

CACHE = 1024 * 1024  # bytes that a block may use, so that it stays in the second-level cache
WIDEST, NARROWEST = 256, 16


@dataclass
class Layout:
    """Rows of the work space, given out one after the other.

    ``place`` holds the first row of every value that is kept, by node.
    """

    used: int = 0
    place: dict[int, int] = field(default_factory=dict)

    def take(self, rows: int | None) -> int:
        """The first of so many new rows (None: one)."""
        first = self.used
        self.used += 1 if rows is None else rows
        return first

    def keep(self, node: Column) -> int:
        """The rows of a value, taken if it has none."""
        if node.serial not in self.place:
            self.place[node.serial] = self.take(node.rows)
        return self.place[node.serial]


def lanes(rows: int) -> int:
    """How many columns go through together, so that a block stays in cache."""
    width = WIDEST
    while width > NARROWEST and rows * width * 8 > CACHE:
        width //= 2
    return width
