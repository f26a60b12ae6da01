"""Kernel Stein discrepancy: do samples have the law of this score? No draw and no normalising constant is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stochsim.errors import ParameterError
from stochsim.metrics._arrays import FloatArray, positive, samples
from stochsim.metrics._degenerate import BLOCK, SPECTRUM, KernelDiscrepancy, form, one_sample, spectrum

__all__ = ["kernel_stein_discrepancy"]

Radial = Callable[[FloatArray], tuple[FloatArray, FloatArray, FloatArray]]


def kernel_stein_discrepancy(
    x: Any,
    score: Any,
    kernel: str = "imq",
    lengthscale: float = 1.0,
    *,
    statistic: str = "u",
    false_alarm: float = 1e-3,
) -> KernelDiscrepancy:
    r"""Squared kernel Stein discrepancy of samples from the law with this score, and its test.

    Parameters
    ----------
    x : (n, d) array
        Independent samples.
    score : callable (n, d) -> (n, d), or (n, d) array, or density
        The gradient of the log-density, or its values at the samples, or a density with a method ``score``.
    kernel : {"imq", "rbf"}
        Inverse multiquadric :math:`(1 + |x-y|^2/l^2)^{-1/2}`, which detects non-convergence in any dimension, or the
        Gaussian, which does not for d >= 3 (Gorham & Mackey 2017, theorems 6 and 8).
    lengthscale : float, default 1
        l, in the units of the samples.
    statistic : {"u", "v"}
        "u" is unbiased; "v" is never negative.
    false_alarm : float, default 1e-3
        Rate of the test, for independent samples and n large: the spectrum of the Stein kernel is estimated from the
        samples (its limit law: Liu, Lee & Jordan 2016, theorem 4.1).

    Returns
    -------
    KernelDiscrepancy
        The mean of the Stein kernel :math:`h(x, y) = s(x)\cdot s(y) k + s(x)\cdot\nabla_y k + s(y)\cdot\nabla_x k +
        \nabla_x\cdot\nabla_y k` over pairs (Gorham & Mackey 2017, proposition 2), with its test.

    Raises
    ------
    ParameterError
        An unknown kernel, a score of another shape or not finite, fewer than two samples.

    Notes
    -----
    A score says nothing of the weights of modes far apart: a chain that never left one of them passes. Use
    `mode_weights` beside it.
    """
    a = samples(x, least=2)
    s = _scores(score, a)
    n, l, kind = len(a), positive(lengthscale, "lengthscale"), form(statistic)
    if kernel not in _KERNELS:
        raise ParameterError(f"kernel={kernel!r}; the Stein kernels are {', '.join(_KERNELS)}")
    radial = _KERNELS[kernel]
    blocks = (slice(i, i + BLOCK) for i in range(0, n, BLOCK))
    total = sum(float(_stein(a[b], s[b], a, s, radial, l).sum()) for b in blocks)
    own = (s * s).sum(axis=1) - 2 * a.shape[1] * radial(np.zeros(1))[1] / l**2
    pair_mean = (total - float(own.sum())) / (n * (n - 1))
    some = slice(None, None, -(-n // SPECTRUM))
    values = spectrum(_stein(a[some], s[some], a[some], s[some], radial, l))
    diagonal = (float(own.mean()), float(values.sum()), float(own.var()))
    return one_sample("kernel Stein discrepancy", kind, pair_mean, diagonal, values, n, false_alarm)


def _scores(score: Any, a: FloatArray) -> FloatArray:
    given = score.score if hasattr(score, "score") else score
    s = np.asarray(given(a) if callable(given) else given, dtype=np.float64)
    s = s[:, None] if s.ndim == 1 and a.shape[1] == 1 else s
    if s.shape != a.shape or not np.isfinite(s).all():
        raise ParameterError(f"the score has shape {s.shape} for samples {a.shape}; a finite (n, d) array is needed")
    return s


def _inverse_multiquadric(u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(1 + u)^(-1/2) and its first two derivatives."""
    f = 1 / np.sqrt(1 + u)
    return f, -0.5 * f**3, 0.75 * f**5


def _gaussian(u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """exp(-u/2) and its first two derivatives."""
    f = np.exp(-0.5 * u)
    return f, -0.5 * f, 0.25 * f


_KERNELS: dict[str, Radial] = {"imq": _inverse_multiquadric, "rbf": _gaussian}


def _stein(a: FloatArray, s: FloatArray, b: FloatArray, r: FloatArray, radial: Radial, l: float) -> FloatArray:
    """The Stein kernel of k = f(|x - y|²/l²) between rows of a with scores s and rows of b with scores r."""
    centre = a[0]
    a, b = (a - centre) / l, (b - centre) / l
    u = np.maximum((a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T, 0.0)
    f, f1, f2 = radial(u)
    # s(x)·∇_y k + s(y)·∇_x k = -2 f' (s(x) - s(y))·(x - y)/l²
    cross = (s * a).sum(axis=1)[:, None] + (r * b).sum(axis=1) - s @ b.T - a @ r.T
    trace = -(2 * a.shape[1] * f1 + 4 * u * f2) / l**2
    return np.asarray(f * (s @ r.T) - 2 * f1 * cross / l + trace)
