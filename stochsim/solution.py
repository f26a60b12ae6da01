"""Closed-form answers of an SDE on a given Brownian path: exact at any time, or on a finer grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Solution:
    """The exact solution as a function of the start, the time and functionals of the Brownian path.

    Attributes
    ----------
    readout : callable
        ``readout(x0, t, y, p)``: the solution at time ``t`` from the functionals ``y``; shapes as in the
        model's own functions (scalar for a scalar model). ``t`` is the time since the start for autonomous
        models. Without ``functionals``, ``y`` is the Brownian motion itself (a scalar when m = 1).
    functionals : callable, optional
        ``functionals(y, t, h, noise, p) -> y`` at t + h, where ``noise`` has ``dW`` and, as ``needs``
        says, ``dZ`` (both (m,)) and ``e`` (n_aux,) further standard normals, independent of them.
    n : int
        Number of functionals, all zero at the start.
    needs : tuple of str
    n_aux : int
    resolution : int
        1 if the update is exact at any step; r > 1 if it approximates and the reference must run on a
        grid at least r times finer than the finest level under test.
    note : str
        One sentence on what is exact and what is approximated.
    """

    readout: Callable[[Any, Any, Any, Any], Any]
    functionals: Callable[[Any, Any, Any, Any, Any], Any] | None = None
    n: int = 0
    needs: tuple[str, ...] = ("dW",)
    n_aux: int = 0
    resolution: int = 1
    note: str = "exact on the same Brownian path"


@dataclass(frozen=True)
class Transition:
    """An exact transition in law only: ``step(x, t, h, u, p)`` on arrays, with uniforms ``u`` (n_uniforms, n).

    Such a problem has no pathwise reference: it serves for exact sampling, not for strong orders.
    """

    step: Callable[[Any, Any, Any, Any, Any], Any]
    n_uniforms: int
    note: str = "exact in law"
