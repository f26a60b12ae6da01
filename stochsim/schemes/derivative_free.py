"""Platen's derivative-free scheme of strong order 1."""

from __future__ import annotations

import numpy as np

from stochsim.schemes.record import scheme


def _platen(c, x, t, h, dw):
    support = x + c.a(x, t) * h + c.b(x, t) * np.sqrt(h)
    return x + c.a(x, t) * h + c.b(x, t) * dw + (c.b(support, t) - c.b(x, t)) * (dw * dw - h) / (2.0 * np.sqrt(h))


@scheme(
    strong_order=1.0,
    weak_order=1.0,
    noise="commutative",
    reference="Platen 1984; Kloeden & Platen 1992, eqs. (11.1.3), (11.1.11) and (11.1.12)",
    transcription=_platen,
    register=True,
)
def platen(sde, x, t, h, dW):
    """Milstein's scheme with each L^j b_k replaced by a difference quotient of step sqrt(h) along b_j."""
    a, b = sde.drift(x, t), sde.diffusion(x, t)
    s = np.sqrt(h)
    euler = x + a * h
    if "diagonal" in sde.noise_classes and b.is_flat:
        ahead = sde.diffusion(euler + b * s, t)
        return euler + b * dW + (ahead - b) * (dW**2 - h) / (2 * s)
    columns, result = b.matrix, euler + b @ dW
    for j in range(sde.m):
        ahead = sde.diffusion(euler + columns[:, j] * s, t).matrix
        for k in range(sde.m):
            product = dW[j] * dW[k] - (h if j == k else 0.0)
            result = result + (ahead[:, k] - columns[:, k]) * product / (2 * s)
    return result
