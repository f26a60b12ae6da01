"""Paths x_t = m(t) z + a(t) x_1 of least kinetic energy ∫ E|v|² dt: straight lines of a plane in polar coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, hypot, inf, pi, sin, sqrt, tan
from typing import Any

import numpy as np

from stochsim.densities import GaussianMixture
from stochsim.diffusion._components import components
from stochsim.diffusion.flows.interpolants import Interpolant, Interpolation

__all__ = ["KineticPath", "data_separation", "kinetic_energy", "kinetic_optimal", "mean_over"]

ANGLES, TINY = 400, 1e-6
NODES = {1: (9.0, 181), 2: (8.0, 61)}  # reach and points a side of the rule, by dimension


def mean_over(law: Any, value: Any) -> float:
    """E of a function of columns, (d, n) -> (n,), under a Gaussian or a mixture in one or two dimensions.

    The trapezoidal rule in each component's own axes: faster than any power for smooth functions.
    """
    weights, means, covariances = components(law)
    reach, n = NODES[law.d]
    u = np.linspace(-reach, reach, n)
    z = np.stack(np.meshgrid(*[u] * law.d, indexing="ij")).reshape(law.d, -1)
    heights = np.exp(-0.5 * (z**2).sum(axis=0)) * ((u[1] - u[0]) / np.sqrt(2.0 * pi)) ** law.d
    roots = np.linalg.cholesky(covariances)
    each = [heights @ value(m[:, None] + root @ z) for m, root in zip(means, roots, strict=True)]
    return float(weights @ np.array(each))


def _rms(target: Any) -> float:
    return sqrt(float(np.trace(target.covariance) + target.mean @ target.mean) / float(target.d))


def _angular(target: Any, theta: float) -> float:
    """Q(θ) = cot²θ E|x + ∇ log p(x)|²/d for x = sin θ x_1/s + cos θ z."""
    law = target.noised(sin(theta) / _rms(target), cos(theta))
    spread = mean_over(law, lambda x: ((x + law.score(x.T).T) ** 2).sum(axis=0))
    return spread / (float(target.d) * tan(theta) ** 2)


def data_separation(target: Any, theta: float) -> float:
    """λ = E|E[x_1|x]|²/E|x_1|² for x = sin θ x_1/s + cos θ z, s² = E|x_1|²/d (Shaul et al. 2023).

    Parameters
    ----------
    target : Gaussian or GaussianMixture
        In one or two dimensions.
    theta : float
        In (0, π/2).
    """
    return sin(theta) ** 2 + cos(theta) ** 2 * _angular(target, theta)


@dataclass(frozen=True, eq=False)
class KineticPath:
    """A path of least kinetic energy.

    Attributes
    ----------
    interpolant : Interpolant
        Its levels, for a standard normal source.
    energy : float
        ∫ E|v|² dt = d (1 + s² - 2 s cos Φ).
    turn : float
        Φ = ∫ √Q dθ: 0 for centred isotropic Gaussians, π/2 for points far from one another.
    """

    interpolant: Interpolant
    energy: float
    turn: float


def kinetic_optimal(target: GaussianMixture) -> KineticPath:
    """The Gaussian path to a target that has the least kinetic energy.

    Parameters
    ----------
    target : Gaussian or GaussianMixture
        In one or two dimensions.

    Notes
    -----
    With m = r cos θ and a s = r sin θ the energy is d ∫ (r'² + r² θ'² Q(θ)) dt, as the radial and the angular part of
    the velocity are uncorrelated; in φ = ∫ √Q dθ these are polar coordinates of a plane. So the one-dimensional problem
    of Shaul et al. 2023 is solved by the segment from (1, 0) to s (cos Φ, sin Φ). The levels have
    infinite derivatives at t = 1, as noise ends like √(1 - t).
    """
    s = _rms(target)
    chord = _Chord.of(target, s)
    path = Interpolant("kinetic-optimal", chord.noise, chord.signal, chord.noise_rate, chord.signal_rate)
    return KineticPath(path, float(target.d * (1.0 + s**2 - 2.0 * s * cos(chord.turn))), chord.turn)


@dataclass(frozen=True, eq=False)
class _Chord:
    """The segment from (1, 0) to s (cos Φ, sin Φ), and what it is in r and θ."""

    s: float
    speed: Any  # √Q of θ
    turned: Any  # φ of θ
    turn: float  # Φ

    @classmethod
    def of(cls, target: Any, s: float) -> _Chord:
        from scipy.interpolate import CubicSpline

        edge, half = 1e-4, 0.5 * pi  # Q is 0/0 at both ends: finite at 0, and 0 at π/2
        inner = np.concatenate([[edge], np.linspace(0.0, half, ANGLES + 1)[1:-1], [half - edge]])
        roots = np.sqrt([_angular(target, theta) for theta in inner.tolist()])
        speed = CubicSpline(np.concatenate([[0.0], inner, [half]]), np.concatenate([roots[:1], roots, [0.0]]))
        turned = speed.antiderivative()
        return cls(s, speed, turned, float(turned(half)))

    def point(self, t: float) -> tuple[float, float]:
        """Radius and θ."""
        from scipy.optimize import brentq

        x, y = self._place(t)
        phi = atan2(y, x)
        if self.turn < TINY:  # any θ(t) is optimal
            return hypot(x, y), 0.5 * pi * t
        if phi >= self.turn:
            return hypot(x, y), 0.5 * pi
        return hypot(x, y), float(brentq(lambda theta: float(self.turned(theta)) - phi, 0.0, 0.5 * pi, xtol=1e-14))

    def rates(self, t: float) -> tuple[float, float]:
        """Derivatives of both; that of θ is infinite at t = 1."""
        (x, y), (r, theta) = self._place(t), self.point(t)
        dx, dy = self.s * cos(self.turn) - 1.0, self.s * sin(self.turn)
        if self.turn < TINY:
            return (x * dx + y * dy) / r, 0.5 * pi
        speed = float(self.speed(theta))
        return (x * dx + y * dy) / r, (x * dy - y * dx) / r**2 / speed if speed > 0.0 else inf

    def noise(self, t: float) -> float:
        r, theta = self.point(t)
        return r * cos(theta)

    def signal(self, t: float) -> float:
        r, theta = self.point(t)
        return r * sin(theta) / self.s

    def noise_rate(self, t: float) -> float:
        (r, theta), (dr, dtheta) = self.point(t), self.rates(t)
        return dr * cos(theta) - r * sin(theta) * dtheta

    def signal_rate(self, t: float) -> float:
        (r, theta), (dr, dtheta) = self.point(t), self.rates(t)
        return (dr * sin(theta) + r * cos(theta) * dtheta) / self.s

    def _place(self, t: float) -> tuple[float, float]:
        return 1.0 - t + t * self.s * cos(self.turn), t * self.s * sin(self.turn)


def kinetic_energy(between: Interpolation, *, n: int = 60) -> float:
    """∫ E|v(x_t, t)|² dt by Gauss-Legendre quadrature in an angle, which bears the root at either end.

    Parameters
    ----------
    between : Interpolation
        In one or two dimensions.
    n : int
        Nodes of the time.
    """
    x, w = np.polynomial.legendre.leggauss(n)
    angle = 0.25 * pi * (x + 1.0)
    times, weights = np.sin(angle) ** 2, 0.25 * pi * w * np.sin(2.0 * angle)
    each = [mean_over(between.law(t), lambda y, t=t: (between.velocity(y, t) ** 2).sum(axis=0)) for t in times.tolist()]
    return float(weights @ np.array(each))
