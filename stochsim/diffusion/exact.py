"""What is known exactly of the diffusion of Gaussians and mixtures: the yardsticks of samplers.

All functions take and return columns: points (d, n), numbers of each point (n,).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion._components import components
from stochsim.diffusion._quantiles import transport
from stochsim.diffusion.forward import Process
from stochsim.diffusion.model import Model
from stochsim.errors import ParameterError

__all__ = ["ReverseKernel", "flow_map", "log_likelihood", "noised", "posterior_covariance", "reverse_kernel"]


def noised(target: Any, process: Process, t: float) -> Any:
    """The law of the data at time t, as a density.

    Parameters
    ----------
    target : Density
    process : Process
    t : float

    Raises
    ------
    ParameterError
        If t is outside of the process.
    """
    if not 0.0 <= t <= process.t_end:
        raise ParameterError(f"t is {t!r}; {type(process).__name__} is defined on [0, {process.t_end:g}]")
    return process.noised(target, t)


def posterior_covariance(target: Any, alpha: float, sigma: float, x: Any) -> np.ndarray:
    """Cov[x_0 | α x_0 + σ z = x] = σ²/α² (I + σ² ∇² log p(x)).

    Parameters
    ----------
    target : Density
    alpha, sigma : float
    x : ndarray, shape (d, n)

    Returns
    -------
    ndarray, shape (d, d, n)

    Notes
    -----
    For Gaussians and mixtures the sum over components is used instead of the Hessian, which would cancel at large σ.
    """
    if not isinstance(target, Gaussian | GaussianMixture):
        hessian = np.moveaxis(target.noised(alpha, sigma).hessian(np.asarray(x).T), 0, -1)
        return np.asarray((sigma / alpha) ** 2 * (np.eye(len(x))[:, :, None] + sigma**2 * hessian))
    weights, means, covariances = components(target)
    r = _responsibilities(weights, means, covariances, alpha, sigma, x)
    gains, spreads = _posterior(covariances, alpha, sigma)
    centres = means[:, :, None] + np.einsum("kij,kjn->kin", gains, x - alpha * means[:, :, None])
    overall = np.einsum("kn,kin->in", r, centres)
    apart = centres - overall
    return np.asarray(np.einsum("kn,kij->ijn", r, spreads) + np.einsum("kn,kin,kjn->ijn", r, apart, apart))


def flow_map(target: Any, process: Process, x: Any, t: float, s: float) -> np.ndarray:
    """Where the probability flow takes the points x of time t at time s.

    Parameters
    ----------
    target : Density
        A Gaussian in any dimension, or a mixture with one component of x.
    process : Process
    x : ndarray, shape (d, n)
    t, s : float

    Returns
    -------
    ndarray, shape (d, n)

    Raises
    ------
    ParameterError
        For a mixture with more components of x, whose flow has no closed form.

    Notes
    -----
    Gaussian: α_s m + C_s^½ C_t^-½ (x - α_t m) with C = α² Σ + σ² I. One dimension: F_s⁻¹(F_t(x)), as the flow keeps the
    order of points (and so their quantiles).
    """
    if isinstance(target, Gaussian):
        (a, sigma), (b, tau) = _levels(process, t), _levels(process, s)
        values, vectors = np.linalg.eigh(target.covariance)
        ratio = np.sqrt((b**2 * values + tau**2) / (a**2 * values + sigma**2))
        mean = target.mean[:, None]
        return np.asarray(b * mean + vectors @ (ratio[:, None] * (vectors.T @ (x - a * mean))))
    if isinstance(target, GaussianMixture) and target.d == 1:
        source, destination = (_line(target, *_levels(process, time)) for time in (t, s))
        return transport(source, destination, np.asarray(x, dtype=float)[0])[None]
    raise ParameterError(
        f"{target.name} with {target.d} components has no closed probability flow; use a Gaussian, or a mixture with "
        "one component"
    )


def log_likelihood(target: Any, process: Process, x: Any, t: float, s: float, *, rtol: float = 1e-10) -> np.ndarray:
    """Logarithm of p_s at points x of time s, through the probability flow: log p_t(x_t) + ∫ div v from s to t.

    Parameters
    ----------
    target : Density
    process : Process
    x : ndarray, shape (d, n)
        Points of time s.
    t, s : float
        The flow runs from s to t, where the density is evaluated.
    rtol : float
        Tolerance of the integration (SciPy's DOP853).

    Returns
    -------
    ndarray, shape (n,)

    Notes
    -----
    Chen et al. 2018 (theorem 1), Song et al. 2021 (eq. 39), with the exact divergence.
    """
    from scipy.integrate import solve_ivp

    model = Model(target, process)
    d, n = np.shape(x)

    def rate(time: float, state: np.ndarray) -> np.ndarray:
        points = state[: d * n].reshape(d, n)
        return np.concatenate([model.velocity(points, time).reshape(-1), model.divergence(points, time)])

    start = np.concatenate([np.asarray(x, dtype=float).reshape(-1), np.zeros(n)])
    end = solve_ivp(rate, (s, t), start, method="DOP853", rtol=rtol, atol=rtol).y[:, -1]
    return np.asarray(model.log_prob(np.ascontiguousarray(end[: d * n].reshape(d, n)), t) + end[d * n :])


@dataclass(frozen=True, eq=False)
class ReverseKernel:
    """The law of x_s given x_t, s < t: for each x_t a mixture of Gaussians.

    Component k has the probability r_k(x_t), the mean ``offsets[k] + gains[k] x_t`` and the covariance
    ``roots[k] roots[k]ᵀ``, whatever the step from t to s.

    Parameters
    ----------
    law : Density
        The law of x_t.
    weights : ndarray, shape (K,)
    offsets : ndarray, shape (K, d)
    gains, roots : ndarray, shape (K, d, d)
    """

    law: Any
    weights: np.ndarray
    offsets: np.ndarray
    gains: np.ndarray
    roots: np.ndarray

    def probabilities(self, x: Any) -> np.ndarray:
        """r_k(x_t), shape (K, n)."""
        if len(self.weights) == 1:
            return np.ones((1, np.shape(x)[1]))
        return np.ascontiguousarray(self.law.responsibilities(np.asarray(x).T).T)

    def means(self, x: Any) -> np.ndarray:
        """Means of the components, shape (K, d, n)."""
        return np.asarray(self.offsets[:, :, None] + np.einsum("kij,jn->kin", self.gains, x))

    def mean(self, x: Any) -> np.ndarray:
        """E[x_s | x_t = x], shape (d, n)."""
        return np.asarray(np.einsum("kn,kin->in", self.probabilities(x), self.means(x)))

    def covariance(self, x: Any) -> np.ndarray:
        """Cov[x_s | x_t = x], shape (d, d, n)."""
        r, apart = self.probabilities(x), self.means(x) - self.mean(x)
        spreads = np.einsum("kil,kjl->kij", self.roots, self.roots)
        return np.asarray(np.einsum("kn,kij->ijn", r, spreads) + np.einsum("kn,kin,kjn->ijn", r, apart, apart))

    def law_at(self, x: Any) -> GaussianMixture:
        """The whole law of x_s for one point x, shape (d,)."""
        x = np.asarray(x, dtype=float)[:, None]
        spreads = np.einsum("kil,kjl->kij", self.roots, self.roots)
        return GaussianMixture(self.probabilities(x)[:, 0], self.means(x)[:, :, 0], spreads)

    def draw(self, x: Any, z: Any, u: Any) -> np.ndarray:
        """x_s for points x (d, n), with standard normals z (d, n) and uniforms u (n,)."""
        heights = np.cumsum(self.probabilities(x), axis=0)
        which = np.minimum((u * heights[-1] >= heights).sum(axis=0), len(heights) - 1)  # u may round to 1
        out = np.empty(np.shape(x))
        for k in np.unique(which):
            mine = which == k
            out[:, mine] = self.offsets[k][:, None] + self.gains[k] @ x[:, mine] + self.roots[k] @ z[:, mine]
        return out


def reverse_kernel(target: Any, process: Process, t: float, s: float) -> ReverseKernel:
    """The exact law of x_s given x_t for a Gaussian or a mixture, at any step.

    Parameters
    ----------
    target : Density
    process : Process
    t, s : float
        s < t.

    Raises
    ------
    ParameterError
        For other densities, or s not below t.

    Notes
    -----
    With r = α_t/α_s and C the covariance of a component at s, x_t = r x_s + noise of variance σ_t² - r² σ_s²; so the
    gain is K = r C (C at t)⁻¹ and the covariance C - K r C.
    """
    if not s < t:
        raise ParameterError(f"the reverse kernel was asked from {t:g} to {s:g}; give s below t")
    weights, means, covariances = components(target)
    (a, sigma), (b, tau) = _levels(process, t), _levels(process, s)
    ratio = a / b
    added = sigma**2 - (ratio * tau) ** 2
    values, vectors = np.linalg.eigh(covariances)
    early = b**2 * values + tau**2
    late = ratio**2 * early + added
    scale, spread = ratio * early / late, np.sqrt(early * added / late)
    turned = np.swapaxes(vectors, 1, 2)
    gains, roots = (vectors * scale[:, None]) @ turned, (vectors * spread[:, None]) @ turned
    offsets = b * means - a * np.einsum("kij,kj->ki", gains, means)
    return ReverseKernel(process.noised(target, t), weights, offsets, gains, roots)


def _levels(process: Process, t: float) -> tuple[float, float]:
    return float(process.alpha(t)), float(process.sigma(t))


def _line(target: GaussianMixture, alpha: float, sigma: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, means and standard deviations of the noised mixture on the line."""
    return target.weights, alpha * target.means[:, 0], np.sqrt(alpha**2 * target.covariances[:, 0, 0] + sigma**2)


def _posterior(covariances: np.ndarray, alpha: float, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Gains α C (α² C + σ² I)⁻¹ and covariances σ² C (α² C + σ² I)⁻¹ of x_0 given x, for each component."""
    values, vectors = np.linalg.eigh(covariances)
    share = values / (alpha**2 * values + sigma**2)
    turned = np.swapaxes(vectors, 1, 2)
    whole = (vectors * share[:, None]) @ turned
    return alpha * whole, sigma**2 * whole


def _responsibilities(
    weights: np.ndarray, means: np.ndarray, covariances: np.ndarray, alpha: float, sigma: float, x: Any
) -> np.ndarray:
    if len(weights) == 1:
        return np.ones((1, np.shape(x)[1]))
    law = GaussianMixture(weights, means, covariances).noised(alpha, sigma)
    return np.ascontiguousarray(law.responsibilities(np.asarray(x).T).T)
