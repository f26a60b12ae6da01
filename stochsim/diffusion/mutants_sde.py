"""Published stochastic formulas that are not of the order they are taken for: `certify` has to tell.

Each claims the order that its authors or users give it; none is registered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import exp, expm1, sqrt
from typing import Any

import numpy as np

from stochsim.diffusion.record import Sampler, sampler
from stochsim.diffusion.samplers._adams import POINTS as GAUSS
from stochsim.diffusion.samplers._adams import WEIGHTS, adams
from stochsim.diffusion.samplers._er_sde import moderate_noise
from stochsim.diffusion.samplers._sa_solver import exponential_rule

__all__ = ["MUTANTS"]

PARTS = 100  # of the authors' sum


def riemann(function: Callable[[Any], Any], low: float, high: float) -> float:
    """Sum over the left ends of 100 parts."""
    u = low + np.arange(PARTS) / PARTS * (high - low)
    return float((function(u) * (high - low) / PARTS).sum())


def gauss(function: Callable[[Any], Any], low: float, high: float) -> float:
    """The same integral to rounding."""
    half = 0.5 * (high - low)
    return float((function(low + half * (GAUSS + 1.0)) * WEIGHTS * half).sum())


def taylor(
    model: Any, x: Any, grid: Any, noise: Any, phi: Callable[[Any], Any], integral: Callable[..., float], order: int
) -> Iterator[Any]:
    """ER-SDE-2 and -3 as published: backward differences for the derivatives, lower orders first (algorithms 2, 3)."""
    t, a, s, _ = model.tables(grid)
    rho = [sigma / alpha for sigma, alpha in zip(s, a, strict=True)]
    old, slope, old_slope = None, None, None
    for i in range(len(t) - 1):
        here, there = rho[i], rho[i + 1]
        end = float(phi(there))
        D, r = model.denoised(x, t[i]), end / float(phi(here))
        y = r * x / a[i] + (1.0 - r) * D
        if old is not None:
            slope = (D - old) / (here - rho[i - 1])
            y = y + (there - here + end * integral(lambda u: 1.0 / phi(u), there, here)) * slope
        if old_slope is not None and order == 3:
            bend = 2.0 * (slope - old_slope) / (here - rho[i - 2])
            moment = integral(lambda u, here=here: (u - here) / phi(u), there, here)
            y = y + (0.5 * (there - here) ** 2 + end * moment) * bend
        spread = max(there**2 - (here * r) ** 2, 0.0)
        x = a[i + 1] * (y + sqrt(spread) * noise(i, x.shape))
        old, old_slope = D, slope
        yield x


@sampler(kind="sde", law_order=2, reference="Cui et al. 2024, the authors' er_sde_solver.py", register=False)
def er_sde_2_sum(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """ER-SDE-2 with the integral as a left sum of 100 points: its error is of the first order in the step."""
    yield from taylor(model, x, grid, noise, moderate_noise, riemann, 2)


@sampler(kind="sde", law_order=3, reference="Cui et al. 2024, the authors' er_sde_solver.py", register=False)
def er_sde_3_sum(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """ER-SDE-3 without noise (φ = ρ), with the integrals as left sums of 100 points."""
    yield from taylor(model, x, grid, noise, np.asarray, riemann, 3)


@sampler(kind="sde", law_order=3, reference="Cui et al. 2024, algorithm 3", register=False)
def er_sde_3_backward(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """ER-SDE-3 without noise, exact integrals, but the first derivative by a backward difference: order 2."""
    yield from taylor(model, x, grid, noise, np.asarray, gauss, 3)


@sampler(kind="sde", law_order=3, reference="Crowson 2022, k-diffusion, sample_dpmpp_3m_sde at eta = 0", register=False)
def sde_3m_without_two(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """DPM++ 3M SDE without noise, φ₃ D₂ in place of 2 φ₃ D₂ and a start from low orders."""
    t, a, s, lam = model.tables(grid)
    data: list[Any] = []
    for i in range(len(t) - 1):
        h, data = lam[i + 1] - lam[i], [model.denoised(x, t[i]), *data[:2]]
        phi2 = 1.0 + expm1(-h) / h
        y = (s[i + 1] / s[i]) * x - (a[i + 1] * expm1(-h)) * data[0]
        if len(data) == 2:
            y += (a[i + 1] * phi2 * h / (lam[i] - lam[i - 1])) * (data[0] - data[1])
        if len(data) == 3:
            r0, r1 = (lam[i] - lam[i - 1]) / h, (lam[i - 1] - lam[i - 2]) / h
            first, second = (data[0] - data[1]) / r0, (data[1] - data[2]) / r1
            bend = (first - second) / (r0 + r1)
            y += (a[i + 1] * phi2) * (first + r0 * bend) - (a[i + 1] * (phi2 / h - 0.5)) * bend
        x = y
        yield x


@sampler(kind="sde", law_order=2, reference="ports of Crowson 2022 without its Brownian tree", nfe=2, register=False)
def dpm_pp_sde_two_paths(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """DPM++ SDE (r = ½) whose two stages draw independent normal numbers: the law is of order 1."""
    t, a, s, lam = model.tables(grid)
    for i in range(len(t) - 1):
        h, D = lam[i + 1] - lam[i], model.denoised(x, t[i])
        middle = float(model.process.t_of_lam(lam[i] + 0.5 * h))
        a_mid, s_mid = float(model.process.alpha(middle)), float(model.process.sigma(middle))
        u = _exact(x, D, s[i], (a_mid, s_mid), 0.5 * h, noise(2 * i, x.shape))
        x = _exact(x, model.denoised(u, middle), s[i], (a[i + 1], s[i + 1]), h, noise(2 * i + 1, x.shape))
        yield x


@sampler(kind="sde", law_order=1, reference="an 'SDE variant' discussed in k-diffusion, issue 59", register=False)
def flow_with_noise(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """The drift of the probability flow with the noise of the reverse equation: it tends to another law."""
    t = np.asarray(grid, dtype=float)
    f, g2 = model.process.f(t).tolist(), model.process.g2(t).tolist()
    for i, h in enumerate((t[:-1] - t[1:]).tolist()):
        x = (1.0 - h * f[i]) * x + (0.5 * h * g2[i]) * model.score(x, float(t[i]))
        x += sqrt(h * g2[i]) * noise(i, x.shape)
        yield x


@sampler(kind="sde", law_order=1, nfe=2, reference="Song et al. 2021, algorithm 5 (a fixed r)", register=False)
def corrector_of_fixed_snr(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """Predictor–corrector with the published Langevin step 2 (0.16 σ)²: a bias that no number of steps removes."""
    from stochsim.diffusion.samplers import predictor_corrector

    yield from predictor_corrector.steps(model, x, grid, noise, snr=0.16, scale="step")


@sampler(kind="sde", law_order=3, reference="Xue et al. 2023, algorithm 1: lower orders first", register=False)
def sa_3_cold(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """SA-Solver's three-step predictor without noise, begun with orders 1 and 2: order 2."""
    yield from adams(model, x, grid, noise, exponential_rule(model, grid, 0.0), predictor=3)


def _exact(x: Any, D: Any, sigma: float, levels: tuple[float, float], h: float, z: Any) -> Any:
    """The step of the reverse equation for a constant data prediction."""
    a, s = levels
    return (s / sigma * exp(-h)) * x - (a * expm1(-2.0 * h)) * D + (s * sqrt(-expm1(-2.0 * h))) * z


MUTANTS: tuple[Sampler, ...] = (
    er_sde_2_sum, er_sde_3_sum, er_sde_3_backward, sde_3m_without_two, dpm_pp_sde_two_paths, flow_with_noise,
    corrector_of_fixed_snr, sa_3_cold,
)  # fmt: skip
