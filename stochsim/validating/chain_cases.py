"""How samplers of Markov chains are made for a validation: values for fields without defaults, and their targets.

What is needed is found by the names of a sampler's fields, so that a new sampler gets its rows from its record alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from stochsim.densities import Gaussian, GaussianMixture, from_log_prob
from stochsim.errors import ParameterError
from stochsim.mcmc import MALA, REGISTRY, Sampler
from stochsim.mcmc.hamiltonian.integrators import BCSS3, YOSHIDA
from stochsim.mcmc.stochastic_gradients.targets import QuadraticSum, control_variate

__all__ = ["Case", "build", "cases", "clients", "dense", "find", "mixture", "posterior", "quartic_well"]

Options = Mapping[str, Any]

VARIANTS: dict[str, tuple[Options, ...]] = {
    "UnadjustedHMC": ({}, {"integrator": BCSS3}, {"integrator": YOSHIDA}),
    "Splitting": ({"scheme": "OAB"}, {"scheme": "BOAOB"}, {"scheme": "O{BAB}O"}, {"scheme": "{UBU}"}),
}
"""Options with which a sampler is measured, where its defaults alone would not do."""


class Case(NamedTuple):
    """A sampler with some options set.

    Attributes
    ----------
    label : str
        Its class, with the options.
    cls : type
    options : mapping
    """

    label: str
    cls: type[Sampler]
    options: Options

    def __call__(self, step_size: float) -> Any:
        """The sampler at a step size."""
        return build(self.cls, step_size, self.options)

    def has(self, name: str) -> bool:
        """Whether the sampler has a field of that name."""
        return any(f.name == name for f in fields(self.cls))  # type: ignore[arg-type]


def cases() -> list[Case]:
    """Every registered sampler, with the options of its variants."""
    return [
        Case(_label(name, options), REGISTRY[name], options)
        for name in sorted(REGISTRY)
        for options in VARIANTS.get(name, ({},))
    ]


def find(label: str) -> Case:
    """The case of a label.

    Parameters
    ----------
    label : str

    Raises
    ------
    ParameterError
        If there is none.
    """
    for case in cases():
        if case.label == label:
            return case
    raise ParameterError(f"no sampler is measured as {label!r}; give one of {', '.join(c.label for c in cases())}")


def _label(name: str, options: Options) -> str:
    said = ", ".join(str(getattr(value, "name", value)) for value in options.values())
    return f"{name}({said})" if said else name


def build(chosen: type[Sampler], step_size: float, options: Options) -> Sampler:
    """A sampler whose fields without defaults have values by their names.

    Parameters
    ----------
    chosen : type
    step_size : float
    options : mapping
        Of fields.

    Raises
    ------
    ParameterError
        If no value is known for a field.
    """
    needed = [f.name for f in fields(chosen) if f.init and _is_needed(f)]  # type: ignore[arg-type]
    missing = [name for name in needed if name not in options and name not in VALUES]
    if missing:
        raise ParameterError(
            f"{chosen.__name__} has the field {missing[0]}, for which validations know no value; give it a "
            "default, or a value in VALUES of validating/chain_cases.py"
        )
    values = {name: VALUES[name](step_size) for name in needed if name not in options}
    return chosen(**values, **options)


def _is_needed(field: Any) -> bool:
    """Whether a field has no default, or is a step size that a warm-up would find."""
    return field.name == "step_size" or (field.default is MISSING and field.default_factory is MISSING)


@lru_cache
def dense() -> Gaussian:
    """A Gaussian of two correlated components."""
    return Gaussian([1.0, -2.0], [[1.0, 0.6], [0.6, 2.0]])


@lru_cache
def mixture() -> GaussianMixture:
    """Two modes in the plane that chains cross."""
    covariances = [[[0.3, 0.1], [0.1, 1.0]], [[1.0, 0.0], [0.0, 0.2]]]
    return GaussianMixture([0.4, 0.6], [[-1.0, 0.0], [1.0, 0.5]], covariances)


@lru_cache
def prior() -> Gaussian:
    """What samplers with a Gaussian prior take for it."""
    return Gaussian([0.5, -0.5], [[1.0, 0.3], [0.3, 2.0]])


@lru_cache
def posterior() -> Gaussian:
    """The target of samplers with a Gaussian prior."""
    law: Gaussian = prior().posterior([[1.0, 2.0]], [1.5], 0.5)
    return law


@lru_cache
def quartic_well() -> Any:
    """log π = -x²/2 - x⁴/4."""
    return from_log_prob(lambda x: -(x[0] ** 4) / 4.0 - x[0] ** 2 / 2.0, d=1)


@lru_cache
def clients() -> QuadraticSum:
    """Four blocks of data in the plane with other curvatures and centres each."""
    rng = np.random.default_rng(0)
    roots, centres = rng.normal(size=(4, 2, 2)), rng.normal(size=(4, 2))
    return QuadraticSum(roots @ roots.transpose(0, 2, 1) / 4.0 + 0.05 * np.eye(2), centres, 0.3)


VALUES: dict[str, Callable[[float], Any]] = {
    "step_size": lambda h: h,
    "friction": lambda h: 1.0,
    "n_leapfrog": lambda h: 3,
    "length": lambda h: 2.0,
    "sigma": lambda h: 0.8,
    "sigmas": lambda h: (0.7,),  # one level, so that the law is Gaussian
    "betas": lambda h: (1.0, 0.5, 0.2),
    "move": lambda h: MALA(0.5 * h),
    "beta": lambda h: 0.5,
    "prior": lambda h: prior(),
    "proposal": lambda h: Gaussian([0.2, 0.0], [[3.0, 0.5], [0.5, 2.0]]),
    "n_local": lambda h: 5,
    "control": lambda h: control_variate(clients(), clients()),
}
"""For each field without a default a value, which may depend on the step size."""
