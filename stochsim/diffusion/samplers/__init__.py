"""Samplers: each a formula along a grid, with a record of its claims.

Every module of this package is imported, and what registers itself there is an attribute here: a new sampler is one
new file.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from stochsim.diffusion.record import REGISTRY, Sampler, sampler

for _module in sorted(info.name for info in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")
globals().update(REGISTRY)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Sampler: ...


__all__ = ["REGISTRY", "Sampler", "sampler", *REGISTRY]
