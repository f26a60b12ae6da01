"""Local orders: how two one-step maps differ, by exact expectation over the draws of one step.

With D the difference of two steps from the same state with the same draws, a scheme of strong order p may
be changed by D without losing that order if |E D| = O(h^(p + 1)) and (E |D|^2)^(1/2) = O(h^(p + 1/2))
(Milstein & Tretyakov 2004, Theorem 1.1); it keeps weak order q if the moments of one step change by
O(h^(q + 1)). Both exponents are multiples of one half and are read off the slope at small h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stochsim.orders.step_maps import StepMap, noise_rule

STEPS = 2.0 ** -np.array([9.0, 11.0])
ROUNDING = 1e-13  # differences below this, relative to the state, are rounding


@dataclass(frozen=True)
class LocalOrders:
    """Exponents of h: of the mean of D, of its root mean square, and of the change of the moments."""

    mean: float
    root_mean_square: float
    moments: float

    def keeps_strong(self, order: float) -> bool:
        """Whether a scheme of this strong order stays one."""
        return self.mean >= order + 1.0 and self.root_mean_square >= order + 0.5

    def keeps_weak(self, order: float) -> bool:
        """Whether a scheme of this weak order stays one."""
        return self.moments >= order + 1.0


def local_orders(
    step: StepMap, other: StepMap, states: np.ndarray, t: float = 0.3, *, lagged: bool = False
) -> LocalOrders:
    """Local orders of the difference of two steps.

    Parameters
    ----------
    step, other : StepMap
        Maps with the same primitives.
    states : (d, n) array
        States to try; the smallest exponent counts.
    t : float
        Time of the step.
    lagged : bool
        The second map uses draws independent of the first's (an increment of another step).
    """
    xi, weights = noise_rule(step.primitives * (2 if lagged else 1), 6)
    k = len(step.primitives)
    own, others = (xi[:k], xi[k:]) if lagged else (xi, xi)
    rows = []
    for h in STEPS:
        worst = np.zeros(3)
        for x in states.T:
            points = np.repeat(x[:, None], xi.shape[1], axis=1)
            a, b = step(points, t, float(h), own), other(points, t, float(h), others)
            worst = np.maximum(worst, _sizes(a, b, weights, 1.0 + np.abs(x).max()))
        rows.append(worst)
    return LocalOrders(*(_exponent(a, b) for a, b in zip(rows[0], rows[1], strict=True)))


def _sizes(a: np.ndarray, b: np.ndarray, weights: np.ndarray, scale: float) -> np.ndarray:
    d = a - b
    mean = np.abs(d @ weights).max()
    spread = math.sqrt(float((d**2 @ weights).max()))
    moments = max(np.abs((a**q - b**q) @ weights).max() for q in (1, 2, 3))
    return np.array([mean, spread, moments]) / scale


def _exponent(coarse: float, fine: float) -> float:
    if not (math.isfinite(coarse) and math.isfinite(fine)):
        return 0.0
    if coarse < ROUNDING or fine < ROUNDING * 1e-2:
        return math.inf
    slope = math.log(coarse / fine) / math.log(STEPS[0] / STEPS[1])
    return round(2 * slope) / 2
