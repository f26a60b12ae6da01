"""Linear SDEs with constant coefficients: their exact moments, and their flow given the increments."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from stochsim.errors import ModelError

__all__ = ["LinearSDE", "augmented", "conditional_flow", "degrees", "hermite_coefficients"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LinearSDE:
    """dX = (A x + a) dt + sum_k (B_k x + b_k) dW_k, Itô, coefficients constant in time.

    Attributes
    ----------
    A : (d, d)
        Drift matrix, per unit time.
    a : (d,)
        Constant drift.
    B : (m, d, d)
        One matrix for each noise.
    b : (m, d)
        One constant vector for each noise.
    """

    A: FloatArray
    a: FloatArray
    B: FloatArray
    b: FloatArray

    def __post_init__(self) -> None:
        for name in ("A", "a", "B", "b"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), float))
        d = self.A.shape[0] if self.A.ndim else 0
        m = self.B.shape[0] if self.B.ndim else 0
        wanted = {"A": (d, d), "a": (d,), "B": (m, d, d), "b": (m, d)}
        for name, shape in wanted.items():
            given = getattr(self, name)
            if given.shape != shape or not np.isfinite(given).all():
                msg = f"{name} of shape {given.shape} was given; give a finite array of shape {shape}, "
                raise ModelError(msg + f"as A has {d} rows and B holds {m} matrices.")

    def second_moment_generator(self) -> FloatArray:
        """Matrix G with d/dt E[z (x) z] = G E[z (x) z], z = (1, x); shape ((d+1)^2, (d+1)^2)."""
        identity = np.eye(self.A.shape[0] + 1)
        drift = augmented(self.A, self.a)
        g = np.kron(drift, identity) + np.kron(identity, drift)
        for matrix, vector in zip(self.B, self.b, strict=True):
            noise = augmented(matrix, vector)
            g += np.kron(noise, noise)
        return g

    def second_moment_flow(self, h: float) -> FloatArray:
        """Matrix exp(G h) that carries E[z (x) z] over a time h."""
        from scipy.linalg import expm

        return np.asarray(expm(self.second_moment_generator() * h), float)


def conditional_flow(sde: LinearSDE, h: float, xi: FloatArray, degree: int) -> FloatArray:
    """Projection of the exact flow over one step on polynomials of its Brownian increments.

    With W = sqrt(h) xi, Girsanov's theorem gives the generating function of the Hermite coefficients
    of the flow Phi of z = (1, x): E[Phi exp(eta.xi - |eta|^2/2)] = exp(A^ h + sum_k eta_k sqrt(h) B^_k),
    so E[Phi | W] = sum_alpha c_alpha He_alpha(xi), where c_alpha is its coefficient of eta^alpha.
    The series stops at total degree `degree`; what is left out is orthogonal to every scheme that is
    a polynomial of at most that degree in the increments.

    Parameters
    ----------
    sde : LinearSDE
        The problem (Itô), m noises.
    h : float
        Length of the step.
    xi : (m, n)
        Standardised increments.
    degree : int
        Largest total degree.

    Returns
    -------
    (n, d + 1, d + 1) array
        Acts on z = (1, x).
    """
    powers = degrees(len(sde.B), degree)
    coefficients = hermite_coefficients(sde, h, powers)
    hermite = np.array([_hermite_product(alpha, xi) for alpha in powers])
    return np.asarray(np.tensordot(hermite.T, coefficients, axes=1), float)


def degrees(m: int, degree: int) -> list[tuple[int, ...]]:
    """The degrees alpha in m increments with a total of at most ``degree``."""
    return [alpha for alpha in product(range(degree + 1), repeat=m) if sum(alpha) <= degree]


def hermite_coefficients(sde: LinearSDE, h: float, powers: list[tuple[int, ...]]) -> FloatArray:
    """Coefficients of eta^alpha in exp(A^ h + sum_k eta_k sqrt(h) B^_k); (len(powers), d+1, d+1).

    Multiplication by eta_k on the truncated polynomials is a nilpotent matrix, so one exponential of a
    larger matrix gives all coefficients.
    """
    from scipy.linalg import expm

    position = {alpha: i for i, alpha in enumerate(powers)}
    total = np.kron(np.eye(len(powers)), augmented(sde.A, sde.a) * h)
    for k, (matrix, vector) in enumerate(zip(sde.B, sde.b, strict=True)):
        shift = np.zeros((len(powers), len(powers)))
        for alpha, i in position.items():
            raised = (*alpha[:k], alpha[k] + 1, *alpha[k + 1 :])
            if raised in position:
                shift[position[raised], i] = 1.0
        total += np.kron(shift, np.sqrt(h) * augmented(matrix, vector))
    size = sde.a.size + 1
    start = position[(0,) * len(sde.B)] * size
    return np.asarray(expm(total)[:, start : start + size].reshape(len(powers), size, size), float)


def _hermite_product(alpha: tuple[int, ...], xi: FloatArray) -> FloatArray:
    out = np.ones(xi.shape[1])
    for k, order in enumerate(alpha):
        out *= np.polynomial.hermite_e.hermeval(xi[k], np.eye(order + 1)[order])
    return out


def augmented(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    """The matrix that acts on z = (1, x) as x -> matrix x + vector does; its first row is 0."""
    d = vector.size
    out = np.zeros((d + 1, d + 1))
    out[1:, 0], out[1:, 1:] = vector, matrix
    return out
