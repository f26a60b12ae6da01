"""The exact denoiser of a target: score, noise, data, v and velocity predictions, converted at this one place."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np

from stochsim.columns import eager
from stochsim.columns.evaluate import Evaluator
from stochsim.columns.tracing import on_device
from stochsim.diffusion._components import components, shifted
from stochsim.errors import ParameterError

__all__ = ["Model"]

KEPT = 4096  # noised targets kept: more times than grids have, few enough for memory


class Model:
    """What samplers know of a target at each time: its exact score, over columns x (d, n), NumPy or CuPy.

    With x_t = α x_0 + σ z: eps = E[z|x] = -σ score, denoised = E[x_0|x] = (x + σ² score)/α,
    v = α eps - σ denoised, velocity = α' denoised + σ' eps. Arrays returned are new: a sampler may write into them.
    Of a mean-reverting process the columns are x - centre.

    Parameters
    ----------
    target : Density or None
        A density with exact noised laws; None with a score of the user's own.
    process : Process
    score : callable, optional
        ``score(x, t)`` instead of the exact one, columns to columns; t is a float, or an array (n,) if the sampler
        gives each particle its own time.
    threads : int
        Threads of one evaluation.

    Attributes
    ----------
    nfe : int
        Evaluations of the score so far.
    """

    def __init__(
        self, target: Any, process: Any, *, score: Callable[[Any, Any], Any] | None = None, threads: int = 1
    ) -> None:
        if target is None and score is None:
            raise ParameterError("Model was given neither a target nor a score; give one of them")
        self.target = shifted(target, process.centre)
        self.process, self.threads, self.nfe = process, threads, 0
        self._score, self._kept = score, {}  # type: tuple[Any, dict[tuple[float, str, bool], Evaluator]]

    def twin(self) -> Model:
        """The same model with its own count, for another thread; noised targets are shared."""
        twin = copy(self)
        twin.nfe = 0
        return twin

    def tables(self, grid: Any) -> tuple[list[float], list[float], list[float], list[float]]:
        """Times, α, σ and λ = log(α/σ) along a grid, as floats of Python (the quickest to multiply arrays with)."""
        t = np.asarray(grid, dtype=float)
        p = self.process
        return t.tolist(), p.alpha(t).tolist(), p.sigma(t).tolist(), p.lam(t).tolist()

    def levels(self, t: Any) -> tuple[Any, Any]:
        """α and σ at t."""
        return self.process.alpha(t), self.process.sigma(t)

    def noised(self, t: float) -> Any:
        """The law of the data at a time, as a density (of x - centre)."""
        return self.process.noised(self.target, t)

    def score(self, x: Any, t: Any) -> Any:
        """∇ log p_t(x); t is a float, or an array (n,)."""
        self.nfe += 1
        if self._score is not None:
            return self._score(x, t)
        if getattr(t, "ndim", 0):
            return timed_score(self.target, x, self.process.alpha(t), self.process.sigma(t))
        return self._evaluate("score", x, t, x)

    def eps(self, x: Any, t: Any) -> Any:
        """E[z|x], the noise prediction."""
        s = self.score(x, t)
        s *= -self.process.sigma(t)
        return s

    def denoised(self, x: Any, t: Any) -> Any:
        """E[x_0|x], the data prediction."""
        return self._denoised(x, self.score(x, t), t)

    def v(self, x: Any, t: Any) -> Any:
        """α eps - σ denoised (Salimans & Ho 2022, section 4)."""
        s, a, sigma = self.score(x, t), self.process.alpha(t), self.process.sigma(t)
        return -a * sigma * s - sigma * self._denoised(x, s, t)

    def velocity(self, x: Any, t: Any) -> Any:
        """dx/dt of the probability flow."""
        s, p = self.score(x, t), self.process
        return p.alpha_dot(t) * self._denoised(x, s, t) - (p.sigma(t) * p.sigma_dot(t)) * s

    def predict(self, kind: str, x: Any, t: Any) -> Any:
        """The prediction of that name: "eps", "x0", "v", "score" or "velocity".

        Raises
        ------
        ParameterError
            If there is none of that name.
        """
        known = {"eps": self.eps, "x0": self.denoised, "v": self.v, "score": self.score, "velocity": self.velocity}
        if kind not in known:
            raise ParameterError(f"parametrisation {kind!r} is unknown; give one of {', '.join(known)}")
        return known[kind](x, t)

    def log_prob(self, x: Any, t: float) -> Any:
        """Logarithm of p_t(x), (d, n) -> (n,)."""
        return self._evaluate("log_prob", x, t, x)

    def hessian_vector(self, x: Any, v: Any, t: float) -> Any:
        """∇² log p_t(x) v, the derivative of the score along v."""
        return self._evaluate("hessian_vector", x, t, x, v)

    def divergence(self, x: Any, t: float) -> Any:
        """Divergence of the velocity, (d, n) -> (n,)."""
        p = self.process
        f = p.f(t)
        return f * len(x) - (p.sigma(t) * (p.sigma_dot(t) - f * p.sigma(t))) * self._evaluate("laplacian", x, t, x)

    def _denoised(self, x: Any, score: Any, t: Any) -> Any:
        a, s = self.process.alpha(t), self.process.sigma(t)
        if not getattr(t, "ndim", 0) and a == 0.0:  # nothing of the data is left in x
            return 0.0 * x + eager.module(x).asarray(self.target.mean[:, None])
        return (x + s**2 * score) / a

    def _evaluate(self, method: str, x: Any, t: float, *inputs: Any) -> Any:
        xp = eager.module(x)
        key = (t, method, xp is np)
        evaluate = self._kept.get(key)
        if evaluate is None:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            formulas = self.noised(t).target
            evaluate = Evaluator(formulas if xp is np else on_device(formulas, xp.asarray), method)
            self._kept[key] = evaluate
        return evaluate(*inputs, threads=self.threads)


def timed_score(target: Any, x: Any, alpha: Any, sigma: Any) -> Any:
    """The score with a level of signal and of noise for each column: for Gaussians and mixtures, by arrays.

    Raises
    ------
    ParameterError
        For other densities.
    """
    weights, means, covariances = components(target)
    xp = eager.module(x)
    values, vectors = np.linalg.eigh(covariances)
    values, vectors, means = xp.asarray(values)[:, :, None], xp.asarray(vectors), xp.asarray(means)[:, :, None]
    variances = alpha**2 * values + sigma**2  # (K, d, n)
    z = xp.einsum("kij,kin->kjn", vectors, x - alpha * means)  # along the axes of each component
    with np.errstate(divide="ignore"):
        logits = xp.asarray(np.log(weights))[:, None] - 0.5 * (z**2 / variances + xp.log(variances)).sum(axis=1)
    r = xp.exp(logits - logits.max(axis=0))
    pulls = -xp.einsum("kij,kjn->kin", vectors, z / variances)
    return (r[:, None] * pulls).sum(axis=0) / r.sum(axis=0)
