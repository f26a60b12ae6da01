"""Problems and grids on which samplers are certified: two targets on the line, families of doubling grids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import grids
from stochsim.diffusion.augmented import CriticallyDampedLangevin, PFGMpp
from stochsim.diffusion.exact import flow_map
from stochsim.diffusion.forward import Exploding, Process
from stochsim.diffusion.processes import VP
from stochsim.diffusion.record import Sampler

LAM = (-1.0, 1.0)  # λ at both ends: the data emerges there, and slopes settle within some hundred steps
SPREAD = np.linspace(-2.0, 2.0, 13)  # of starting points, in standard deviations

Family = Callable[[int], np.ndarray]


def gaussian() -> Gaussian:
    """N(1, 0.25)."""
    return Gaussian([1.0], [0.25])


def mixture() -> GaussianMixture:
    """0.4 N(-1, 0.3²) + 0.6 N(1, 0.5²)."""
    return GaussianMixture([0.4, 0.6], [-1.0, 1.0], [0.09, 0.25])


def default_process(record: Sampler) -> Any:
    """The process that a sampler is written for; VP where any will do."""
    if record.process is not None:
        return record.process()
    return CriticallyDampedLangevin() if record.space == "phase" else VP()


def family(record: Sampler, process: Any, *, to_data: bool = False) -> Family:
    """Grids n -> times of the kind for which the claims hold; to the end of the noise, if asked.

    Where any grid will do the steps are uniform in √t for exploding processes and in t for others, so that neither λ
    nor σ/α has equal steps.
    """
    if not isinstance(process, Process):
        return lambda n: grids.uniform(process, n, 0.8 * process.t_end, 0.1 * process.t_end)
    start, stop = (float(process.t_of_lam(lam)) for lam in LAM)
    if to_data:
        return lambda n: grids.uniform(process, n, start, 0.0)
    if record.uniform_in == "lam":
        return lambda n: grids.uniform_lam(process, n, start, stop)
    if record.uniform_in == "rho":
        return lambda n: grids.karras(process, n, start, stop, rho=1.0)
    if record.uniform_in == "any" and isinstance(process, Exploding):
        return lambda n: grids.quadratic(process, n, start, stop)
    return lambda n: grids.uniform(process, n, start, stop)


@dataclass(frozen=True)
class Paths:
    """Points of the first time, and where the probability flow takes them.

    Parameters
    ----------
    target : Density
        On the line.
    process : Process
    """

    target: Any
    process: Any

    def points(self, t: float) -> np.ndarray:
        """Points (1, n) that cover the law at t."""
        alpha, sigma = float(self.process.alpha(t)), float(self.process.sigma(t))
        law = self.target.noised(alpha, sigma)
        return np.asarray(law.mean + np.sqrt(law.covariance[0, 0]) * SPREAD)[None]

    def exact(self, x: np.ndarray, t: float, s: float) -> np.ndarray:
        """The points at time s: in closed form, or for PFGM++ by an integration to 1e-13."""
        if not isinstance(self.process, PFGMpp):
            return flow_map(self.target, self.process, x, t, s)
        from scipy.integrate import solve_ivp

        from stochsim.diffusion.model import Model

        model = Model(self.target, self.process)

        def rate(time: float, state: np.ndarray) -> np.ndarray:
            return np.asarray(model.velocity(state[None], time)[0])

        return np.asarray(solve_ivp(rate, (t, s), x[0], method="DOP853", rtol=1e-13, atol=1e-14).y[:, -1])[None]
