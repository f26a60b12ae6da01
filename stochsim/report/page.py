"""The report of a validation as one HTML file that needs nothing else."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from stochsim.errors import ParameterError
from stochsim.report import tables
from stochsim.report.rows import CheckRow, ClaimRow, MutantRow, OrderRow, Row, RunFacts, StabilityRow

__all__ = ["FILE_NAME", "render", "write_page"]

FILE_NAME = "index.html"
TEMPLATE = "page.html.j2"
EQUATIONS = "sde"  # the family whose orders are shown by problem, the others' by sampler
TITLES = {"mcmc": "Markov-chain samplers", "diffusion": "Diffusion samplers"}
COLOURS = {  # classes of the style sheet
    "confirmed": "good", "exact": "good", "holds": "good", "all caught": "good", "higher than declared": "more",
    "measured": "plain", "wrong limit": "bad", "lower than declared": "bad", "failed": "bad", "differs": "bad",
    "does not hold": "bad", "control not caught": "bad", "diverged": "bad",
}  # fmt: skip


def write_page(folder: Path, run: RunFacts, rows: Sequence[Row]) -> Path:
    """Write the report into a folder.

    Parameters
    ----------
    folder : Path
    run : RunFacts
    rows : sequence of Row

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ParameterError
        If the folder cannot be written.
    """
    text = render(run, rows)
    try:
        handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)  # a temporary file is private, a page is not
        os.replace(temporary, folder / FILE_NAME)
    except OSError as error:
        raise ParameterError(f"{folder} cannot be written ({error.strerror}); give a folder that can") from None
    return folder / FILE_NAME


def render(run: RunFacts, rows: Sequence[Row]) -> str:
    """The page as text.

    Parameters
    ----------
    run : RunFacts
    rows : sequence of Row
    """
    import jinja2

    from stochsim.report import figures

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("stochsim.report", "."), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"colour": colour, "number": number, "duration": duration}
    environment.globals["measured"] = tables.measured
    ours = [r for r in rows if r.family == EQUATIONS]
    orders = sorted((r for r in ours if isinstance(r, OrderRow)), key=_place(ours))
    stability = [r for r in rows if isinstance(r, StabilityRow)]
    drawn = figures.order_figures(orders)
    others = dict.fromkeys(r.family for r in rows if r.family != EQUATIONS and not isinstance(r, ClaimRow))
    return environment.get_template(TEMPLATE).render(
        run=run, rows=rows, orders=orders, surveys=[r for r in ours if isinstance(r, MutantRow)], stability=stability,
        families=[Section(name, rows, figures.group_figures) for name in others],
        claims=[r for r in rows if isinstance(r, ClaimRow)],
        counts=tables.counts(rows), sentences=tables.summary(rows), bad=[r for r in rows if r.contradicts or r.failed],
        matrices=[m for m in (Matrix(orders, "strong"), Matrix(orders, "weak")) if m.schemes],
        figures={kind: [f for f in drawn if f": {kind} " in f.title] for kind in ("strong", "weak")},
        stability_figure=figures.stability_figure(stability),
    )  # fmt: skip


def _place(rows: Sequence[Row]) -> Callable[[OrderRow], Any]:
    """Strong before weak, then problems in the order of their first row, schemes by name, paths before moments."""
    problems = {r.problem: i for i, r in reversed(list(enumerate(rows))) if isinstance(r, OrderRow)}
    return lambda r: (r.kind, problems[r.problem], r.scheme, r.method == "moments")


class Matrix:
    """Measured orders of one kind, a line for each problem and a column for each scheme.

    Parameters
    ----------
    rows : sequence of OrderRow
    kind : str
        "strong" or "weak"; of strong orders those on paths.
    """

    def __init__(self, rows: Sequence[OrderRow], kind: str) -> None:
        self.kind = kind
        chosen = [r for r in rows if r.kind == kind and (kind == "weak" or r.method != "moments")]
        self.problems = list(dict.fromkeys(r.problem for r in chosen))
        self.schemes = sorted({r.scheme for r in chosen})
        self._cells = {(r.problem, r.scheme): r for r in chosen}

    def cell(self, problem: str, scheme: str) -> OrderRow | None:
        """The row, or None where the scheme does not fit or was not run.

        Parameters
        ----------
        problem, scheme : str
        """
        return self._cells.get((problem, scheme))


class Section:
    """What a family of samplers shows: a line for each sampler, its checks, mutants and figures.

    Parameters
    ----------
    name : str
        Of the family.
    rows : sequence of Row
        Of the whole run.
    draw : callable
        Figures of rows.
    """

    def __init__(self, name: str, rows: Sequence[Row], draw: Callable[[Sequence[OrderRow]], Any]) -> None:
        own = [r for r in rows if r.family == name]
        self.name, self.title = name, TITLES.get(name, name)
        self.orders = sorted((r for r in own if isinstance(r, OrderRow)), key=lambda r: (r.scheme, r.kind, r.problem))
        self.checks = sorted((r for r in own if isinstance(r, CheckRow)), key=lambda r: (r.kind, r.scheme))
        self.mutants = [r for r in own if isinstance(r, MutantRow)]
        self.figures = draw(self.orders)
        self.columns = sorted({(r.kind, r.problem) for r in self.orders})
        self.schemes = list(dict.fromkeys(r.scheme for r in self.orders))
        self._cells = {(r.scheme, r.kind, r.problem): r for r in self.orders}

    def cell(self, scheme: str, column: tuple[str, str]) -> OrderRow | None:
        """The row of a sampler, or None where nothing was measured.

        Parameters
        ----------
        scheme : str
        column : tuple of str
            Kind and problem.
        """
        return self._cells.get((scheme, *column))


def colour(row: Row) -> str:
    """The class of a verdict in the style sheet.

    Parameters
    ----------
    row : Row
    """
    if isinstance(row, OrderRow) and not row.judged and not row.failed:
        return "plain"
    return COLOURS.get(row.verdict, "doubt")


def number(value: float | None, digits: int = 3) -> str:
    """A number with some significant digits, a dash for None.

    Parameters
    ----------
    value : float or None
    digits : int
    """
    return "–" if value is None else f"{value:.{digits}g}"


def duration(seconds: float) -> str:
    """Seconds below two minutes, else minutes and seconds.

    Parameters
    ----------
    seconds : float
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
