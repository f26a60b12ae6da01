"""Times to step at: arrays with both ends explicit, falling from noise to data."""

from __future__ import annotations

import numpy as np

from stochsim.diffusion._align import align_your_steps
from stochsim.diffusion._ends import ends, pinned
from stochsim.diffusion.forward import Forward, Process
from stochsim.errors import ParameterError

__all__ = [
    "align_your_steps",
    "exponential",
    "karras",
    "power_time",
    "quadratic",
    "uniform",
    "uniform_angle",
    "uniform_lam",
]


def uniform(process: Forward, n_steps: int, start: float | None = None, stop: float | None = None) -> np.ndarray:
    """Equal steps of time.

    Parameters
    ----------
    process : Process
    n_steps : int
    start, stop : float, optional
        First and last time; by default ``process.t_end`` and ``process.t_min``.

    Returns
    -------
    ndarray, shape (n_steps + 1,)
    """
    return power_time(process, n_steps, start, stop, power=1.0)


def quadratic(process: Forward, n_steps: int, start: float | None = None, stop: float | None = None) -> np.ndarray:
    """Equal steps of √t (Song, Meng & Ermon 2021, appendix D.2).

    Parameters
    ----------
    process : Process
    n_steps : int
    start, stop : float, optional

    Returns
    -------
    ndarray, shape (n_steps + 1,)
    """
    return power_time(process, n_steps, start, stop, power=2.0)


def power_time(
    process: Forward, n_steps: int, start: float | None = None, stop: float | None = None, *, power: float = 2.0
) -> np.ndarray:
    """Equal steps of t^(1/power) (a power schedule of Zhang & Chen 2023, appendix).

    Parameters
    ----------
    process : Process
    n_steps : int
    start, stop : float, optional
    power : float
        Above 1: shorter steps near the data.

    Returns
    -------
    ndarray, shape (n_steps + 1,)
    """
    first, last = ends(process, n_steps, start, stop)
    inner = (first ** (1 / power) + _fractions(n_steps) * (last ** (1 / power) - first ** (1 / power))) ** power
    return pinned(process, inner, first, last)


def uniform_lam(process: Process, n_steps: int, start: float | None = None, stop: float | None = None) -> np.ndarray:
    """Equal steps of λ = log(α/σ) (Lu et al. 2022, section 3.4); both λ must be finite.

    Parameters
    ----------
    process : Process
    n_steps : int
    start, stop : float, optional

    Returns
    -------
    ndarray, shape (n_steps + 1,)

    Raises
    ------
    ParameterError
        If an end has no noise or no data left.
    """
    first, last = ends(process, n_steps, start, stop)
    lam = [float(process.lam(t)) for t in (first, last)]
    if not np.all(np.isfinite(lam)):
        raise ParameterError(
            f"log(alpha/sigma) is {lam[0]:g} at {first:g} and {lam[1]:g} at {last:g}; give ends with both data and "
            "noise left (start=, stop=)"
        )
    return pinned(process, process.t_of_lam(lam[0] + _fractions(n_steps) * (lam[1] - lam[0])), first, last)


def karras(
    process: Process, n_steps: int, start: float | None = None, stop: float | None = None, *, rho: float = 7.0
) -> np.ndarray:
    """Equal steps of (σ/α)^(1/rho) (Karras et al. 2022, eq. 5).

    Parameters
    ----------
    process : Process
    n_steps : int
    start, stop : float, optional
    rho : float
        7 in the paper; 1 gives equal steps of σ/α, and large values those of its logarithm.

    Returns
    -------
    ndarray, shape (n_steps + 1,)

    Raises
    ------
    ParameterError
        If nothing of the data is left at the start.
    """
    first, last = ends(process, n_steps, start, stop)
    high, low = (float(np.exp(-process.lam(t))) for t in (first, last))
    if not np.isfinite(high):
        raise ParameterError(f"sigma/alpha is infinite at {first:g}; give a start below, where some data is left")
    inner = high ** (1 / rho) + _fractions(n_steps)[1:-1] * (low ** (1 / rho) - high ** (1 / rho))
    times = process.t_of_lam(-rho * np.log(inner))
    return pinned(process, np.concatenate([[first], times, [last]]), first, last)


def exponential(process: Forward, n_steps: int, start: float | None = None, stop: float | None = None) -> np.ndarray:
    """Equal steps of log t, that is of log σ where σ = t.

    Parameters
    ----------
    process : Process
    n_steps : int
    start, stop : float, optional

    Returns
    -------
    ndarray, shape (n_steps + 1,)

    Raises
    ------
    ParameterError
        If an end is 0.
    """
    first, last = ends(process, n_steps, start, stop)
    if min(first, last) <= 0.0:
        raise ParameterError(f"steps of log t cannot end at {min(first, last):g}; give a positive stop=")
    return pinned(process, np.exp(np.log(first) + _fractions(n_steps) * np.log(last / first)), first, last)


def uniform_angle(
    process: Process, n_steps: int, start: float | None = None, stop: float | None = None, *, scale: float = 1.0
) -> np.ndarray:
    """Equal steps of the angle arctan(σ/(α scale)): the best for DDIM on N(m, scale² I).

    There a DDIM step multiplies standardised deviations by the cosine of the step; the product of cosines with a given
    sum of angles is largest where all are equal.

    Parameters
    ----------
    process : Process
    n_steps : int
    start, stop : float, optional
    scale : float
        Standard deviation of the data.

    Returns
    -------
    ndarray, shape (n_steps + 1,)
    """
    first, last = ends(process, n_steps, start, stop)
    angles = [float(np.arctan2(process.sigma(t), process.alpha(t) * scale)) for t in (first, last)]
    inner = angles[0] + _fractions(n_steps)[1:-1] * (angles[1] - angles[0])
    times = process.t_of_lam(-np.log(scale * np.tan(inner)))
    return pinned(process, np.concatenate([[first], times, [last]]), first, last)


def _fractions(n_steps: int) -> np.ndarray:
    return np.linspace(0.0, 1.0, n_steps + 1)
