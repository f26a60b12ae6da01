"""The exceptions of stochsim: one small tree.

Every message is one sentence or two that say what was given, what was wanted, and what to do. Each
class also derives from the built-in exception that a caller would expect, so ``except ValueError``
works for someone who has never read this file.
"""

from __future__ import annotations

__all__ = [
    "CacheWarning",
    "DivergenceError",
    "ModelError",
    "ParameterError",
    "SchemeError",
    "SolverError",
    "StochsimError",
    "TraceError",
]


class StochsimError(Exception):
    """The root of the tree: catches everything that stochsim raises on purpose."""


class ModelError(StochsimError, ValueError):
    """A model is inconsistent: wrong number of components, wrong noise structure, no closed form."""


class ParameterError(StochsimError, ValueError):
    """An argument is outside its domain: a step count below one, an unknown or NaN parameter, a bad seed."""


class SchemeError(StochsimError, ValueError):
    """A scheme does not fit the model (its noise, its calculus), or its own record is inconsistent."""


class TraceError(StochsimError, TypeError):
    """A drift, diffusion or scheme function cannot be written as a formula of its symbols."""


class SolverError(StochsimError, ValueError):
    """A solver brought by the user returned an array of the wrong shape, dtype or with NaN in it."""


class DivergenceError(StochsimError, RuntimeError):
    """Paths became infinite or NaN, and divergence was not allowed.

    Parameters
    ----------
    message : str
        The sentence shown to the user.
    n_diverged : int
        Number of paths with a non-finite component.
    first_time : float
        Earliest time, in the units of the model, at which a path was found to be non-finite.
    """

    def __init__(self, message: str, n_diverged: int, first_time: float) -> None:
        super().__init__(message)
        self.n_diverged = n_diverged
        self.first_time = first_time

    def __reduce__(self) -> tuple[type[DivergenceError], tuple[str, int, float]]:
        # an exception with extra arguments does not survive a process boundary without this
        return type(self), (str(self), self.n_diverged, self.first_time)


class CacheWarning(UserWarning):
    """The kernel cache cannot be written; kernels are kept in memory and compiled again next time."""
