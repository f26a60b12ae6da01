"""Stochastic interpolants x_t = a(t) x_0 + b(t) x_1 + γ(t) z between mixtures: exact velocity, score and data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Any

import numpy as np

from stochsim.columns import eager
from stochsim.columns.evaluate import Evaluator
from stochsim.columns.ops import dot, matvec, repeat, segment_sums, softmax, total
from stochsim.columns.tracing import on_device
from stochsim.densities import GaussianMixture
from stochsim.densities.gaussian import LOG_2PI, same_dimension
from stochsim.diffusion._components import components
from stochsim.errors import ParameterError

__all__ = [
    "Interpolant",
    "Interpolation",
    "Latent",
    "bridge_latent",
    "encoding_decoding",
    "linear",
    "parabola_latent",
    "sine_latent",
    "trigonometric",
]

Function = Callable[[float], float]


@dataclass(frozen=True)
class Latent:
    """A noise level γ(t) on [0, 1], by γ² and γ γ', which stay finite where γ' does not.

    Parameters
    ----------
    name : str
    square : callable
        γ²(t).
    half_rate : callable
        γ(t) γ'(t), half the derivative of γ².
    """

    name: str
    square: Function
    half_rate: Function


NO_LATENT = Latent("none", lambda t: 0.0, lambda t: 0.0)


def bridge_latent(scale: float = 2.0) -> Latent:
    """γ = √(c t (1 - t)), of a Brownian bridge (Albergo, Boffi & Vanden-Eijnden 2023, section 4, with c = 2)."""
    return Latent(f"bridge {scale:g}", lambda t: scale * t * (1.0 - t), lambda t: 0.5 * scale * (1.0 - 2.0 * t))


def parabola_latent(scale: float = 1.0) -> Latent:
    """γ = c t (1 - t)."""
    return Latent(
        f"parabola {scale:g}",
        lambda t: (scale * t * (1.0 - t)) ** 2,
        lambda t: scale**2 * t * (1.0 - t) * (1.0 - 2.0 * t),
    )


def sine_latent(scale: float = 1.0) -> Latent:
    """γ = c sin²(πt)."""
    return Latent(
        f"sine {scale:g}",
        lambda t: scale**2 * sin(pi * t) ** 4,
        lambda t: 2.0 * pi * scale**2 * sin(pi * t) ** 3 * cos(pi * t),
    )


@dataclass(frozen=True)
class Interpolant:
    """The levels a(t), b(t), γ(t) on [0, 1], with a(0) = b(1) = 1 and a(1) = b(0) = γ(0) = γ(1) = 0.

    Parameters
    ----------
    name : str
    a, b, a_dot, b_dot : callable
        Levels of the source and of the target, and their derivatives.
    latent : Latent
        γ.
    """

    name: str
    a: Function
    b: Function
    a_dot: Function
    b_dot: Function
    latent: Latent = NO_LATENT


def linear(latent: Latent = NO_LATENT) -> Interpolant:
    """a = 1 - t, b = t (Albergo, Boffi & Vanden-Eijnden 2023, section 4; without latent: Liu, Gong & Liu 2023)."""
    return Interpolant("linear", lambda t: 1.0 - t, lambda t: t, lambda t: -1.0, lambda t: 1.0, latent)


def trigonometric(latent: Latent = NO_LATENT) -> Interpolant:
    """a = cos(πt/2), b = sin(πt/2) (Albergo & Vanden-Eijnden 2023; SiT's GVP path)."""
    q = 0.5 * pi
    return Interpolant(
        "trigonometric", lambda t: cos(q * t), lambda t: sin(q * t),
        lambda t: -q * sin(q * t), lambda t: q * cos(q * t), latent,
    )  # fmt: skip


def encoding_decoding() -> Interpolant:
    """a = cos²(πt) until t = ½, b = cos²(πt) from there, γ = sin²(πt): all is noise halfway (the same section)."""
    return Interpolant(
        "encoding-decoding",
        lambda t: cos(pi * t) ** 2 if t < 0.5 else 0.0,
        lambda t: cos(pi * t) ** 2 if t > 0.5 else 0.0,
        lambda t: -pi * sin(2.0 * pi * t) if t < 0.5 else 0.0,
        lambda t: -pi * sin(2.0 * pi * t) if t > 0.5 else 0.0,
        sine_latent(),
    )


@dataclass(frozen=True, eq=False)
class PairExpectation:
    """Formulas of Σ_p r_p(x) (c_p + G_p x), an expectation given x that is affine within each pair of components."""

    log_weights: np.ndarray  # (P, 1), normalisers included
    whitening: np.ndarray  # (P d, d)
    offsets: np.ndarray  # (P d, 1), whitened means
    precisions: np.ndarray  # (P d, d)
    pulls: np.ndarray  # (P d, 1), precisions times means
    gains: np.ndarray  # (P d, d), G_p
    constants: np.ndarray  # (P d, 1), c_p
    traces: np.ndarray  # (P, 1), of G_p
    gather: np.ndarray  # (d, P d): sums the pairs
    size: tuple[int]  # (d,)

    def _shares(self, x: Any) -> Any:
        z = matvec(self.whitening, x) - self.offsets
        return softmax(self.log_weights - 0.5 * segment_sums(z * z, self.size[0]))[0]

    def value(self, x: Any) -> Any:
        """The expectation, (d, n)."""
        within = matvec(self.gains, x) + self.constants
        return matvec(self.gather, within * repeat(self._shares(x), self.size[0]))

    def divergence(self, x: Any) -> Any:
        """Its divergence in x, (n,)."""
        d, r = self.size[0], self._shares(x)
        within, scores = matvec(self.gains, x) + self.constants, self.pulls - matvec(self.precisions, x)
        shares = repeat(r, d)
        mean, score = matvec(self.gather, within * shares), matvec(self.gather, scores * shares)
        return total(r * (self.traces + segment_sums(scores * within, d))) - dot(mean, score)


@dataclass(frozen=True, eq=False)
class Pairs:
    """All pairs of a component of the source and one of the target at a time, x_t of pair p being N(M_p, S_p)."""

    weights: np.ndarray  # (P,)
    ends: tuple[np.ndarray, np.ndarray]  # means (P, d)
    spreads: tuple[np.ndarray, np.ndarray]  # covariances (P, d, d)
    levels: tuple[float, float, float]  # a, b, γ²

    @property
    def means(self) -> np.ndarray:
        """M_p."""
        return self.levels[0] * self.ends[0] + self.levels[1] * self.ends[1]

    @property
    def covariances(self) -> np.ndarray:
        """S_p = a² C_0 + b² C_1 + γ² I."""
        a, b, g2 = self.levels
        return np.asarray(a**2 * self.spreads[0] + b**2 * self.spreads[1] + g2 * np.eye(self.ends[0].shape[1]))

    def expectation(self, means: np.ndarray, covariances: np.ndarray) -> PairExpectation:
        """Of a vector that within pair p has this mean (P, d) and this covariance with x_t (P, d, d)."""
        P, d = means.shape
        values, vectors = np.linalg.eigh(self.covariances)
        turned = np.swapaxes(vectors, 1, 2)
        whitening, inverse = turned / np.sqrt(values)[:, :, None], (vectors / values[:, None]) @ turned
        gains, M = covariances @ inverse, self.means
        with np.errstate(divide="ignore"):
            logs = np.log(self.weights) - 0.5 * (np.log(values).sum(axis=1) + d * LOG_2PI)
        applied = [np.einsum("pij,pj->pi", part, M).reshape(-1, 1) for part in (whitening, inverse, gains)]
        flat = [part.reshape(-1, d) for part in (whitening, inverse, gains)]
        constants = means.reshape(-1, 1) - applied[2]
        traces = np.trace(gains, axis1=1, axis2=2)[:, None]
        gather = np.tile(np.eye(d), P)
        return PairExpectation(
            logs[:, None], flat[0], applied[0], flat[1], applied[1], flat[2], constants, traces, gather, (d,)
        )


@dataclass(frozen=True, eq=False)
class Interpolation:
    """An interpolant between two Gaussians or mixtures, drawn independently of one another.

    x_t = a x_0 + b x_1 + γ z with x_0 from the source (at t = 0), x_1 from the target (at t = 1), z standard normal.
    Points are columns (d, n), NumPy or CuPy; t is a number in [0, 1]. Samplers written in the velocity (Euler, Heun,
    Runge-Kutta) take an interpolation as their model: with a rising grid to generate, a falling one to go back.

    Parameters
    ----------
    source, target : Gaussian or GaussianMixture
    interpolant : Interpolant

    Raises
    ------
    ParameterError
        If the laws have different dimensions, or are neither Gaussians nor mixtures.

    Notes
    -----
    All fields are sums over pairs of components (Albergo, Boffi & Vanden-Eijnden 2023, appendix A). The score is
    finite at both ends, as the laws there have densities.
    """

    source: Any
    target: Any
    interpolant: Interpolant

    def __post_init__(self) -> None:
        components(self.source), components(self.target)
        same_dimension(self.source, self.target)

    @property
    def d(self) -> int:
        """Number of components of x."""
        return int(self.source.d)

    def pairs(self, t: float) -> Pairs:
        """The pairs of components at a time.

        Raises
        ------
        ParameterError
            If t is outside of [0, 1].
        """
        if not 0.0 <= t <= 1.0:
            raise ParameterError(f"t is {t!r}; an interpolant is defined on [0, 1]")
        (w0, m0, C0), (w1, m1, C1) = components(self.source), components(self.target)
        i, j = (index.reshape(-1) for index in np.indices((len(w0), len(w1))))
        I = self.interpolant
        return Pairs(w0[i] * w1[j], (m0[i], m1[j]), (C0[i], C1[j]), (I.a(t), I.b(t), I.latent.square(t)))

    def law(self, t: float) -> GaussianMixture:
        """The law of x_t: a mixture of all pairs."""
        pairs = self.pairs(t)
        return GaussianMixture(pairs.weights, pairs.means, pairs.covariances)

    def velocity(self, x: Any, t: float) -> Any:
        """b(x, t) = E[dx_t/dt | x_t = x], the drift of the flow whose law at t is that of x_t."""
        return self._value(self.velocity_formula(t), x)

    def divergence(self, x: Any, t: float) -> Any:
        """Divergence of the velocity, (d, n) -> (n,)."""
        return self._value(self.velocity_formula(t), x, "divergence")

    def score(self, x: Any, t: float) -> Any:
        """∇ log p_t(x)."""
        return self._value(self.law(t).target, x, "score")

    def log_prob(self, x: Any, t: float) -> Any:
        """log p_t(x), (d, n) -> (n,)."""
        return self._value(self.law(t).target, x, "log_prob")

    def denoiser(self, x: Any, t: float) -> Any:
        """E[z | x_t = x] = -γ score."""
        return -(self.interpolant.latent.square(t) ** 0.5) * self.score(x, t)

    def endpoints(self, x: Any, t: float) -> tuple[Any, Any]:
        """E[x_0 | x_t = x] and E[x_1 | x_t = x]."""
        p = self.pairs(t)
        first, last = (p.expectation(p.ends[i], p.levels[i] * p.spreads[i]) for i in (0, 1))
        return self._value(first, x), self._value(last, x)

    def tables(self, grid: Any) -> tuple[list[float], list[float], list[float], list[float]]:
        """Times, b(t) and two columns of samplers that an interpolant has no use for: 1 and 0.

        A noise level of 1 tells samplers that the velocity is finite at the last time too.
        """
        t = np.asarray(grid, dtype=float).tolist()
        return t, [self.interpolant.b(time) for time in t], [1.0] * len(t), [0.0] * len(t)

    def velocity_formula(self, t: float) -> PairExpectation:
        """The velocity as a formula: a' E[x_0|x] + b' E[x_1|x] - γ γ' score, each pair for itself."""
        p, I = self.pairs(t), self.interpolant
        a, b, _ = p.levels
        da, db = I.a_dot(t), I.b_dot(t)
        with_x = a * da * p.spreads[0] + b * db * p.spreads[1] + I.latent.half_rate(t) * np.eye(self.d)
        return p.expectation(da * p.ends[0] + db * p.ends[1], with_x)

    def _value(self, formula: Any, x: Any, method: str = "value") -> Any:
        xp = eager.module(x)
        return Evaluator(formula if xp is np else on_device(formula, xp.asarray), method)(x)
