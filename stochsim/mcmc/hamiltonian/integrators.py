"""Palindromic splittings of Hamilton's equations: kicks p += a h ∇log π(q), drifts q += b h M⁻¹ p, by turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

__all__ = ["BCSS3", "INTEGRATORS", "LEAPFROG", "MINIMAL_NORM", "OMELYAN", "SUZUKI", "YOSHIDA", "Integrator"]


@dataclass(frozen=True)
class Integrator:
    """A composition that begins and ends with a kick.

    Parameters
    ----------
    name : str
    kicks, drifts : tuple of float
        Fractions of the step, one kick more than drifts; each sums to 1 and reads the same backwards.
    order : int
        The energy error of a trajectory is O(h^order).
    reference : str
    """

    name: str
    kicks: tuple[float, ...]
    drifts: tuple[float, ...]
    order: int
    reference: str

    @property
    def gradients(self) -> int:
        """Gradient evaluations of a step: the last kick's serves the next step."""
        return len(self.drifts)

    def step(
        self, score: Callable[[Any], Any], velocity: Callable[[Any], Any], q: Any, p: Any, force: Any, h: Any
    ) -> tuple[Any, Any, Any]:
        """One step from (q, p) with ``force`` = ∇log π(q); returns q, p and the force there."""
        p = p + (self.kicks[0] * h) * force
        for drift, kick in zip(self.drifts, self.kicks[1:], strict=True):
            q = q + (drift * h) * velocity(p)
            force = score(q)
            p = p + (kick * h) * force
        return q, p, force


def _palindrome(half: tuple[float, ...], *, even: bool) -> tuple[float, ...]:
    """The coefficients from their first ones; the middle one, or the two middle ones, fill up to the sum 1."""
    rest = 1.0 - 2.0 * sum(half)
    return (*half, rest / 2.0, rest / 2.0, *half[::-1]) if even else (*half, rest, *half[::-1])


def _jumps(*parts: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Kicks and drifts of a composition of leapfrogs with these fractions of the step."""
    kicks = [(a + b) / 2.0 for a, b in pairwise((0.0, *parts, 0.0))]
    return tuple(kicks), parts


LEAPFROG = Integrator("leapfrog", (0.5, 0.5), (1.0,), 2, "Verlet 1967; Leimkuhler & Reich 2004, section 2.3")
MINIMAL_NORM = Integrator(
    "minimal norm", _palindrome((0.1931833275037836,), even=False), (0.5, 0.5), 2,
    "McLachlan 1995; Omelyan, Mryglod & Folk 2003",
)  # fmt: skip
BCSS3 = Integrator(
    "bcss3", _palindrome((0.11888010966548,), even=True), _palindrome((0.29619504261126,), even=False), 2,
    "Blanes, Casas & Sanz-Serna 2014, section 4.2, three stages; blackjax calls it yoshida, but it is of order 2",
)  # fmt: skip
_CUBE = 1.0 / (2.0 - 2.0 ** (1.0 / 3.0))
YOSHIDA = Integrator(
    "yoshida", *_jumps(_CUBE, 1.0 - 2.0 * _CUBE, _CUBE), 4, "Yoshida 1990: the triple jump of the leapfrog"
)
_ROOT = 1.0 / (4.0 - 4.0 ** (1.0 / 3.0))
SUZUKI = Integrator(
    "suzuki",
    *_jumps(_ROOT, _ROOT, 1.0 - 4.0 * _ROOT, _ROOT, _ROOT),
    4,
    "Suzuki 1990: five leapfrogs, small coefficients",
)
OMELYAN = Integrator(
    "omelyan", _palindrome((0.1644986515575760, 1.235692651138917), even=False),
    _palindrome((0.5 + 0.02094333910398989,), even=True), 4,
    "Omelyan, Mryglod & Folk 2003, velocity form with four forces",
)  # fmt: skip
INTEGRATORS = {i.name: i for i in (LEAPFROG, MINIMAL_NORM, BCSS3, YOSHIDA, SUZUKI, OMELYAN)}
