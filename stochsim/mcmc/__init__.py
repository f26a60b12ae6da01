"""Markov-chain samplers, each with the bias or invariance that is claimed of it.

Every sampler is found by its module; adding one is adding a class.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING, Any

from stochsim.mcmc.hamiltonian import integrators
from stochsim.mcmc.langevin import mirror_maps
from stochsim.mcmc.record import REGISTRY, Claims, Sampler

if TYPE_CHECKING:
    from stochsim.mcmc._sample import sample as sample

for _module in walk_packages(__path__, f"{__name__}."):
    if not _module.name.rpartition(".")[2].startswith("_"):
        import_module(_module.name)

_FUNCTIONS = {  # what is no sampler of the table, and where it is
    "sample": "_sample",
    "Population": "populations.sequential_monte_carlo",
    "tempered_smc": "populations.sequential_monte_carlo",
    "walk_jump": "smoothing.smoothed_measurements",
    "log_concave_chain": "smoothing.smoothed_measurements",
    "recovery_chain": "smoothing.recovery",
    "MeanFieldLangevin": "populations.interacting",
    "entropic_fictitious_play": "populations.interacting",
    "ChainLaw": "laws.chain_laws",
    "affine_law": "laws.affine",
    "stability_limit": "laws.affine",
    "stationary_bias": "laws.stationary",
    "stationary_law": "laws.stationary",
}
__all__ = ["REGISTRY", "Claims", "Sampler", "integrators", "mirror_maps", *_FUNCTIONS, *REGISTRY]


def __getattr__(name: str) -> Any:
    if name in REGISTRY:
        return REGISTRY[name]
    if name in _FUNCTIONS:
        return getattr(import_module(f"{__name__}.{_FUNCTIONS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
