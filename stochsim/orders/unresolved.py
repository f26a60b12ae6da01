"""The part of a linear flow that the increments do not tell: its second moments, without cancellation.

With P = E[Phi | W increments], cut at a total degree of polynomials, the rest E[Phi (x) Phi] - E[P (x) P] of one
step is of order h^2 (a Lévy area) or less, while both terms are of size 1. Subtracting one from the other leaves
an error of 1e-16 a step, which the squared error of a good scheme falls below. But both terms are power series
in h, and their coefficients of h^0 and h^1 are equal: only the differences from h^2 on are formed and summed.
"""

from __future__ import annotations

from math import factorial, prod

import numpy as np
import numpy.typing as npt

from stochsim.orders.linear_sde import LinearSDE, augmented, degrees, hermite_coefficients

__all__ = ["unresolved_moments"]

FloatArray = npt.NDArray[np.float64]

TERMS = 22  # of the series, whose N-th term is at most REACH^N / N!
REACH = 1.2  # longest step, in units of 1 / |G|, for which the series is better than a subtraction


def unresolved_moments(sde: LinearSDE, h: FloatArray, degree: int) -> tuple[FloatArray, FloatArray]:
    """E[Phi (x) Phi] - E[P (x) P] of one step, for several lengths, with its rounding error.

    Parameters
    ----------
    sde : LinearSDE
        The problem, d components.
    h : (n,)
        Step lengths.
    degree : int
        Total degree in the increments up to which P is taken, as in `conditional_flow`.

    Returns
    -------
    moments : (n, (d + 1)^2, (d + 1)^2)
        They act on z (x) z, z = (1, x).
    rounding : (n,)
        Relative to E[Phi (x) Phi], in units of the machine precision.
    """
    size = float(np.linalg.norm(sde.second_moment_generator(), 1)) or 1.0
    series = _coefficients(sde, degree, 1.0 / size)
    powers = (h[:, None] * size) ** np.arange(TERMS + 1)
    near = h * size <= REACH
    moments = np.tensordot(np.where(near[:, None], powers, 0.0), series, axes=1)
    for level in np.flatnonzero(~near):
        moments[level] = sde.second_moment_flow(h[level]) - _projected(sde, h[level], degree)
    return moments, np.where(near, np.expm1(h * size * near) - h * size * near, 1.0)


def _projected(sde: LinearSDE, h: float, degree: int) -> FloatArray:
    """E[P (x) P] by Parseval's identity: the Hermite polynomials are orthogonal, E He_alpha^2 = alpha!."""
    powers = degrees(len(sde.B), degree)
    coefficients = hermite_coefficients(sde, h, powers)
    return np.asarray(sum(_factorial(a) * np.kron(c, c) for a, c in zip(powers, coefficients, strict=True)))


def _coefficients(sde: LinearSDE, degree: int, unit: float) -> FloatArray:
    """Coefficients (TERMS + 1, s^2, s^2) of the difference in powers of h / unit; zero below the second."""
    generator = sde.second_moment_generator() * unit
    words = _words(sde, degree, unit)
    result, power = np.zeros((TERMS + 1, *generator.shape)), np.eye(len(generator))
    for n in range(TERMS + 1):
        power = power @ generator / n if n else power
        if n >= 2:
            result[n] = power - sum(_of_degree(alpha, part, n) for alpha, part in words.items())
    return result


def _of_degree(alpha: tuple[int, ...], part: FloatArray, n: int) -> FloatArray:
    """The coefficient of h^n in alpha! c_alpha (x) c_alpha, from those of c_alpha / h^(|alpha|/2)."""
    rest, size = n - sum(alpha), part.shape[1]
    if rest < 0:
        return np.zeros((size**2, size**2))
    both = np.einsum("nij,nkl->ikjl", part[: rest + 1], part[rest::-1])
    return np.asarray(_factorial(alpha) * both.reshape(size**2, size**2))


def _words(sde: LinearSDE, degree: int, unit: float) -> dict[tuple[int, ...], FloatArray]:
    """Coefficients T (TERMS + 1, s, s) of h^n eta^alpha in exp(A^ h + sum_k eta_k B^_k), s = d + 1.

    T_{n, alpha} = (T_{n-1, alpha} A^ + sum_k T_{n, alpha - e_k} B^_k) / (n + |alpha|).
    """
    drift = augmented(sde.A, sde.a) * unit
    noises = [augmented(m, v) * np.sqrt(unit) for m, v in zip(sde.B, sde.b, strict=True)]
    words: dict[tuple[int, ...], FloatArray] = {}
    for alpha in sorted(degrees(len(noises), degree), key=sum):
        part = words[alpha] = np.zeros((TERMS + 1, *drift.shape))
        lower = [(words[_lowered(alpha, k)], noise) for k, noise in enumerate(noises) if alpha[k]]
        for n in range(TERMS + 1):
            if n + sum(alpha) == 0:
                part[0] = np.eye(len(drift))
                continue
            before = part[n - 1] @ drift if n else 0.0
            part[n] = (before + sum(word[n] @ noise for word, noise in lower)) / (n + sum(alpha))
    return words


def _lowered(alpha: tuple[int, ...], k: int) -> tuple[int, ...]:
    """The degrees with one less of the k-th."""
    return (*alpha[:k], alpha[k] - 1, *alpha[k + 1 :])


def _factorial(alpha: tuple[int, ...]) -> int:
    return prod(factorial(k) for k in alpha)
