"""Log-densities followed along the paths of a sampler, and samplers that superpose models by them (SuperDiff)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Any

import numpy as np

from stochsim.columns.ops import dot, exp, logsumexp, squared_norm, stack, where
from stochsim.diffusion.model import Model
from stochsim.diffusion.record import sampler
from stochsim.errors import ParameterError

__all__ = ["density_increment", "superposed_all", "superposed_any", "tracked_log_prob"]

LEAST = 1e-300  # below this squared distance of two scores nothing has to be balanced


def density_increment(model: Model, x: Any, step: Any, t: float, h: float, *, eta: float = 1.0) -> Any:
    """Increment of log p_t along a step of size h > 0 back in time, whose noise has the variance η² g² h.

    Parameters
    ----------
    model : Model
    x, step : array, shape (d, n)
        State at t, and its change.
    t, h : float
    eta : float

    Returns
    -------
    array, shape (n,)

    Notes
    -----
    Itô: d log p = ⟨dx, s⟩ + (f d + f ⟨x, s⟩ - ½ g² |s|²) dτ + ½ (η² - 1) g² Δ log p dτ, whatever the drift. For η = 1
    the Laplacian cancels (Skreta et al. 2024, theorem 1); for others it is the exact one.
    """
    return _increment(model, x, step, model.score(x, t), t, h, eta)


def _increment(model: Model, x: Any, step: Any, s: Any, t: float, h: float, eta: float = 1.0) -> Any:
    f, g2 = float(model.process.f(t)), float(model.process.g2(t))
    out = dot(step, s) + h * (f * len(x) + f * dot(x, s) - (0.5 * g2) * squared_norm(s))
    if eta == 1.0:
        return out
    return out + (0.5 * h * (eta**2 - 1.0) * g2) * model._evaluate("laplacian", x, t, x)


def tracked_log_prob(model: Model, states: Sequence[Any], grid: Any, *, eta: float = 1.0) -> list[Any]:
    """log p_t at the states of a path, from the exact value at the first: the Itô density estimator.

    Parameters
    ----------
    model : Model
        Whose density is followed; the path may be that of any other one.
    states : sequence of arrays, shape (d, n)
        At the times of the grid, as `Sampler.trajectory` returns them.
    grid : array_like
        Falling times.
    eta : float
        Share of g in the path's noise: 0 for flows. Then the error is of order 1 in the step; with noise of ½.
    """
    times = np.asarray(grid, dtype=float).tolist()
    values = [model.log_prob(states[0], times[0])]
    for x, y, t, after in zip(states[:-1], states[1:], times[:-1], times[1:], strict=True):
        values.append(values[-1] + density_increment(model, x, y - x, t, t - after, eta=eta))
    return values


def _parts(model: Any, at_least: int) -> Any:
    parts = getattr(model, "parts", ())
    if len(parts) < at_least:
        raise ParameterError(f"the model has {len(parts)} parts; give a Composed model of {at_least} or more")
    return parts


@sampler(
    kind="sde",
    nfe=2,
    parametrisation="score",
    aliases=("SuperDiff OR",),
    reference="Skreta et al. 2024, algorithm 1, OR",
    register=False,
)
def superposed_any(
    model: Any, x: Any, grid: Any, noise: Any, *, temperature: float = 1.0, bias: tuple[float, ...] = ()
) -> Iterator[Any]:
    """Euler–Maruyama for Σ κ_i s_i with κ = softmax(T log q_i + ℓ_i), log q_i followed by the Itô estimator.

    With T = 1 it draws, as steps shrink, from the mixture with weights ∝ e^ℓ. The model is a `Composed`, whose own
    weights are not used.

    Parameters
    ----------
    temperature : float
        T; larger: the most probable model takes all.
    bias : tuple of float
        ℓ; empty: zeros.

    Raises
    ------
    ParameterError
        If the model has fewer than two parts, or the bias is not as long.
    """
    parts, (t, *_) = _parts(model, 2), model.tables(grid)
    if bias and len(bias) != len(parts):
        raise ParameterError(f"bias has {len(bias)} entries and the model {len(parts)} parts; give one each")
    logs = [part.log_prob(x, t[0]) for part in parts]
    for i in range(len(t) - 1):
        h, f, g2 = t[i] - t[i + 1], float(model.process.f(t[i])), float(model.process.g2(t[i]))
        scores = [part.score(x, t[i]) for part in parts]
        heights = [temperature * q + (bias[k] if bias else 0.0) for k, q in enumerate(logs)]
        top = logsumexp(stack(*heights))
        mean = sum(exp(height - top) * s for height, s in zip(heights, scores, strict=True))
        step = h * (g2 * mean - f * x) + sqrt(h * g2) * noise(i, x.shape)
        logs = [
            q + _increment(part, x, step, s, t[i], h) for q, part, s in zip(logs, parts, scores, strict=True)
        ]  # fmt: skip
        x = x + step
        yield x


@sampler(
    kind="sde",
    nfe=2,
    parametrisation="score",
    aliases=("SuperDiff AND",),
    variants=({}, {"curvature": False}),
    reference="Skreta et al. 2024, algorithm 1, AND",
    register=False,
)
def superposed_all(model: Any, x: Any, grid: Any, noise: Any, *, curvature: bool = True) -> Iterator[Any]:
    """Euler–Maruyama for (1 - κ) s_0 + κ s_1 with the κ for which log q_0 and log q_1 change alike in each step.

    This κ depends on the noise of the step and cancels its part along n ∝ s_1 - s_0; so a step has less variance than
    the estimator's formula supposes, and the published rule keeps the estimates together but not the densities, however
    small the steps, unless both Hessians agree along n. With `curvature` the missing term -½ g² nᵀ ∇² log q_i n is
    put in (one product with each Hessian), and the densities keep their difference.

    Parameters
    ----------
    curvature : bool
        False: the published rule.

    Raises
    ------
    ParameterError
        If the model has not two parts.
    """
    one, other, *more = _parts(model, 2)
    if more:
        raise ParameterError(f"the model has {2 + len(more)} parts; equal densities are sought for two")
    t, *_ = model.tables(grid)
    for i in range(len(t) - 1):
        h, f, g2 = t[i] - t[i + 1], float(model.process.f(t[i])), float(model.process.g2(t[i]))
        s0, s1 = one.score(x, t[i]), other.score(x, t[i])
        apart = s1 - s0
        size = squared_norm(apart)
        size = where(size > LEAST, size, 1.0)
        step = h * (g2 * s0 - f * x) + sqrt(h * g2) * noise(i, x.shape)
        gap = _increment(other, x, step, s1, t[i], h) - _increment(one, x, step, s0, t[i], h)
        if curvature:
            bent = other.hessian_vector(x, apart, t[i]) - one.hessian_vector(x, apart, t[i])
            gap = gap - (0.5 * h * g2) * dot(apart, bent) / size
        x = x + step - (gap / size) * apart
        yield x
