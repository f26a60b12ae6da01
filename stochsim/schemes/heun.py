"""Predictor-corrector schemes for Stratonovich equations."""

from __future__ import annotations

from stochsim.schemes.record import scheme


@scheme(
    strong_order={"general": 0.5, "commutative": 1.0},
    weak_order=1.0,
    calculus="stratonovich",
    reference="Rümelin 1982, Theorem 2; Gard 1988, sec. 7.2",
    register=True,
)
def euler_heun(sde, x, t, h, dW):
    """The diffusion averaged over an Euler predictor of the noise; the drift taken at the start."""
    a, b = sde.drift(x, t), sde.diffusion(x, t)
    ahead = sde.diffusion(x + b @ dW, t)
    return x + a * h + (b @ dW + ahead @ dW) / 2


@scheme(
    strong_order={"general": 0.5, "commutative": 1.0},
    weak_order=1.0,
    calculus="stratonovich",
    reference="Rümelin 1982, Theorem 2; Kloeden & Platen 1992, eq. (15.5.4) in its explicit form",
    register=True,
)
def stratonovich_heun(sde, x, t, h, dW):
    """Heun's method for drift and noise together: the average of the increments at start and predictor."""
    a, b = sde.drift(x, t), sde.diffusion(x, t)
    y = x + a * h + b @ dW
    return x + (a + sde.drift(y, t + h)) * h / 2 + (b @ dW + sde.diffusion(y, t + h) @ dW) / 2
