"""How every figure looks: colours, axes, direct labels, and the way into a page.

Exact answers are black, methods have the Okabe–Ito colours, labels stand beside what they name.
"""

from __future__ import annotations

import html
import io
import re
import textwrap
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from stochsim.errors import ParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["EXACT", "MARKERS", "OKABE_ITO", "as_list", "coloured", "dressed", "label_corner", "label_right",
           "style", "to_svg", "write_title"]  # fmt: skip

Label = tuple[str, str]  # text, colour
T = TypeVar("T")

EXACT = "black"
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""The colours of the methods, readable with any colour vision; the palette's yellow is lost on white."""

MARKERS = "os^Dv"  # one fewer than the colours: the pair repeats after thirty methods

RC: Any = {
    "figure.figsize": (4.6, 3.4),
    "figure.constrained_layout.use": True,
    "figure.dpi": 120,
    "savefig.dpi": 200,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "stochsim",
}

LETTER = 5.4  # points, a wide average of the letters of a title


def style() -> AbstractContextManager[None]:
    """Give the style as a context manager: ``with style(): ...`` around a figure of your own."""
    import matplotlib
    from cycler import cycler

    return matplotlib.rc_context({**RC, "axes.prop_cycle": cycler(color=OKABE_ITO)})


def dressed(ax: Axes | None) -> Axes:
    """Give new axes where none are given; in both cases without a box, over a light grid."""
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots()
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(visible=True, color="#e8e8e8", linewidth=0.6)
    ax.set_axisbelow(True)
    return ax


def write_title(ax: Axes, text: str) -> None:
    """Write a title from the left edge, in as many lines as keep it clear of axes beside these."""
    points = ax.get_window_extent().width * 72 / ax.figure.dpi
    letters = 60 if len(ax.figure.axes) == 1 else max(12, int(points / LETTER))
    ax.set_title("\n".join(textwrap.wrap(text, letters)), loc="left")


def as_list(one_or_several: T | Sequence[T]) -> list[T]:
    """Give a list of at least one thing to draw.

    Raises
    ------
    ParameterError
        The list is empty.
    """
    several = list(one_or_several) if isinstance(one_or_several, Sequence) else [one_or_several]
    if not several:
        raise ParameterError("an empty list was given to draw: give one object, or a list of at least one")
    return several


def coloured(items: Iterable[T]) -> list[tuple[T, str]]:
    """Give each item the colour of its place."""
    return [(item, OKABE_ITO[i % len(OKABE_ITO)]) for i, item in enumerate(items)]


def label_right(ax: Axes, ends: Sequence[tuple[float, float]], labels: Sequence[Label]) -> None:
    """Write each label right of the axes at the height of its curve's end, apart where they would touch.

    Parameters
    ----------
    ax : matplotlib Axes
        With its curves drawn and its scales set.
    ends : sequence of (x, y)
        In the units of the data, one per label.
    labels : sequence of (text, colour)
        The text may have several lines.
    """
    from scipy.optimize import isotonic_regression

    ax.set_ylim(ax.get_ylim())  # settles a pending autoscale, without which the next transform is stale
    to_axes = ax.transData + ax.transAxes.inverted()
    height = np.array([to_axes.transform(end)[1] for end in ends])
    rank = np.argsort(height, kind="stable")
    lines = max(text.count("\n") + 1 for text, _ in labels)
    step = 0.06 * lines
    size = 8 * min(1.0, 1 / (step * len(ends)))  # so many that they would not fit are written smaller
    step *= size / 8
    steps = step * np.arange(len(ends))
    near = isotonic_regression(height[rank] - steps).x  # least squares, labels at least a step apart
    placed = np.clip(near, step / 2, 1 - step / 2 - steps[-1]) + steps
    for i, y in zip(rank, placed, strict=True):
        text, colour = labels[i]
        ax.text(1.02, y, text, color=colour, fontsize=size, va="center", transform=ax.transAxes)


def label_corner(ax: Axes, labels: Iterable[Label], side: str = "right") -> None:
    """Write labels under each other in the upper ``"right"`` or ``"left"`` corner, where nothing is drawn."""
    x = 0.98 if side == "right" else 0.02
    for row, (text, colour) in enumerate(labels):
        y = 0.98 - 0.06 * row
        ax.text(x, y, text, color=colour, fontsize=8, ha=side, va="top", transform=ax.transAxes)


def to_svg(drawing: Axes | Figure, description: str = "") -> str:
    """Write a figure as an ``<svg>`` element to be put into a page, and close the figure.

    The same drawing gives the same text: no date, no random identifiers. A report draws hundreds of
    figures, which is why this one is closed.

    Parameters
    ----------
    drawing : matplotlib Axes or Figure
        What the functions of stochsim.plot return, or a figure of your own.
    description : str
        Said to readers who do not see the figure.

    Returns
    -------
    str
        One element, from ``<svg`` to ``</svg>``, with its glyphs as paths: nothing is loaded from elsewhere.

    Raises
    ------
    ParameterError
        The axes were removed from their figure.
    """
    from matplotlib import pyplot as plt

    figure = drawing.get_figure(root=True)
    if figure is None:
        raise ParameterError("these axes belong to no figure any more: give axes that were not removed")
    buffer = io.StringIO()
    with style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].rstrip()
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # never referred to, and twice in a page of two figures
    if description:
        text = text.replace("<svg", f'<svg role="img" aria-label="{html.escape(description)}"', 1)
    return text
