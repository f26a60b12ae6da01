"""stochsim: simulate stochastic processes, and know that the numbers are right.

The public names load lazily: importing stochsim imports no compiler, no SymPy and no plotting.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stochsim._version import __version__

_LAZY = {
    "SDE": "stochsim.sde",
    "Solution": "stochsim.solution",
    "Transition": "stochsim.solution",
    "fixed": "stochsim.parameters",
    "simulate": "stochsim._simulate",
    "Levels": "stochsim.levels",
    "strong_order": "stochsim.orders",
    "weak_order": "stochsim.orders",
    "stability_region": "stochsim.orders",
    "exact_law": "stochsim.laws",
    "certify": "stochsim.diffusion",
    "densities": "stochsim.densities",
    "mcmc": "stochsim.mcmc",
    "diffusion": "stochsim.diffusion",
    "metrics": "stochsim.metrics",
    "schemes": "stochsim.schemes",
    "models": "stochsim.models",
    "errors": "stochsim.errors",
    "plot": "stochsim.plot",
}

if TYPE_CHECKING:
    from stochsim import densities, diffusion, errors, mcmc, metrics, models, plot, schemes
    from stochsim._simulate import simulate
    from stochsim.diffusion import certify
    from stochsim.laws import exact_law
    from stochsim.levels import Levels
    from stochsim.orders import stability_region, strong_order, weak_order
    from stochsim.parameters import fixed
    from stochsim.sde import SDE
    from stochsim.solution import Solution, Transition

__all__ = [
    "SDE",
    "Levels",
    "Solution",
    "Transition",
    "__version__",
    "certify",
    "densities",
    "diffusion",
    "errors",
    "exact_law",
    "fixed",
    "mcmc",
    "metrics",
    "models",
    "plot",
    "schemes",
    "simulate",
    "stability_region",
    "strong_order",
    "weak_order",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'stochsim' has no attribute {name!r}")
    module = import_module(_LAZY[name])
    value = module if _LAZY[name] == f"stochsim.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
