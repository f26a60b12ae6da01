"""Certificates: every registered sampler has its orders, and wrong ones are flagged."""

from collections.abc import Iterator
from itertools import pairwise
from math import expm1
from typing import Any

import numpy as np
import pytest

from stochsim.densities import GaussianMixture
from stochsim.diffusion import EDM, REGISTRY, VP, Model, certify, sampler
from stochsim.diffusion import _problems as problems
from stochsim.diffusion._evidence import Evidence
from stochsim.diffusion._weak import is_markov, weak_error

EM = REGISTRY["euler_maruyama"]
VARIANTS = [record.with_options(**options) for record in REGISTRY.values() for options in record.variants]


@pytest.mark.parametrize("record", VARIANTS, ids=lambda record: record.label)
def test_a_sampler_is_not_of_lower_order_than_it_says(record: Any) -> None:
    """On coarse grids slopes are within 0.3 of the claim or still move; the table of all is measured to 0.05."""
    certificate = certify(record, quick=True)
    assert certificate.verdict not in ("lower", "diverged"), f"\n{certificate}"


def multistep(past: str, curvature: float) -> Any:
    """DPM-Solver multistep-3 with data prediction: the curvature's coefficient is 2 phi_3, here a multiple of phi_3."""

    @sampler(kind="ode", path_order=3, reference="Lu et al. 2022b, appendix", register=False, name="multistep_3")
    def steps(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
        t, a, s, lam = model.tables(grid)
        known: list[tuple[float, Any]] = []
        if past == "exact":  # two earlier predictions, along the exact path
            for back in (2, 1):
                early = t[0] + back * (t[0] - t[1])
                y = problems.Paths(model.target, model.process).exact(x, t[0], early)
                known.append((float(model.process.lam(early)), model.denoised(y, early)))
        for i in range(len(t) - 1):
            D, h = model.denoised(x, t[i]), lam[i + 1] - lam[i]
            phi1, phi2 = -expm1(-h), -expm1(-h) / h - np.exp(-h)
            phi2, phi3 = h - phi1, h * h / 2 - h + phi1  # ∫ e^(u-h) u^k/k! du over the step
            x = (s[i + 1] / s[i]) * x + a[i + 1] * phi1 * D
            if known:
                l1, D1 = known[-1]
                first = (D - D1) / (lam[i] - l1)
                slope, bend = first, 0.0 * x
                if len(known) > 1:
                    l2, D2 = known[-2]
                    bend = (first - (D1 - D2) / (l1 - l2)) / (lam[i] - l2)
                    slope = first + (lam[i] - l1) * bend
                x = x + a[i + 1] * (phi2 * slope + curvature * phi3 * bend)
            known.append((lam[i], D))
            yield x

    return steps


def order(record: Any) -> list[Evidence]:
    return [row for row in certify(record, steps=(16, 32, 64, 128, 256, 512)).rows if row.measure == "path"]


def test_the_curvature_needs_its_factor_two() -> None:
    assert [row.verdict for row in order(multistep("exact", 2.0))] == ["confirmed", "confirmed"]
    assert [round(row.order) for row in order(multistep("exact", 1.0))] == [2, 2]
    assert {row.verdict for row in order(multistep("exact", 1.0))} == {"lower"}


def test_a_cold_start_caps_the_order() -> None:
    assert [row.verdict for row in order(multistep("cold", 2.0))] != ["confirmed", "confirmed"]


@sampler(kind="ode", path_order=2, reference="an order too high on purpose", register=False)
def trailing_euler(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
    """Heun's method in σ/α, but for a last half of Euler's."""
    t, a, s, _ = model.tables(grid)
    for i in range(len(t) - 1):
        step = s[i + 1] / a[i + 1] - s[i] / a[i]
        eps = model.eps(x, t[i])
        y = (a[i + 1] / a[i]) * x + a[i + 1] * step * eps
        if i < len(t) // 2:
            y = y + 0.5 * a[i + 1] * step * (model.eps(y, t[i + 1]) - eps)
        x = y
        yield x


def test_steps_of_lower_order_are_flagged() -> None:
    certificate = certify(trailing_euler, steps=(16, 32, 64, 128))
    assert certificate.verdict == "lower"
    assert "trailing_euler: lower (ode, VP" in repr(certificate)


@pytest.mark.parametrize(("scale", "verdict"), [(1.0, "confirmed"), (0.9, "lower")])
def test_noise_of_a_wrong_size_is_flagged(scale: float, verdict: str) -> None:
    @sampler(kind="sde", law_order=1, reference="Song et al. 2021, eq. 6", register=False)
    def steps(model: Any, x: Any, grid: Any, noise: Any) -> Iterator[Any]:
        p = model.process
        for t, s in pairwise(grid):
            h, g2 = t - s, p.g2(t)
            x = x - h * (p.f(t) * x - g2 * model.score(x, float(t))) + scale * np.sqrt(h * g2) * noise(hash(t), x.shape)
            yield x

    certificate = certify(steps, quick=True)
    assert {row.measure for row in certificate.rows} == {"law", "weak"}
    assert {row.verdict for row in certificate.rows} <= {verdict, "pre-asymptotic"}


def test_expectations_by_quadrature_are_those_of_a_gaussian_in_closed_form() -> None:
    """For a mixture of equal components the law is exact: E x and E x² follow from it."""
    both = GaussianMixture([0.5, 0.5], [1.0, 1.0], [0.25, 0.25])
    grid = problems.family(EM, VP())(8)
    law = EM.affine_law(problems.gaussian(), VP(), grid)
    m, v, M, V = law.mean[0], law.cov[0, 0], law.target_mean[0], law.target_cov[0, 0]

    def moments(m: float, v: float) -> np.ndarray:
        damped = np.exp(-(m**2) / (1 + 2 * v)) / np.sqrt(1 + 2 * v)
        return np.array([m, m**2 + v, np.exp(-2 * v) * np.sin(2 * m), np.exp(-2 * v) * np.cos(2 * m), damped])

    expected = np.sqrt(np.mean((moments(m, v) - moments(M, V)) ** 2))
    assert weak_error(EM, both, VP(), grid) == pytest.approx(expected, rel=1e-6)


def test_samplers_with_a_memory_are_not_called_markov() -> None:
    model, grid = Model(problems.mixture(), VP()), np.linspace(0.5, 0.2, 6)
    assert is_markov(REGISTRY["euler_maruyama"], model, grid)
    assert not is_markov(REGISTRY["sde_dpm_pp_2m"], model, grid)
    assert weak_error(REGISTRY["euler_maruyama"], problems.mixture(), VP(), grid) > 0.0


@pytest.mark.parametrize(
    ("power", "declared", "verdict"),
    [(2.0, 2.0, "confirmed"), (2.0, 3.0, "lower"), (2.0, 1.0, "higher"), (2.0, None, "reported")],
)
def test_verdicts_of_pure_powers(power: float, declared: float | None, verdict: str) -> None:
    work = (8, 16, 32, 64)
    errors = tuple(3.0 * n**-power * (1.0 + 5.0 / n) for n in work)
    row = Evidence("powers", "path", declared, work, errors)
    assert row.verdict == verdict
    assert row.order == pytest.approx(2.0, abs=0.03)


def test_errors_that_are_rounding_are_exact_and_others_move_too_much_to_tell() -> None:
    assert Evidence("none", "path", 2.0, (8, 16), (1e-15, 3e-15)).verdict == "exact"
    assert Evidence("moving", "path", 2.0, (8, 16, 32, 64), (1.0, 0.1, 0.05, 0.001)).verdict == "pre-asymptotic"
    assert Evidence("lost", "path", 2.0, (8, 16), (1.0, float("nan"))).verdict == "diverged"


def test_a_process_of_the_users_own_choice() -> None:
    assert certify(REGISTRY["ddim"], EDM(), steps=(32, 64, 128, 256)).confirmed
