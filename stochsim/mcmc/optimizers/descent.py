"""Stochastic optimizers as iterations, and the stochastic differential equations that model them.

Every optimizer is a map of its state driven by independent draws γ_k, and has an SDE (its stochastic modified equation)
whose law at time k h agrees with that of the k-th iterate to a power of h. What h is in terms of the learning rate is
said by each class: the rate itself, its root, or its square.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from stochsim.errors import ParameterError
from stochsim.mcmc.record import require_positive
from stochsim.sde import SDE
from stochsim.symbolic.calculus import gradient
from stochsim.symbolic.tracing import as_sym

__all__ = ["NAGGS", "SGD", "ClippedSGD", "Momentum", "Optimizer", "StochasticLoss"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StochasticLoss:
    """A loss seen through random gradients ∇f_γ(x), with f = E f_γ.

    Parameters
    ----------
    gradient : callable
        ``gradient(x, gamma)``, a plain NumPy function of x (d, ...) and γ (k, ...) to (d, ...), traced for the SDE.
    kinds : tuple of str
        Laws of the independent entries of γ: ``"two_point"`` (±1), ``"three_point"`` (±√3, 0) or ``"normal"``.
    rule : tuple of ndarray, optional
        Another law instead: atoms (k, q) and their probabilities (q,).

    Raises
    ------
    ParameterError
        If the probabilities do not sum to 1.
    """

    gradient: Callable[[Any, Any], Any]
    kinds: tuple[str, ...] = ("two_point",)
    rule: tuple[FloatArray, FloatArray] | None = None

    def __post_init__(self) -> None:
        mass = float(np.sum(self.atoms[1]))
        if not abs(mass - 1.0) < 1e-12:
            raise ParameterError(f"the probabilities of the atoms sum to {mass!r}; give numbers that sum to 1")

    @cached_property
    def atoms(self) -> tuple[FloatArray, FloatArray]:
        """Values of γ (k, q) and their probabilities (q,); normals by 6 Gauss nodes each, exact to degree 11."""
        if self.rule is not None:
            return self.rule
        from stochsim.orders.step_maps import noise_rule

        return noise_rule(self.kinds)

    def gradients(self, x: Any) -> list[Any]:
        """∇f_γ(x) for every atom, symbols or arrays."""
        extra = (1,) * (np.ndim(x) - 1)
        return [self.gradient(x, atom.reshape(-1, *extra)) for atom in self.atoms[0].T]

    def mean(self, values: Sequence[Any]) -> Any:
        """The mean over the atoms."""
        return sum(float(w) * v for w, v in zip(self.atoms[1], values, strict=True))

    def root(self, values: Sequence[Any]) -> list[list[Any]]:
        """B (d, q - 1) with B Bᵀ the covariance over the q atoms, of symbols: smooth wherever the values are."""
        vectors = [as_sym(v) for v in values]
        contrasts = _contrasts(self.atoms[1])
        return [
            [sum(float(c) * v[i] for c, v in zip(column, vectors, strict=True)) for column in contrasts.T]
            for i in range(vectors[0].shape[0])
        ]


def _contrasts(weights: FloatArray) -> FloatArray:
    """Q (q, q - 1) with Q Qᵀ = diag w - w wᵀ, whose columns sum to zero."""
    root = np.sqrt(weights)
    full = np.linalg.qr(np.column_stack([root, np.eye(len(root))[:, 1:]]))[0]
    return np.asarray(root[:, None] * full[:, 1:])


class Optimizer(ABC):
    """An iteration with a stochastic differential equation."""

    @abstractmethod
    def start(self, x0: FloatArray) -> FloatArray:
        """The state (m,) with which the iteration begins at x0 (d,); its first d entries are x."""

    @abstractmethod
    def iterate(self, loss: StochasticLoss, s: FloatArray, h: float, gamma: FloatArray) -> FloatArray:
        """One iteration of the states (m, n) with draws (k, n), for the time step h of the SDE."""

    @abstractmethod
    def sde(self, loss: StochasticLoss, x0: Any, h: float) -> SDE:
        """The equation that models iterations of the time step h."""


def traced_gradient(f: Any, x: Any) -> Any:
    """The derivatives of symbols f with respect to symbols x: shape f.shape + x.shape."""
    return gradient(as_sym(f), as_sym(x))


def started(x0: Any) -> FloatArray:
    """x0 as an array (d,)."""
    return np.atleast_1d(np.asarray(x0, dtype=float))


@dataclass(frozen=True)
class Descent(Optimizer):
    """Optimizers of the form x' = x - h G(x, γ): their SDE is dX = -E Ĝ dt + √h Cov(Ĝ)^(1/2) dW for a smooth Ĝ ≈ G."""

    def start(self, x0: FloatArray) -> FloatArray:
        """The place alone."""
        return started(x0)

    @abstractmethod
    def direction(self, loss: StochasticLoss, x: Any, gamma: Any, h: float) -> Any:
        """G."""

    def modelled(self, loss: StochasticLoss, x: Any, h: float) -> list[Any]:
        """Ĝ for every atom, of symbols; G itself unless a class says otherwise."""
        return [as_sym(self.direction(loss, x, atom, h)) for atom in loss.atoms[0].T]

    def iterate(self, loss: StochasticLoss, s: FloatArray, h: float, gamma: FloatArray) -> FloatArray:
        """The step against G."""
        return np.asarray(s - h * self.direction(loss, s, gamma, h))

    def sde(self, loss: StochasticLoss, x0: Any, h: float) -> SDE:
        """The stochastic modified equation; time is the number of iterations times h."""
        require_positive("h", h)
        return SDE(
            drift=lambda x, t, p: -loss.mean(self.modelled(loss, x, h)),
            diffusion=lambda x, t, p: _scaled(np.sqrt(h), loss.root(self.modelled(loss, x, h))),
            x0=started(x0),
            name=f"{type(self).__name__} equation",
        )


def _scaled(factor: float, matrix: list[list[Any]]) -> list[list[Any]]:
    return [[float(factor) * v for v in row] for row in matrix]


@dataclass(frozen=True)
class SGD(Descent):
    """Stochastic gradient descent x' = x - h ∇f_γ(x), with h the learning rate.

    The equation of order 1 is dX = -∇f dt + √h Σ^(1/2) dW, that of order 2 has the drift -∇(f + h |∇f|²/4) (Li, Tai & E
    2019, theorem 9).

    Parameters
    ----------
    equation_order : int
        1 or 2.

    Raises
    ------
    ParameterError
        If the order is another.
    """

    equation_order: int = 1

    def __post_init__(self) -> None:
        if self.equation_order not in (1, 2):
            raise ParameterError(f"equation_order is {self.equation_order!r}; give 1 or 2")

    def direction(self, loss: StochasticLoss, x: Any, gamma: Any, h: float) -> Any:
        """∇f_γ."""
        return loss.gradient(x, gamma)

    def modelled(self, loss: StochasticLoss, x: Any, h: float) -> list[Any]:
        """∇f_γ, for order 2 with h ∇²f ∇f/2 added."""
        plain = super().modelled(loss, x, h)
        if self.equation_order == 1:
            return plain
        slope = as_sym(loss.mean(plain))
        correction = (0.5 * h) * (traced_gradient(slope, x) @ slope)
        return [g + correction for g in plain]


@dataclass(frozen=True)
class ClippedSGD(Descent):
    """Clipped stochastic gradient descent x' = x - h min(1, c/|g|) g, with g = ∇f_γ(x) and h the learning rate.

    Where the noise of g is not symmetric it settles where E clip(g) = 0, not at the minimum, however small h is
    (Koloskova, Hendrikx & Stich 2023).

    Parameters
    ----------
    threshold : float
        c.
    """

    threshold: float

    def __post_init__(self) -> None:
        require_positive("threshold", self.threshold)

    def direction(self, loss: StochasticLoss, x: Any, gamma: Any, h: float) -> Any:
        """The clipped gradient."""
        g = loss.gradient(x, gamma)
        length = np.sqrt(sum(g[i] * g[i] for i in range(len(g))))
        return np.where(length > self.threshold, self.threshold / np.where(length > 0.0, length, 1.0), 1.0) * g


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Heavy-ball descent v' = β v - η ∇f_γ(x), x' = x + v', with time step h = √η and β = 1 - friction h.

    With V = v/h the equation is dX = V dt, dV = -(friction V + ∇f) dt + √h Σ^(1/2) dW, of order 1 in h (Li, Tai & E
    2019, section 5). The state is (x, V).

    Parameters
    ----------
    friction : float
        (1 - β)/√η.
    """

    friction: float

    def __post_init__(self) -> None:
        require_positive("friction", self.friction)

    def start(self, x0: FloatArray) -> FloatArray:
        """At rest."""
        return np.concatenate([started(x0), 0.0 * started(x0)])

    def iterate(self, loss: StochasticLoss, s: FloatArray, h: float, gamma: FloatArray) -> FloatArray:
        """V' = V - h (friction V + ∇f_γ(x)), x' = x + h V'."""
        x, V = np.split(s, 2)
        V = V - h * (self.friction * V + loss.gradient(x, gamma))
        return np.concatenate([x + h * V, V])

    def sde(self, loss: StochasticLoss, x0: Any, h: float) -> SDE:
        """The equation of (X, V); time is the number of iterations times h = √η."""
        require_positive("h", h)
        d = len(started(x0))

        def drift(s: Any, t: Any, p: Any) -> Any:
            force = as_sym(loss.mean(loss.gradients(s[:d])))
            return [*(s[d + i] for i in range(d)), *(-self.friction * s[d + i] - force[i] for i in range(d))]

        def diffusion(s: Any, t: Any, p: Any) -> Any:
            root = _scaled(np.sqrt(h), loss.root(loss.gradients(s[:d])))
            return [*([0.0] * len(root[0]) for _ in range(d)), *root]

        return SDE(drift=drift, diffusion=diffusion, x0=self.start(x0), name="Momentum equation")


@dataclass(frozen=True)
class NAGGS(Optimizer):
    """NAG-GS (Leplat, Merkulov, Katrutsa, Bershatsky, Tsymboi & Oseledets 2022), with time step h = α.

    A Gauss–Seidel step of dx = (v - x) dt, γ dv = (μ (x - v) - ∇f) dt + √h Σ^(1/2) dW, dγ = (μ - γ) dt: γ' = (γ +
    αμ)/(1 + α), x' = (1 - a) x + a v, v' = (1 - b) v + b x' - (b/μ) ∇f_γ(x') with a = α/(1 + α), b = αμ/(αμ + γ'). The
    state is (x, v, γ).

    Parameters
    ----------
    strength : float
        μ, a lower bound of the curvature.
    gamma0 : float, optional
        γ at the start; default μ, where it stays.
    """

    strength: float
    gamma0: float | None = None
    _begin: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        require_positive("strength", self.strength)
        object.__setattr__(self, "_begin", self.strength if self.gamma0 is None else self.gamma0)
        require_positive("gamma0", self._begin)

    def start(self, x0: FloatArray) -> FloatArray:
        """With v at x0."""
        return np.concatenate([started(x0), started(x0), [self._begin]])

    def iterate(self, loss: StochasticLoss, s: FloatArray, h: float, gamma: FloatArray) -> FloatArray:
        """One Gauss–Seidel step."""
        mu, d = self.strength, len(s) // 2
        x, v, inertia = s[:d], s[d : 2 * d], s[2 * d :]
        inertia = (inertia + h * mu) / (1.0 + h)
        a, b = h / (1.0 + h), h * mu / (h * mu + inertia)
        x = (1.0 - a) * x + a * v
        v = (1.0 - b) * v + b * x - (b / mu) * loss.gradient(x, gamma)
        return np.concatenate([x, v, inertia])

    def sde(self, loss: StochasticLoss, x0: Any, h: float) -> SDE:
        """The equation of (x, v, γ); time is the number of iterations times α."""
        require_positive("h", h)
        mu, d = self.strength, len(started(x0))

        def drift(s: Any, t: Any, p: Any) -> Any:
            force, inertia = as_sym(loss.mean(loss.gradients(s[:d]))), s[2 * d]
            velocity = [(mu * (s[i] - s[d + i]) - force[i]) / inertia for i in range(d)]
            return [*(s[d + i] - s[i] for i in range(d)), *velocity, mu - inertia]

        def diffusion(s: Any, t: Any, p: Any) -> Any:
            root = _scaled(np.sqrt(h), loss.root(loss.gradients(s[:d])))
            still = [0.0] * len(root[0])
            return [*(still for _ in range(d)), *([v / s[2 * d] for v in row] for row in root), still]

        return SDE(drift=drift, diffusion=diffusion, x0=self.start(x0), name="NAG-GS equation")

    @staticmethod
    def best_step(smallest: float, largest: float) -> float:
        """The α with the fastest convergence on quadratics of curvatures in [μ, L], for γ = μ.

        2 (μ + √(μL))/(L - μ): there the spectral radius is 1/(1 + α), and beyond it the eigenvalues at L are real and
        negative. The stability limit lies close above.

        Parameters
        ----------
        smallest, largest : float
            μ and L > μ.
        """
        return 2.0 * (smallest + float(np.sqrt(smallest * largest))) / (largest - smallest)
