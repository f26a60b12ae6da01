"""Markov-chain samplers, each with the bias or invariance that is claimed of it.

Every sampler is found by its module; adding one is adding a class.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from stochsim.mcmc.record import REGISTRY, Claims, Sampler

if TYPE_CHECKING:
    from stochsim.mcmc._sample import sample

for _module in iter_modules(__path__):
    if not _module.name.startswith("_"):
        import_module(f"{__name__}.{_module.name}")

__all__ = ["REGISTRY", "Claims", "Sampler", "integrators", "sample", *REGISTRY]


def __getattr__(name: str) -> Any:
    if name in REGISTRY:
        return REGISTRY[name]
    if name == "sample":
        from stochsim.mcmc._sample import sample

        return sample
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
