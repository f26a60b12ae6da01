"""Predictor-corrector schemes for Stratonovich equations."""

from __future__ import annotations

from stochsim.schemes.record import scheme


def _euler_heun(c, x, t, h, dw):
    predictor = x + c.b(x, t) * dw
    return x + c.a(x, t) * h + 0.5 * (c.b(x, t) + c.b(predictor, t)) * dw


@scheme(
    strong_order={"general": 0.5, "commutative": 1.0},
    weak_order=1.0,
    calculus="stratonovich",
    reference="Rümelin 1982, Theorem 2; Gard 1988, sec. 7.2",
    transcription=_euler_heun,
    register=True,
)
def euler_heun(sde, x, t, h, dW):
    """The diffusion averaged over an Euler predictor of the noise; the drift taken at the start."""
    a, b = sde.drift(x, t), sde.diffusion(x, t)
    ahead = sde.diffusion(x + b @ dW, t)
    return x + a * h + (b @ dW + ahead @ dW) / 2


def _stratonovich_heun(c, x, t, h, dw):
    predictor = x + c.a(x, t) * h + c.b(x, t) * dw
    return x + 0.5 * (c.a(x, t) + c.a(predictor, t + h)) * h + 0.5 * (c.b(x, t) + c.b(predictor, t + h)) * dw


@scheme(
    strong_order={"general": 0.5, "commutative": 1.0},
    weak_order={"general": 1.0, "additive": 2.0},
    calculus="stratonovich",
    reference="Rümelin 1982, Theorem 2; Kloeden & Platen 1992, eq. (15.5.4) in its explicit form; weak order 2: "
    "sec. 15.1, where for additive noise eq. (15.1.1) is this step",
    transcription=_stratonovich_heun,
    register=True,
)
def stratonovich_heun(sde, x, t, h, dW):
    """Heun's method for drift and noise together: the average of the increments at start and predictor.

    For additive noise the step agrees with X in all moments up to terms h^3, hence weak order 2.
    """
    a, b = sde.drift(x, t), sde.diffusion(x, t)
    y = x + a * h + b @ dW
    return x + (a + sde.drift(y, t + h)) * h / 2 + (b @ dW + sde.diffusion(y, t + h) @ dW) / 2
