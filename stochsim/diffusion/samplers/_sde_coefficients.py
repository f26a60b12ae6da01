"""Numbers of stochastic samplers: the split of a step into a flow and fresh noise, and levels between grid times."""

from __future__ import annotations

from math import exp, expm1, inf, log, log1p, sqrt
from typing import Any

import numpy as np

from stochsim.errors import ParameterError

__all__ = ["ancestral_split", "levels", "renoised", "tables"]


def ancestral_split(h: float, eta: float) -> tuple[float, float]:
    """The step of λ that the flow has to make, and the standard deviation of the noise added after it.

    The flow overshoots to the noise level σ_down, and noise of variance σ_up² = σ'² - σ_down² brings it back to σ':
    the law is kept exactly where the flow is exact.

    Parameters
    ----------
    h : float
        λ' - λ of the whole step, positive or infinite.
    eta : float
        0: no noise; 1: the variance σ'² (1 - e^(-2h)) of the reverse kernel of a point mass.

    Returns
    -------
    gap : float
        log(α'/σ_down) - λ, infinite if σ_down = 0.
    up : float
        σ_up/σ'.
    """
    gone = -expm1(-2.0 * h)  # 1 - e^(-2h)
    share = min(eta**2 * gone, 1.0)
    if share < 0.5:
        return h - 0.5 * log1p(-share), sqrt(share)
    left = (1.0 - eta**2) + eta**2 * exp(-2.0 * h)  # no difference of nearly equal numbers at eta = 1
    return (h - 0.5 * log(left) if left > 0.0 else inf), sqrt(share)


def levels(process: Any, lam: Any) -> list[tuple[float, float, float]]:
    """Time, α and σ at values of λ = log(α/σ), (m,); at infinite ones, which have no level between, anything.

    Parameters
    ----------
    process : Process
    lam : array_like, shape (m,)
    """
    t = process.t_of_lam(np.where(np.isfinite(lam), lam, 0.0))
    return list(zip(t.tolist(), process.alpha(t).tolist(), process.sigma(t).tolist(), strict=True))


def renoised(process: Any, lam: Any, factor: float) -> np.ndarray:
    """The λ at which σ/α is ``factor`` times larger, but not beyond the end of the process.

    Parameters
    ----------
    process : Process
    lam : array_like, shape (m,)
    factor : float
    """
    return np.asarray(np.maximum(np.asarray(lam) - log(factor), process.lam(process.t_end)))


def tables(model: Any, grid: Any) -> tuple[list[float], list[float], list[float], list[float]]:
    """Times, α, σ and λ along a grid, for samplers that divide by the first α.

    Parameters
    ----------
    model : Model
    grid : array_like

    Raises
    ------
    ParameterError
        If the grid begins where nothing of the data is left.
    """
    t, a, s, lam = model.tables(grid)
    if a[0] == 0.0:
        raise ParameterError(
            f"the grid begins at t = {t[0]:g}, where α = 0 and x/α is not defined; begin later, or use a sampler that "
            "can start there (euler_ancestral or sde_dpm_pp_2m, say)"
        )
    return t, a, s, lam
