"""From a model and a scheme to the program of one step, with its noise drawn from primitives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from stochsim.codegen.arrays import compile_arrays
from stochsim.codegen.kernels import StepProgram
from stochsim.errors import ModelError, ParameterError, SchemeError
from stochsim.formula import Formula
from stochsim.noise.increments import NORMAL_EXACT, UNIFORM_EXACT, NoisePlan, Primitive
from stochsim.parameters import Namespace
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE
from stochsim.solution import Solution, Transition
from stochsim.symbolic import graph as g
from stochsim.symbolic.graph import Node
from stochsim.symbolic.tracing import Sym, as_sym, symbols, trace

Observables = Mapping[str, Callable[..., Any]]
START = "p._start"  # the start time, carried as a last parameter


def step_program(sde: SDE, scheme: Scheme, observables: Observables | None = None) -> StepProgram:
    """The program of one step of a scheme on a model; its readout is the state, then the observables.

    Raises
    ------
    SchemeError
        If the scheme does not fit, or no exact solution is known for ``exact``.
    """
    formula = sde.formula()
    if scheme.is_exact:
        update, readout, primitives = exact_step(sde, formula)
    else:
        scheme.check(formula)
        plan = scheme.plan(formula)
        update = scheme_step(formula, scheme, plan)
        readout, primitives = tuple(formula.x.flat()), plan.primitives
    extra = _observed(sde, formula, observables or {})
    replacement = {f"x{i}": node for i, node in enumerate(readout)}
    readout = (*readout, *g.substitute(extra, replacement))
    names = (*formula.parameters.vector_names, START)
    return StepProgram(tuple(update), readout, names, primitives, f"{sde.name}: {scheme.name}")


def scheme_step(formula: Formula, scheme: Scheme, plan: NoisePlan) -> tuple[Node, ...]:
    """The next state from ``x*, t, h, n*``."""
    h = symbol("h")
    noise = plan.draw(h)
    return tuple(scheme.step(formula, formula.x, formula.t, h, noise).flat())


def symbol(name: str) -> Sym:
    return Sym(np.array(g.var(name)))


def _observed(sde: SDE, formula: Formula, observables: Observables) -> list[Node]:
    nodes: list[Node] = []
    x = Sym(formula.x.nodes.reshape(sde.start.shape))
    for name, function in observables.items():
        value = trace(function, (x, formula.t, formula.p)[: _arity(function)], f"observable {name!r}")
        if value.size != 1:
            raise ModelError(f"observable {name!r} returned shape {value.shape}; return one number a path")
        nodes += value.flat()
    return nodes


def _arity(function: Callable[..., Any]) -> int:
    import inspect

    try:
        return min(3, max(1, len(inspect.signature(function).parameters)))
    except (TypeError, ValueError):  # NumPy functions without a signature take the state alone
        return 1


# --- the exact solution --------------------------------------------------------------------------


def exact_step(sde: SDE, formula: Formula) -> tuple[tuple[Node, ...], tuple[Node, ...], tuple[Primitive, ...]]:
    """Update, readout and primitives of the exact solution: pathwise if known, else in law."""
    solution = sde.solution
    if solution is not None:
        update, needs, primitives = functional_update(solution, formula, first=formula.d)
        state = formula.x.flat()
        readout = read_solution(sde, solution, formula, first=formula.d)
        plan = NoisePlan.of(needs, formula.m)
        drawn = plan.flat(plan.draw(symbol("h")))
        count = len(plan.primitives)
        aux = {f"e{i}": g.var(f"n{count + i}") for i in range(solution.n_aux)}
        return (*state, *g.substitute(update, drawn | aux)), readout, (*plan.primitives, *primitives)
    if sde.transition is not None:
        return _transition(sde, sde.transition, formula)
    raise SchemeError(
        f"no exact solution is known for {sde.name}; use a scheme, or give the model exact=lambda x0, t, W, p: ..."
    )


def check_start(sde: SDE, t0: float) -> None:
    """Refuse a closed form of time that only holds from t = 0.

    Raises
    ------
    ParameterError
        If the coefficients depend on time, the solution is a plain ``exact(x0, t, W, p)``, and t0 is not 0.
    """
    solution = sde.solution
    if t0 != 0.0 and solution is not None and solution.functionals is None and not sde.formula().autonomous:
        raise ParameterError(
            f"{sde.name} depends on time and its exact(x0, t, W, p) holds from t=0, but t0={t0:g}; start at t0=0, "
            "or give the solution as an ss.Solution whose functionals carry the start"
        )


def functional_update(
    solution: Solution, formula: Formula, first: int
) -> tuple[list[Node], tuple[str, ...], tuple[Primitive, ...]]:
    """The next functionals from ``x<first>.., t, h``, the solution's noise and ``e*``."""
    plan = NoisePlan.of(solution.needs, formula.m)
    values = plan.symbols()
    aux = symbols("e", (solution.n_aux,))
    primitives = tuple(Primitive("normal", NORMAL_EXACT, i) for i in range(solution.n_aux))
    if solution.functionals is None:
        y = functional_symbols(solution, formula, first)
        return (y + values["dW"]).flat(), solution.needs, primitives
    y = functional_symbols(solution, formula, first)
    noise = Namespace(values | {"e": aux})
    arguments = (y, formula.t, symbol("h"), noise, formula.p)
    result = trace(solution.functionals, arguments, "functionals").flat()
    if len(result) != solution.n:
        raise ModelError(f"functionals returned {len(result)} values, n = {solution.n} was declared")
    return result, solution.needs, primitives


def functional_count(solution: Solution, formula: Formula) -> int:
    return formula.m if solution.functionals is None else solution.n


def functional_symbols(solution: Solution, formula: Formula, first: int) -> Sym:
    count = functional_count(solution, formula)
    return Sym(np.array([g.var(f"x{first + i}") for i in range(count)], dtype=object))


def read_solution(sde: SDE, solution: Solution, formula: Formula, first: int) -> tuple[Node, ...]:
    """The solution at time ``t`` from the start ``x0..`` and the functionals ``x<first>..``."""
    y = functional_symbols(solution, formula, first)
    if solution.functionals is None and formula.m == 1:
        y = Sym(y.nodes[0:1].reshape(()))
    x0 = Sym(formula.x.nodes.reshape(sde.start.shape))
    elapsed = formula.t - symbol(START) if formula.autonomous else formula.t
    value = trace(solution.readout, (x0, elapsed, y, formula.p), "exact")
    if value.size != formula.d:
        raise ModelError(f"exact returned shape {value.shape} for a state of {formula.d}; return the state at time t")
    return tuple(value.flat())


def _transition(
    sde: SDE, law: Transition, formula: Formula
) -> tuple[tuple[Node, ...], tuple[Node, ...], tuple[Primitive, ...]]:
    names = formula.parameters.vector_names
    k = law.n_uniforms
    primitives = tuple(Primitive("uniform", UNIFORM_EXACT, i) for i in range(k))

    def run(*args: Any) -> Any:
        state, (t, h), rest = args[: formula.d], args[formula.d : formula.d + 2], args[formula.d + 2 :]
        u, vector = np.stack(np.broadcast_arrays(*rest[:k])), rest[k:]
        p = Namespace({n.removeprefix("p."): v for n, v in zip(names, vector, strict=True)})
        x = state[0] if sde.scalar_state else np.stack(state)
        return np.asarray(law.step(x, t, h, u, p)).reshape(formula.d, -1)

    inputs = [*formula.x.flat(), g.var("t"), g.var("h")]
    inputs += [g.var(f"n{i}") for i in range(k)] + [g.var(n) for n in names]
    update = tuple(g.extern(run, tuple(inputs), i) for i in range(formula.d))
    return update, tuple(formula.x.flat()), primitives


# --- one step as a NumPy function ------------------------------------------------------------------


class ArrayStep:
    """One step of a scheme at given parameter values as a function of arrays (the `StepMap` protocol).

    ``step(x, t, h, xi)``: x (d, n), xi (K, n) standardised primitive draws; returns (d, n).
    """

    def __init__(self, sde: SDE, scheme: Scheme, parameters: Sequence[Any] | None = None, start: float = 0.0) -> None:
        self._bind(step_program(sde, scheme), sde, parameters, start)

    def _bind(self, program: StepProgram, sde: SDE, parameters: Sequence[Any] | None, start: float) -> None:
        vector = next(sde.parameters.points())[1] if parameters is None else parameters
        self.d = program.n_state
        self.primitives = tuple(p.kind for p in program.primitives)
        self.program = program
        names = [f"x{i}" for i in range(self.d)] + ["t", "h"] + [f"n{i}" for i in range(len(self.primitives))]
        self._function = compile_arrays(program.update, (*names, *program.parameters))
        self._parameters = [np.asarray(v, dtype=float) for v in (*vector, start)]

    def __call__(self, x: np.ndarray, t: float, h: float, xi: np.ndarray) -> np.ndarray:
        """One step of all columns of x."""
        with np.errstate(all="ignore"):
            values = self._function(*x, np.float64(t), np.float64(h), *xi, *self._parameters)
        return np.stack(np.broadcast_arrays(*values, x[0])[:-1])


def as_formula_text(program: StepProgram) -> str:
    """The lane loop of a program as readable assignments (for ``explain``)."""
    from stochsim.codegen.text import Writer

    writer = Writer()
    lines = writer.write(program.update)
    names = [f"x{i} = {writer.name(o)}" for i, o in enumerate(program.update)]
    return "\n".join([*lines, *names])


__all__ = ["ArrayStep", "Observables", "as_formula_text", "as_sym", "step_program"]
