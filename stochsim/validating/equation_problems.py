"""How models are validated: what their records do not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from stochsim import models
from stochsim.sde import SDE

__all__ = ["CURVED_SURVEY", "LINEAR_SURVEYS", "PROBLEMS", "QUICK", "Problem", "problem", "settings", "surveyed"]


@dataclass(frozen=True)
class Problem:
    """How a model is validated.

    Parameters
    ----------
    params : mapping
        Other than the model's own defaults.
    strong : str
        "paths" (where the model has a closed form on the path), "differences", or "" for no strong order.
    weak : str
        A method of `weak_order`, or "" for no weak order.
    domain : tuple, optional
        State space, for quadrature.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    strong: str = "paths"
    weak: str = "auto"
    domain: Any = None


# At some defaults a term of higher order is the larger one down to T/2048, as it should be in a demonstration
# and should not be in a measurement: the noise must have its say in the error of a drift-dominated model.
PROBLEMS: dict[str, Problem] = {
    "geometric_brownian_motion": Problem({"mu": 0.5, "sigma": 0.8}),
    "kubo_oscillator": Problem({"omega": 0.5, "sigma": 1.0}),
    "sinh_brownian": Problem({"a": 0.2, "b": 0.8}),
    "cube_brownian": Problem({"a": 0.2, "b": 0.25}),
    "langevin_oscillator": Problem({"omega": 0.8, "gamma": 0.5}),
    "noncommuting_linear": Problem({"B": [[[0.0, 0.6], [0.0, 0.0]], [[0.0, 0.0], [0.6, 0.0]]]}, "differences"),
    "double_well": Problem(strong="differences"),
    "tanh_brownian": Problem(domain=(-1.0, 1.0)),
    "cox_ingersoll_ross": Problem(strong="", domain=(0.0, np.inf)),
    "squared_bessel": Problem(strong="", weak=""),  # schemes step over the bound at 0, where no grid holds
    "heston": Problem(strong="", weak=""),
}
QUICK = ("geometric_brownian_motion", "ornstein_uhlenbeck", "arctan_brownian")
LINEAR_SURVEYS = ("geometric_brownian_motion", "ornstein_uhlenbeck")  # the first that a scheme fits
CURVED_SURVEY = "arctan_ornstein_uhlenbeck"


@lru_cache(maxsize=64)
def problem(name: str, calculus: str) -> SDE:
    """The model as it is validated, in a calculus.

    Parameters
    ----------
    name : str
        Of a registered model.
    calculus : {"ito", "stratonovich"}
    """
    sde = models.REGISTRY[name].build(**settings(name).params)
    return sde.to_ito() if calculus == "ito" else sde.to_stratonovich()


def settings(name: str) -> Problem:
    """How a model is validated: as it stands, where nothing else is said.

    Parameters
    ----------
    name : str
    """
    return PROBLEMS.get(name, Problem())


def surveyed(name: str, calculus: str) -> SDE:
    """The model of a survey of mutants: a small drift, so that many planted bugs are subtle.

    Parameters
    ----------
    name : str
        One of ``LINEAR_SURVEYS``, or ``CURVED_SURVEY``.
    calculus : {"ito", "stratonovich"}
    """
    if name == "geometric_brownian_motion":
        return models.geometric_brownian_motion(mu=0.05, sigma=1.0, calculus=calculus)
    sde = models.REGISTRY[name].default
    return sde.to_ito() if calculus == "ito" else sde.to_stratonovich()
