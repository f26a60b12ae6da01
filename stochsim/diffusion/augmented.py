"""Forward processes with more than a Gaussian kernel of x: PFGM++ (heavy tails) and critically damped Langevin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from stochsim.columns.ops import dot, logsumexp, matvec, matvec_transposed, repeat, segment_sums, softmax, total
from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion._components import components
from stochsim.diffusion.forward import Exploding, Forward
from stochsim.schedules import Constant, Schedule, require_positive

__all__ = ["CriticallyDampedLangevin", "PFGMpp"]

LEAST_WEIGHT = 60.0  # log of what is left out of the mixture of scales
FARTHEST = 50.0  # distance of x from the data, in units of σ, up to which the sum is exact to rounding
STEP = 0.25  # of the trapezoidal rule in the logarithm of the scale: its error is exp(-π²/0.25)


@dataclass(frozen=True)
class PFGMpp(Exploding):
    """PFGM++: x = x_0 + σ z/√τ with τ ~ Gamma(D/2, rate D/2), σ = t (Xu et al. 2023, eq. 4 with r = σ√D).

    The kernel is (|x - x_0|² + r²)^(-(d+D)/2): a multivariate t with D degrees of freedom. As D grows it becomes the
    Gaussian kernel of EDM. The field dx/dσ = (x - E[x_0|x])/σ has the form of a probability flow, so that the
    data, noise and velocity predictions and all samplers for ODEs hold as they stand; "score" is
    (E[x_0|x] - x)/σ², which is not the gradient of log p here.

    Parameters
    ----------
    D : float
        Added dimensions, positive.
    t_min, t_end : float
    """

    D: float = 128.0
    t_min: float = 0.002
    t_end: float = 80.0

    def __post_init__(self) -> None:
        require_positive(D=self.D, t_end=self.t_end)

    def sigma(self, t: Any) -> Any:
        """σ = t."""
        return 1.0 * t

    def sigma_dot(self, t: Any) -> Any:
        """1."""
        return 1.0 + 0.0 * t

    def t_of_lam(self, lam: Any) -> Any:
        """e^-λ."""
        return np.exp(-lam)

    def noised(self, target: Any, t: float) -> HeavyLaw:
        """The law of the data at time t, for Gaussians and mixtures."""
        return HeavyLaw.of(*components(target), float(t), self.D)


@dataclass(frozen=True, eq=False)
class HeavyField:
    """Formulas of the law of PFGM++ as a mixture over components and scales; `score` is (E[x_0|x] - x)/σ²."""

    log_weights: np.ndarray  # (L, 1), normalisers included
    whitening: np.ndarray  # (L d, d)
    offsets: np.ndarray  # (L d, 1)
    eigenprecisions: np.ndarray  # (L d, 1)
    stretches: np.ndarray  # (L, 1), 1/τ
    traces: np.ndarray  # (L, 1)
    size: tuple[int]  # (d,)

    def _whitened(self, x: Any) -> tuple[Any, Any]:
        z = matvec(self.whitening, x) - self.offsets
        return z, self.log_weights - 0.5 * segment_sums(z * z, self.size[0])

    def _pull(self, z: Any, weights: Any) -> Any:
        return -matvec_transposed(self.whitening, z * repeat(weights, self.size[0]))

    def log_prob(self, x: Any) -> Any:
        """Logarithm of the density."""
        return logsumexp(self._whitened(x)[1])

    def score(self, x: Any) -> Any:
        """(E[x_0|x] - x)/σ²."""
        z, logits = self._whitened(x)
        return self._pull(z, softmax(logits)[0] * self.stretches)

    def hessian_vector(self, x: Any, v: Any) -> Any:
        """The derivative of `score` along v."""
        z, logits = self._whitened(x)
        r, u = softmax(logits)[0], matvec(self.whitening, v)
        along, weights = segment_sums(z * u, self.size[0]), r * self.stretches
        pulled = self._pull(u, weights) - self._pull(z, weights * along)
        return pulled - self._pull(z, weights) * dot(self._pull(z, r), v)

    def laplacian(self, x: Any) -> Any:
        """The divergence of `score`."""
        z, logits = self._whitened(x)
        r = softmax(logits)[0]
        squares, weights = segment_sums(z * z * self.eigenprecisions, self.size[0]), r * self.stretches
        return total(weights * (squares - self.traces)) - dot(self._pull(z, weights), self._pull(z, r))


@dataclass(frozen=True, eq=False)
class HeavyLaw:
    """The law of the data at one time of PFGM++.

    Parameters
    ----------
    target : HeavyField
        Formulas over columns.
    data : GaussianMixture
    sigma, D : float
    """

    target: HeavyField
    data: GaussianMixture
    sigma: float
    D: float
    name: ClassVar[str] = "PFGM++"

    @classmethod
    def of(cls, weights: np.ndarray, means: np.ndarray, covariances: np.ndarray, sigma: float, D: float) -> HeavyLaw:
        """The law of a mixture under the kernel of σ and D."""
        tau, shares = scales(D)
        d = means.shape[1]
        values, vectors = np.linalg.eigh(covariances)
        spreads = (values[:, None] + sigma**2 / tau[None, :, None]).reshape(-1, d)  # (L, d), L = K m
        whitening = np.repeat(np.swapaxes(vectors, 1, 2), len(tau), axis=0) / np.sqrt(spreads)[:, :, None]
        offsets = np.einsum("lij,lj->li", whitening, np.repeat(means, len(tau), axis=0))
        logs = (np.log(weights)[:, None] + shares).reshape(-1)
        logs = logs - 0.5 * (np.log(spreads).sum(axis=1) + d * np.log(2.0 * np.pi))
        stretches = np.tile(1.0 / tau, len(weights))[:, None]
        flat = (whitening.reshape(-1, d), offsets.reshape(-1, 1), 1.0 / spreads.reshape(-1, 1))
        field = HeavyField(logs[:, None], *flat, stretches, (1.0 / spreads).sum(axis=1)[:, None], (d,))
        return cls(field, GaussianMixture(weights, means, covariances), sigma, D)

    @property
    def d(self) -> int:
        """Number of components."""
        return self.data.d

    @property
    def mean(self) -> np.ndarray:
        """E x, which exists for D > 1."""
        return self.data.mean

    def columns(self, noise: Any, n: int, data: np.ndarray | None = None) -> np.ndarray:
        """Draws (d, n) as functions of the noise's counters, about given columns of data."""
        from scipy.special import gammaincinv

        tau = gammaincinv(0.5 * self.D, noise.uniforms(3, n)) / (0.5 * self.D)
        return np.asarray((0.0 if data is None else data) + self.sigma * noise(2, (self.d, n)) / np.sqrt(tau))


def scales(D: float) -> tuple[np.ndarray, np.ndarray]:
    """Values of τ ~ Gamma(D/2, rate D/2) and the logarithms of their weights: the trapezoidal rule in u = log τ.

    The integrand is analytic in a strip of half width π/2, so that the error falls as exp(-π²/step) while the peak,
    of width √(2/D), is resolved. Far out at the distance R the peak stands at u = -log(1 + R²/(D σ²)).
    """
    step = min(STEP, 0.7 * np.sqrt(2.0 / D))
    reach = LEAST_WEIGHT / (0.5 * D)  # the density falls by exp(D/2 (e^u - 1 - u)) from its peak at u = 0
    low = -(reach + 1.0) if reach > 1.0 else -2.5 * np.sqrt(reach)
    low -= np.log1p(FARTHEST**2 / D)
    high = np.log(reach + 2.0 + np.sqrt(2.0 * reach))
    u = np.arange(np.floor(low / step), np.ceil(high / step) + 1.0) * step
    logs = -0.5 * D * (np.expm1(u) - u)
    keep = (u < 0.0) | (logs > -LEAST_WEIGHT)
    u, logs = u[keep], logs[keep]
    return np.exp(u), logs - np.log(np.exp(logs).sum())


@dataclass(frozen=True)
class CriticallyDampedLangevin(Forward):
    """dx = β v/M dt, dv = -β (x + Γ v/M) dt + √(2Γβ) dW with Γ² = 4M (Dockhorn, Vahdat & Kreis 2022, eq. 5).

    Columns are (x, v), (2d, n), with v_0 ~ N(0, γ M I). Noise enters v alone, so a sampler needs the score with respect
    to v: ``model.score(u, t)[d:]``. The law at any t is exact: x_0 is multiplied by a column of exp(A ∫β), A the
    matrix of the drift, and the stationary law N(0, I) × N(0, M I) fills the rest.

    Parameters
    ----------
    mass : float
        M.
    gamma : float
        γ: the first velocities' variance, in units of M.
    schedule : Schedule
        β(t); constant 4 in the paper.
    t_min : float
    """

    mass: float = 0.25
    gamma: float = 0.04
    schedule: Schedule = Constant(4.0)  # noqa: RUF009  frozen, and so safe to share
    t_min: float = 1e-3
    space: ClassVar[str] = "phase"

    def __post_init__(self) -> None:
        require_positive(mass=self.mass, gamma=self.gamma)

    @property
    def t_end(self) -> float:
        """The last time."""
        return self.schedule.t_end

    @property
    def friction(self) -> float:
        """Γ = 2 √M."""
        return float(2.0 * np.sqrt(self.mass))

    def prior_std(self, t: float, d: int) -> np.ndarray:
        """Standard deviations of the stationary law of (x, v), shape (2d, 1)."""
        return np.repeat([[1.0], [np.sqrt(self.mass)]], d, axis=0)

    def beta(self, t: Any) -> Any:
        """β(t)."""
        return self.schedule.rate(t)

    def drift_matrix(self) -> np.ndarray:
        """A of d(x, v) = β A (x, v) dt + noise, for one pair; shape (2, 2)."""
        return np.array([[0.0, 1.0 / self.mass], [-1.0, -self.friction / self.mass]])

    def propagator(self, b: float) -> np.ndarray:
        """exp(A b) with b = ∫β: critical damping makes A + aI nilpotent, a = 2/Γ; shape (2, 2)."""
        a = 2.0 / self.friction
        return np.asarray(np.exp(-a * b) * (np.eye(2) + b * (self.drift_matrix() + a * np.eye(2))))

    def transition(self, b: float) -> tuple[np.ndarray, np.ndarray]:
        """Matrix and covariance of (x, v) after ∫β = b, given (x, v) before; shapes (2, 2)."""
        E, stationary = self.propagator(b), np.diag([1.0, self.mass])
        return E, stationary - E @ stationary @ E.T

    def kernel(self, t: float) -> tuple[np.ndarray, np.ndarray]:
        """Factors (2,) of x_0 in the mean of (x, v) at t, and their covariance (2, 2) given x_0."""
        E, covariance = self.transition(float(self.schedule.integral(t)))
        return E[:, 0], covariance + self.gamma * self.mass * np.outer(E[:, 1], E[:, 1])

    def noised(self, target: Any, t: float) -> Any:
        """The law of (x, v) at time t, a density with 2d components."""
        weights, means, covariances = components(target)
        factors, covariance = self.kernel(t)
        d = means.shape[1]
        moved = np.concatenate([factors[0] * means, factors[1] * means], axis=1)
        joint: Any = np.kron(np.outer(factors, factors), covariances) + np.kron(covariance, np.eye(d))
        joint = (joint + np.swapaxes(joint, 1, 2)) / 2.0
        return Gaussian(moved[0], joint[0]) if len(weights) == 1 else GaussianMixture(weights, moved, joint)

    def velocity(self, u: Any, score: Any, t: float) -> Any:
        """The probability flow d(x, v)/dt, given the score of (x, v), all (2d, n)."""
        d, beta = len(u) // 2, float(self.beta(t))
        out = 0.0 * u
        out[:d] = (beta / self.mass) * u[d:]
        out[d:] = -beta * (u[:d] + (self.friction / self.mass) * u[d:] + self.friction * score[d:])
        return out
