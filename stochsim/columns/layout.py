"""Where values live in the work space of a block: rows of one number for each lane."""

from __future__ import annotations

from dataclasses import dataclass, field

from stochsim.columns.graph import Column

CACHE = 1024 * 1024  # bytes that a block may use, so that it stays in the second-level cache
WIDEST, NARROWEST = 256, 16
DRAWS = frozenset({"normal", "uniform"})


@dataclass
class Layout:
    """Rows of the work space, given out one after the other.

    ``place`` holds the first row of every value that is kept, by node; ``spare`` the rows given back, by their number.
    """

    used: int = 0
    place: dict[int, int] = field(default_factory=dict)
    spare: dict[int, list[int]] = field(default_factory=dict)

    def take(self, rows: int | None) -> int:
        """The first of so many rows (None: one): given back ones, or new ones."""
        size = 1 if rows is None else rows
        if self.spare.get(size):
            return self.spare[size].pop()
        self.used += size
        return self.used - size

    def give_back(self, node: Column) -> None:
        """Let other values have the rows of a value that is read no more."""
        self.spare.setdefault(rows_taken(node), []).append(self.place.pop(node.serial))

    def keep(self, node: Column) -> int:
        """The rows of a value, taken if it has none."""
        if node.serial not in self.place:
            self.place[node.serial] = self.take(node.rows)
        return self.place[node.serial]


def rows_taken(node: Column) -> int:
    """Rows that a value takes; draws come in pairs."""
    size = 1 if node.rows is None else node.rows
    return 2 * pair_count(node.rows) if node.op in DRAWS else size


def pair_count(rows: int | None) -> int:
    """How many counters a draw takes: each gives two numbers."""
    return -(-(rows or 1) // 2)


def lanes(rows: int) -> int:
    """How many columns go through together, so that a block stays in cache."""
    width = WIDEST
    while width > NARROWEST and rows * width * 8 > CACHE:
        width //= 2
    return width
