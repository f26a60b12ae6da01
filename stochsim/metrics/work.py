"""Shadow work and heat of an integrator: what its steps do to the energy, and the identities this obeys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.errors import ParameterError
from stochsim.metrics._arrays import FloatArray, probability
from stochsim.metrics.check import Check, mean_check, t_check

__all__ = ["ShadowWork", "shadow_work"]


@dataclass(frozen=True, kw_only=True, repr=False)
class ShadowWork:
    """Statistics of the shadow work W of independent trajectories started in equilibrium, in units of kT.

    Parameters
    ----------
    mean, error : float
        Mean of W, never negative in expectation, and its standard error.
    variance : float
        Variance of W; about twice the mean where W is small.
    heat : float
        Mean heat; nan where none was given.
    acceptance : float
        Mean of min(1, e^-W): what a Metropolis test of whole trajectories would accept.
    identity : Check
        E[e^-W] = 1, by a t-test corrected for skewness.
    symmetry : Check
        E[min(1, e^-W)] = 2 P(W < 0) + P(W = 0): a bounded form, for time-reversible integrators.
    """

    mean: float
    error: float
    variance: float
    heat: float
    acceptance: float
    identity: Check
    symmetry: Check

    def __repr__(self) -> str:
        head = f"shadow work {self.mean:.4g} ± {self.error:.2g}, variance {self.variance:.4g}"
        heat = "" if np.isnan(self.heat) else f", heat {self.heat:.4g}"
        return f"{head}{heat}, acceptance {self.acceptance:.4f}\n{self.identity!r}\n{self.symmetry!r}"


def shadow_work(work: Any, heat: Any = None, false_alarm: float = 1e-3) -> ShadowWork:
    r"""Mean shadow work and heat of trajectories, with the identities that hold for a correct integrator.

    Parameters
    ----------
    work : (n,) or (n, n_steps) array
        Shadow work, the energy that the deterministic parts (drifts and kicks) of each step add, in units of kT; the
        steps of a trajectory are summed. For Hamiltonian Monte Carlo it is the energy error H(end) - H(start).
        Trajectories are independent and start in the target.
    heat : (n,) or (n, n_steps) array, optional
        Energy that the thermostat parts add, in the same units.
    false_alarm : float, default 1e-3
        Rate of both checks together.

    Returns
    -------
    ShadowWork
        The statistics and the two checks.

    Raises
    ------
    ParameterError
        Fewer than 30 trajectories, entries that are not finite, or a heat of another shape.

    Notes
    -----
    For volume-preserving drifts and kicks and an exact thermostat :math:`E e^{-W} = 1` (Jarzynski 1997; Sivak, Chodera
    & Crooks 2013). The mean of a variable so skewed makes Student's test liberal, so the statistic is Hall's monotone
    transformation (Hall 1992); the rate holds for Var W up to about one. If the sequence of parts is also a
    palindrome, :math:`p(-W) = e^{-W} p(W)` (Crooks 1999), hence :math:`E[e^{-W}; W > 0] = P(W < 0)`, which is bounded
    and holds its rate for any W.
    """
    w = _trajectories(work, "work")
    rate = probability(false_alarm, "false_alarm") / 2
    gain = np.exp(-np.maximum(w, 0.0))
    return ShadowWork(
        mean=float(w.mean()),
        error=float(w.std(ddof=1) / np.sqrt(len(w))),
        variance=float(w.var(ddof=1)),
        heat=_mean_heat(heat, np.shape(work)),
        acceptance=float(gain.mean()),
        identity=_skewed_mean_check("E[exp(-W)] = 1", np.expm1(-w), rate),
        symmetry=mean_check("P(W) exp(-W) = P(-W)", np.where(w > 0, gain, -1.0 * (w < 0)), rate),
    )


def _trajectories(work: Any, name: str) -> FloatArray:
    array = np.asarray(work, dtype=np.float64)
    total = array.sum(axis=1) if array.ndim == 2 else array
    if total.ndim != 1 or len(total) < 30:
        raise ParameterError(
            f"{name} has shape {array.shape}; (n,) or (n, n_steps) with n >= 30 trajectories is needed"
        )
    if not np.isfinite(total).all():
        raise ParameterError(
            f"{(~np.isfinite(total)).sum()} of {len(total)} trajectories have a {name} that is not finite"
        )
    return np.asarray(total)


def _mean_heat(heat: Any, shape: tuple[int, ...]) -> float:
    if heat is None:
        return float("nan")
    if np.shape(heat) != shape:
        raise ParameterError(f"heat has shape {np.shape(heat)} and work {shape}; give the same trajectories and steps")
    return float(_trajectories(heat, "heat").mean())


def _skewed_mean_check(name: str, values: FloatArray, false_alarm: float) -> Check:
    """Is the mean zero? Student's t after Hall's transformation, which removes the skewness of order n^-1/2."""
    n, deviation = len(values), float(values.std(ddof=1))
    if deviation == 0:
        return mean_check(name, values, false_alarm)
    skewness = float(((values - values.mean()) ** 3).mean()) / deviation**3
    u = float(values.mean()) / deviation
    corrected = u + skewness * u**2 / 3 + skewness**2 * u**3 / 27 + skewness / (6 * n)
    return t_check(name, corrected, 1 / np.sqrt(n), n - 1, false_alarm, n)
