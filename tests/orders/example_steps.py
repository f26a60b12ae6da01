"""One-step maps written by hand, for the tests of the noise-free order measurements.

Every map takes x (d, n), t, h and standardised draws xi (K, n), as in the papers; dW = sqrt(h) xi.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stochsim.orders.step_maps import StepFunction

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Problem:
    """dX = a(X) dt + b(X) dW (Itô) with db = b', and a starting point."""

    a: Function
    b: Function
    db: Function
    x0: float


def constant(value: float) -> Function:
    return lambda x: np.full_like(x, value)


GBM = Problem(lambda x: 0.5 * x, lambda x: 0.5 * x, constant(0.5), 1.0)
OU = Problem(lambda x: -x, constant(0.6), constant(0.0), 1.0)
SINH = Problem(
    lambda x: x / 2 + np.sqrt(x**2 + 1),
    lambda x: np.sqrt(x**2 + 1),
    lambda x: x / np.sqrt(x**2 + 1),
    0.0,
)
DOUBLE_WELL = Problem(lambda x: x - x**3, constant(0.5), constant(0.0), 0.5)
PROBLEMS = {"gbm": GBM, "ou": OU, "sinh": SINH, "double well": DOUBLE_WELL}


def euler_maruyama(p: Problem, drift: float = 1.0, noise: float = 1.0) -> StepFunction:
    """With `drift` and `noise` as factors of a planted bug."""

    def step(x, t, h, xi):
        return x + drift * p.a(x) * h + noise * p.b(x) * np.sqrt(h) * xi

    return StepFunction(step)


def milstein(p: Problem) -> StepFunction:
    def step(x, t, h, xi):
        return x + p.a(x) * h + p.b(x) * np.sqrt(h) * xi + p.b(x) * p.db(x) * h * (xi**2 - 1) / 2

    return StepFunction(step)


def platen_strong(p: Problem) -> StepFunction:
    """Kloeden & Platen 1992, (11.1.3): a support value instead of b'."""

    def step(x, t, h, xi):
        support = x + p.a(x) * h + p.b(x) * np.sqrt(h)
        correction = (p.b(support) - p.b(x)) * np.sqrt(h) * (xi**2 - 1) / 2
        return x + p.a(x) * h + p.b(x) * np.sqrt(h) * xi + correction

    return StepFunction(step)


def platen_weak(p: Problem) -> StepFunction:
    """Kloeden & Platen 1992, (15.1.1): explicit, weak order 2, three-point draw."""

    def step(x, t, h, xi):
        dw, root = np.sqrt(h) * xi, np.sqrt(h)
        a, b = p.a(x), p.b(x)
        end, up, down = x + a * h + b * dw, x + a * h + b * root, x + a * h - b * root
        mean = (p.b(up) + p.b(down) + 2 * b) * dw / 4
        return x + (p.a(end) + a) * h / 2 + mean + (p.b(up) - p.b(down)) * (dw**2 - h) / (4 * root)

    return StepFunction(step, 1, ("three_point",))


def drift_implicit_ou(rate: float = 1.0, noise: float = 0.6) -> StepFunction:
    """Drift-implicit Euler on dX = -rate X dt + noise dW, solved in closed form."""
    return StepFunction(lambda x, t, h, xi: (x + noise * np.sqrt(h) * xi) / (1 + rate * h))


def taylor_one_and_a_half(mu: float = 0.5, sigma: float = 0.5) -> StepFunction:
    """Strong Taylor 1.5 on GBM (Kloeden & Platen 1992, (10.4.1)); draws of dW and of dZ given dW."""

    def step(x, t, h, xi):
        dw = np.sqrt(h) * xi[0]
        dz = h**1.5 / 2 * (xi[0] + xi[1] / np.sqrt(3))
        factor = 1 + mu * h + sigma * dw + sigma**2 * (dw**2 - h) / 2
        factor += mu * sigma * dz + mu**2 * h**2 / 2 + mu * sigma * (dw * h - dz)
        return x * (factor + sigma**3 * (dw**2 / 3 - h) * dw / 2)

    return StepFunction(step, 1, ("normal", "normal"))


def aggregate_dw(h, first, second):
    return (first + second) / np.sqrt(2)


def aggregate_dw_dz(h, first, second):
    """dZ over two steps h is dZ_1 + dZ_2 + h dW_1; standardised for the step 2h."""
    dw = [np.sqrt(h) * xi[0] for xi in (first, second)]
    dz = [h**1.5 / 2 * (xi[0] + xi[1] / np.sqrt(3)) for xi in (first, second)]
    whole_w, whole_z = dw[0] + dw[1], dz[0] + dz[1] + h * dw[0]
    xi = whole_w / np.sqrt(2 * h)
    return np.array([xi, np.sqrt(3) * (2 * whole_z / (2 * h) ** 1.5 - xi)])
