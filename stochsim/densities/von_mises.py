"""Mixtures of von Mises laws on the torus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from stochsim.columns.ops import cos, dot, join, logsumexp, matvec, matvec_transposed, sin, softmax, total
from stochsim.densities.checks import finite, generator, mixing
from stochsim.densities.quadrature import line
from stochsim.densities.record import Density, registered
from stochsim.errors import ParameterError

__all__ = ["VonMisesMixture"]

LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, eq=False)
class VonMisesTarget:
    """Formulas; Σ_i κ_i cos(θ_i - μ_i) is one product with the matrix of κ cos μ and κ sin μ."""

    log_weights: np.ndarray  # (K, 1), normalisers included
    cosines: np.ndarray  # (K, d), κ cos μ
    sines: np.ndarray  # (K, d), κ sin μ
    waves: np.ndarray  # (K, 2 d), both
    squares: np.ndarray  # (K, 2 d), κ² cos 2μ and κ² sin 2μ
    sum_of_squares: np.ndarray  # (K, 1), Σ κ²

    def _softmax(self, c: Any, s: Any) -> tuple[Any, Any]:
        return softmax(self.log_weights + matvec(self.waves, join(c, s)))

    def _pull(self, c: Any, s: Any, weights: Any) -> Any:
        """Σ_k weights_k ∇ log p_k."""
        return c * matvec_transposed(self.sines, weights) - s * matvec_transposed(self.cosines, weights)

    def log_prob(self, x: Any) -> Any:
        return logsumexp(self.log_weights + matvec(self.waves, join(cos(x), sin(x))))

    def score(self, x: Any) -> Any:
        return self.log_prob_and_score(x)[1]

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        c, s = cos(x), sin(x)
        r, log_p = self._softmax(c, s)
        return log_p, self._pull(c, s, r)

    def hessian_vector(self, x: Any, v: Any) -> Any:
        c, s = cos(x), sin(x)
        r = self._softmax(c, s)[0]
        score = self._pull(c, s, r)
        along = matvec(self.sines, c * v) - matvec(self.cosines, s * v)
        curvature = c * matvec_transposed(self.cosines, r) + s * matvec_transposed(self.sines, r)
        return self._pull(c, s, r * along) - curvature * v - score * dot(score, v)

    def laplacian(self, x: Any) -> Any:
        c, s = cos(x), sin(x)
        waves = matvec(self.waves, join(c, s))
        r = softmax(self.log_weights + waves)[0]
        score = self._pull(c, s, r)
        doubled = matvec(self.squares, join(c * c - s * s, 2.0 * (c * s)))
        lengths = 0.5 * (self.sum_of_squares - doubled)  # |s_k|² = Σ κ² sin²(θ - μ)
        return total(r * (lengths - waves)) - dot(score, score)


@registered(
    lambda: VonMisesMixture([1.0], [[0.5]], 2.0),
    lambda: VonMisesMixture([0.3, 0.7], [[-2.0, 0.0], [1.0, 2.5]], [[4.0, 1.0], [0.5, 30.0]]),
)
class VonMisesMixture(Density):
    """The mixture Σ_k w_k Π_i exp(κ_ki cos(θ_i - μ_ki)) / (2π I₀(κ_ki)) on the torus.

    Angles are any real numbers; draws, mean and covariance are of the angles in [-π, π). The law of the torus itself
    is told by `circular_moment`.

    Parameters
    ----------
    weights : array_like, shape (K,)
        Positive, summing to 1 within 1e-9.
    means : array_like, shape (K, d)
        Angles μ.
    concentrations : array_like
        κ >= 0: one for all, (K,), or (K, d).

    Raises
    ------
    ModelError
        If the weights do not sum to 1 (the sum is named).
    ParameterError
        If shapes do not fit, or a concentration is negative.
    """

    def __init__(self, weights: Any, means: Any, concentrations: Any = 1.0) -> None:
        self.weights, self.means = mixing(weights, means)
        self.d = self.means.shape[1]
        given = finite("concentrations", np.asarray(concentrations, dtype=float))
        K, d = self.means.shape
        if given.shape not in ((), (K,), (K, d)) or np.any(given < 0.0):
            raise ParameterError(
                f"concentrations have shape {given.shape} and smallest {given.min():g}; give numbers >= 0 as one, "
                f"({K},) or ({K}, {d})"
            )
        self.concentrations = np.broadcast_to(given[:, None] if given.ndim == 1 else given, (K, d)).copy()
        self.target = self._formulas()

    def _formulas(self) -> VonMisesTarget:
        from scipy.special import ive

        kappa, mu = self.concentrations, self.means
        with np.errstate(divide="ignore"):
            logs = np.log(self.weights)
        logs = logs - (np.log(ive(0, kappa)) + kappa + LOG_2PI).sum(axis=1)
        waves = np.concatenate([kappa * np.cos(mu), kappa * np.sin(mu)], axis=1)
        squares = np.concatenate([kappa**2 * np.cos(2.0 * mu), kappa**2 * np.sin(2.0 * mu)], axis=1)
        cosines, sines = waves[:, : self.d].copy(), waves[:, self.d :].copy()
        return VonMisesTarget(logs[:, None], cosines, sines, waves, squares, (kappa**2).sum(axis=1)[:, None])

    def circular_moment(self, orders: Any) -> complex:
        """E exp(i n·θ) = Σ_k w_k Π_i e^{i n_i μ_ki} I_{n_i}(κ_ki) / I₀(κ_ki) (Mardia and Jupp 2000, eq. 3.5.25).

        Parameters
        ----------
        orders : int or array_like of int, shape (d,)

        Raises
        ------
        ParameterError
            If there is not one order a component.
        """
        from scipy.special import ive

        n = np.atleast_1d(np.asarray(orders, dtype=int))
        if n.shape != (self.d,):
            raise ParameterError(f"orders have shape {n.shape}; give one integer for each of {self.d} components")
        ratios = ive(np.abs(n), self.concentrations) / ive(0, self.concentrations)
        return complex(self.weights @ np.prod(np.exp(1j * n * self.means) * ratios, axis=1))

    def _each(self, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """E f(θ_i) of every component of every law, by quadrature over [-π, π], shape (K, d)."""
        values = np.empty_like(self.means)
        for index in np.ndindex(values.shape):
            kappa, mu = self.concentrations[index], self.means[index]
            law = line(partial(_log_von_mises, float(kappa), float(mu)), (-np.pi, np.pi))
            values[index] = law.expectation(lambda x: function(x[:, 0]))
        return values

    @cached_property
    def _means(self) -> np.ndarray:
        return self._each(lambda x: x)

    @property
    def mean(self) -> np.ndarray:
        """E θ of the angles in [-π, π), shape (d,)."""
        return np.asarray(self.weights @ self._means)

    @property
    def covariance(self) -> np.ndarray:
        """Cov θ of the angles in [-π, π), shape (d, d)."""
        products = np.einsum("k,ki,kj->ij", self.weights, self._means, self._means)
        np.fill_diagonal(products, self.weights @ self._each(lambda x: x * x))
        return np.asarray(products - np.outer(self.mean, self.mean))

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Exact draws, shape (n, d), in [-π, π)."""
        rng = generator(seed)
        k = rng.choice(len(self.weights), size=n, p=self.weights / self.weights.sum())
        return np.asarray(np.mod(rng.vonmises(self.means[k], self.concentrations[k]) + np.pi, 2.0 * np.pi) - np.pi)


def _log_von_mises(kappa: float, mu: float, x: np.ndarray) -> np.ndarray:
    return np.asarray(kappa * (np.cos(x - mu) - 1.0))
