"""Posterior sampling for y = A x_0 + e with a diffusion prior: three guesses of p(y|x_t), and the exact law beside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.columns import eager
from stochsim.densities.checks import finite, positive_definite
from stochsim.diffusion.exact import posterior_covariance
from stochsim.diffusion.guidance.composed import _NoLaw
from stochsim.diffusion.model import Model
from stochsim.errors import ParameterError

__all__ = ["LinearMeasurement", "PosteriorModel", "dps", "exact_posterior", "pigdm", "tmpd"]


@dataclass(frozen=True, eq=False)
class LinearMeasurement:
    """y = A x_0 + e with e ~ N(0, R).

    Parameters
    ----------
    A : array_like, shape (m, d)
    y : array_like, shape (m,)
    noise : array_like
        R: a variance, (m,) or (m, m).

    Raises
    ------
    ParameterError
        If shapes do not fit.
    ModelError
        If R is not positive definite.
    """

    A: Any
    y: Any
    noise: Any

    def __post_init__(self) -> None:
        A = np.atleast_2d(finite("A", np.asarray(self.A, dtype=float)))
        y = np.atleast_1d(finite("y", np.asarray(self.y, dtype=float)))
        R = finite("noise", np.asarray(self.noise, dtype=float))
        m = len(y)
        if len(A) != m or R.shape not in ((), (m,), (m, m)):
            raise ParameterError(
                f"A has shape {A.shape}, y {y.shape} and noise {R.shape}; give (m, d), (m,) and (), (m,) or (m, m)"
            )
        R = R if R.ndim == 2 else np.diag(np.broadcast_to(R, m))
        positive_definite("the covariance of the measurement's noise", R)
        for name, value in (("A", A), ("y", y), ("noise", R)):
            object.__setattr__(self, name, value)


# (model, measurement, x, t) -> the covariance of y about A E[x_0|x]: (m, m), or one for each column, (n, m, m)
Spread = Callable[[Model, LinearMeasurement, Any, float], Any]


def dps(model: Model, measurement: LinearMeasurement, x: Any, t: float) -> Any:
    """R: as if x_0 were known to be E[x_0|x] (DPS: Chung et al. 2023, theorem 1, with the likelihood's own weight)."""
    return measurement.noise


def pigdm(model: Model, measurement: LinearMeasurement, x: Any, t: float) -> Any:
    """R + r² A Aᵀ with r² = ρ²/(1 + ρ²), ρ = σ/α: right for data N(·, I) (ΠGDM: Song et al. 2023, section 3)."""
    A, ratio2 = measurement.A, (float(model.process.sigma(t)) / float(model.process.alpha(t))) ** 2
    return measurement.noise + (ratio2 / (1.0 + ratio2)) * (A @ A.T)


def tmpd(model: Model, measurement: LinearMeasurement, x: Any, t: float) -> Any:
    """R + A Cov[x_0|x] Aᵀ: right for Gaussian data (TMPD: Boys et al. 2024, with the whole covariance)."""
    a, s = model.levels(t)
    host = x if isinstance(x, np.ndarray) else x.get()
    covariance = posterior_covariance(model.target, float(a), float(s), host)
    return measurement.noise + np.einsum("ki,ijn,lj->nkl", measurement.A, covariance, measurement.A)


class PosteriorModel(Model):
    """A prior's model with ∇ log p(y|x_t) added, the law of y given x_t being taken as N(A E[x_0|x_t], V).

    The gradient holds V fixed: (∂E[x_0|x]/∂x)ᵀ Aᵀ V⁻¹ (y - A E[x_0|x]) with the exact derivative
    (I + σ² ∇² log p_t)/α. Every sampler takes it in place of a model.

    Parameters
    ----------
    prior : Model
    measurement : LinearMeasurement
    spread : callable
        V: `dps`, `pigdm` or `tmpd`.
    strength : float
        Multiplies the added gradient.

    Raises
    ------
    ParameterError
        If A does not fit the prior.
    """

    def __init__(
        self, prior: Model, measurement: LinearMeasurement, spread: Spread = tmpd, *, strength: float = 1.0
    ) -> None:
        d = prior.target.d
        if measurement.A.shape[1] != d:
            raise ParameterError(
                f"A has {measurement.A.shape[1]} columns and the prior {d} components; give equal ones"
            )
        super().__init__(prior.target, prior.process, threads=prior.threads)
        self.prior, self.measurement, self.spread, self.strength = prior, measurement, spread, strength
        self.target = _NoLaw(d)

    def twin(self) -> PosteriorModel:
        """The same model with its own count."""
        return PosteriorModel(self.prior.twin(), self.measurement, self.spread, strength=self.strength)

    def score(self, x: Any, t: Any) -> Any:
        """∇ log p_t(x) + ∇ log p(y|x); t is a float.

        Raises
        ------
        ParameterError
            If each column has a time of its own.
        """
        if getattr(t, "ndim", 0):
            raise ParameterError("a posterior's score was asked at a time for each column; use a sampler on a grid")
        self.nfe += 1
        s = self.prior.score(x, t)
        return s + self.strength * self._likelihood_score(x, s, t)

    def _likelihood_score(self, x: Any, s: Any, t: float) -> Any:
        A, xp = eager.module(x).asarray(self.measurement.A), eager.module(x)
        alpha, sigma = self.levels(t)
        missing = xp.asarray(self.measurement.y)[:, None] - A @ ((x + sigma**2 * s) / alpha)
        V = xp.asarray(self.spread(self.prior, self.measurement, x, t))
        weighed = xp.linalg.solve(V, missing) if V.ndim == 2 else xp.linalg.solve(V, missing.T[:, :, None])[..., 0].T
        v = xp.ascontiguousarray(A.T @ weighed)
        return (v + sigma**2 * self.prior.hessian_vector(x, v, t)) / alpha


def exact_posterior(target: Any, measurement: LinearMeasurement) -> Any:
    """The law of x_0 given y for a Gaussian or a mixture: with it `Model` has the exact score of the posterior.

    Parameters
    ----------
    target : Gaussian or GaussianMixture
    measurement : LinearMeasurement
    """
    return target.posterior(measurement.A, measurement.y, measurement.noise)
