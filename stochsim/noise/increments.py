"""What a scheme may ask for by name: `dW`, `dZ`, `A`, weak two- and three-point variables.

Each kind says how it is built from standardised primitive draws, and (for pathwise kinds) how two
neighbouring steps merge into one exactly, by Chen's relation:

========  ===========  ============================================================================
name      shape        meaning over a step from t of length h
========  ===========  ============================================================================
``dW``    (m,)         Brownian increments, variance h
``dZ``    (m,)         int (W_s - W_t) ds, variance h^3/3, covariance h^2/2 with dW
``A``     (m, m)       Lévy areas A_jk = 1/2 int (W_j dW_k - W_k dW_j), antisymmetric; drawn given
                       (dW, dZ) with the exact conditional mean and variance h^2/12 but Gaussian shape
                       (Davie 2014; Foster & Habermann 2023): law = conditional moments
``dW3``   (m,)         three-point variables: 0 or ±sqrt(3 h) with the first five moments of dW
``dW2``   (m,)         two-point variables ±sqrt(h), the first three moments of dW
``V``     (m, m)       antisymmetric two-point variables ±h, with V_jj = -h
                       (Kloeden & Platen 1992, eq. (14.2.8)-(14.2.10))
========  ===========  ============================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from stochsim.errors import SchemeError
from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node
from stochsim.symbolic.tracing import Sym, as_sym, symbols


class Primitive(NamedTuple):
    """One standardised random number a step; ``kind`` is normal, uniform, two_point or three_point."""

    kind: str
    stream: int
    component: int


NORMAL_W, NORMAL_Z, NORMAL_AREA, THREE_POINT, TWO_POINT, TWO_POINT_V, NORMAL_EXACT, UNIFORM_EXACT = range(8)
Values = dict[str, Sym]


@dataclass(frozen=True)
class Kind:
    """One kind of noise: its shape, its primitives, its formula, and its merge rule (None: weak only)."""

    shape: Callable[[int], tuple[int, ...]]
    primitives: Callable[[int], list[Primitive]]
    build: Callable[[Any, Any, Values], Any]  # (h, own primitives, kinds built before) -> value
    merge: Callable[[Values, Values, Any, Any], Any] | None
    requires: tuple[str, ...] = ()
    law: str = "exact"


def _vector(m: int) -> tuple[int, ...]:
    return (m,)


def _matrix(m: int) -> tuple[int, ...]:
    return (m, m)


def _one_each(kind: str, stream: int) -> Callable[[int], list[Primitive]]:
    return lambda m: [Primitive(kind, stream, j) for j in range(m)]


def _pairs(kind: str, stream: int) -> Callable[[int], list[Primitive]]:
    return lambda m: [Primitive(kind, stream, i) for i in range(m * (m - 1) // 2)]


def antisymmetric(values: Any, m: int, diagonal: Any = 0.0) -> Sym:
    """(m, m) antisymmetric array from its m(m-1)/2 entries above the diagonal, row by row."""
    values = as_sym(values)
    nodes = np.full((m, m), g.ZERO, dtype=object)
    for i, (j, k) in enumerate(combinations(range(m), 2)):
        nodes[j, k] = values.nodes[i]
        nodes[k, j] = g.unary("neg", values.nodes[i])
    for j in range(m):
        nodes[j, j] = as_sym(diagonal).nodes[()]
    return Sym(nodes)


def _wedge(a: Sym, b: Sym) -> Any:
    return a[:, None] * b[None, :] - b[:, None] * a[None, :]


def _dZ(h: Any, n: Any, built: Values) -> Any:
    return 0.5 * h * built["dW"] + h * np.sqrt(h) * float(1 / np.sqrt(12.0)) * n


def _area(h: Any, n: Any, built: Values) -> Any:
    dW = built["dW"]
    space_time = built["dZ"] / h - 0.5 * dW  # H, the space-time Lévy area, N(0, h/12)
    return _wedge(space_time, dW) + antisymmetric(h * float(1 / np.sqrt(12.0)) * n, dW.size)


def _merge_area(left: Values, right: Values, h: Any, k: Any) -> Any:
    return left["A"] + right["A"] + 0.5 * _wedge(left["dW"], right["dW"])


KINDS: dict[str, Kind] = {
    "dW": Kind(
        _vector,
        _one_each("normal", NORMAL_W),
        lambda h, n, built: np.sqrt(h) * n,
        lambda left, right, h, k: left["dW"] + right["dW"],
    ),
    "dZ": Kind(
        _vector,
        _one_each("normal", NORMAL_Z),
        _dZ,
        lambda left, right, h, k: left["dZ"] + right["dZ"] + k * left["dW"],
        requires=("dW",),
    ),
    "A": Kind(
        _matrix,
        _pairs("normal", NORMAL_AREA),
        _area,
        _merge_area,
        requires=("dW", "dZ"),
        law="conditional moments",
    ),
    "dW3": Kind(_vector, _one_each("three_point", THREE_POINT), lambda h, n, built: np.sqrt(h) * n, None),
    "dW2": Kind(_vector, _one_each("two_point", TWO_POINT), lambda h, n, built: np.sqrt(h) * n, None),
    "V": Kind(
        _matrix,
        _pairs("two_point", TWO_POINT_V),
        lambda h, n, built: _v_matrix(h, n),
        None,
    ),
}


def _v_matrix(h: Any, n: Any) -> Sym:
    entries = as_sym(n)
    m = int((1 + np.sqrt(1 + 8 * entries.size)) / 2)
    return antisymmetric(h * entries, m, diagonal=-h)


@dataclass(frozen=True)
class NoisePlan:
    """The noise of one step of a scheme: which kinds, for how many Brownian motions."""

    needs: tuple[str, ...]
    m: int

    @staticmethod
    def of(needs: Iterable[str], m: int) -> NoisePlan:
        """The plan for the named kinds; what they require is added.

        Raises
        ------
        SchemeError
            If a name is unknown.
        """
        wanted = set(needs)
        for name in needs:
            if name not in KINDS:
                raise SchemeError(f"a scheme asked for noise {name!r}; known are {', '.join(KINDS)}")
            wanted |= set(KINDS[name].requires)
        return NoisePlan(tuple(k for k in KINDS if k in wanted), m)

    @cached_property
    def primitives(self) -> tuple[Primitive, ...]:
        """Primitive draws of one step, in order."""
        return tuple(p for k in self.needs for p in KINDS[k].primitives(self.m))

    @property
    def pathwise(self) -> bool:
        """Whether every kind is a functional of the Brownian path, so that steps can be merged."""
        return all(KINDS[k].merge is not None for k in self.needs)

    def symbols(self, prefix: str = "") -> Values:
        """The kinds as input symbols, named ``dW0``, ``A0_1``, ..."""
        return {k: self._independent(symbols(prefix + k, KINDS[k].shape(self.m))) for k in self.needs}

    def _independent(self, s: Sym) -> Sym:
        return s if s.ndim < 2 else antisymmetric(s.nodes[np.triu_indices(self.m, 1)], self.m)

    def flat(self, values: Values) -> dict[str, Node]:
        """Independent entries by input name (areas: above the diagonal)."""
        result: dict[str, Node] = {}
        for name in self.needs:
            for index in np.ndindex(values[name].shape):
                if len(index) == 1 or index[0] < index[1]:
                    result[name + "_".join(map(str, index))] = values[name].nodes[index]
        return result

    def draw(self, h: Any, first: int = 0) -> Values:
        """The kinds as formulas of the primitives ``n<first>, n<first+1>, ...``."""
        built: Values = {}
        for name in self.needs:
            count = len(KINDS[name].primitives(self.m))
            own = Sym(np.array([g.var(f"n{first + i}") for i in range(count)], dtype=object))
            first += count
            built[name] = as_sym(KINDS[name].build(h, own, built))
        return built

    def merge(self, left: Values, right: Values, h_left: Any, h_right: Any) -> Values:
        """Two neighbouring steps as one, exactly."""
        merged: Values = {}
        for name in self.needs:
            rule = KINDS[name].merge
            if rule is None:
                raise SchemeError(
                    f"{name} is a weak (moment-matching) variable: a scheme with it has no strong order; use weak_order"
                )
            merged[name] = as_sym(rule(left, right, h_left, h_right))
        return merged
