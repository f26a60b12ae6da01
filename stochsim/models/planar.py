"""Systems in the plane and in space: rotation, linear systems, hidden Brownian motion, the Lévy area."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.models.answers import normal_vector, second_moments
from stochsim.models.record import matrix, model
from stochsim.parameters import fixed
from stochsim.sde import SDE
from stochsim.solution import Solution, Transition


@model
def kubo_oscillator(omega: Any = 2.0, sigma: Any = 0.5, x0: Any = (1.0, 0.0)) -> SDE:
    """Kubo oscillator, dX = omega J X dt + sigma J X o dW with J = [[0, -1], [1, 0]] (Stratonovich).

    X_t is x0 turned by the angle omega t + sigma W_t (Kubo 1963), so |X| is conserved, and the mean is
    exp(-sigma^2 t / 2) times x0 turned by omega t. Read as an Itô equation, |X| would grow.

    Parameters
    ----------
    omega, sigma : float or 1-d array_like
        Angular frequency, and strength of its noise; arrays sweep.
    x0 : (2,) array_like
        Start.
    """

    def cov(t: Any, x0: Any, p: Any) -> np.ndarray:
        x0 = np.asarray(x0, dtype=float)
        m = np.exp(-0.5 * p.sigma**2 * t) * np.array(_turned(x0, p.omega * t))
        swing = np.exp(-2.0 * p.sigma**2 * t)  # E of cos and sin of twice the angle
        c, s = _turned((x0[0] ** 2 - x0[1] ** 2, 2.0 * x0[0] * x0[1]), 2.0 * p.omega * t)
        half, c, s = 0.5 * np.sum(x0**2), 0.5 * swing * c, 0.5 * swing * s
        return np.array([[half + c, s], [s, half - c]]) - np.outer(m, m)

    return SDE(
        drift=lambda x, t, p: [-p.omega * x[1], p.omega * x[0]],
        diffusion=lambda x, t, p: [[-p.sigma * x[1]], [p.sigma * x[0]]],
        params={"omega": omega, "sigma": sigma},
        x0=matrix("x0", x0, (2,)),
        calculus="stratonovich",
        exact=lambda x0, t, W, p: _turned(x0, p.omega * t + p.sigma * W),
        mean=lambda t, x0, p: np.exp(-0.5 * p.sigma**2 * t) * np.array(_turned(x0, p.omega * t)),
        cov=cov,
        name="kubo_oscillator",
    )


def _turned(x: Any, angle: Any) -> list[Any]:
    c, s = np.cos(angle), np.sin(angle)
    return [c * x[0] - s * x[1], s * x[0] + c * x[1]]


@model
def noncommuting_linear(
    A: Any = ((-1.0, 0.5), (-0.5, -0.8)),
    B: Any = (((0.3, 0.2), (0.0, 0.1)), ((0.1, 0.0), (0.4, -0.2))),
    x0: Any = (1.0, 0.5),
) -> SDE:
    """Linear system with matrices that need not commute, dX = A X dt + sum_k B_k X dW_k (Itô).

    No solution in closed form; the mean and the covariance obey linear equations, solved by a matrix
    exponential (Arnold 1974, Section 8.5). The noise is general: unless the B_k commute, schemes without
    Lévy areas have strong order 1/2 here.

    Parameters
    ----------
    A : (d, d) array_like
        Drift matrix, per unit time.
    B : (m, d, d) array_like
        One matrix for each noise.
    x0 : (d,) array_like
        Start.
    """
    start = matrix("x0", x0, (None,))
    d = len(start)

    def moments(t: Any, x0: Any, p: Any) -> tuple[np.ndarray, np.ndarray]:
        return second_moments(t, x0, p.A, np.zeros(d), p.B, np.zeros((len(p.B), d)))

    return SDE(
        drift=lambda x, t, p: p.A @ x,
        diffusion=lambda x, t, p: np.stack([p.B[k] @ x for k in range(p.B.shape[0])], axis=1),
        params={"A": fixed(matrix("A", A, (d, d))), "B": fixed(matrix("B", B, (None, d, d)))},
        x0=start,
        mean=lambda t, x0, p: moments(t, x0, p)[0],
        cov=lambda t, x0, p: moments(t, x0, p)[1],
        name="noncommuting_linear",
    )


@model
def hidden_brownian_motion(twist: Any = 1.0, x0: Any = (0.5, 1.0)) -> SDE:
    """A Brownian motion in disguise, dX = Q(X) dW with Q the rotation by the angle twist X_1.

    Q is orthogonal, so X is a Brownian motion by Lévy's characterisation: X_t is N(x0, t 1). The noise is not
    commutative, yet the Euler-Maruyama scheme is exact in law at any step: a weak order reported here is
    noise. No solution on the path of W is known.

    Parameters
    ----------
    twist : float or 1-d array_like
        Angle by unit length; an array sweeps.
    x0 : (2,) array_like
        Start.
    """

    def diffusion(x: Any, t: Any, p: Any) -> Any:
        c, s = np.cos(p.twist * x[0]), np.sin(p.twist * x[0])
        return [[c, -s], [s, c]]

    def step(x: Any, t: Any, h: Any, u: Any, p: Any) -> Any:
        from scipy.special import ndtri

        return x + np.sqrt(h) * ndtri(u)

    return SDE(
        drift=lambda x, t, p: [0.0, 0.0],
        diffusion=diffusion,
        params={"twist": twist},
        x0=matrix("x0", x0, (2,)),
        mean=lambda t, x0, p: np.array(x0, dtype=float),
        cov=lambda t, x0, p: t * np.eye(2),
        density=lambda x, t, x0, p: normal_vector(x, np.asarray(x0, dtype=float), t * np.eye(2)),
        transition=Transition(step, 2, "a Brownian motion, exact in law at any step"),
        name="hidden_brownian_motion",
    )


@model
def heisenberg(x0: Any = (0.0, 0.0, 0.0)) -> SDE:
    """Brownian motion on the Heisenberg group, dX_1 = dW_1, dX_2 = dW_2, dX_3 = (X_1 dW_2 - X_2 dW_1) / 2.

    X_3 is the Lévy area: X_3(t) = x_3 + (x_1 W_2 - x_2 W_1) / 2 + A_12(0, t), of variance t^2 / 4 from the
    origin (Lévy 1951). The noise does not commute, and the root mean square error of Euler-Maruyama in X_3
    is sqrt(h t) / 2 at every step h. The reference takes the areas of the finest steps and adds them by
    Chen's relation, so it is exact on the path that the schemes see.

    Parameters
    ----------
    x0 : (3,) array_like
        Start.
    """

    def functionals(y: Any, t: Any, h: Any, noise: Any, p: Any) -> Any:
        dW = noise.dW
        return [y[0] + dW[0], y[1] + dW[1], y[2] + noise.A[0, 1] + 0.5 * (y[0] * dW[1] - y[1] * dW[0])]

    def readout(x0: Any, t: Any, y: Any, p: Any) -> Any:
        return [x0[0] + y[0], x0[1] + y[1], x0[2] + 0.5 * (x0[0] * y[1] - x0[1] * y[0]) + y[2]]

    def cov(t: Any, x0: Any, p: Any) -> np.ndarray:
        a, b = -0.5 * x0[1] * t, 0.5 * x0[0] * t
        square = 0.25 * (x0[0] ** 2 + x0[1] ** 2) * t + 0.25 * t**2
        return np.array([[t, 0.0, a], [0.0, t, b], [a, b, square]])

    return SDE(
        drift=lambda x, t, p: [0.0, 0.0, 0.0],
        diffusion=lambda x, t, p: [[1.0, 0.0], [0.0, 1.0], [-0.5 * x[1], 0.5 * x[0]]],
        x0=matrix("x0", x0, (3,)),
        exact=Solution(
            readout=readout,
            functionals=functionals,
            n=3,
            needs=("dW", "A"),
            note="exact on the path given by dW and the areas; areas are drawn with exact conditional mean and "
            "variance but Gaussian shape",
        ),
        mean=lambda t, x0, p: np.array(x0, dtype=float),
        cov=cov,
        name="heisenberg",
    )
