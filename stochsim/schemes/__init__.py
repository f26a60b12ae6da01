"""Schemes: each a formula with a record of its claims. Add one by adding a file (see docs/add_a_scheme).

Every module of this package is imported, and what registers itself there is an attribute here: a new scheme
is one new file.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from stochsim.schemes.record import REGISTRY, Scheme, scheme
from stochsim.symbolic.calculus import diff
from stochsim.symbolic.implicit import solve

for _module in sorted(info.name for info in iter_modules(__path__)):
    import_module(f"{__name__}.{_module}")
globals().update(REGISTRY)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Scheme: ...


__all__ = ["REGISTRY", "Scheme", "diff", "scheme", "solve", *REGISTRY]
