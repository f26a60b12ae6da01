"""Densities whose logarithm is a sum over blocks of data: what samplers with stochastic gradients are given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stochsim.columns.ops import matvec, pick, segment_sums, tile
from stochsim.densities.checks import finite, positive_definite
from stochsim.densities.gaussian import Gaussian
from stochsim.densities.record import Density, Target
from stochsim.densities.regression import RegressionPosterior, RegressionTarget
from stochsim.errors import ParameterError
from stochsim.mcmc.populations.stacks import height

__all__ = ["BlockPosterior", "QuadraticSum", "control_variate", "laplace_surrogate"]


@dataclass(frozen=True, eq=False)
class SumOfQuadratics:
    """Formulas of -Σ_b (x - m_b)ᵀ H_b (x - m_b) / 2, and of its blocks."""

    whole: Target
    blocks: np.ndarray  # (K, 1)
    curvatures: np.ndarray  # (K, d²), each H_b by rows
    pulls: np.ndarray  # (K, d), H_b m_b
    base_curvature: np.ndarray  # (d, d), H_0
    base_pull: np.ndarray  # (d, 1)

    def log_prob(self, x: Any) -> Any:
        return self.whole.log_prob(x)

    def score(self, x: Any) -> Any:
        return self.whole.score(x)

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        return self.whole.log_prob_and_score(x)

    def hessian_vector(self, x: Any, v: Any) -> Any:
        return self.whole.hessian_vector(x, v)

    def laplacian(self, x: Any) -> Any:
        return self.whole.laplacian(x)

    def block_score(self, x: Any, index: Any) -> Any:
        d = height(x)
        force = pick(self.pulls, index) - segment_sums(pick(self.curvatures, index) * tile(x, d), d)
        return self.base_pull - matvec(self.base_curvature, x) + float(height(self.blocks)) * force


class QuadraticSum(Gaussian):
    """The Gaussian with -log π = Σ_b (x - m_b)ᵀ H_b (x - m_b) / 2 + const, known block by block.

    Exact laws of samplers with stochastic gradients are known here: every block makes its own affine step.

    Parameters
    ----------
    curvatures : array_like, shape (K, d, d) or (K, d)
        H_b, symmetric; or their diagonals.
    centres : array_like, shape (K, d)
        m_b.
    prior_curvature : float or array_like, shape (d, d)
        H_0 of a prior N(0, H_0⁻¹) that belongs to no block: every gradient contains it whole.

    Raises
    ------
    ModelError
        If the sum of all H is not positive definite.
    ParameterError
        If shapes do not fit.
    """

    def __init__(self, curvatures: Any, centres: Any, prior_curvature: Any = 0.0) -> None:
        m, H = finite("centres", np.asarray(centres, dtype=float)), finite("curvatures", np.asarray(curvatures, float))
        if m.ndim != 2 or H.shape not in (m.shape, (*m.shape, m.shape[-1])):
            raise ParameterError(
                f"curvatures have shape {H.shape} and centres {m.shape}; give (K, d, d) or (K, d), and (K, d)"
            )
        self.n_blocks, d = m.shape
        H = H if H.ndim == 3 else np.einsum("ki,ij->kij", H, np.eye(d))
        base = np.asarray(prior_curvature, dtype=float)
        base = base if base.ndim == 2 else base * np.eye(d)
        pulls = np.einsum("kij,kj->ki", H, m)
        positive_definite("the sum of the curvatures", H.sum(axis=0) + base)
        covariance = np.linalg.inv(H.sum(axis=0) + base)
        super().__init__(covariance @ pulls.sum(axis=0), (covariance + covariance.T) / 2.0)
        names, rows = _names(self.n_blocks), np.ascontiguousarray(H).reshape(self.n_blocks, d * d)
        self.target: Any = SumOfQuadratics(self.target, names, rows, pulls, base, np.zeros((d, 1)))


@dataclass(frozen=True, eq=False)
class BlockedRegression:
    """Formulas of a regression posterior, and of blocks of s data."""

    whole: RegressionTarget
    blocks: np.ndarray  # (K, 1)
    designs: np.ndarray  # (K, s d), X by rows
    transposed: np.ndarray  # (K, d s), Xᵀ by rows
    answers: np.ndarray  # (K, s)

    def log_prob(self, x: Any) -> Any:
        return self.whole.log_prob(x)

    def score(self, x: Any) -> Any:
        return self.whole.score(x)

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        return self.whole.log_prob_and_score(x)

    def hessian_vector(self, x: Any, v: Any) -> Any:
        return self.whole.hessian_vector(x, v)

    def laplacian(self, x: Any) -> Any:
        return self.whole.laplacian(x)

    def block_score(self, x: Any, index: Any) -> Any:
        d, y = height(x), pick(self.answers, index)
        s = height(y)
        eta = segment_sums(pick(self.designs, index) * tile(x, s), d)
        slopes = replace(self.whole, y=y).slope(eta)
        force = segment_sums(pick(self.transposed, index) * tile(slopes, d), s)
        return float(height(self.blocks)) * force - self.whole.prior_precision * x


class BlockPosterior(Density):
    """A regression posterior with its data cut into blocks, in the order in which they stand.

    Parameters
    ----------
    posterior : LogisticPosterior or LinearPosterior
    n_blocks : int
        K, a divisor of the number of data.

    Raises
    ------
    ParameterError
        If the posterior is of another kind, or the blocks would not be equal.
    """

    def __init__(self, posterior: Any, n_blocks: int) -> None:
        if not isinstance(posterior, RegressionPosterior):
            raise ParameterError(f"posterior is {posterior!r}; give a LogisticPosterior or a LinearPosterior")
        N, d = posterior.X.shape
        if not (isinstance(n_blocks, int | np.integer) and n_blocks >= 1 and N % n_blocks == 0):
            raise ParameterError(f"n_blocks is {n_blocks!r} for {N} data; give a divisor of their number")
        self.posterior, self.d, self.n_blocks, s = posterior, d, int(n_blocks), N // n_blocks
        self.normalised = posterior.normalised
        X = np.ascontiguousarray(posterior.X).reshape(n_blocks, s, d)
        turned = np.ascontiguousarray(X.transpose(0, 2, 1)).reshape(n_blocks, d * s)
        answers = posterior.y.reshape(n_blocks, s)
        self.target: Any = BlockedRegression(
            posterior.target, _names(self.n_blocks), X.reshape(n_blocks, s * d), turned, answers
        )

    @property
    def mean(self) -> np.ndarray:
        """E x, shape (d,)."""
        return self.posterior.mean

    @property
    def covariance(self) -> np.ndarray:
        """Cov x, shape (d, d)."""
        return self.posterior.covariance

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Draws of the posterior, shape (n, d), as exact as its own."""
        return self.posterior.sample(n, seed=seed)


def _names(n_blocks: int) -> np.ndarray:
    return np.arange(float(n_blocks))[:, None]


@dataclass(frozen=True, eq=False)
class AnchoredControl:
    """Control variate at a fixed place x̂: ∇l_0 + K∇l_b at x̂ is taken away, the whole score at x̂ given back."""

    anchor: np.ndarray  # (d, 1)
    score: np.ndarray  # (d, 1)

    def correction(self, target: Any, x: Any, index: Any) -> Any:
        return self.score - target.block_score(self.anchor + 0.0 * x, index)


@dataclass(frozen=True, eq=False)
class SurrogateControl:
    """Control variate by quadratics q_b near the blocks: ∇log q - ∇log q_0 - K ∇log q_b is added."""

    surrogate: SumOfQuadratics

    def correction(self, target: Any, x: Any, index: Any) -> Any:
        return self.surrogate.score(x) - self.surrogate.block_score(x, index)


def control_variate(density: Density, control: Any) -> Any:
    """What is added to the gradient of a block, with mean zero over the blocks, so that its noise is small.

    Parameters
    ----------
    density : Density
        The target.
    control : array_like, shape (d,), or QuadraticSum
        A place near the mode (Baker, Fearnhead, Fox & Nemeth 2019), or quadratics near the blocks
        (Mekkaoui, Mesquita, Blomstedt & Kaski 2021).
    """
    if isinstance(control, QuadraticSum):
        if control.n_blocks != getattr(density, "n_blocks", None):
            raise ParameterError(f"the control has {control.n_blocks} blocks; give as many as {density.name} has")
        return SurrogateControl(control.target)
    place = finite("control", np.asarray(control, dtype=float))
    if place.shape != (density.d,):
        raise ParameterError(f"control has shape {place.shape}; give ({density.d},) or a QuadraticSum")
    return AnchoredControl(place[:, None].copy(), density.score(place)[:, None])


def laplace_surrogate(posterior: BlockPosterior) -> QuadraticSum:
    """Quadratics with each block's curvature and gradient at the posterior's mode: surrogates of its blocks."""
    x, whole = posterior.posterior.laplace().mean, posterior.target
    columns, K = x[:, None], posterior.n_blocks
    curvatures, centres = [], []
    for b in range(K):
        H = _block_curvature(whole, columns, b)
        gradient = (whole.block_score(columns, float(b))[:, 0] + whole.whole.prior_precision * x) / K
        centres.append(x + np.linalg.lstsq(H, gradient, rcond=None)[0])
        curvatures.append(H)
    return QuadraticSum(curvatures, centres, whole.whole.prior_precision)


def _block_curvature(target: BlockedRegression, x: np.ndarray, b: int) -> np.ndarray:
    s, d = target.answers.shape[1], len(x)
    X = target.designs[b].reshape(s, d)
    slope = replace(target.whole, y=target.answers[b][:, None]).curvature(X @ x)
    return np.asarray(-(X.T * slope[:, 0]) @ X)
