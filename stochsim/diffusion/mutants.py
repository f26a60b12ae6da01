"""Published formulas of lower order than they are said to have, kept to show that certificates find them out.

Each is our own writing of the formula as published or shipped, with the order its authors claim. None is registered as
a sampler: they are here to be refused by `stochsim.diffusion.certify`.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import expm1, factorial, isfinite
from typing import Any

import numpy as np

from stochsim.diffusion.record import Sampler, sampler
from stochsim.diffusion.samplers._coefficients import combine, phi
from stochsim.diffusion.samplers._deis_tab import deis_tab
from stochsim.diffusion.samplers._dpm_solver_2 import dpm_solver_2
from stochsim.diffusion.samplers._dpm_solver_3 import dpm_solver_3
from stochsim.diffusion.samplers._exponential_ab import exponential_ab
from stochsim.diffusion.samplers._rho_ab import rho_ab
from stochsim.diffusion.samplers._steps import first_order, start_step

__all__ = ["MUTANTS"]


def _multistep_3_without_the_factor_2(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """DPM-Solver++ multistep-3 with φ_3 D2 where D2, a divided difference, is half of the second derivative.

    It begins with two steps of a Runge–Kutta method of order 3, so that nothing but the coefficient is to blame.
    """
    t, a, s, lam = model.tables(grid)
    past: list[Any] = []
    for i in range(len(t) - 1):
        h = lam[i + 1] - lam[i]
        d = model.denoised(x, t[i])
        past = [d, *past][:3]
        if len(past) < 3 or not isfinite(h):
            x = start_step(model, x, d, "x0", t[i], t[i + 1], 3)
        else:
            r0, r1 = (lam[i] - lam[i - 1]) / h, (lam[i - 1] - lam[i - 2]) / h
            first, before = (past[0] - past[1]) / r0, (past[1] - past[2]) / r1
            d1, d2 = first + r0 / (r0 + r1) * (first - before), (first - before) / (r0 + r1)
            x = (s[i + 1] / s[i]) * x + (a[i + 1] * h) * (phi(1, -h) * d + phi(2, -h) * d1 + phi(3, -h) * d2)
        yield x


def _unipc_with_a_stale_index(
    model: Any, x: Any, grid: Any, noise: Any, *, order: int = 3
) -> Iterator[Any]:  # fmt: skip
    """UniPC with varying coefficients, whose corrector takes the row of the matrix that its loop left behind.

    The coefficient of D_new - D should be Σ_k hφ_{k+1} A_k; there stands the row of the last k below order - 1.
    """
    t, a, s, lam = model.tables(grid)
    m: Any = model.denoised(x, t[0])
    past: list[tuple[float, Any]] = []
    for i in range(len(t) - 1):
        h = lam[i + 1] - lam[i]
        past = [(lam[i], m), *past][:order]
        if len(past) < order or not isfinite(h):
            x = start_step(model, x, m, "x0", t[i], t[i + 1], min(order, 4))
            m = model.denoised(x, t[i + 1]) if i < len(t) - 2 else m
        else:
            ratios = [(place - lam[i]) / h for place, _ in past[1:]]
            steps = [(value - m) / r for (_, value), r in zip(past[1:], ratios, strict=True)]
            base = (s[i + 1] / s[i]) * x - (a[i + 1] * expm1(-h)) * m
            x = base - a[i + 1] * _total(_rows(ratios, -h).sum(axis=0), steps)
            if i < len(t) - 2:
                new = model.denoised(x, t[i + 1])
                rows = _rows([*ratios, 1.0], -h)
                x = base - a[i + 1] * _total(rows[: order - 1, :-1].sum(axis=0), steps)
                scale = _h_phi(order, -h) / _h_phi(max(order - 1, 1), -h)
                x = x - (a[i + 1] * scale * float(rows[max(order - 2, 0), -1])) * (new - m)
                m = new
        yield x


def _rows(ratios: list[float], hh: float) -> np.ndarray:
    """The inverse of C_jk = r_j^k/(k+1)!, its row k times the coefficient hh φ_{k+2}."""
    n = len(ratios)
    c = np.array([[r**k / factorial(k + 1) for k in range(n)] for r in ratios])
    return np.array([_h_phi(k + 1, hh) for k in range(n)])[:, None] * np.linalg.inv(c) if n else np.zeros((0, 0))


def _h_phi(k: int, hh: float) -> float:
    return hh * phi(k + 1, hh)


def _total(weights: np.ndarray, values: list[Any]) -> Any:
    return combine(weights.tolist(), values) if values else 0.0


def _trailing_low_orders(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """DPM-Solver-3 but for the last two intervals, which are given to DPM-Solver-2 and DPM-Solver-1.

    So spends its budget the planner of 3 K + ... evaluations: orders 3, ..., 3, 2, 1.
    """
    t = np.asarray(grid, dtype=float)
    for i in range(len(t) - 3):
        x = dpm_solver_3(model, x, t[i : i + 2], noise)
        yield x
    x = dpm_solver_2(model, x, t[-3:-1], noise)
    yield x
    _, a, s, _ = model.tables(t[-2:])
    yield first_order(x, model.eps(x, float(t[-2])), "eps", a[0], s[0], a[1], s[1])


def _ddim_with_integer_times(model: Any, x: Any, grid: Any, noise: Any, *, n_train: int = 10_000) -> Iterator[Any]:
    """DDIM whose step goes from round(i t) to t - n_train // n: times of a table, and a step rounded down.

    So the state at the next time is that of another one, unless the number of steps divides the whole. In use there are
    1000 times; here there are more, lest the step be rounded down to nothing.
    """
    t = np.asarray(grid, dtype=float)
    scale = n_train / model.process.t_end
    asked = np.round(t * scale)
    step = int(abs(asked[-1] - asked[0])) // (len(t) - 1)
    for i in range(len(t) - 1):
        now, then = asked[i] / scale, max(asked[i] - step, 0.0) / scale
        a, s = model.process.alpha(np.array([now, then])), model.process.sigma(np.array([now, then]))
        x = first_order(x, model.eps(x, now), "eps", float(a[0]), float(s[0]), float(a[1]), float(s[1]))
        yield x


def _mutant(steps: Any, name: str, order: Any, reference: str, **record: Any) -> Sampler:
    declare = sampler(
        kind="ode", path_order=order, law_order=order, reference=reference, name=name, register=False, **record
    )
    return declare(steps)


def _cold(record: Sampler, claim: int, order: int) -> Sampler:
    """A multistep sampler that begins with lower orders, with the order of its formula as claim."""

    def steps(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
        yield from record.steps(model, x, grid, noise, order=order, starter="cold")

    return _mutant(
        steps, f"{record.name} of order {claim}, cold", claim, record.reference, starter="cold",
        history=claim - 1, parametrisation=record.parametrisation,
    )  # fmt: skip


MUTANTS = (
    _mutant(
        _multistep_3_without_the_factor_2, "multistep-3 without the factor 2", 3,
        "Lu et al. 2022b, multistep-3 as in the authors' code and its descendants", history=2, parametrisation="x0",
        starter="Runge–Kutta of order 3",
    ),
    _mutant(
        _unipc_with_a_stale_index, "UniPC with a stale index", lambda o: o["order"] + 1.0,
        "Zhao et al. 2023, varying coefficients as in the authors' code", history=2, parametrisation="x0",
        starter="Runge–Kutta", variants=({"order": 2}, {"order": 3}),
    ),
    _mutant(
        _trailing_low_orders, "DPM-Solver-3 with trailing steps of order 2 and 1", 3,
        "Lu et al. 2022, section 3.4 (DPM-Solver-fast)", nfe=3,
    ),
    _mutant(
        _ddim_with_integer_times, "DDIM with integer times", 1,
        "Song, Meng & Ermon 2021, as commonly run with 1000 training times and a step of 1000 // n",
    ),
    _cold(rho_ab, 4, 4),
    _cold(deis_tab, 4, 3),
    _cold(exponential_ab, 4, 4),
)  # fmt: skip
