"""Milstein schemes, Itô and Stratonovich, for commutative noise (diagonal noise is a special case)."""

from __future__ import annotations

from stochsim.schemes.record import scheme
from stochsim.symbolic.calculus import diff


def _second_iterated(sde, x, t, products):
    """sum_jk L^j b_k I_jk with I_jk = products(j, k), for noise where the areas cancel."""
    b = sde.diffusion(x, t)
    if "diagonal" in sde.noise_classes and b.is_flat:
        return b * diff(b, x) * products.diagonal()
    columns = b.matrix
    return sum(sde.L(j, columns[:, k], x, t) * products(j, k) for j in range(sde.m) for k in range(sde.m))


class _Products:
    """Half the products dW_j dW_k, less h/2 on the diagonal in the Itô case."""

    def __init__(self, dW, correction):
        self.dW, self.correction = dW, correction

    def __call__(self, j, k):
        return (self.dW[j] * self.dW[k] - (self.correction if j == k else 0.0)) / 2

    def diagonal(self):
        return (self.dW**2 - self.correction) / 2


def _milstein(c, x, t, h, dw):
    return x + c.a(x, t) * h + c.b(x, t) * dw + 0.5 * c.b(x, t) * c.db(x, t) * (dw * dw - h)


@scheme(
    strong_order=1.0,
    weak_order=1.0,
    noise="commutative",
    reference="Milstein 1975; Kloeden & Platen 1992, eqs. (10.3.1) and (10.3.16), Theorem 10.3.5",
    transcription=_milstein,
    register=True,
)
def milstein(sde, x, t, h, dW):
    """Adds the second iterated integrals, which for commutative noise are products of increments."""
    a, b = sde.drift(x, t), sde.diffusion(x, t)
    return x + a * h + b @ dW + _second_iterated(sde, x, t, _Products(dW, h))


def _stratonovich_milstein(c, x, t, h, dw):
    return x + c.a(x, t) * h + c.b(x, t) * dw + 0.5 * c.b(x, t) * c.db(x, t) * dw * dw


@scheme(
    strong_order=1.0,
    weak_order=1.0,
    calculus="stratonovich",
    noise="commutative",
    reference="Kloeden & Platen 1992, eqs. (10.3.4) and (10.3.18)",
    transcription=_stratonovich_milstein,
    register=True,
)
def stratonovich_milstein(sde, x, t, h, dW):
    """Milstein's scheme with Stratonovich integrals: the products of increments without the -h."""
    a, b = sde.drift(x, t), sde.diffusion(x, t)
    return x + a * h + b @ dW + _second_iterated(sde, x, t, _Products(dW, 0.0))
