"""Exact expectations E f(X_T) from what a model knows in closed form."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from stochsim.codegen.arrays import compile_arrays
from stochsim.orders.richardson import Extrapolation
from stochsim.parameters import Namespace
from stochsim.sde import SDE
from stochsim.steps import read_solution

Functional = Callable[[np.ndarray], np.ndarray]
ROUNDING = 1e-14
NODES = np.linspace(-11.0, 11.0, 1761)  # the trapezoidal rule on a Gaussian weight: exact to rounding


def expectation(sde: SDE, f: Functional, t_end: float, t0: float = 0.0) -> Extrapolation | None:
    """E f(X_T) at the first parameter values with its uncertainty, or None where no closed form gives it.

    From the solution as a function of W_T (m = 1), else from the transition density (d = 1), by quadrature.
    """
    if sde.d != 1:
        return None
    solution = sde.solution
    if solution is not None and solution.functionals is None and sde.m == 1:
        return _over_brownian(sde, f, t_end, t0)
    if sde.density is not None:
        return _over_density(sde, f, t_end - t0)
    return None


def _over_brownian(sde: SDE, f: Functional, t_end: float, t0: float) -> Extrapolation:
    formula, solution = sde.formula(), sde.solution
    assert solution is not None
    (node,) = read_solution(sde, solution, formula, first=1)
    names = ("x0", "x1", "t", "p._start", *formula.parameters.vector_names)
    vector = list(formula.parameters.first_vector().values())
    w = NODES * np.sqrt(t_end - t0)
    with np.errstate(all="ignore"):
        (x,) = compile_arrays((node,), names)(float(sde.start.reshape(-1)[0]), w, t_end, t0, *vector)
        weighted = np.exp(-0.5 * NODES**2) / np.sqrt(2 * np.pi) * f(np.broadcast_to(x, w.shape))
    fine = float(np.sum(weighted) * (NODES[1] - NODES[0]))
    coarse = float(np.sum(weighted[::2]) * (NODES[2] - NODES[0]))
    return Extrapolation(fine, abs(fine - coarse) + ROUNDING * float(np.sum(np.abs(weighted))))


def _over_density(sde: SDE, f: Functional, t: float) -> Extrapolation:
    from scipy.integrate import quad

    p: Any = Namespace(sde.parameters.first())
    x0 = float(sde.start.reshape(-1)[0])
    assert sde.density is not None
    density = sde.density
    centre, spread = x0, 1.0
    if sde.mean is not None and sde.cov is not None:
        centre = float(np.squeeze(sde.mean(t, x0, p)))
        spread = float(np.sqrt(np.squeeze(sde.cov(t, x0, p))))
    inner = [centre + k * spread for k in (-14, -8, -4, -2, 0, 2, 4, 8, 14)]
    points = [-np.inf, *inner, np.inf]  # heavy tails reach far beyond any number of standard deviations

    def integrand(x: float) -> float:
        value = float(np.squeeze(density(np.array([x]), t, x0, p)))
        return value * float(np.squeeze(f(np.array([x])))) if value > 0 else 0.0

    total, uncertainty = 0.0, 0.0
    for lo, hi in pairwise(points):
        value, error = quad(integrand, lo, hi, epsabs=1e-14, epsrel=1e-13, limit=200)
        total, uncertainty = total + value, uncertainty + error
    return Extrapolation(total, uncertainty + ROUNDING * abs(total))
