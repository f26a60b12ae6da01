"""Guidance between Gaussians in closed form: what samplers with no error would draw, and the law they are taken for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stochsim.densities import Gaussian
from stochsim.diffusion.forward import Process
from stochsim.errors import ModelError, ParameterError
from stochsim.laws import AffineMap

__all__ = ["guided_map", "tilted_gaussian"]

NODES, PANELS = 20, 24  # of Gauss-Legendre quadrature: rounding for the smooth integrands here
COMMUTE = 1e-10


def tilted_gaussian(parts: Sequence[Gaussian], weights: Sequence[float]) -> Gaussian:
    """The law ∝ Π p_i^{w_i}.

    Parameters
    ----------
    parts : sequence of Gaussian
    weights : sequence of float

    Raises
    ------
    ModelError
        If the product cannot be normalised.
    """
    precisions = [np.linalg.inv(part.covariance) for part in parts]
    total = np.asarray(sum(w * P for w, P in zip(weights, precisions, strict=True)))
    least = float(np.linalg.eigvalsh(total).min())
    if least <= 0.0:
        raise ModelError(f"the product has the precision {least:g} in a direction, so no normaliser; weigh less")
    pull = sum(w * P @ part.mean for w, P, part in zip(weights, precisions, parts, strict=True))
    covariance = np.linalg.inv(total)
    return Gaussian(covariance @ pull, 0.5 * (covariance + covariance.T))


def guided_map(
    parts: Sequence[Gaussian], weights: Sequence[float], process: Process, t: float, s: float, *, eta: float = 0.0
) -> AffineMap:
    """The map from time t to s of the reverse equation with the score Σ w_i s_i, without any error of steps.

    Parameters
    ----------
    parts : sequence of Gaussian
        Whose covariances have common eigenvectors.
    weights : sequence of float
        For guidance γ and 1 - γ.
    process : Process
    t, s : float
        s < t, and α(t) > 0.
    eta : float
        Share of the noise amplitude: 0 the flow ("CFG-DDIM"), 1 the reverse equation ("CFG-DDPM").

    Returns
    -------
    AffineMap

    Raises
    ------
    ModelError
        If the covariances do not commute.
    ParameterError
        If the times do not fit.

    Notes
    -----
    With y = x/α, q = (σ/α)² and k = ½(1 + η²): dy/dq = k Σ w_i (y - m_i)/(c_i + q) and noise of variance η² for each
    unit of q. The flow of VE without means is Bradley & Nakkiran 2024, section 3: y ∝ Π (c_i + q)^{k w_i}.
    """
    a, b = float(process.alpha(t)), float(process.alpha(s))
    if not (s < t and a > 0.0):
        raise ParameterError(f"guidance was asked from {t:g} to {s:g}; give s below t, and t where α is not 0")
    turn, spreads = _common_eigenvectors(parts)  # (d, d), (m, d)
    means = np.stack([turn.T @ part.mean for part in parts])
    high, low = (float(process.sigma(t)) / a) ** 2, (float(process.sigma(s)) / b) ** 2
    k, w = 0.5 * (1.0 + eta**2), np.asarray(weights, dtype=float)[:, None]

    def ratio(q: np.ndarray) -> np.ndarray:
        """Φ(low)/Φ(q), shape (d, nodes)."""
        terms = np.log((spreads[..., None] + low) / (spreads[..., None] + q))
        return np.asarray(np.exp(k * (w[..., None] * terms).sum(axis=0)))

    q, dq = _nodes(low, high, float(spreads.min()))
    pull = (w[..., None] * means[..., None] / (spreads[..., None] + q)).sum(axis=0)
    kept = ratio(q)
    offset, spread = (k * kept * pull) @ dq, eta**2 * (kept**2 @ dq)
    scale = (b / a) * ratio(np.array([high]))[:, 0]
    return AffineMap(b * (turn @ offset), (turn * scale) @ turn.T, b * turn * np.sqrt(spread))


def _common_eigenvectors(parts: Sequence[Gaussian]) -> tuple[np.ndarray, np.ndarray]:
    shares = np.sqrt(np.arange(2.0, 2.0 + len(parts)))  # a combination in which different spectra do not cancel
    _, turn = np.linalg.eigh(np.asarray(sum(c * part.covariance for c, part in zip(shares, parts, strict=True))))
    turned = np.stack([turn.T @ part.covariance @ turn for part in parts])
    spreads: Any = np.diagonal(turned, axis1=1, axis2=2)
    off = np.abs(turned - spreads[:, :, None] * np.eye(len(turn))).max()
    if off > COMMUTE * np.abs(turned).max():
        raise ModelError(f"the covariances have no common eigenvectors (off by {off:.2g}); there is no closed form")
    return turn, np.asarray(spreads)


def _nodes(low: float, high: float, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for integrals over q from low to high, in log(q + least)."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    edges = np.linspace(np.log(low + least), np.log(high + least), PANELS + 1)
    half = 0.5 * np.diff(edges)[:, None]
    u = (0.5 * (edges[:-1] + edges[1:])[:, None] + half * x).reshape(-1)
    shifted = np.exp(u)
    return shifted - least, (half * w).reshape(-1) * shifted
