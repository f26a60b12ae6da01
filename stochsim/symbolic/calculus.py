"""Stochastic calculus on formulas: what a scheme sees of an SDE, and the operators of Itô's formula.

Conventions: ``a`` is the drift (d,), ``b`` the diffusion (d, m), ``L0`` the Itô generator with the time
derivative, ``L(j, f)`` = sum_i b_ij df/dx_i (Kloeden & Platen 1992, eqs. (5.3.1)-(5.3.3)).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from stochsim.errors import SchemeError
from stochsim.symbolic.derivative import derivative
from stochsim.symbolic.tracing import Sym, as_node, as_sym, diagonal


class Diffusion(Sym):
    """The diffusion as a (d, m) matrix, or as d numbers, one noise a component (``flat``).

    ``b @ dW`` is the noise term in either form; ``b * dW`` also works for the flat form. Sums, differences
    and multiples of diffusions are diffusions, so that ``(b + ahead) / 2 @ dW`` is a noise term too; a part
    of one (``b[0]``) is an ordinary array.
    """

    __slots__ = ()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        result = super().__array_ufunc__(ufunc, method, *inputs, **kwargs)
        linear = method == "__call__" and _is_linear(ufunc, inputs)
        return Diffusion(result.nodes) if linear else result

    def __getitem__(self, key: Any) -> Sym:
        return Sym(self.nodes)[key]

    @property
    def is_flat(self) -> bool:
        return self.ndim < 2

    def apply_to(self, dW: Any) -> Any:
        if self.is_flat:
            return Sym(self.nodes) * dW
        return Sym(self.nodes) @ as_sym(dW)

    @property
    def matrix(self) -> Sym:
        """Always (d, m)."""
        if not self.is_flat:
            return Sym(self.nodes)
        return diagonal(Sym(np.atleast_1d(self.nodes)))


def _is_linear(ufunc: Any, inputs: Any) -> bool:
    """Whether the operation makes a diffusion of diffusions: their sum, difference or multiple."""
    if ufunc in (np.add, np.subtract):
        return all(isinstance(v, Diffusion) for v in inputs) and inputs[0].shape == inputs[1].shape
    if ufunc in (np.multiply, np.true_divide, np.negative, np.positive):
        scalars = [v for v in inputs if not isinstance(v, Diffusion)]
        first = ufunc is not np.true_divide or isinstance(inputs[0], Diffusion)
        return first and len(scalars) == len(inputs) - 1 and all(as_sym(v).ndim == 0 for v in scalars)
    return False


class Coefficients(Protocol):
    """What operators need: the two coefficients as formulas, and their sizes."""

    @property
    def d(self) -> int: ...

    @property
    def m(self) -> int: ...

    def drift(self, x: Any, t: Any) -> Sym: ...

    def diffusion(self, x: Any, t: Any) -> Diffusion: ...


def gradient(f: Any, x: Sym) -> Sym:
    """Derivatives of f (shape s) with respect to the vector x: shape s + x.shape."""
    f = as_sym(f)
    nodes = list(f.nodes.ravel())
    columns = [derivative(nodes, v) for v in x.nodes.ravel()]
    values = np.array(columns, dtype=object).T.reshape(f.shape + x.shape)
    return Sym(values)


def diff(f: Any, x: Any) -> Sym:
    """Componentwise derivative df_k/dx_k of same-shaped f and x (all of it, for diagonal noise or d = 1).

    ``x`` may be any intermediate result (a stage), which then counts as independent.
    """
    f, x = as_sym(f), as_sym(x)
    if x.size == 1:
        return Sym(gradient(f, x.reshape(-1)).nodes.reshape(f.shape))
    if f.shape != x.shape:
        raise SchemeError(f"diff of shape {f.shape} by shape {x.shape}: use gradient(f, x) for the Jacobian")
    pairs = [derivative([a], b)[0] for a, b in zip(f.flat(), x.flat(), strict=True)]
    return Sym(np.array(pairs, dtype=object).reshape(f.shape))


def time_derivative(f: Any, t: Any) -> Sym:
    f = as_sym(f)
    return Sym(np.array(derivative(f.flat(), as_node(t)), dtype=object).reshape(f.shape))


def directional(f: Any, direction: Any, x: Sym) -> Sym:
    """sum_i direction_i df/dx_i."""
    return gradient(f, x) @ as_sym(direction).flatten()  # type: ignore[no-any-return]


def L(sde: Coefficients, j: int, f: Any, x: Sym, t: Any) -> Sym:
    """L^j f = sum_i b_ij df/dx_i."""
    return directional(f, sde.diffusion(x, t).matrix[:, j], x.flatten())


def L0(sde: Coefficients, f: Any, x: Sym, t: Any, *, calculus: str = "ito") -> Sym:
    """L^0 f = df/dt + sum_i a_i df/dx_i + 1/2 sum_ij (b b^T)_ij d2f/dx_i dx_j (Itô).

    For Stratonovich coefficients only the first two terms, as in the Stratonovich-Taylor expansion.
    """
    flat = x.flatten()
    slope = gradient(f, flat)
    result = time_derivative(f, t) + slope @ sde.drift(x, t).flatten()
    if calculus == "stratonovich":
        return result  # type: ignore[no-any-return]
    b = sde.diffusion(x, t).matrix
    hessian = gradient(slope, flat)
    for j in range(sde.m):
        result = result + 0.5 * (hessian @ b[:, j] @ b[:, j])
    return result  # type: ignore[no-any-return]


def ito_correction(b: Diffusion, x: Sym) -> Sym:
    """1/2 sum_j (db_j/dx) b_j: Itô drift = Stratonovich drift + this (Kloeden & Platen 1992, (4.9.11))."""
    flat, matrix = x.flatten(), b.matrix
    result: Any = 0.0
    for j in range(matrix.shape[1]):
        result = result + 0.5 * (gradient(matrix[:, j], flat) @ matrix[:, j])
    return as_sym(result).reshape(x.shape)
