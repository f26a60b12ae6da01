"""Rectified flow: couplings, their straight interpolation, the flow of its velocity, and how straight that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.densities import Gaussian
from stochsim.densities.gaussian import same_dimension
from stochsim.diffusion._components import components
from stochsim.diffusion._quantiles import transport
from stochsim.diffusion.flows.interpolants import Interpolation
from stochsim.diffusion.flows.kinetic_paths import kinetic_energy
from stochsim.errors import ModelError, ParameterError

__all__ = ["GaussianCoupling", "PairedParticles", "curvature", "rectified_line"]


def curvature(between: Interpolation, *, n: int = 60) -> float:
    """∫ E|(x_1 - x_0) - v(x_t, t)|² dt of the linear interpolation of independent ends: 0 if paths are straight.

    Parameters
    ----------
    between : Interpolation
        Linear, without latent noise, in one or two dimensions.
    n : int
        Nodes of the time.

    Raises
    ------
    ModelError
        If the interpolant is another one.

    Notes
    -----
    S of Liu, Gong & Liu 2023 (section 2.2), V of Lee, Kim & Ye 2023. As v is a conditional mean, it is
    E|x_1 - x_0|² - ∫ E|v|² dt.
    """
    if (between.interpolant.name, between.interpolant.latent.name) != ("linear", "none"):
        raise ModelError(f"the interpolant is {between.interpolant.name}; straightness is that of linear()")
    first, last = between.source, between.target
    shift = last.mean - first.mean
    cost = shift @ shift + np.trace(first.covariance) + np.trace(last.covariance)
    return float(cost - kinetic_energy(between, n=n))


def rectified_line(source: Any, target: Any, x: Any) -> np.ndarray:
    """Where the rectified flow takes points of the line: F_target⁻¹(F_source(x)).

    Paths on the line do not cross, so one rectification of any coupling gives the monotone coupling, which is optimal
    for every convex cost, has straight paths, and is not changed by more.

    Parameters
    ----------
    source, target : Gaussian or GaussianMixture
        With one component of x.
    x : array_like, shape (1, n)

    Raises
    ------
    ParameterError
        If there are more components.
    """
    same_dimension(source, target)
    if source.d != 1:
        raise ParameterError(f"the laws have {source.d} components; quantiles carry points of the line only")
    lines = [(w, m[:, 0], np.sqrt(C[:, 0, 0])) for w, m, C in (components(source), components(target))]
    return transport(lines[0], lines[1], np.asarray(x, dtype=float)[0])[None]


@dataclass(frozen=True, eq=False)
class GaussianCoupling:
    """Two Gaussians that are jointly Gaussian.

    Parameters
    ----------
    source, target : Gaussian
    cross : ndarray, shape (d, d)
        Cov[x_1, x_0]; zeros for independent ones.
    """

    source: Gaussian
    target: Gaussian
    cross: np.ndarray

    @classmethod
    def independent(cls, source: Gaussian, target: Gaussian) -> GaussianCoupling:
        """The coupling that flow matching begins with."""
        same_dimension(source, target)
        return cls(source, target, np.zeros((source.d, source.d)))

    @property
    def cost(self) -> float:
        """E|x_1 - x_0|²."""
        shift = self.target.mean - self.source.mean
        return float(shift @ shift + np.trace(self.source.covariance + self.target.covariance - 2.0 * self.cross))

    def velocity_matrix(self, t: float) -> np.ndarray:
        """G of the velocity E[x_1 - x_0 | x_t = x] = m_1 - m_0 + G (x - E x_t), shape (d, d)."""
        S, with_x = self._moments(t)
        return np.asarray(np.linalg.solve(S, with_x.T).T)

    def curvature(self, *, n: int = 80) -> float:
        """∫ E|(x_1 - x_0) - v|² dt, by Gauss-Legendre quadrature; 0 (to rounding) if straight."""
        x, w = np.polynomial.legendre.leggauss(n)
        C0, C1, K = self.source.covariance, self.target.covariance, self.cross
        whole = C0 + C1 - K - K.T
        left = []
        for t in (0.5 * (x + 1.0)).tolist():
            S, with_x = self._moments(t)
            left.append(np.trace(whole - with_x @ np.linalg.solve(S, with_x.T)))
        return float(0.5 * w @ np.array(left))

    def rectified(self) -> GaussianCoupling:
        """The coupling of x_0 with where the flow takes it at t = 1.

        Independent ends: x_1 = m_1 + T (x_0 - m_0) with T = C_0^½ (C_0^-½ C_1 C_0^-½)^½ C_0^-½, as the flow commutes
        with linear maps. Others by DOP853 at a relative tolerance of 1e-12.
        """
        C0 = self.source.covariance
        T = self._free_map() if not self.cross.any() else self._integrated_map()
        return GaussianCoupling(self.source, self.target, T @ C0)

    def _free_map(self) -> np.ndarray:
        root, inverse = _powers(self.source.covariance)
        return np.asarray(root @ _powers(inverse @ self.target.covariance @ inverse)[0] @ inverse)

    def _integrated_map(self) -> np.ndarray:
        from scipy.integrate import solve_ivp

        d = self.source.d

        def rate(t: float, Z: np.ndarray) -> np.ndarray:
            return np.asarray((self.velocity_matrix(t) @ Z.reshape(d, d)).reshape(-1))

        end = solve_ivp(rate, (0.0, 1.0), np.eye(d).reshape(-1), method="DOP853", rtol=1e-12, atol=1e-13)
        return np.asarray(end.y[:, -1].reshape(d, d))

    def _moments(self, t: float) -> tuple[np.ndarray, np.ndarray]:
        """Cov x_t and Cov[x_1 - x_0, x_t]."""
        C0, C1, K = self.source.covariance, self.target.covariance, self.cross
        u = 1.0 - t
        return u**2 * C0 + t**2 * C1 + t * u * (K + K.T), t * C1 - u * C0 + u * K - t * K.T


def _powers(C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = np.linalg.eigh(C)
    return (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T


@dataclass(frozen=True, eq=False)
class PairedParticles:
    """A coupling known by pairs of points; its velocity is a kernel regression over them.

    Parameters
    ----------
    first, last : ndarray, shape (d, n)
        x_0 and x_1 of each pair.
    bandwidth : float
        Standard deviation of the kernel in x.
    """

    first: np.ndarray
    last: np.ndarray
    bandwidth: float

    def __post_init__(self) -> None:
        if np.shape(self.first) != np.shape(self.last) or np.ndim(self.first) != 2 or not self.bandwidth > 0.0:
            raise ParameterError(
                f"pairs have the shapes {np.shape(self.first)} and {np.shape(self.last)} with bandwidth "
                f"{self.bandwidth!r}; give two of (d, n) and a positive bandwidth"
            )

    @property
    def cost(self) -> float:
        """Mean of |x_1 - x_0|²."""
        return float(((self.last - self.first) ** 2).sum(axis=0).mean())

    def velocity(self, x: np.ndarray, t: float) -> np.ndarray:
        """E[x_1 - x_0 | x_t = x] by the Nadaraya-Watson mean (Nadaraya 1964), (d, n) -> (d, n)."""
        points = (1.0 - t) * self.first + t * self.last
        gaps = (x**2).sum(axis=0)[:, None] - 2.0 * x.T @ points + (points**2).sum(axis=0)
        heights = np.exp(-0.5 * (gaps - gaps.min(axis=1, keepdims=True)) / self.bandwidth**2)
        return np.asarray((self.last - self.first) @ (heights / heights.sum(axis=1, keepdims=True)).T)

    def curvature(self, *, n: int = 8) -> float:
        """∫ E|(x_1 - x_0) - v|² dt over the pairs, with n Gauss-Legendre nodes of time."""
        x, w = np.polynomial.legendre.leggauss(n)
        each = [
            ((self.last - self.first - self.velocity((1.0 - t) * self.first + t * self.last, t)) ** 2).sum(0).mean()
            for t in (0.5 * (x + 1.0)).tolist()
        ]
        return float(0.5 * w @ np.array(each))

    def rectified(self, *, n_steps: int = 16) -> PairedParticles:
        """The pairs of x_0 with where Heun's method in n steps takes it."""
        x, h = self.first, 1.0 / n_steps
        for i in range(n_steps):
            v = self.velocity(x, i * h)
            x = x + 0.5 * h * (v + self.velocity(x + h * v, (i + 1) * h))
        return PairedParticles(self.first, x, self.bandwidth)
