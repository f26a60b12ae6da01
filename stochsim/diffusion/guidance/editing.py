"""SDEdit: a guide is noised to a level, and the exact reverse equation brings it back to the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from stochsim.densities import Gaussian
from stochsim.diffusion.exact import reverse_kernel
from stochsim.diffusion.forward import Process
from stochsim.errors import ParameterError

__all__ = ["edited", "edited_density", "edited_gaussian"]


def edited(target: Any, process: Process, guides: Any, t: float, z: Any, u: Any) -> np.ndarray:
    """Draws of SDEdit with no error of steps (Meng et al. 2022, algorithm 1): one pass of the exact reverse kernel.

    Parameters
    ----------
    target : Gaussian or GaussianMixture
    process : Process
    guides : ndarray, shape (d, n) or (d, 1)
    t : float
        The time that guides are noised to.
    z : ndarray, shape (2, d, n)
        Standard normals: of the noising, and of the way back.
    u : ndarray, shape (n,)
        Uniforms in (0, 1), which choose the component.

    Returns
    -------
    ndarray, shape (d, n)
    """
    noisy = float(process.alpha(t)) * guides + float(process.sigma(t)) * z[0]
    return reverse_kernel(target, process, t, 0.0).draw(noisy, z[1], u)


def edited_gaussian(target: Gaussian, process: Process, guide: Any, t: float) -> Gaussian:
    """The law of SDEdit's output for Gaussian data N(m, C): N(m + K (y - m), ρ² K Kᵀ + (I - K) C).

    Here ρ = σ/α at t, y is the guide, and K = C (C + ρ² I)⁻¹.

    Parameters
    ----------
    target : Gaussian
    process : Process
    guide : array_like, shape (d,)
    t : float
    """
    ratio2 = (float(process.sigma(t)) / float(process.alpha(t))) ** 2
    C, m, one = target.covariance, target.mean, np.eye(target.d)
    K = np.linalg.solve(C + ratio2 * one, C).T
    covariance = ratio2 * K @ K.T + (one - K) @ C
    return Gaussian(m + K @ (np.asarray(guide, dtype=float) - m), 0.5 * (covariance + covariance.T))


def edited_density(
    target: Any, process: Process, guide: float, t: float, x: Any, *, reach: float = 12.0, n: int = 2001
) -> np.ndarray:
    """The density of SDEdit's output on the line, by the trapezoidal rule over x_t.

    Parameters
    ----------
    target : Gaussian or GaussianMixture
        With one component of x.
    process : Process
    guide : float
    t : float
    x : array_like, shape (k,)
        Where.
    reach : float
        Half-width of the integral, in σ.
    n : int
        Nodes; the rule converges faster than any power.

    Returns
    -------
    ndarray, shape (k,)

    Raises
    ------
    ParameterError
        If the target has more components of x.

    Notes
    -----
    It is no mixture: p(x|y) = Σ_k ∫ r_k(x_t) N(x; m_k(x_t), V_k) N(x_t; α y, σ²) dx_t with the responsibilities r_k.
    """
    if target.d != 1:
        raise ParameterError(f"the target has {target.d} components; the density of edits is computed on the line only")
    kernel = reverse_kernel(target, process, t, 0.0)
    z = np.linspace(-reach, reach, n)
    heights = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) * (z[1] - z[0])
    noisy = (float(process.alpha(t)) * guide + float(process.sigma(t)) * z)[None]
    shares, means, spreads = kernel.probabilities(noisy), kernel.means(noisy)[:, 0], kernel.roots[:, 0, 0]
    apart = (np.asarray(x, dtype=float)[:, None, None] - means) / spreads[:, None]
    each = np.exp(-0.5 * apart**2) / (np.sqrt(2.0 * np.pi) * spreads[:, None])
    return np.asarray((each * shares * heights).sum(axis=(1, 2)))
