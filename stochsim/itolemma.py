"""Itô's lemma: the equation of a function of a solution."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from stochsim.errors import ModelError
from stochsim.formula import at_numbers, is_symbolic
from stochsim.symbolic import graph as g
from stochsim.symbolic.calculus import gradient
from stochsim.symbolic.numbers import DATA_TOLERANCE, DIGITS, evaluate_at
from stochsim.symbolic.tracing import Sym, as_node, as_sym, symbols, trace

LARGEST = 150  # operations of a coefficient that SymPy may simplify: more may take it minutes
SIMPLE_SOLUTION = 25  # the same for solutions, which simplify rarely and slowly

SDE = Any  # an `SDE`, whose module imports this one
Function = Callable[[Any], Any]
Readout = Callable[[Any, Any, Any, Any], Any]


def transform(sde: SDE, f: Function, inverse: Function | None = None) -> SDE:
    """The SDE of Y = f(X), in the calculus of the SDE of X.

    dY_k = (sum_i a_i f_k,i + 1/2 sum_ij (b bᵀ)_ij f_k,ij) dt + sum_ij f_k,i b_ij dW_j (Itô; Øksendal 2003,
    Theorem 4.2.1); for Stratonovich equations the second derivatives drop out.

    Parameters
    ----------
    sde : SDE
        Of X. A closed-form solution is carried over.
    f : callable
        A smooth function of the state, traced; it returns a number or a vector.
    inverse : callable, optional
        With inverse(f(x)) = x on the states that X visits. For scalar models it is looked for if not given,
        and used if it holds for x of both signs (so x², which needs the sign of x, is not inverted).

    Returns
    -------
    SDE
        Of Y if f is invertible, else of (X, Y), with components named after those of X and ``y``. Its
        coefficients are formulas made at this call: they follow parameters, but not later changes of a
        global or closure variable that the functions of the SDE of X use.

    Raises
    ------
    ModelError
        If the model has ``trace=False``, the inverse is none, or its shape does not fit.
    TraceError
        If f is not twice differentiable as a formula.
    """
    formula = sde.formula()
    if formula.opaque:
        raise ModelError("Itô's lemma needs formulas, which a model with trace=False does not have")
    map_ = _Map.of(f, sde)
    back = _found(map_) if inverse is None else _given(inverse, map_, sde)
    name = f"{getattr(f, '__name__', 'f')}({sde.name})".replace("<lambda>", "f")
    return _alone(sde, map_, back, name) if back is not None else _pair(sde, map_, name)


@dataclass(frozen=True)
class _Map:
    """The function f, traced once: its values (k,) as formulas of the state ``z`` (d,)."""

    z: Sym
    values: Sym
    scalar: bool  # f returned a number

    @staticmethod
    def of(f: Function, sde: SDE) -> _Map:
        z = symbols("z", (sde.d,))
        values = trace(f, (z.reshape(sde.start.shape),), "f")
        if values.ndim > 1 or values.size == 0:
            raise ModelError(f"f returned shape {values.shape}; return a number or a vector")
        return _Map(z, values.flatten(), values.ndim == 0)

    @property
    def size(self) -> int:
        return self.values.size

    def __call__(self, x: Sym) -> Sym:
        return replaced(self.values, "z", x)

    def coefficients(self, sde: SDE) -> tuple[Sym, Sym]:
        """Drift (k,) and diffusion (k, m) of f(X) as formulas of ``z*, t, p.*``."""
        a, b = _coefficients(sde, self.z)
        slope = gradient(self.values, self.z)
        drift: Any = slope @ a
        if sde.calculus == "ito":
            hessian = gradient(slope, self.z)
            for j in range(b.shape[1]):
                drift = drift + 0.5 * (hessian @ b[:, j] @ b[:, j])
        return as_sym(drift), slope @ b


def _coefficients(sde: SDE, x: Sym) -> tuple[Sym, Sym]:
    """Drift (d,) and diffusion (d, m) of a model at x (d,)."""
    formula = sde.formula()
    return formula.drift(x, formula.t), formula.diffusion(x, formula.t).matrix


def replaced(values: Sym, letter: str, by: Sym) -> Sym:
    """The values with the inputs ``<letter>0, <letter>1, ...`` (or ``t``) replaced by other expressions."""
    names = {"t": as_node(by)} if letter == "t" else {f"{letter}{i}": n for i, n in enumerate(by.flat())}
    nodes = g.substitute(values.flat(), names)
    return Sym(np.array(nodes, dtype=object).reshape(values.shape))


# --- the inverse ---------------------------------------------------------------------------------------


def _found(map_: _Map) -> Sym | None:
    """The state in terms of ``y0``, for a scalar function of a scalar model."""
    from stochsim.symbolic.inverse import invert

    if map_.size != 1 or g.variables(map_.values.flat()) != {"z0"} or map_.z.size != 1:
        return None
    back = invert(as_node(map_.values), "z0", {}, target="y0")
    return None if back is None else Sym(np.array([back], dtype=object))


def _given(inverse: Function, map_: _Map, sde: SDE) -> Sym:
    if map_.size != sde.d:
        raise ModelError(
            f"an inverse was given for a function with {map_.size} values of a state of {sde.d}; "
            "only a function with as many values as the state can have one"
        )
    y = symbols("y", (sde.d,))
    back = trace(inverse, (y[0] if map_.scalar else y,), "inverse").flatten()
    if back.size != sde.d:
        raise ModelError(f"inverse returned {back.size} values; return the state, {sde.d} of them")
    _check_inverse(back, map_, sde)
    return back


def _check_inverse(back: Sym, map_: _Map, sde: SDE) -> None:
    """inverse(f(x)) = x at random points near the start, in 50 digits."""
    import mpmath

    there_and_back = replaced(back, "y", map_.values).flat()
    with mpmath.workdps(DIGITS):
        for point in sde.formula().points:
            x = [mpmath.mpf(point[f"x{i}"]) for i in range(sde.d)]
            values, scale = evaluate_at(there_and_back, {f"z{i}": v for i, v in enumerate(x)}, mpmath)
            for i, value in enumerate(values):
                if not abs(value - x[i]) <= DATA_TOLERANCE * (1 + scale):
                    raise ModelError(
                        f"inverse(f(x)) is {float(value):.6g} at x={float(x[i]):.6g} (component {i + 1}), near "
                        f"the start of {sde.name}; give the inverse on the states that the model visits"
                    )


# --- the models ----------------------------------------------------------------------------------------


def _alone(sde: SDE, map_: _Map, back: Sym, name: str) -> SDE:
    """The SDE of Y: the coefficients at x = inverse(y)."""
    shape = () if map_.scalar else (map_.size,)
    a, b = (replaced(c, "z", back) for c in map_.coefficients(sde))

    def exact(readout: Readout, y0: Any, t: Any, w: Any, p: Any) -> Sym:
        start = replaced(back, "y", as_sym(y0)).reshape(sde.start.shape)
        return map_(as_sym(readout(start, t, w, p))).reshape(shape)

    points = _points(map_, sde)
    drift, diffusion = (_function(_simplified(c, points), "y") for c in (a.reshape(shape), b))
    x0 = _numbers(map_, sde).reshape(shape)
    found = _model(sde, (drift, diffusion), x0, exact, _names("y", map_.size), name)
    return _with_simple_solution(found, points)


def _with_simple_solution(sde: SDE, points: Sequence[Mapping[str, float]]) -> SDE:
    """The model with its solution, if that is a function of the Brownian motion alone, simplified."""
    known, formula = sde.solution, sde.formula()
    if known is None or known.functionals is not None:
        return sde
    y, w = symbols("y", (sde.d,)), symbols("w", (sde.m,))
    path = w[0] if sde.m == 1 else w
    F = as_sym(known.readout(y.reshape(sde.start.shape), formula.t, path, formula.p))
    at = [{**p} | {f"w{j}": math.sin(1.0 + 5 * i + j) for j in range(sde.m)} for i, p in enumerate(points)]
    F = _simplified(F, at, SIMPLE_SOLUTION)

    def readout(y0: Any, t: Any, path: Any, p: Any) -> Sym:
        return replaced(replaced(replaced(F, "y", as_sym(y0)), "w", as_sym(path)), "t", as_sym(t))

    return replace(sde, exact=replace(known, readout=readout))


def _pair(sde: SDE, map_: _Map, name: str) -> SDE:
    """The SDE of (X, Y): Y is driven by the coefficients at X."""
    d, points = sde.d, _points(map_, sde)
    added = (_simplified(c, points) for c in map_.coefficients(sde))
    both = [np.concatenate([own, new]) for own, new in zip(_coefficients(sde, map_.z), added, strict=True)]

    def exact(readout: Readout, start: Any, t: Any, w: Any, p: Any) -> Any:
        x0, y0 = as_sym(start)[:d], as_sym(start)[d:]
        x = as_sym(readout(x0.reshape(sde.start.shape), t, w, p)).flatten()
        return np.concatenate([x, y0 + map_(x) - map_(x0)])

    x0 = np.concatenate([sde.start.ravel(), _numbers(map_, sde)])
    names = (*(sde.components or _names("x", d)), *_names("y", map_.size))
    drift, diffusion = (_function(as_sym(c), "z") for c in both)
    return _model(sde, (drift, diffusion), x0, exact, names, f"(X, {name})")


def _function(values: Sym, letter: str) -> Callable[[Any, Any, Any], Any]:
    """A coefficient of a model from formulas in ``<letter>0.., t, p.*``; parameters keep their input names."""

    def coefficient(x: Any, t: Any, p: Any) -> Any:
        if not is_symbolic(x):
            return at_numbers(values, letter, x, t, p)
        return replaced(replaced(values, letter, as_sym(x)), "t", as_sym(t))

    return coefficient


def _simplified(values: Sym, points: Sequence[Mapping[str, float]], largest: int = LARGEST) -> Sym:
    from stochsim.symbolic.from_sympy import simplified

    return Sym(np.array(simplified(values.flat(), points, largest), dtype=object).reshape(values.shape))


def _points(map_: _Map, sde: SDE) -> list[dict[str, float]]:
    """Random points and their mirror images, the state as ``z*`` and its image as ``y*``, where f is defined."""
    points = []
    for point in sde.formula().points:
        for sign in (1.0, -1.0):
            at = {**point} | {f"z{i}": sign * point[f"x{i}"] for i in range(sde.d)}
            values, _ = evaluate_at(map_.values.flat(), at)
            if np.isfinite(values).all():
                points.append(at | {f"y{i}": float(v) for i, v in enumerate(values)})
    return points


def _names(letter: str, count: int) -> tuple[str, ...]:
    return (letter,) if count == 1 else tuple(f"{letter}_{i + 1}" for i in range(count))


def _numbers(map_: _Map, sde: SDE) -> np.ndarray:
    """The image of the start."""
    point = {f"z{i}": float(v) for i, v in enumerate(sde.start.ravel())}
    values, _ = evaluate_at(map_.values.flat(), point)
    if not np.isfinite(values).all():
        raise ModelError(f"f is not defined at the start {sde.start.tolist()}; give a start inside its domain")
    return np.array(values, dtype=float)


def _model(
    sde: SDE,
    coefficients: tuple[Any, Any],
    x0: np.ndarray,
    exact: Callable[..., Sym],
    components: tuple[str, ...] | None,
    name: str,
) -> SDE:
    known = sde.solution
    return replace(
        sde,
        drift=coefficients[0],
        diffusion=coefficients[1],
        x0=x0 if x0.ndim else float(x0),
        components=components,
        exact=None if known is None else replace(known, readout=partial(exact, known.readout)),
        name=name,
        noise=None,
        mean=None,
        cov=None,
        density=None,
        stationary=None,
        transition=None,
        satisfies=(),  # nothing is known of the new coefficients
    )
