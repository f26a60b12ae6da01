"""Coefficients of multistep and exponential methods against high precision and exact integrals."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from stochsim.densities import Gaussian
from stochsim.diffusion import VP, Model
from stochsim.diffusion.samplers._coefficients import adams, collocation, exponential, gauss_legendre, phi
from stochsim.diffusion.samplers._model_statistics import intervals
from stochsim.diffusion.samplers._tableaux import TABLEAUX, Tableau


@pytest.mark.parametrize("k", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("h", [-30.0, -2.1, -1.9, -0.3, -1e-9, 0.0, 1e-5, 0.7, 1.99, 2.01, 9.0])
def test_phi_is_right_to_rounding(k: int, h: float) -> None:
    with mpmath.workdps(60):
        exact = mpmath.nsum(lambda j: mpmath.mpf(h) ** int(j) / mpmath.factorial(int(j) + k), [0, 150])
    assert phi(k, h) == pytest.approx(float(exact), rel=2e-13)


def test_adams_weights_for_equal_steps_are_those_of_bashforth() -> None:
    known = [Fraction(55, 24), Fraction(-59, 24), Fraction(37, 24), Fraction(-9, 24)]
    assert adams([0.0, -1.0, -2.0, -3.0], 1.0) == pytest.approx([float(w) for w in known], rel=1e-13)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("h", [0.003, 0.8, -0.5])
def test_exponential_weights_integrate_polynomials_exactly(sign: float, h: float) -> None:
    nodes = [0.0, -0.9 * h, -2.2 * h, -3.0 * h]
    w = exponential(nodes, h, sign)
    for power in range(4):
        exact = mpmath.quad(lambda u, q=power: mpmath.exp(sign * (h - u)) * u**q, [0, h])
        scale = abs(h) ** (power + 1)
        assert sum(a * u**power for a, u in zip(w, nodes, strict=True)) == pytest.approx(
            float(exact), abs=1e-13 * scale
        )


def test_exponential_weights_of_an_infinite_step_take_the_newest_value() -> None:
    assert exponential([0.0, -1.0], float("inf"), -1.0) == [1.0, 0.0]


def test_running_integrals_are_exact_for_polynomials() -> None:
    nodes, gauss = gauss_legendre(5)
    assert collocation(nodes.tolist()) @ nodes**4 == pytest.approx(nodes**5 / 5.0, rel=1e-12)
    assert gauss @ nodes**9 == pytest.approx(0.1, rel=1e-13)


@pytest.mark.parametrize("name", TABLEAUX)
def test_tableaux_meet_the_order_conditions_of_quadrature(name: str) -> None:
    """Σ b c^{q-1} = 1/q up to the order, and Σ b_i a_ij c_j = 1/6 from order 3; the embedded method one order less."""
    rk: Tableau = TABLEAUX[name]
    c = np.array([0.0, *rk.c])
    a = np.zeros((rk.stages, rk.stages))
    for i, row in enumerate(rk.a):
        a[i + 1, : len(row)] = row
    for b, order in ((rk.b, rk.order), *([(rk.lower, rk.order - 1)] if rk.lower else [])):
        for q in range(1, order + 1):
            assert np.dot(b, c ** (q - 1)) == pytest.approx(1.0 / q, abs=1e-14)
        if order >= 3:
            assert np.array(b) @ a @ c == pytest.approx(1.0 / 6.0, abs=1e-14)


def test_statistics_of_an_isotropic_gaussian_are_the_closed_ones() -> None:
    """L = σ²/(α² v + σ²) is logistic in λ, so that e^{-∫l} is known; the rest of the flow is a constant."""
    v, lam = 0.3, np.array([-1.0, 0.25, 1.5])
    model = Model(Gaussian([0.5, -1.0], [v, v]), VP())
    parts = intervals(model, lam)
    assert model.nfe == 0

    def level(x: float) -> float:
        return 1.0 / (1.0 + v * np.exp(2.0 * x))

    for part, start, end in zip(parts, lam[:-1], lam[1:], strict=True):
        assert part.start == pytest.approx([level(start)] * 2, rel=1e-11)
        assert part.end == pytest.approx([level(end)] * 2, rel=1e-11)
        # ∫ l = (end - start) - ½ log((1 + v e^{2 end})/(1 + v e^{2 start}))
        decay = np.exp(start - end) * np.sqrt(level(start) / level(end))
        assert part.decay == pytest.approx([decay] * 2, rel=1e-11)
        assert part.turn == pytest.approx([1.0, 1.0], abs=1e-12)
