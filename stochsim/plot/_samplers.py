"""Figures of densities and of what samples them: contours, trajectories, marginals, phase portraits, errors, films."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from stochsim._figure import EXACT, MARKERS, coloured, dressed, label_corner, label_right, style, write_title
from stochsim.errors import ParameterError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

    from stochsim.densities import Density

__all__ = ["animate", "contours", "errors", "marginals", "phase_portrait", "trajectories"]

Box = tuple[tuple[float, float], tuple[float, float]]
LEVELS = (0.5, 2.0, 4.5, 8.0, 12.5)  # of -log p above its least value: one to five standard deviations of a Gaussian


def contours(density: Density, box: Box | None = None, ax: Axes | None = None, *, n: int = 200) -> Axes:
    """Draw a density in the plane as black lines, at 1, 2 ... 5 standard deviations if it were Gaussian.

    Parameters
    ----------
    density : Density
        With two components; it need not be normalised.
    box : ((x0, x1), (y0, y1)), optional
        Default: four standard deviations about the mean.
    ax : matplotlib Axes, optional
    n : int
        Points of the grid along each side.

    Raises
    ------
    ParameterError
        If the density has another number of components.
    """
    (x0, x1), (y0, y1) = box or _box(density)
    x, y = np.linspace(x0, x1, n), np.linspace(y0, y1, n)
    if density.d != 2:
        raise ParameterError(f"{density.name} has {density.d} components; contours are drawn of two")
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    potential = -np.asarray(density.log_prob(points)).reshape(n, n)
    with style():
        ax = dressed(ax)
        ax.contour(x, y, potential - np.nanmin(potential), levels=LEVELS, colors=EXACT, linewidths=0.6, alpha=0.7)
        ax.set(xlabel="x₁", ylabel="x₂", xlim=(x0, x1), ylim=(y0, y1))
    return ax


def trajectories(
    density: Density, dataset: xr.Dataset, ax: Axes | None = None, *, n: int = 3, box: Box | None = None
) -> Axes:
    """Draw the first chains, or particles, of a run over the contours of its density.

    Parameters
    ----------
    density : Density
        With two components.
    dataset : xarray.Dataset
        With ``x(chain, draw, component)`` of ``ss.mcmc.sample``, or ``x(particle, time, component)`` of
        ``ss.diffusion.sample`` with ``return_trajectory=True``.
    ax : matplotlib Axes, optional
    n : int
        How many.
    box : ((x0, x1), (y0, y1)), optional
    """
    along = next((name for name in ("draw", "time") if name in dataset.x.dims), None)
    if along is None:
        raise ParameterError("the dataset holds end points only; keep the draws, or the trajectory")
    who = next(str(name) for name in dataset.x.dims if name not in (along, "component"))
    curves = dataset.x.transpose(who, along, "component").values[:n]
    ax = contours(density, box, ax)
    with style():
        for curve, colour in coloured(list(curves)):
            ax.plot(*curve.T, "-", color=colour, linewidth=0.5, alpha=0.6)
            ax.plot(*curve.T, ".", color=colour, markersize=2.5)
        label_corner(ax, [(f"{who} {i}", colour) for i, colour in coloured(range(len(curves)))])
        said = str(dataset.attrs.get("sampler", "")).split("(")[0]
        write_title(ax, f"{density.name}: {said}, {curves.shape[1]} {along}s")
    return ax


def marginals(density: Density, samples: Any, axes: Sequence[Axes] | None = None, *, bins: int = 60) -> list[Axes]:
    """Draw the law of each component: samples as steps, the exact density in black where it is known.

    Parameters
    ----------
    density : Density
        With ``marginal``, as Gaussians and mixtures have it; others are drawn if they have one component.
    samples : array_like, shape (n, d), or xarray.Dataset
        A Dataset of chains or particles: all their draws.
    axes : sequence of matplotlib Axes, optional
        One for each component.
    bins : int
    """
    points = _points(samples, density.d)
    with style():
        from matplotlib import pyplot as plt

        if axes is None:
            _, made = plt.subplots(1, density.d, figsize=(3.2 * density.d + 0.4, 2.8), squeeze=False)
            axes = list(made[0])
        for i, ax in enumerate(axes):
            dressed(ax)
            _, edges, _ = ax.hist(points[:, i], bins=bins, density=True, histtype="step", color="#0072B2")
            law = _marginal(density, i)
            if law is not None:
                grid = np.linspace(edges[0], edges[-1], 400)
                ax.plot(grid, np.exp(np.asarray(law.log_prob(grid[:, None]))), color=EXACT)
            ax.set(xlabel=f"x{'₁₂₃₄₅₆₇₈₉'[i] if i < 9 else i + 1}", ylabel="density")
        write_title(axes[0], f"{density.name}: {len(points):,} draws, exact in black")
    return list(axes)


def phase_portrait(
    density: Density,
    integrators: Mapping[str, Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]],
    *,
    start: tuple[float, float],
    n_steps: int = 200,
    box: Box | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw level lines of H = p²/2 - log π(q) and the points that integrators visit.

    Parameters
    ----------
    density : Density
        With one component.
    integrators : mapping of str to callable
        ``step(q, p) -> q, p`` for arrays (1, n), by label.
    start : (q, p)
    n_steps : int
    box : ((q0, q1), (p0, p1)), optional
    ax : matplotlib Axes, optional
    """
    orbits = {name: _orbit(step, start, n_steps) for name, step in integrators.items()}
    reach = 1.3 * max(float(np.abs(orbit).max()) for orbit in orbits.values())
    (q0, q1), (p0, p1) = box or ((-reach, reach), (-reach, reach))
    q, p = np.linspace(q0, q1, 200), np.linspace(p0, p1, 200)
    energy = -np.asarray(density.log_prob(q[:, None]))[None, :] + 0.5 * p[:, None] ** 2
    here = 0.5 * start[1] ** 2 - float(density.log_prob(np.array([start[0]])))
    with style():
        ax = dressed(ax)
        lowest = float(np.nanmin(energy))
        levels = sorted(lowest + (here - lowest) * np.array([0.1, 0.4, 1.0, 1.6, 2.4]))
        ax.contour(q, p, energy, levels=levels, colors=EXACT, linewidths=0.5, alpha=0.6)
        for (name, orbit), colour in coloured(list(orbits.items())):
            ax.plot(*orbit.T, ".", color=colour, markersize=2.5, label=name)
        label_corner(ax, [(name, colour) for name, colour in coloured(list(orbits))])
        ax.set(xlabel="position q", ylabel="momentum p", xlim=(q0, q1), ylim=(p0, p1))
        write_title(ax, f"{density.name}: {n_steps} steps from ({start[0]:g}, {start[1]:g})")
    return ax


def errors(
    curves: Mapping[str, tuple[Any, Any]],
    *,
    xlabel: str = "step h",
    ylabel: str = "error",
    orders: Mapping[str, float] | None = None,
    base: int = 2,
    ax: Axes | None = None,
) -> Axes:
    """Draw errors against step sizes, or against evaluations, on logarithmic axes, with dashed slopes.

    Parameters
    ----------
    curves : mapping of str to (array, array)
        Abscissae and errors by label; errors of zero are left out.
    xlabel, ylabel : str
    orders : mapping of str to float, optional
        Slopes to draw through the smallest error of a curve; negative ones for evaluations.
    base : int
        Of the powers on the horizontal axis.
    ax : matplotlib Axes, optional
    """
    if not curves:
        raise ParameterError("no curves were given to draw; give at least one")
    with style():
        ax = dressed(ax)
        ax.set_xscale("log", base=base)
        ax.set_yscale("log")
        ends, labels = [], []
        for ((name, (x, y)), colour), marker in zip(coloured(list(curves.items())), cycle(MARKERS), strict=False):
            kept = (np.asarray(y) > 0.0) & np.isfinite(y)
            x, y = np.asarray(x, dtype=float)[kept], np.asarray(y, dtype=float)[kept]
            if not len(y):
                raise ParameterError(f"{name} has no positive error to draw")
            ax.plot(x, y, marker + "-", color=colour, linewidth=0.8)
            slope = (orders or {}).get(name)
            if slope is not None:
                at = int(np.argmin(y))
                ax.plot(x, y[at] * (x / x[at]) ** slope, "--", color=colour, linewidth=0.8, alpha=0.7)
            ends.append((float(x[np.argmax(x)]), float(y[np.argmax(x)])))
            labels.append((name if slope is None else f"{name} (slope {abs(slope):g})", colour))
        label_right(ax, ends, labels)
        ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def animate(
    states: Any,
    density: Density | None = None,
    *,
    box: Box | None = None,
    titles: Sequence[str] | None = None,
    interval: int = 60,
    tail: int = 0,
) -> FuncAnimation:
    """Make a film of particles in the plane; save it by ``film.save("film.gif", writer="pillow")``.

    Parameters
    ----------
    states : array_like, shape (frames, n, 2)
    density : Density, optional
        Drawn as contours.
    box : ((x0, x1), (y0, y1)), optional
        Default: that of the density, or of all states.
    titles : sequence of str, optional
        One for each frame.
    interval : int
        Milliseconds a frame.
    tail : int
        Frames for which a particle's way is shown behind it.
    """
    frames = np.asarray(states, dtype=float)
    if frames.ndim != 3 or frames.shape[-1] != 2:
        raise ParameterError(f"states have shape {frames.shape}; give (frames, n, 2)")
    with style():
        from matplotlib import pyplot as plt
        from matplotlib.animation import FuncAnimation

        figure, ax = plt.subplots(figsize=(3.6, 3.6))
        limits = box or (_box(density) if density is not None else _hull(frames))
        if density is not None:
            contours(density, limits, ax)
        else:
            dressed(ax).set(xlim=limits[0], ylim=limits[1])
        ways = [ax.plot([], [], "-", color="#0072B2", linewidth=0.6, alpha=0.5)[0] for _ in range(frames.shape[1])]
        points = ax.plot([], [], ".", color="#0072B2", markersize=3.0)[0]

        def show(k: int) -> list[Any]:
            points.set_data(*frames[k].T)
            if tail:
                for i, way in enumerate(ways):
                    way.set_data(*frames[max(0, k - tail) : k + 1, i].T)
            if titles is not None:
                ax.set_title(titles[k], loc="left")
            return [points, *ways]

        return FuncAnimation(figure, show, frames=len(frames), interval=interval)


def _box(density: Density) -> Box:
    centre, width = density.mean, 4.0 * np.sqrt(np.diag(density.covariance))
    if not (np.all(np.isfinite(centre)) and np.all(np.isfinite(width))):
        raise ParameterError(
            f"{density.name} has no finite moments to choose a box from; give box=((x0, x1), (y0, y1))"
        )
    low, high = centre - width, centre + width
    return (float(low[0]), float(high[0])), (float(low[-1]), float(high[-1]))


def _hull(frames: np.ndarray) -> Box:
    low, high = np.nanmin(frames, axis=(0, 1)), np.nanmax(frames, axis=(0, 1))
    pad = 0.05 * (high - low)
    return (float(low[0] - pad[0]), float(high[0] + pad[0])), (float(low[1] - pad[1]), float(high[1] + pad[1]))


def _points(samples: Any, d: int) -> np.ndarray:
    if hasattr(samples, "data_vars"):
        samples = samples.x.transpose(..., "component").values
    points = np.asarray(samples, dtype=float).reshape(-1, d)
    return np.asarray(points[np.isfinite(points).all(axis=1)])


def _marginal(density: Density, i: int) -> Density | None:
    if density.d == 1:
        return density if density.normalised else None
    marginal = getattr(density, "marginal", None)
    return marginal([i]) if callable(marginal) else None


def _orbit(step: Callable[..., Any], start: tuple[float, float], n_steps: int) -> np.ndarray:
    q, p = np.array([[start[0]]]), np.array([[start[1]]])
    visited = [(q[0, 0], p[0, 0])]
    for _ in range(n_steps):
        q, p = step(q, p)
        visited.append((q[0, 0], p[0, 0]))
    return np.array(visited)
