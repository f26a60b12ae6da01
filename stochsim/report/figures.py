"""Figures of a report: errors against step for each problem, and the regions of stability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stochsim import plot
from stochsim.orders.stability import StabilityRegion
from stochsim.report.rows import OrderRow, StabilityRow

__all__ = ["Figure", "group_figures", "order_figures", "stability_figure"]

MOST_CURVES = 7  # of a figure, so that their labels stand apart


@dataclass(frozen=True)
class Figure:
    """A drawing with what it shows.

    Parameters
    ----------
    title : str
    svg : str
        An ``<svg>`` element.
    note : str
        Said below it.
    """

    title: str
    svg: str
    note: str = ""


def order_figures(rows: Sequence[OrderRow]) -> list[Figure]:
    """A figure for each problem and kind of order, in the order of the rows.

    Schemes whose step is the same formula on a problem share a curve; the note says which.

    Parameters
    ----------
    rows : sequence of OrderRow
        Those without a positive error are left out, and strong orders by moments, which are straight lines.
    """
    groups: dict[tuple[str, str], list[OrderRow]] = {}
    for row in rows:
        drawn = row.kind == "weak" or row.method != "moments"
        if drawn and any(np.isfinite(row.errors) & (np.array(row.errors) > 0)):
            groups.setdefault((row.problem, row.kind), []).append(row)
    return [_figure(key, group) for key, group in groups.items()]


def _figure(key: tuple[str, str], rows: Sequence[OrderRow]) -> Figure:
    problem, kind = key
    drawn = [r for r in rows if not r.same_as]
    shared = [f"{r.scheme} as {r.same_as}" for r in rows if r.same_as]
    title = f"{problem}: {kind} order by {' and '.join(sorted({r.method for r in rows}))}"
    svg = plot.to_svg(plot.order([r.estimate() for r in drawn]), title)
    return Figure(title, svg, "Same formula here: " + ", ".join(shared) + "." if shared else "")


def group_figures(rows: Sequence[OrderRow]) -> list[Figure]:
    """Figures of a family with many samplers: those of one kind, problem and declared order together, some at a time.

    Parameters
    ----------
    rows : sequence of OrderRow
        For each sampler and kind the last problem is drawn, and laws where there are no paths. Rows that declare
        nothing, or have fewer than two positive errors, are left out.
    """
    can = [r for r in rows if r.declared is not None and sum(e > 0.0 for e in r.errors) > 1]
    with_paths = {r.scheme for r in can if r.kind == "path"}
    chosen = {(r.scheme, r.kind): r for r in can if r.kind != "law" or r.scheme not in with_paths}
    groups: dict[tuple[str, str, float], list[OrderRow]] = {}
    for row in chosen.values():
        groups.setdefault((row.kind, row.problem, float(row.declared or 0.0)), []).append(row)
    drawn = []
    for (kind, problem, declared), group in sorted(groups.items()):
        for first in range(0, len(group), MOST_CURVES):
            part = group[first : first + MOST_CURVES]
            title = f"{kind} on {problem}, order {declared:g} declared"
            drawn.append(Figure(title, plot.to_svg(plot.order([r.estimate() for r in part]), title)))
    return drawn


def stability_figure(rows: Sequence[StabilityRow]) -> Figure | None:
    """The regions of mean-square stability of all schemes; those that are equal are drawn once.

    Parameters
    ----------
    rows : sequence of StabilityRow
    """
    regions: list[StabilityRegion] = []
    for row in rows:
        amplification = np.array(row.amplification)
        same = [i for i, r in enumerate(regions) if _equal(r.amplification, amplification)]
        name = f"{regions[same[0]].scheme}, {row.scheme}" if same else row.scheme
        region = StabilityRegion(np.array(row.lh), np.array(row.mu2h), amplification, scheme=name)
        regions = [region if i in same else r for i, r in enumerate(regions)] + ([] if same else [region])
    if not regions:
        return None
    title = "Mean-square stability on dX = lambda X dt + mu X dW"
    return Figure(title, plot.to_svg(plot.stability(regions), title))


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-9, atol=1e-12))
