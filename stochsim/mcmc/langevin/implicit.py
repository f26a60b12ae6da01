"""The θ-method for the overdamped Langevin equation: implicit steps by Newton's method with conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from stochsim.columns.noise import Noise
from stochsim.columns.ops import dot, loop, minimum, row, sqrt, squared_norm, where
from stochsim.densities.record import Target
from stochsim.errors import ParameterError
from stochsim.mcmc.langevin.overdamped import Position
from stochsim.mcmc.record import Claims, Sampler, require_positive, sampler

__all__ = ["ThetaMethod"]


class Residual(NamedTuple):
    """What is left of the implicit equation, |x' - hθ ∇log π(x') - r|: rounding where Newton's method is done."""

    residual: Any


@sampler(
    Claims(
        "Wibisono 2018, section 4.2; Hodgkinson, Salomone & Roosta 2021, eq. (4); for θ = 1/2, else order 1",
        bias_order=2, exact_gaussian=("position",), strong_order=1, gradients=7,
    )
)  # fmt: skip
@dataclass(frozen=True)
class ThetaMethod(Sampler):
    """x' = x + h ((1 - θ) ∇log π(x) + θ ∇log π(x')) + √(2h) ξ, solved for x'.

    On N(0, 1/λ) the stationary variance is 1/(λ (1 + (θ - 1/2) λh)): exact for θ = 1/2 (Crank–Nicolson) at every step
    size, too small for θ = 1 (implicit Euler). Newton's equations 1 - hθ ∇²log π are solved by conjugate gradients with
    Hessian-vector products; they are positive definite on log-concave targets, and elsewhere for hθ below one over
    the largest positive curvature of log π.

    Parameters
    ----------
    step_size : float
        h of dX = ∇log π dt + √2 dW; no limit on log-concave targets.
    theta : float
        θ in (0, 1]: 1/2 is Crank–Nicolson, of order 2; 1 is implicit Euler.
    n_newton : int
        Newton iterations of every step, shortened by halves where they go too far; one is enough on Gaussians, five
        where the curvature does not change much over a step. The residual is told.
    n_cg : int
        Conjugate gradients of every iteration; d of them, or as many as there are distinct curvatures, are exact.
    """

    step_size: float
    theta: float = 0.5
    n_newton: int = 5
    n_cg: int = 10

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        if not 0.0 < self.theta <= 1.0:
            raise ParameterError(f"theta is {self.theta!r}; give a number in (0, 1], for 0 take ULA")
        for name in ("n_newton", "n_cg"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise ParameterError(f"{name} is {value!r}; give a whole number of at least 1")

    def init(self, target: Target, x: Any) -> Position:
        """The place alone."""
        return Position(x)

    def step(self, target: Target, state: Position, noise: Noise) -> tuple[Position, Residual]:
        """Newton's method for G(y) = r - y + hθ ∇log π(y) = 0, from Euler's end point."""
        x, h = state.x, self.step_size
        force, kick = target.score(x), sqrt(2.0 * h) * noise.normal(x)
        implicit = h * self.theta
        r = x + (h - implicit) * force + kick

        def gap(y: Any) -> Any:
            return r - y + implicit * target.score(y)

        def newton(y: Any, g: Any, length: Any) -> tuple[Any, Any, Any]:
            def jacobian(v: Any) -> Any:
                return v - implicit * target.hessian_vector(y, v)

            p = conjugate_gradients(jacobian, g, self.n_cg)
            there = y + length * p
            new = gap(there)
            near = dot(new, p) > -0.5 * dot(g, p)  # not far beyond the zero along p; false for NaN
            length = where(near, minimum(1.0, 2.0 * length), 0.5 * length)
            return where(near, there, y), where(near, new, g), length

        y = x + h * force + kick
        y, g, _ = loop(self.n_newton, newton, y, gap(y), 0.0 * row(x, 0) + 1.0)
        return Position(y), Residual(sqrt(squared_norm(g)))


def conjugate_gradients(apply: Any, b: Any, count: Any) -> Any:
    """The solution of ``apply(v) = b`` for a positive definite operator, after ``count`` steps from 0.

    Source: Hestenes & Stiefel 1952, section 3. A column that is done takes no further step.
    """

    def advance(v: Any, r: Any, p: Any, rr: Any) -> tuple[Any, Any, Any, Any]:
        q = apply(p)
        curvature = dot(p, q)
        go = curvature > 0.0
        length = where(go, rr / where(go, curvature, 1.0), 0.0)
        v, r = v + length * p, r - length * q
        new = squared_norm(r)
        return v, r, r + where(rr > 0.0, new / where(rr > 0.0, rr, 1.0), 0.0) * p, new

    return loop(count, advance, 0.0 * b, b, b, squared_norm(b))[0]
