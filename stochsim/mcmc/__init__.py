"""Markov-chain samplers, each with the bias or invariance that is claimed of it.

Every sampler is found by its module; adding one is adding a class.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from stochsim.mcmc.record import REGISTRY, Claims, Sampler

if TYPE_CHECKING:
    from stochsim.mcmc._sample import sample as sample

for _module in iter_modules(__path__):
    if not _module.name.startswith("_"):
        import_module(f"{__name__}.{_module.name}")

_FUNCTIONS = {  # what is no sampler of the table, and where it is
    "sample": "_sample",
    "Population": "sequential_monte_carlo",
    "tempered_smc": "sequential_monte_carlo",
    "walk_jump": "smoothed_measurements",
    "log_concave_chain": "smoothed_measurements",
    "recovery_chain": "recovery",
    "MeanFieldLangevin": "interacting",
    "entropic_fictitious_play": "interacting",
    "ChainLaw": "chain_laws",
    "affine_law": "affine",
    "stability_limit": "affine",
    "stationary_bias": "stationary",
    "stationary_law": "stationary",
}
__all__ = ["REGISTRY", "Claims", "Sampler", "integrators", "mirror_maps", *_FUNCTIONS, *REGISTRY]


def __getattr__(name: str) -> Any:
    if name in REGISTRY:
        return REGISTRY[name]
    if name in _FUNCTIONS:
        return getattr(import_module(f"{__name__}.{_FUNCTIONS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
