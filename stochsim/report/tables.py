"""Rows as lines of a terminal, and the table of methods with declared and measured orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stochsim.errors import ParameterError
from stochsim.orders.digits import with_interval
from stochsim.report.rows import FAILED, FLAGS, NOT_MEASURED, CheckRow, ClaimRow, MutantRow, OrderRow, Row, StabilityRow

__all__ = [
    "counts", "declared_columns", "line", "measured", "method_table", "readme_faults", "readme_table", "summary",
    "table_faults",
]  # fmt: skip

BEGIN, END = "<!-- methods:begin -->", "<!-- methods:end -->"
VERDICTS = (
    "confirmed", "exact", "higher than declared", "measured", "pre-asymptotic", "inconclusive", NOT_MEASURED,
    *FLAGS, FAILED,
)  # fmt: skip
WIDTHS = (19, 21, 37, 8, 17, 20)


def measured(order: float | None, half_width: float) -> str:
    """An order and its half-width with the digits that it deserves: ``0.509 ± 0.018``.

    Parameters
    ----------
    order : float or None
        None gives a dash.
    half_width : float
    """
    return "–" if order is None else with_interval(order, half_width)


def header() -> str:
    """The head of the table on a terminal."""
    return _columns("kind", "scheme", "problem", "declared", "measured", "verdict") + " seconds"


def line(row: Row) -> str:
    """A row on a terminal."""
    return f"{_columns(*_cells(row))} {row.seconds:7.1f}"


def _cells(row: Row) -> tuple[str, ...]:
    if isinstance(row, OrderRow):
        kind = f"{row.kind}, {row.method}"
        return kind, row.scheme, row.problem, _number(row.declared), measured(row.order, row.half_width), _judged(row)
    if isinstance(row, MutantRow):
        caught = len(row.faulty()) - len(row.survivors())
        return row.kind, row.scheme, row.problem, "", f"{caught} of {len(row.faulty())}", row.verdict
    if isinstance(row, StabilityRow):
        return row.kind, row.scheme, row.problem, "", "", row.verdict
    if isinstance(row, CheckRow):
        return row.kind, row.scheme, row.problem, f"< {row.threshold:g}", f"{row.value:.2g}", row.verdict
    return row.kind, row.name, row.statement, "", "", row.verdict


def _judged(row: OrderRow) -> str:
    return row.verdict if row.judged else "not judged"


def _columns(*cells: str) -> str:
    return " ".join(_fitted(cell, width) for cell, width in zip(cells, WIDTHS, strict=True))


def _fitted(cell: str, width: int) -> str:
    return cell.ljust(width) if len(cell) <= width else cell[: width - 1] + "…"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """How many judged orders have each verdict, and how many are not judged.

    Parameters
    ----------
    rows : iterable of Row
    """
    orders = [r for r in rows if isinstance(r, OrderRow)]
    found = {v: sum(r.judged and r.verdict == v for r in orders) for v in VERDICTS}
    found["not judged"] = sum(not r.judged for r in orders)
    return {name: n for name, n in found.items() if n}


def summary(rows: Sequence[Row]) -> list[str]:
    """Sentences at the end of a run: counts, then everything that contradicts a declaration or failed.

    Parameters
    ----------
    rows : sequence of Row
    """
    lines = []
    if orders := counts(rows):
        lines.append("orders: " + ", ".join(f"{n} {name}" for name, n in orders.items()))
    if surveys := [r for r in rows if isinstance(r, MutantRow)]:
        lines.append(_mutant_sentence(surveys))
    if checks := [r for r in rows if isinstance(r, CheckRow)]:
        lines.append(_check_sentence(checks))
    if claims := [r for r in rows if isinstance(r, ClaimRow)]:
        lines.append(f"claims: {sum(bool(r.holds) for r in claims)} of {len(claims)} hold")
    for row in rows:
        if row.contradicts or row.failed:
            lines.append(f"{'failed' if row.failed else 'CONTRADICTS'}: {' / '.join(_name(row))}: {row.explanation}")
    return lines


def _mutant_sentence(surveys: Sequence[MutantRow]) -> str:
    faulty = [f for r in surveys for f in r.faulty()]
    subtle, survivors = sum(bool(f["subtle"]) for f in faulty), sum(len(r.survivors()) for r in surveys)
    equivalent = sum(len(r.findings) - len(r.faulty()) for r in surveys)
    alarms = sum(len(r.false_alarms()) for r in surveys)
    return (
        f"mutants: {len(faulty)} faulty ({subtle} subtle), {survivors} not caught; {equivalent} equivalent, "
        f"{alarms} flagged"
    )


def _check_sentence(checks: Sequence[CheckRow]) -> str:
    blind = sum(not r.control_fails for r in checks)
    kinds = {kind: [r for r in checks if r.kind == kind] for kind in dict.fromkeys(r.kind for r in checks)}
    held = ", ".join(f"{sum(r.holds for r in rows)} of {len(rows)} of {kind} hold" for kind, rows in kinds.items())
    return f"checks: {held}; {blind} negative controls not caught"


def _name(row: Row) -> tuple[str, ...]:
    return (row.kind, row.name) if isinstance(row, ClaimRow) else (row.kind, row.scheme, row.problem)


# --- the table of methods ---------------------------------------------------------------------------------


def method_table(rows: Sequence[Row] = ()) -> str:
    """The table of methods in Markdown: what each declares, and the range of what was measured.

    Parameters
    ----------
    rows : sequence of Row
        Of a validation; without them nothing is measured.

    Returns
    -------
    str
        A head, a rule and a line for each registered scheme, in the order of their names.
    """
    from stochsim.schemes import REGISTRY

    orders = [r for r in rows if isinstance(r, OrderRow)]
    head = ("method", "calculus", "noise", "strong order", "measured", "weak order", "measured")
    lines = [head, ("---",) * len(head)]
    for name, scheme in sorted(REGISTRY.items()):
        if not scheme.is_exact:
            calculus = "Itô" if scheme.calculus == "ito" else "Stratonovich"
            ranges = [_ranges([r for r in orders if r.scheme == name and r.kind == k]) for k in ("strong", "weak")]
            strong, weak = declared_text(scheme.strong_order), declared_text(scheme.weak_order)
            lines.append((f"`{name}`", calculus, scheme.noise, strong, ranges[0], weak, ranges[1]))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def declared_text(order: Any) -> str:
    """A declared order as text: ``0.5 (additive 1)``.

    Parameters
    ----------
    order : float, mapping or None
        As in the record of a scheme.
    """
    if not isinstance(order, Mapping):
        return _number(order)
    (_, first), *others = order.items()
    return f"{first:g} ({', '.join(f'{name} {value:g}' for name, value in others)})" if others else f"{first:g}"


def _ranges(rows: Sequence[OrderRow]) -> str:
    """Measured orders for each declared one, over the problems where it is judged: ``0.50 to 0.52 on 11``."""
    parts = []
    for declared in sorted({r.declared for r in rows if r.declared is not None}):
        found = [r for r in rows if r.declared == declared and r.judged and r.order is not None]
        if found:
            orders = [r.order for r in found if r.order is not None]
            low, high = f"{min(orders):.2f}", f"{max(orders):.2f}"
            problems = len({r.problem for r in found})
            parts.append(f"{low} on {problems}" if low == high else f"{low} to {high} on {problems}")
    return ", ".join(parts) or "–"


def readme_table(text: str, begin: str = BEGIN, end: str = END) -> str:
    """The table between two markers of a page.

    Parameters
    ----------
    text : str
    begin, end : str
        Default: those of the table of methods.

    Raises
    ------
    ParameterError
        If the markers are missing.
    """
    if begin not in text or end not in text:
        raise ParameterError(f"the text has no {begin} ... {end}; put both where the table of methods goes")
    return text.split(begin)[1].split(end)[0].strip()


def readme_faults(text: str) -> list[str]:
    """Where the declared columns of a README's table differ from the records of the schemes.

    Parameters
    ----------
    text : str
        Of the README.

    Raises
    ------
    ParameterError
        If the markers are missing.
    """
    return table_faults(readme_table(text), method_table())


def table_faults(shown: str, made: str) -> list[str]:
    """Where the columns of a table that are not measured differ from those of another.

    Parameters
    ----------
    shown, made : str
        Tables in Markdown: of a page, and from the records.
    """
    found, wanted = declared_columns(shown), declared_columns(made)
    missing = [f"{name} is missing" for name in wanted if name not in found]
    extra = [f"{name} is no registered method" for name in found if name not in wanted]
    stale = [
        f"{name} says {found[name]}, its record says {wanted[name]}"
        for name in wanted
        if name in found and found[name] != wanted[name]
    ]
    return missing + extra + stale


def declared_columns(table: str) -> dict[str, tuple[str, ...]]:
    """Rows by their first cell, without the columns whose heads begin with "measured".

    Parameters
    ----------
    table : str
        In Markdown.
    """
    head, _, *rows = [[c.strip() for c in row.strip("|").split("|")] for row in table.splitlines()]
    kept = [i for i, title in enumerate(head) if i and not title.startswith("measured")]
    return {row[0]: tuple(row[i] for i in kept) for row in rows if len(row) == len(head)}
