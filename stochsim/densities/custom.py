"""Densities from a formula of their logarithm: score, Hessian and Laplacian are derived, not typed in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.columns.formulas import Formula
from stochsim.columns.ops import formula, join, row, rows
from stochsim.densities.checks import generator
from stochsim.densities.numerical import Numerical
from stochsim.errors import ModelError, ParameterError, TraceError
from stochsim.parameters import Parameters, fixed
from stochsim.symbolic import graph as g
from stochsim.symbolic.derivative import derivative
from stochsim.symbolic.graph import Node
from stochsim.symbolic.tracing import Sym, as_node, symbols, trace

__all__ = ["FormulaDensity", "from_log_prob"]

LogDensity = Callable[..., Any]
MOST_GUESSED = 16  # components that are tried when d is not given


@dataclass(frozen=True, eq=False)
class Values:
    """A chain of parameter values: each is a number of its own, so a kernel serves all values."""

    number: float
    rest: Values | None

    def list(self) -> list[Any]:
        """All of them, this one first."""
        return [self.number, *(self.rest.list() if self.rest else [])]


@dataclass(frozen=True, eq=False)
class FormulaTarget:
    """Scalar programs of one log-density and its derivatives."""

    value: Formula
    gradient: Formula
    both: Formula
    second: Formula | None  # ∇² log p v, of x and v one below the other
    trace: Formula | None  # Δ log p
    values: Values | None
    why_not: str  # why there is no second derivative

    def _at(self, program: Formula, x: Any) -> Any:
        return formula(program, x, *(self.values.list() if self.values else []))

    def log_prob(self, x: Any) -> Any:
        return row(self._at(self.value, x), 0)

    def score(self, x: Any) -> Any:
        return self._at(self.gradient, x)

    def log_prob_and_score(self, x: Any) -> tuple[Any, Any]:
        both = self._at(self.both, x)
        return row(both, 0), rows(both, 1, len(self.both.outputs))

    def hessian_vector(self, x: Any, v: Any) -> Any:
        return self._at(self._existing(self.second), join(x, v))

    def laplacian(self, x: Any) -> Any:
        return row(self._at(self._existing(self.trace), x), 0)

    def _existing(self, program: Formula | None) -> Formula:
        if program is None:
            raise ModelError(
                f"this log-density has no second derivatives: {self.why_not}; use what needs the score only"
            )
        return program


def derived(log_prob: Node, d: int, names: tuple[str, ...] = (), values: Values | None = None) -> FormulaTarget:
    """The target of an expression in ``x0 .. x{d-1}`` and the named parameters.

    Raises
    ------
    TraceError
        If the first derivatives do not exist as formulas.
    """
    x = [g.var(f"x{i}") for i in range(d)]
    score = [derivative([log_prob], xi)[0] for xi in x]
    second: Formula | None = None
    laplace: Formula | None = None
    why_not = ""
    try:
        second = Formula(tuple(_along(score, d)), 2 * d, names)
        laplace = Formula((g.total(derivative([s], xi)[0] for s, xi in zip(score, x, strict=True)),), d, names)
    except TraceError as error:
        second, why_not = None, str(error).split(";")[0]
    value, gradient = Formula((log_prob,), d, names), Formula(tuple(score), d, names)
    return FormulaTarget(value, gradient, Formula((log_prob, *score), d, names), second, laplace, values, why_not)


def _along(score: list[Node], d: int) -> list[Node]:
    """Derivatives of the score along v, the components x{d} .. x{2d-1}."""
    step = g.var("step")
    moved = {f"x{i}": g.add(g.var(f"x{i}"), g.mul(step, g.var(f"x{d + i}"))) for i in range(d)}
    slopes = derivative(g.substitute(score, moved), step)
    return g.substitute(slopes, {"step": g.ZERO})


class FormulaDensity(Numerical):
    """A density given by a formula of its logarithm.

    Parameters
    ----------
    log_prob : callable
        ``log_prob(x)`` or, with parameters, ``log_prob(x, p)``: a NumPy formula of the components ``x[0], x[1], ...``
        (or of x itself), which returns one number. It is called once, with symbols.
    d : int, optional
        Number of components; read off the formula where it says so.
    params : mapping, optional
        Numbers and arrays by name, attributes of ``p``. They are parameters of the compiled formulas: other values
        use the same kernel.
    domain : (low, high) or one such pair a component, optional
        Where the mass is, for integrals and draws by quadrature (d <= 2); searched for if not given.
    sampler : callable, optional
        ``sampler(n, rng)`` gives exact draws (n, d); without it they come by quadrature (d <= 2).
    name : str, optional
        Title of tables and plots.
    normalised : bool
        Whether the formula holds its normalising constant.

    Raises
    ------
    TraceError
        If the formula cannot be traced, or has no first derivatives.
    ModelError
        If it returns more than one number.
    ParameterError
        If the number of components cannot be told.
    """

    def __init__(
        self,
        log_prob: LogDensity,
        *,
        d: int | None = None,
        params: Mapping[str, Any] | None = None,
        domain: Any = None,
        sampler: Callable[[int, np.random.Generator], Any] | None = None,
        name: str | None = None,
        normalised: bool = False,
    ) -> None:
        self.formula, self.normalised, self.domain = log_prob, normalised, domain
        self._sampler, self._title = sampler, name
        self.parameters = Parameters.of({k: fixed(v) if np.ndim(v) else v for k, v in (params or {}).items()})
        p = (self.parameters.symbols(),) if params is not None else ()
        self.d, expression = _components(log_prob, p) if d is None else (d, _traced(log_prob, d, p))
        values = None
        for number in reversed(list(self.parameters.first_vector().values())):
            values = Values(number, values)
        self.target = derived(expression, self.d, self.parameters.vector_names, values)

    @property
    def name(self) -> str:
        """How it is called in tables and titles."""
        return self._title or (type(self).__name__ if type(self) is not FormulaDensity else "density")

    def with_params(self, **changes: Any) -> FormulaDensity:
        """The same formula with other values of some parameters; compiled kernels serve both.

        Parameters
        ----------
        **changes
            New values by name.

        Raises
        ------
        ParameterError
            If a name is unknown.
        """
        values = self.parameters.replace({k: fixed(v) if np.ndim(v) else v for k, v in changes.items()}).first()
        return FormulaDensity(
            self.formula, d=self.d, params=values, domain=self.domain, sampler=self._sampler, name=self._title,
            normalised=self.normalised,
        )  # fmt: skip

    def sample(self, n: int, *, seed: Any = None) -> np.ndarray:
        """Exact draws, shape (n, d): by the sampler given, else by inverse distribution functions (d <= 2)."""
        if self._sampler is None:
            return super().sample(n, seed=seed)
        drawn = np.asarray(self._sampler(n, generator(seed)), dtype=float)
        if drawn.shape != (n, self.d):
            raise ModelError(f"sampler returned shape {drawn.shape}; return ({n}, {self.d})")
        return drawn


def from_log_prob(
    log_prob: LogDensity,
    *,
    d: int | None = None,
    params: Mapping[str, Any] | None = None,
    domain: Any = None,
    sampler: Callable[[int, np.random.Generator], Any] | None = None,
    name: str | None = None,
) -> FormulaDensity:
    """A density from its unnormalised logarithm, with score, Hessian and Laplacian derived symbolically.

    Parameters
    ----------
    log_prob : callable
        ``log_prob(x)`` or, with parameters, ``log_prob(x, p)``: a NumPy formula of the components.
    d : int, optional
        Number of components; read off the formula where it says so.
    params : mapping, optional
        Numbers and arrays by name, attributes of ``p``.
    domain : (low, high) or one such pair a component, optional
        Where the mass is, for quadrature.
    sampler : callable, optional
        ``sampler(n, rng)`` gives exact draws (n, d).
    name : str, optional
        Title of tables and plots.

    Returns
    -------
    FormulaDensity
        Not normalised; its moments, normaliser and draws come by quadrature for one and two components.

    Raises
    ------
    TraceError
        If the formula cannot be traced, or has no first derivatives.
    ModelError
        If it returns more than one number.
    ParameterError
        If the number of components cannot be told.

    Examples
    --------
    >>> import numpy as np
    >>> toy = from_log_prob(lambda x: -((x[0] ** 2 - 1) ** 2) - x[1] ** 2)
    >>> toy.score(np.array([2.0, 1.0])).tolist()
    [-24.0, -2.0]
    """
    return FormulaDensity(log_prob, d=d, params=params, domain=domain, sampler=sampler, name=name)


def _traced(log_prob: LogDensity, d: int, p: tuple[Any, ...]) -> Node:
    if not isinstance(d, int | np.integer) or d < 1:
        raise ParameterError(f"d is {d!r}; give the number of components, at least 1")
    try:
        value = trace(log_prob, (symbols("x", (d,)), *p), "log_prob")
    except TraceError as error:
        raise TraceError(_without_opaque(str(error))) from None
    if value.size != 1:
        raise ModelError(f"log_prob returned shape {value.shape} for {d} components; return one number, log p(x)")
    return as_node(Sym(value.nodes))


def _without_opaque(sentence: str) -> str:
    """The tracer's sentence without its offer to run a function as it is: a density needs derivatives."""
    sentence = re.sub(r",? ?\(?or pass trace=False[^;)]*\)?", "", sentence)
    return sentence.replace("of (x, t, p)", "of x, or of (x, p) with params=")


def _components(log_prob: LogDensity, p: tuple[Any, ...]) -> tuple[int, Node]:
    """The smallest number of components with which the formula can be traced, if it can mean no other."""
    found: dict[int, Node] = {}
    faults = list[Exception]()
    for d in range(1, MOST_GUESSED + 1):
        try:
            found[d] = _traced(log_prob, d, p)
        except (TraceError, ModelError) as error:
            faults.append(error)
        if len(found) == 2:
            break
    if not found:
        told = [e for e in faults if "does not fit" not in str(e) and "unpack" not in str(e)]
        raise (told or faults)[0]
    smallest = min(found)
    if any(node is not found[smallest] for node in found.values()):
        raise ParameterError("log_prob holds for any number of components; give d=")
    return smallest, found[smallest]
