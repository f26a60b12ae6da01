"""Posteriors of regressions, logistic and linear: sums over data, for whole and for minibatch gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from stochsim.columns.ops import absolute, exp, log1p, matvec, matvec_transposed, minimum, squared_norm, total
from stochsim.densities.checks import dimension, finite, generator, positive, vector
from stochsim.densities.gaussian import LOG_2PI, Gaussian, condition
from stochsim.densities.numerical import Numerical
from stochsim.densities.record import registered
from stochsim.errors import ModelError, ParameterError

__all__ = ["LinearPosterior", "LogisticPosterior"]

Posterior = TypeVar("Posterior", bound="RegressionPosterior")


@dataclass(frozen=True, eq=False)
class RegressionTarget(ABC):
    """Formulas of Σ_i l_i(η_i) - |x|² / (2 τ²), η = X x."""

    X: np.ndarray  # (N, d)
    y: np.ndarray  # (N, 1)
    squares: np.ndarray  # (N, 1), |X_i|²
    prior_precision: float
    dimension: float
    constant: float

    @abstractmethod
    def likelihood(self, eta: Any) -> Any:
        """l_i, (N, n) -> (N, n)."""

    @abstractmethod
    def slope(self, eta: Any) -> Any:
        """l_i'."""

    @abstractmethod
    def curvature(self, eta: Any) -> Any:
        """l_i''."""

    def _log_prob(self, x: Any, eta: Any) -> Any:
        return self.constant + total(self.likelihood(eta)) - 0.5 * self.prior_precision * squared_norm(x)

    def _score(self, x: Any, slopes: Any) -> Any:
        return matvec_transposed(self.X, slopes) - self.prior_precision * x

    def log_prob(self, x: Any) -> Any:
        return self._log_prob(x, matvec(self.X, x))

    def score(self, x: Any) -> Any:
        return self._score(x, self.slope(matvec(self.X, x)))

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        eta = matvec(self.X, x)
        return self._log_prob(x, eta), self._score(x, self.slope(eta))

    def hessian_vector(self, x: Any, v: Any) -> Any:
        return self._score(v, self.curvature(matvec(self.X, x)) * matvec(self.X, v))

    def laplacian(self, x: Any) -> Any:
        return total(self.curvature(matvec(self.X, x)) * self.squares) - self.dimension * self.prior_precision

    def weighted_score(self, x: Any, weights: Any) -> Any:
        """The score with a weight on each datum, weights (N, n) or (N, 1): unbiased where their mean is 1.

        With the data of a batch of b, each drawn with probability b / N, they are N / b for those in it, else 0.
        """
        return self._score(x, weights * self.slope(matvec(self.X, x)))

    def minibatch_score(self, x: Any, index: Any) -> Any:
        """The score estimated from rows of the data: prior + (N / b) Σ over the rows, on arrays (d, n).

        Parameters
        ----------
        x : array, shape (d, n)
        index : array of int, shape (b,) for all columns, or (b, n) for each; a row may be there twice.
        """
        index = np.asarray(index)
        N, b = len(self.X), len(index)
        counts = np.zeros((N, index.shape[1] if index.ndim == 2 else 1))
        np.add.at(counts, (index, np.arange(counts.shape[1])) if index.ndim == 2 else (index, 0), N / b)
        return self.weighted_score(x, counts)


@dataclass(frozen=True, eq=False)
class LogisticTarget(RegressionTarget):
    """l_i = log σ(η_i) for y = 1 and log σ(-η_i) for y = 0."""

    def likelihood(self, eta: Any) -> Any:
        signed = (2.0 * self.y - 1.0) * eta
        return minimum(signed, 0.0) - log1p(exp(-absolute(eta)))

    def slope(self, eta: Any) -> Any:
        return self.y - 1.0 / (1.0 + exp(-eta))

    def curvature(self, eta: Any) -> Any:
        e = exp(-absolute(eta))
        return -e / ((1.0 + e) * (1.0 + e))


@dataclass(frozen=True, eq=False)
class LinearTarget(RegressionTarget):
    """l_i = -(y_i - η_i)² / (2 s²)."""

    precision: float  # s⁻²

    def likelihood(self, eta: Any) -> Any:
        return -0.5 * self.precision * ((self.y - eta) * (self.y - eta))

    def slope(self, eta: Any) -> Any:
        return self.precision * (self.y - eta)

    def curvature(self, eta: Any) -> Any:
        return 0.0 * eta - self.precision


class RegressionPosterior(Numerical):
    """What both posteriors share; see them."""

    target: RegressionTarget

    def _data(self, X: Any, y: Any, prior_variance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
        self.X, self.y = finite("X", np.atleast_1d(np.asarray(X, dtype=float))), vector("y", y)
        if self.X.ndim != 2 or len(self.X) != len(self.y):
            raise ParameterError(f"X has shape {self.X.shape} and y {self.y.shape}; give (N, d) and (N,) with one N")
        self.prior_variance, self.d = positive("prior_variance", prior_variance), self.X.shape[1]
        squares = (self.X**2).sum(axis=1)[:, None]
        return self.X, self.y[:, None], squares, 1.0 / self.prior_variance, float(self.d)

    @property
    def _prior_constant(self) -> float:
        return -0.5 * self.d * (LOG_2PI + float(np.log(self.prior_variance)))

    def data_scores(self, x: Any) -> np.ndarray:
        """∇ l_i, the part of each datum in the score.

        Parameters
        ----------
        x : array_like, shape (n, d) or (d,)

        Returns
        -------
        ndarray, shape (n, N, d) or (N, d)
        """
        points = np.asarray(x, dtype=float)
        slopes = self.target.slope(self.X @ np.atleast_2d(points).T).T
        scores = slopes[:, :, None] * self.X
        return np.asarray(scores if points.ndim == 2 else scores[0])

    def minibatch_score(self, x: Any, index: Any) -> np.ndarray:
        """The score estimated from some rows of the data: prior + (N / b) Σ over the rows.

        Parameters
        ----------
        x : array_like, shape (n, d) or (d,)
        index : array_like of int, shape (b,) for all points, or (n, b) for each

        Returns
        -------
        ndarray, of the shape of x
        """
        points = np.asarray(x, dtype=float)
        columns = self.target.minibatch_score(np.atleast_2d(points).T, np.asarray(index).T)
        return np.asarray(columns.T if points.ndim == 2 else columns[:, 0])

    def laplace(self) -> Gaussian:
        """The Gaussian at the mode with the curvature there.

        Raises
        ------
        ModelError
            If Newton's method finds no mode.
        """
        x = np.zeros(self.d)
        for _ in range(200):
            hessian = self.hessian(x)
            step = -np.linalg.solve(hessian, self.score(x))
            while self.log_prob(x + step) < self.log_prob(x) - 1e-9 * (1.0 + abs(self.log_prob(x))):
                step = step / 2.0
            x = x + step
            if np.max(np.abs(step)) <= 1e-13 * (1.0 + np.max(np.abs(x))):
                covariance = np.linalg.inv(-self.hessian(x))
                return Gaussian(x, (covariance + covariance.T) / 2.0)
        raise ModelError("Newton's method found no mode in 200 steps; give a smaller prior_variance or scaled data")


@registered(
    lambda: LogisticPosterior.simulate(20, 1, seed=1),
    lambda: LogisticPosterior.simulate(30, 2, prior_variance=4.0, seed=2),
)
class LogisticPosterior(RegressionPosterior):
    """The posterior of Bayesian logistic regression: y_i ~ Bernoulli(σ(X_i · x)), x ~ N(0, prior_variance I).

    Not normalised: `log_normaliser` is the log evidence. Moments and draws come by quadrature for d <= 2.

    Parameters
    ----------
    X : array_like, shape (N, d)
    y : array_like, shape (N,)
        Zeros and ones.
    prior_variance : float

    Raises
    ------
    ModelError
        If y holds anything but 0 and 1.
    ParameterError
        If shapes do not fit or prior_variance is not positive.
    """

    normalised = False

    def __init__(self, X: Any, y: Any, prior_variance: float = 1.0) -> None:
        data = self._data(X, y, prior_variance)
        if not np.all((self.y == 0.0) | (self.y == 1.0)):
            raise ModelError(f"y holds {np.unique(self.y)[:4].tolist()}; give zeros and ones")
        self.target = LogisticTarget(*data, self._prior_constant)

    @classmethod
    def simulate(cls, n_data: int, d: int, *, prior_variance: float = 1.0, seed: Any = None) -> LogisticPosterior:
        """The posterior of data drawn from the model, with standard normal X.

        Parameters
        ----------
        n_data, d : int
        prior_variance : float
        seed : int, SeedSequence, Generator or None
        """
        X, eta, rng = _regressors(n_data, d, prior_variance, seed)
        return cls(X, rng.random(n_data) < 1.0 / (1.0 + np.exp(-eta)), prior_variance)


@registered(
    lambda: LinearPosterior.simulate(15, 1, seed=1),
    lambda: LinearPosterior.simulate(20, 3, noise_variance=0.5, seed=2),
)
class LinearPosterior(RegressionPosterior):
    """The posterior of Bayesian linear regression: y ~ N(X x, noise_variance I), x ~ N(0, prior_variance I).

    A sum of N quadratics: an exactly known Gaussian (`gaussian`), whose minibatch gradients are known too.

    Parameters
    ----------
    X : array_like, shape (N, d)
    y : array_like, shape (N,)
    noise_variance, prior_variance : float

    Raises
    ------
    ParameterError
        If shapes do not fit or a variance is not positive.
    """

    def __init__(self, X: Any, y: Any, noise_variance: float = 1.0, prior_variance: float = 1.0) -> None:
        data = self._data(X, y, prior_variance)
        self.noise_variance, N = positive("noise_variance", noise_variance), len(self.y)
        prior = np.zeros(self.d), self.prior_variance * np.eye(self.d)
        mean, covariance, self.log_evidence = condition(*prior, self.X, self.y, self.noise_variance)
        self.gaussian = Gaussian(mean, covariance)
        constant = self._prior_constant - 0.5 * N * (LOG_2PI + np.log(self.noise_variance)) - self.log_evidence
        self.target = LinearTarget(*data, float(constant), 1.0 / self.noise_variance)

    @classmethod
    def simulate(
        cls, n_data: int, d: int, *, noise_variance: float = 1.0, prior_variance: float = 1.0, seed: Any = None
    ) -> LinearPosterior:
        """The posterior of data drawn from the model, with standard normal X.

        Parameters
        ----------
        n_data, d : int
        noise_variance, prior_variance : float
        seed : int, SeedSequence, Generator or None
        """
        X, eta, rng = _regressors(n_data, d, prior_variance, seed)
        noise = np.sqrt(positive("noise_variance", noise_variance)) * rng.standard_normal(n_data)
        return cls(X, eta + noise, noise_variance, prior_variance)

    @property
    def mean(self) -> np.ndarray:
        """E x, shape (d,)."""
        return self.gaussian.mean

    @property
    def covariance(self) -> np.ndarray:
        """Cov x, shape (d, d)."""
        return self.gaussian.covariance

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Exact draws, shape (n, d)."""
        return self.gaussian.sample(n, seed=seed)


def _regressors(
    n_data: int, d: int, prior_variance: float, seed: Any
) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """X, X x for x from the prior, and the generator."""
    rng = generator(seed)
    X = rng.standard_normal((dimension(n_data), dimension(d)))
    return X, X @ (np.sqrt(positive("prior_variance", prior_variance)) * rng.standard_normal(d)), rng
