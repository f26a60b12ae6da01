"""Guidance with exact scores: sums of scores that belong to no diffusion, and what samplers make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from math import sqrt
from typing import Any

import numpy as np

from stochsim.densities import GaussianMixture
from stochsim.diffusion.forward import Process
from stochsim.diffusion.model import Model
from stochsim.diffusion.record import sampler
from stochsim.errors import ModelError, ParameterError

__all__ = ["Composed", "Guided", "given_label", "predictor_corrector_guidance", "within"]

Weight = float | Callable[[Any], Any]


class _NoLaw:
    """Stands where the target of a model would be."""

    def __init__(self, d: int) -> None:
        self.d = d

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ModelError(
            f"{name} was asked of the target of a composed model, whose score is the noised score of no law; use a "
            "sampler that needs the score only"
        )


class Composed(Model):
    """A model whose score is Σ w_i s_i: guidance, products, annealing. Every sampler takes it in place of a model.

    The sum is the score of the law ∝ Π p_{i,t}^{w_i} at each t, but these laws are not the noised laws of the one at
    t = 0; so samplers do not draw from that (see `stochsim.diffusion.guidance.feynman_kac` for what does). `log_prob`,
    `hessian_vector` and `divergence` are those of the sum, `log_prob` without a normaliser.

    Parameters
    ----------
    parts : sequence of Model
        With one and the same process.
    weights : sequence of float or callable
        w_i, or functions w_i(t).

    Attributes
    ----------
    nfe : int
        Evaluations of the scores of all parts.

    Raises
    ------
    ParameterError
        If the processes differ, or there are not as many weights as parts.
    """

    def __init__(self, parts: Sequence[Model], weights: Sequence[Weight]) -> None:
        if not parts or len(parts) != len(weights):
            raise ParameterError(f"{len(parts)} models were given {len(weights)} weights; give one each")
        if any(part.process != parts[0].process for part in parts):
            said = " and ".join(repr(part.process) for part in parts)
            raise ParameterError(f"the models to be composed have the processes {said}; give all the same one")
        self.parts, self.weights = tuple(parts), tuple(weights)
        self.process, self.threads = parts[0].process, parts[0].threads
        self.target = _NoLaw(parts[0].target.d)

    @property
    def nfe(self) -> int:  # type: ignore[override]
        """Evaluations of the scores of all parts."""
        return sum(part.nfe for part in self.parts)

    def twin(self) -> Composed:
        """The same model with counts of its own."""
        twin = copy(self)
        twin.parts = tuple(part.twin() for part in self.parts)
        return twin

    def weights_at(self, t: Any) -> list[Any]:
        """w_i(t)."""
        return [weight(t) if callable(weight) else weight for weight in self.weights]

    def score(self, x: Any, t: Any) -> Any:
        """Σ w_i(t) s_i(x, t); a part of weight 0 is not evaluated."""
        return self._sum(t, lambda part: part.score(x, t))

    def _denoised(self, x: Any, score: Any, t: Any) -> Any:
        if not getattr(t, "ndim", 0) and self.process.alpha(t) == 0.0:
            return self._sum(t, lambda part: part._denoised(x, score, t))
        return super()._denoised(x, score, t)

    def _evaluate(self, method: str, x: Any, t: float, *inputs: Any) -> Any:
        return self._sum(t, lambda part: part._evaluate(method, x, t, *inputs))

    def _sum(self, t: Any, value: Callable[[Model], Any]) -> Any:
        terms = [
            weight * value(part)
            for weight, part in zip(self.weights_at(t), self.parts, strict=True)
            if np.ndim(weight) or weight != 0.0
        ]
        if not terms:
            raise ParameterError(f"all weights of a composed model are 0 at t = {t}; give one that is not")
        return sum(terms[1:], terms[0])


class Guided(Composed):
    """Classifier-free guidance: the score γ s_c + (1 - γ) s_u (Ho & Salimans 2021, eq. 6, with γ = 1 + their w).

    γ = 1 is the conditional model. For γ > 1 samplers draw neither from p_c^γ p_u^(1-γ) nor from one another's law
    (Bradley & Nakkiran 2024, section 3): see `stochsim.diffusion.guidance.guided_laws`.

    Parameters
    ----------
    conditional, unconditional : Model
    weight : float or callable
        γ, or a function of t (`within` limits it to an interval).
    """

    def __init__(self, conditional: Model, unconditional: Model, weight: Weight) -> None:
        self.weight = weight
        rest = (lambda t: 1.0 - weight(t)) if callable(weight) else 1.0 - weight
        super().__init__((conditional, unconditional), (weight, rest))

    @property
    def conditional(self) -> Model:
        """The model that guidance starts from."""
        return self.parts[0]


def within(process: Process, weight: float, low: float, high: float) -> Callable[[Any], Any]:
    """A weight for an interval of noise levels, low < σ/α <= high, and 1 elsewhere.

    Parameters
    ----------
    process : Process
    weight : float
    low, high : float
        σ_lo and σ_hi of Kynkäänniemi et al. 2024.

    Raises
    ------
    ParameterError
        If low is not below high.
    """
    if not low < high:
        raise ParameterError(f"the interval of guidance runs from {low!r} to {high!r}; give the lower end first")

    def at(t: Any) -> Any:
        alpha, sigma = process.alpha(t), process.sigma(t)
        return np.where((sigma > low * alpha) & (sigma <= high * alpha), weight, 1.0)[()]

    return at


def given_label(mixture: GaussianMixture, labels: Any, label: Any) -> GaussianMixture:
    """The law of x given its label, where each component of a mixture has one.

    Parameters
    ----------
    mixture : GaussianMixture
    labels : array_like, shape (K,)
    label : object

    Raises
    ------
    ParameterError
        If there are not as many labels as components, or none has this one.
    """
    names = np.asarray(labels)
    if names.shape != (mixture.n_components,):
        raise ParameterError(f"labels have shape {names.shape}; give one for each of {mixture.n_components} components")
    chosen = names == label
    if not chosen.any():
        raise ParameterError(f"no component has the label {label!r}; there are {sorted(set(names.tolist()))}")
    weights = mixture.weights[chosen]
    return GaussianMixture(weights / weights.sum(), mixture.means[chosen], mixture._given[chosen])


@sampler(
    kind="sde",
    nfe=lambda o: 1 + 2 * o["corrections"],
    parametrisation="score",
    aliases=("PCG",),
    reference="Bradley & Nakkiran 2024, algorithm 1",
    register=False,
)
def predictor_corrector_guidance(model: Any, x: Any, grid: Any, noise: Any, *, corrections: int = 1) -> Iterator[Any]:
    """DDIM's step of the conditional model, then Langevin steps on p_c^γ p_u^(1-γ) at the new level.

    A Langevin step is x' = x + δ s + √(2δ) z with δ = ½ ∫ g² over the step, in the scale of the new time. With one
    correction this becomes, as steps shrink, the reverse equation guided by (1 + γ)/2 (their theorem: γ = 2γ' - 1 where
    γ' guides DDPM); with many it draws from the tilted law.

    Parameters
    ----------
    corrections : int
        Langevin steps after each step of DDIM.
    """
    t, a, s, _ = model.tables(grid)
    for i in range(len(t) - 1):
        now, then = s[i] / a[i], s[i + 1] / a[i + 1]
        x = (a[i + 1] / a[i]) * x + (a[i + 1] * (then - now)) * model.conditional.eps(x, t[i])
        delta = 0.5 * a[i + 1] ** 2 * (now**2 - then**2)
        for k in range(corrections):
            x = x + delta * model.score(x, t[i + 1]) + sqrt(2.0 * delta) * noise(i * corrections + k, x.shape)
        yield x
