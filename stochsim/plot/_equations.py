"""Figures of equations and schemes: paths, densities, orders, stability."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stochsim._figure import (
    EXACT,
    MARKERS,
    OKABE_ITO,
    as_list,
    coloured,
    dressed,
    label_corner,
    label_right,
    style,
    write_title,
)
from stochsim.errors import ParameterError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from stochsim.orders.estimate import OrderEstimate
    from stochsim.orders.stability import StabilityRegion

__all__ = ["density", "order", "paths", "stability"]

Floats = NDArray[np.float64]

Z95 = 1.959963984540054  # half-width of a 95 % interval in standard errors
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SHORTEST_AXIS = 2.0  # decades: a shorter logarithmic axis may hold a single power of ten


def order(estimates: OrderEstimate | Sequence[OrderEstimate], ax: Axes | None = None) -> Axes:
    """Draw errors against steps, with 95 % bars and a dashed line of the declared slope.

    Parameters
    ----------
    estimates : OrderEstimate or sequence of OrderEstimate
        One estimate, or several to lay over each other. Levels whose error is zero or not finite are
        left out.
    ax : matplotlib Axes, optional
        Where to draw; a new figure when omitted.

    Returns
    -------
    matplotlib Axes
        Step sizes on a logarithmic axis of powers of two, errors on one of powers of ten.

    Raises
    ------
    ParameterError
        There is no estimate, or one of them has no positive error to draw.
    """
    several = as_list(estimates)
    with style():
        ax = dressed(ax)
        ends = [
            _draw_errors(ax, estimate, colour, marker)
            for (estimate, colour), marker in zip(coloured(several), cycle(MARKERS), strict=False)
        ]
        _set_log_axes(ax)
        names = _names(several)
        labels = [
            (_order_label(estimate, name), colour)
            for (estimate, colour), name in zip(coloured(several), names, strict=True)
        ]
        label_right(ax, ends, labels)
        ax.set_xlabel("step h")
        ax.set_ylabel(" and ".join(sorted({estimate.kind for estimate in several})) + " error")
        write_title(ax, _order_title(several))
    return ax


def stability(regions: StabilityRegion | Sequence[StabilityRegion], ax: Axes | None = None) -> Axes:
    """Draw where a scheme is mean-square stable on dX = λX dt + μX dW (Itô), and in black where X is.

    Parameters
    ----------
    regions : StabilityRegion or sequence of StabilityRegion
        One region, or several to lay over each other; the coloured line is E|R|² = 1.
    ax : matplotlib Axes, optional
        Where to draw; a new figure when omitted.

    Returns
    -------
    matplotlib Axes
        λh across, μ²h up, both real. X itself is stable where 2λ + μ² < 0 (D. J. Higham 2000, SIAM J.
        Numer. Anal. 38, 753-769), left of the black line.

    Raises
    ------
    ParameterError
        There is no region, or its amplification does not have one row per μ²h and one column per λh.
    """
    several = as_list(regions)
    with style():
        ax = dressed(ax)
        for region, colour in coloured(several):
            _draw_region(ax, region, colour)
        left = min(float(np.min(region.lh)) for region in several)
        right = max(float(np.max(region.lh)) for region in several)
        top = max(float(np.max(region.mu2h)) for region in several)
        ax.plot([-top / 2, 0.0], [top, 0.0], color=EXACT)
        ax.set(xlim=(left, max(right, 0.0)), ylim=(0.0, top), xlabel="λh", ylabel="μ²h")
        names = [(region.scheme or "scheme", colour) for region, colour in coloured(several)]
        label_corner(ax, [("exact", EXACT), *names])
        write_title(ax, "mean-square stability, E|R|² < 1")
    return ax


def paths(dataset: xr.Dataset, ax: Axes | None = None, n: int = 20) -> Axes:
    """Draw the first paths of a simulation against time, one colour per component.

    Parameters
    ----------
    dataset : xarray.Dataset
        Variables over (path, time) or (path, time, component), as ``simulate(..., save="all")`` returns them.
    ax : matplotlib Axes, optional
        Where to draw; a new figure when omitted.
    n : int
        Number of paths to draw at most.

    Returns
    -------
    matplotlib Axes
        Time across, the components up, in the units of the model.

    Raises
    ------
    ParameterError
        No variable has both a path and a time, one has a further dimension than its component, or n < 1.
    """
    if n < 1:
        raise ParameterError(f"n = {n} paths were asked for, and at least 1 is needed")
    curves = _curves(dataset)
    time, total = np.asarray(dataset["time"], dtype=float), dataset.sizes["path"]
    drawn = min(n, total)
    with style():
        ax = dressed(ax)
        for values, colour in coloured(list(curves.values())):
            ax.plot(time, values[:drawn].T, color=colour, linewidth=0.9, alpha=max(0.4, min(1.0, 5 / drawn)))
        ax.margins(x=0)
        if len(curves) == 1:
            ax.set_ylabel(next(iter(curves)))
        else:
            ends = [(float(time[-1]), float(np.nanmedian(values[:drawn, -1]))) for values in curves.values()]
            label_right(ax, ends, coloured(list(curves)))
        ax.set_xlabel("time t")
        write_title(ax, ", ".join([*_said(dataset, "scheme"), f"{drawn} of {total:,} paths"]))
    return ax


def density(
    values: ArrayLike,
    exact: Callable[[Floats], Floats] | None = None,
    ax: Axes | None = None,
    bins: int = 50,
    name: str = "simulated",
) -> Axes:
    """Draw a histogram with 95 % bars, and an exact density in black over it.

    Parameters
    ----------
    values : array_like
        Samples of one real variable, of any shape; they are taken as independent.
    exact : callable, optional
        The exact density: an array of points to the array of its values there.
    ax : matplotlib Axes, optional
        Where to draw; a new figure when omitted.
    bins : int
        Number of bins between the smallest and the largest value.
    name : str
        What the histogram is called in the figure.

    Returns
    -------
    matplotlib Axes
        The variable across, probability per unit of it up.

    Raises
    ------
    ParameterError
        There are no values, or some are not finite.
    """
    sample = np.ravel(np.asarray(values, dtype=float))
    if not sample.size or not np.isfinite(sample).all():
        bad = f"{np.count_nonzero(~np.isfinite(sample))} of {sample.size}"
        raise ParameterError(f"{bad} values are not finite: give at least one value, all of them finite")
    with style():
        ax = dressed(ax)
        heights, centres, edges = _draw_histogram(ax, sample, bins)
        labels = [(name, OKABE_ITO[0])]
        if exact is not None:
            x = np.linspace(edges[0], edges[-1], 801)
            ax.plot(x, exact(x), color=EXACT)
            labels = [("exact", EXACT), *labels]
        peak = float(centres[np.argmax(heights)])
        ax.margins(x=0)
        label_corner(ax, labels, "right" if peak < (edges[0] + edges[-1]) / 2 else "left")
        ax.set(xlabel="x", ylabel="density", ylim=(0, None))
        write_title(ax, f"{sample.size:,} samples")
    return ax


def _draw_errors(ax: Axes, estimate: OrderEstimate, colour: str, marker: str) -> tuple[float, float]:
    """Points, bars and slope of one estimate; gives its coarsest point, where the label goes."""
    h, errors = np.asarray(estimate.h, dtype=float), np.asarray(estimate.errors, dtype=float)
    drawn = np.isfinite(errors) & (errors > 0)
    if not drawn.any():
        raise ParameterError(
            f"{estimate.scheme} on {estimate.problem} has no positive error to draw on a logarithmic axis; "
            "an exact scheme has no figure of its order"
        )
    kept = np.argsort(h[drawn])
    h, errors = h[drawn][kept], errors[drawn][kept]
    bars = _log_bars(errors, None if estimate.errors_se is None else np.asarray(estimate.errors_se)[drawn][kept])
    ax.errorbar(h, errors, bars, fmt=marker, color=colour, elinewidth=1, capsize=2, zorder=3)
    ax.plot(h, errors, color=colour, linewidth=0.8, alpha=0.5)
    if estimate.declared is not None:
        slope = errors[0] * (h / h[0]) ** estimate.declared  # through the finest point
        ax.plot(h, slope, "--", color=colour, zorder=2)
    return float(h[-1]), float(errors[-1])


def _log_bars(errors: Floats, se: Floats | None) -> Floats | None:
    """95 % bars of log(error), by the delta method: they stay above zero."""
    if se is None or not np.any(se > 0):
        return None
    spread = Z95 * se / errors
    return np.stack([errors * -np.expm1(-spread), errors * np.expm1(spread)])


def _set_log_axes(ax: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(LogLocator(base=2, numticks=9))
    ax.xaxis.set_major_formatter(FuncFormatter(partial(_power, 2)))
    ax.yaxis.set_major_formatter(FuncFormatter(partial(_power, 10)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_locator(NullLocator())
    low, high = np.log10(ax.get_ylim())
    spare = max(0.0, SHORTEST_AXIS - (high - low)) / 2
    ax.set_ylim(10 ** (low - spare), 10 ** (high + spare))


def _power(base: int, value: float, _: int) -> str:
    """A tick as a power with a superscript in plain Unicode: Matplotlib's mathematics takes ten times as long."""
    exponent = math.log(value, base)
    if abs(exponent - round(exponent)) > 1e-6:
        return f"{value:.3g}"
    return f"{base}{str(round(exponent)).translate(SUPERSCRIPT)}"


def _names(several: list[OrderEstimate]) -> list[str]:
    """The schemes; with the problem, then the method, where that alone does not tell two curves apart."""
    for parts in (("scheme",), ("scheme", "problem"), ("scheme", "problem", "method")):
        names = [", ".join(getattr(estimate, part, "") for part in parts) for estimate in several]
        if len(set(names)) == len(names):
            break
    return names


def _order_label(estimate: OrderEstimate, name: str) -> str:
    from stochsim.orders.digits import with_interval

    if math.isnan(estimate.order):
        return f"{name}\n{estimate.verdict}"
    text = with_interval(estimate.order, estimate.half_width, decimals=2 if estimate.half_width >= 0.005 else 3)
    theory = "" if estimate.declared is None else f"\n(theory {estimate.declared:g})"
    return f"{name}\n{text}{theory}"


def _order_title(several: list[OrderEstimate]) -> str:
    problems = list(dict.fromkeys(estimate.problem for estimate in several))
    kinds = sorted({estimate.kind for estimate in several})
    counts = sorted({estimate.n_paths for estimate in several if estimate.n_paths})
    title = f"{', '.join(problems)}: {' and '.join(kinds)} order"
    if counts:
        title += f", {counts[0]:,} paths" if len(counts) == 1 else f", {counts[0]:,} to {counts[-1]:,} paths"
    return title


def _draw_region(ax: Axes, region: StabilityRegion, colour: str) -> None:
    grid = len(region.mu2h), len(region.lh)
    if np.shape(region.amplification) != grid:
        raise ParameterError(
            f"the amplification of {region.scheme} has shape {np.shape(region.amplification)}; give {grid}, "
            "one row per value of mu2h and one column per value of lh"
        )
    levels = region.lh, region.mu2h, region.amplification
    ax.contourf(*levels, levels=[-1.0, 1.0], colors=[colour], alpha=0.15)
    ax.contour(*levels, levels=[1.0], colors=[colour], linewidths=1.2)


def _draw_histogram(ax: Axes, sample: Floats, bins: int) -> tuple[Floats, Floats, Floats]:
    counts, edges = np.histogram(sample, bins)
    share, width = counts / sample.size, np.diff(edges)
    heights, centres = share / width, (edges[:-1] + edges[1:]) / 2
    bars = Z95 * np.sqrt(share * (1 - share) / sample.size) / width
    ax.stairs(heights, edges, fill=True, color=OKABE_ITO[0], alpha=0.25)
    ax.errorbar(centres, heights, bars, fmt="none", color=OKABE_ITO[0], elinewidth=0.8)
    return heights, centres, edges


def _curves(dataset: xr.Dataset) -> dict[str, Floats]:
    """Name to (path, time) of every component of every variable that has paths and times."""
    curves: dict[str, Floats] = {}
    for name, variable in dataset.data_vars.items():
        if not {"path", "time"} <= set(variable.dims):
            continue
        extra = set(variable.dims) - {"path", "time", "component"}
        if extra:
            one = ", ".join(f"{dim}=0" for dim in sorted(map(str, extra)))
            raise ParameterError(
                f"{name} has the dimensions {', '.join(map(str, variable.dims))}, and a path is a curve over "
                f"time: choose a value first, as in dataset.isel({one})"
            )
        if "component" not in variable.dims:
            curves[str(name)] = np.asarray(variable.transpose("path", "time"))
            continue
        for label, part in zip(variable["component"].values, variable.transpose("component", ...), strict=True):
            shown = label if isinstance(label, str) else f"{name}[{label}]"
            curves[shown] = np.asarray(part.transpose("path", "time"))
    if not curves:
        raise ParameterError(
            f"no variable of the dataset has both a path and a time, only {dict(dataset.sizes)}: simulate "
            'with save="all" or with an array of times'
        )
    return curves


def _said(dataset: xr.Dataset, attribute: str) -> list[str]:
    return [str(dataset.attrs[attribute])] if attribute in dataset.attrs else []
