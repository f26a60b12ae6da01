"""Schemes: each a formula with a record of its claims. Add one by adding a file (see docs/add_a_scheme)."""

from stochsim.schemes.derivative_free import platen
from stochsim.schemes.euler import drift_implicit_euler, euler_maruyama, tamed_euler
from stochsim.schemes.heun import euler_heun, stratonovich_heun
from stochsim.schemes.known import exact
from stochsim.schemes.record import REGISTRY, Scheme, scheme
from stochsim.schemes.strong_taylor import milstein, stratonovich_milstein
from stochsim.symbolic.calculus import diff
from stochsim.symbolic.implicit import solve

__all__ = [
    "REGISTRY",
    "Scheme",
    "diff",
    "drift_implicit_euler",
    "euler_heun",
    "euler_maruyama",
    "exact",
    "milstein",
    "platen",
    "scheme",
    "solve",
    "stratonovich_heun",
    "stratonovich_milstein",
    "tamed_euler",
]
