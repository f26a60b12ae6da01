"""An SDE as formulas: what schemes, analyses and displays work on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from stochsim.errors import ModelError, ParameterError
from stochsim.parameters import Namespace, Parameters
from stochsim.symbolic import calculus, structure
from stochsim.symbolic import graph as g
from stochsim.symbolic.calculus import Diffusion
from stochsim.symbolic.graph import Node
from stochsim.symbolic.tracing import Sym, as_node, as_sym, symbols, trace

Coefficient = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Formula:
    """Drift and diffusion as expressions in ``x0.. , t`` and ``p.*``; the view of an SDE that a scheme gets.

    Attributes
    ----------
    d, m : int
        Number of components and of Brownian motions.
    a : Sym
        Drift, shape (d,).
    b : Diffusion
        Diffusion, shape (d,) (one noise a component) or (d, m).
    calculus : str
        ``"ito"`` or ``"stratonovich"``: what the two coefficients mean.
    parameters : Parameters
    x0 : tuple of float
        A typical state, for the random points of identity tests.
    """

    d: int
    m: int
    a: Sym
    b: Diffusion
    calculus: str
    parameters: Parameters
    x0: tuple[float, ...]

    @property
    def x(self) -> Sym:
        """The state, shape (d,)."""
        return symbols("x", (self.d,))

    @property
    def t(self) -> Sym:
        """The time."""
        return Sym(np.array(g.var("t")))

    @property
    def p(self) -> Namespace:
        """The parameters by name."""
        return self.parameters.symbols()

    def drift(self, x: Any, t: Any) -> Sym:
        """a(x, t), shape (d,)."""
        return Sym(self._at(self.a, x, t))

    def diffusion(self, x: Any, t: Any) -> Diffusion:
        """b(x, t), shape (d,) or (d, m); ``b @ dW`` is the noise term in both forms."""
        return Diffusion(self._at(self.b, x, t))

    def _at(self, coefficient: Sym, x: Any, t: Any) -> Any:
        state = as_sym(x).flat()
        replacement: dict[str, Node] = {f"x{i}": v for i, v in enumerate(state)} | {"t": as_node(t)}
        nodes = g.substitute(coefficient.flat(), replacement)
        return np.array(nodes, dtype=object).reshape(coefficient.shape)

    def L(self, j: int, f: Any, x: Any = None, t: Any = None) -> Sym:
        """L^j f = sum_i b_ij df/dx_i."""
        return calculus.L(self, j, f, self.x if x is None else x, self.t if t is None else t)

    def L0(self, f: Any, x: Any = None, t: Any = None) -> Sym:
        """L^0 f: the generator with time derivative for Itô coefficients, df/dt + a df/dx for Stratonovich ones."""
        state, time = self.x if x is None else x, self.t if t is None else t
        return calculus.L0(self, f, state, time, calculus=self.calculus)

    @cached_property
    def points(self) -> structure.Points:
        """Random points near the typical state and the given parameters, for identity tests."""
        return structure.sample_points(self.x0, self.parameters.first_vector())

    @cached_property
    def noise_classes(self) -> frozenset[str]:
        """Every noise class of the diffusion."""
        return _classes(self)

    def with_array_values(self) -> Formula:
        """The same formulas with the values of array parameters written in: they are data, not variables.

        (Two matrices may commute as given, which matrices near them do not.)
        """
        values = {name: g.const(v) for name, v in self.parameters.array_entries().items()}
        a, b = (np.array(g.substitute(s.flat(), values), dtype=object) for s in (self.a, self.b))
        return replace(self, a=Sym(a.reshape(self.a.shape)), b=Diffusion(b.reshape(self.b.shape)))

    @property
    def autonomous(self) -> bool:
        """Whether no coefficient depends on the time."""
        return "t" not in g.variables([*self.a.flat(), *self.b.flat()])

    @property
    def opaque(self) -> bool:
        """Whether a function given with ``trace=False`` takes part."""
        return any(n.op == "extern" for n in g.walk([*self.a.flat(), *self.b.flat()]))

    def converted(self, calculus_name: str) -> Formula:
        """The same process with coefficients of the other calculus."""
        if calculus_name == self.calculus:
            return self
        correction = calculus.ito_correction(self.b, self.x)
        a = self.a + correction if calculus_name == "ito" else self.a - correction
        return Formula(self.d, self.m, a, self.b, calculus_name, self.parameters, self.x0)


_CLASSES: dict[tuple[Any, ...], frozenset[str]] = {}


def _classes(formula: Formula) -> frozenset[str]:
    if formula.opaque:
        return frozenset({"general"} | ({"scalar", "commutative"} if formula.m == 1 else set()))
    given = formula.with_array_values() if formula.parameters.array_entries() else formula
    # the random points decide where formulas are defined, so what they are near belongs to the key
    near = (*given.x0, *formula.parameters.first_vector().values())
    key = (given.b.shape, near, *(n.serial for n in given.b.flat()))
    if key not in _CLASSES:
        _CLASSES[key] = structure.noise_classes(given, given.x, given.t, given.points)
    return _CLASSES[key]


def build(
    drift: Coefficient,
    diffusion: Coefficient,
    *,
    scalar: bool,
    x0: tuple[float, ...],
    parameters: Parameters,
    calculus_name: str,
    traced: bool,
) -> Formula:
    """Trace the two functions of a model and check their shapes.

    Raises
    ------
    ModelError
        If the drift does not have d components, or the diffusion is neither (d,) nor (d, m).
    TraceError
        If a function cannot be traced.
    """
    d = len(x0)
    if traced:
        x = Sym(np.array(g.var("x0"))) if scalar else symbols("x", (d,))
        arguments = (x, Sym(np.array(g.var("t"))), parameters.symbols())
        a, b = trace(drift, arguments, "drift"), trace(diffusion, arguments, "diffusion")
    else:
        a = _opaque(drift, "drift", scalar, x0, parameters)
        b = _opaque(diffusion, "diffusion", scalar, x0, parameters)
    shape = _diffusion_shape(b.shape, d)
    m = shape[1] if len(shape) == 2 else d
    return Formula(d, m, Sym(_drift_nodes(a, d)), Diffusion(b.nodes.reshape(shape)), calculus_name, parameters, x0)


def _drift_nodes(a: Sym, d: int) -> Any:
    if a.shape == (d,) or (d == 1 and a.shape == ()):
        return a.nodes.reshape(d)
    raise ModelError(
        f"drift returned shape {a.shape} for a state of {_components(d)}; return {d} value{'s' * (d > 1)}, "
        "one a component (a list, tuple or array)"
    )


def _diffusion_shape(shape: tuple[int, ...], d: int) -> tuple[int, ...]:
    if shape == () and d == 1:
        return (1,)
    if shape == (d,) or (len(shape) == 2 and shape[0] == d and shape[1] > 0):
        return shape
    raise ModelError(
        f"diffusion returned shape {shape} for a state of {_components(d)}; return shape ({d},) for one "
        f"noise a component, or ({d}, m) for m Brownian motions"
    )


def _components(d: int) -> str:
    return f"{d} component{'s' * (d > 1)}"


class ArrayFunction:
    """A coefficient that is not traced: called with whole arrays, outputs flattened to (k, n_paths)."""

    def __init__(self, function: Coefficient, scalar: bool, parameters: Parameters) -> None:
        self.function, self.scalar, self.parameters = function, scalar, parameters
        self.shape: tuple[int, ...] = ()

    def __call__(self, *args: Any) -> Any:
        """The values (k, n_paths) for the state, the time and the parameter vector."""
        *state, t = args[: len(args) - len(self.parameters.vector_names)]
        x = np.asarray(state[0]) if self.scalar else np.stack([np.asarray(v) for v in state])
        value = self.function(x, t, self._parameters(args[len(state) + 1 :]))
        parts = np.asarray(value, dtype=float) if not isinstance(value, (list, tuple)) else self._pack(value, x)
        lanes = x.shape[-1:] if not self.scalar else x.shape
        if parts.shape[-1:] != lanes:
            parts = np.broadcast_to(parts[..., None], (*parts.shape, *lanes))
        self.shape = parts.shape[:-1]
        return parts.reshape(-1, *lanes)

    def _pack(self, value: Any, x: Any) -> Any:
        rows = [self._pack(v, x) if isinstance(v, (list, tuple)) else np.asarray(v, dtype=float) for v in value]
        return np.stack(np.broadcast_arrays(*rows))

    def _parameters(self, vector: Any) -> Namespace:
        entries: dict[str, Any] = {}
        position = 0
        for name, value in self.parameters.values.items():
            if name in self.parameters.swept or value.ndim == 0:
                entries[name] = vector[position]
                position += 1
            else:
                entries[name] = np.array(vector[position : position + value.size], dtype=float).reshape(value.shape)
                position += value.size
        return Namespace(entries)


def _opaque(function: Coefficient, what: str, scalar: bool, x0: tuple[float, ...], parameters: Parameters) -> Sym:
    wrapped = ArrayFunction(function, scalar, parameters)
    sample = [np.full(3, v) for v in x0]
    vector = list(parameters.first_vector().values())
    try:
        values = wrapped(*sample, np.float64(0.0), *vector)
    except (TypeError, ValueError, IndexError) as error:
        raise ModelError(
            f"{what} (trace=False) failed on arrays of shape {'(n,)' if scalar else f'({len(x0)}, n)'}: {error}"
        ) from error
    names = (*(f"x{i}" for i in range(len(x0))), "t", *parameters.vector_names)
    args = tuple(g.var(n) for n in names)
    nodes = [g.extern(wrapped, args, i) for i in range(len(values))]
    return Sym(np.array(nodes, dtype=object).reshape(wrapped.shape))


# --- derived coefficients, which must answer numbers with numbers --------------------------------------


def is_symbolic(x: Any) -> bool:
    """Whether a state holds symbols."""
    return isinstance(x, Sym) or any(isinstance(v, Sym) for v in np.ravel(np.asarray(x, dtype=object)))


def at_numbers(values: Sym, letter: str, x: Any, t: Any, p: Any) -> np.ndarray:
    """Formulas in ``<letter>0.., t, p.*`` at numbers: x a number, (d,), (n,) for scalar models, or (d, n)."""
    from stochsim.codegen.arrays import compile_arrays

    state = list(np.asarray(x, dtype=float)) if np.ndim(x) > (values.ndim == 0) else [np.asarray(x, dtype=float)]
    inputs = {f"{letter}{i}": v for i, v in enumerate(state)} | {"t": np.float64(t)}
    for name in g.variables(values.flat()):
        if name.startswith("p."):
            inputs[name] = _parameter(name.removeprefix("p."), p)
    with np.errstate(all="ignore"):
        found = compile_arrays(tuple(values.flat()), tuple(inputs))(*inputs.values())
    shape = np.shape(state[0])
    return np.stack([np.broadcast_to(v, shape) for v in found]).reshape(values.shape + shape)


def _parameter(name: str, p: Any) -> Any:
    if name in vars(p):
        return np.float64(getattr(p, name))
    matched = re.fullmatch(r"(.*?)(\d+(?:_\d+)*)", name)
    if matched is None:
        raise ParameterError(f"parameter {name!r} is missing; give p with all parameters of the model as attributes")
    array, index = matched.groups()
    return np.float64(np.asarray(getattr(p, array))[tuple(int(i) for i in index.split("_"))])
