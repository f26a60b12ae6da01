"""The `SDE`: a model as plain functions, with what is known about it in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from stochsim import formula as formulas
from stochsim.errors import ModelError
from stochsim.formula import Coefficient, Formula
from stochsim.parameters import Parameters
from stochsim.solution import Solution, Transition
from stochsim.symbolic import structure

CALCULI = ("ito", "stratonovich")


@dataclass(frozen=True, eq=False)
class SDE:
    """A stochastic differential equation dX = a(X, t) dt + b(X, t) dW.

    Parameters
    ----------
    drift, diffusion : callable
        Plain NumPy functions of ``(x, t, p)``. ``x`` has the shape of ``x0``: a scalar, or (d,); ``p``
        holds the parameters as attributes. The drift returns d values; the diffusion (d,) for one Brownian
        motion a component, or (d, m) for m of them. Lists, tuples and arrays are all right.
    params : mapping, optional
        Parameter values: finite numbers; a 1-d array sweeps over its values, each swept parameter becoming
        a dimension of the results; ``ss.fixed(array)`` is one vector- or matrix-valued parameter.
    x0 : float or (d,) array_like
        The initial state.
    calculus : {"ito", "stratonovich"}
        What the coefficients mean.
    noise : {"scalar", "diagonal", "additive", "commutative", "general"}, optional
        Declared noise structure. It is inferred in any case; a wrong declaration is an error.
    components : sequence of str, optional
        Names of the components; they become the variables of the results.
    exact : callable or Solution, optional
        ``exact(x0, t, W, p)``, the solution on the path ``W`` (a scalar if m = 1, else (m,)) at time ``t``.
    mean, cov, density, stationary : callable, optional
        ``mean(t, x0, p)`` (d,), ``cov(t, x0, p)`` (d, d), ``density(x, t, x0, p)``, ``stationary(x, p)``.
    transition : Transition, optional
        A sampler exact in law, where no pathwise solution is known.
    satisfies : sequence of str, optional
        The hypotheses of convergence theorems that hold: ``"lipschitz"``, ``"smooth"``.
    trace : bool, optional
        False runs the functions as they are, on arrays (d, n) or (n,), by the array executor.
    name : str, optional
        For tables and figures.

    Raises
    ------
    ModelError
        If shapes do not fit or the declared noise is not what the diffusion has.
    ParameterError
        If a parameter is unknown or not a finite number.
    TraceError
        If a function cannot be written as a formula of its arguments.
    """

    drift: Coefficient
    diffusion: Coefficient
    params: Mapping[str, Any] = field(default_factory=dict)
    x0: Any = None
    calculus: str = "ito"
    noise: str | None = None
    components: Sequence[str] | None = None
    exact: Callable[..., Any] | Solution | None = None
    mean: Callable[..., Any] | None = None
    cov: Callable[..., Any] | None = None
    density: Callable[..., Any] | None = None
    stationary: Callable[..., Any] | None = None
    transition: Transition | None = None
    satisfies: Sequence[str] = ("lipschitz", "smooth")
    trace: bool = True
    name: str = "sde"

    def __post_init__(self) -> None:
        if self.calculus not in CALCULI:
            raise ModelError(f"calculus is {self.calculus!r}; give 'ito' or 'stratonovich'")
        for what in ("drift", "diffusion"):
            if not callable(getattr(self, what)):
                raise ModelError(f"{what} is {getattr(self, what)!r}; give a function of (x, t, p)")
        if self.components is not None:
            self._check_components(self.components)
        if self.noise is not None:
            self._check_noise(self.noise)
        else:
            self.formula()  # a model that cannot be traced is refused here, not at its first use
        if self.trace:
            self._check_repeatable()

    def _check_components(self, names: Sequence[str]) -> None:
        if isinstance(names, str) or not all(isinstance(n, str) and n for n in names):
            raise ModelError(f"components is {names!r}; give a list of names, one a component")
        if len(names) != self.d:
            raise ModelError(f"{len(names)} component names were given for a state of {self.d}")
        if len(set(names)) < len(names):
            raise ModelError(f"components {list(names)} are not distinct; give each its own name")

    def _check_repeatable(self) -> None:
        first, second = self.formula(), self.formula()
        for what, a, b in (("drift", first.a, second.a), ("diffusion", first.b, second.b)):
            if any(u is not v for u, v in zip(a.flat(), b.flat(), strict=True)):  # equal formulas are one object
                raise ModelError(
                    f"{what} is another formula at each call; a coefficient may not draw random numbers or keep "
                    "a state of its own"
                )

    def _check_noise(self, declared: str) -> None:
        if declared not in structure.CLASSES:
            raise ModelError(f"noise is {declared!r}; give one of {', '.join(structure.CLASSES)}")
        found = self.noise_classes
        if declared not in found:
            raise ModelError(
                f"noise was declared {declared!r}, but the diffusion has {structure.primary(found)} noise "
                f"({', '.join(sorted(found))}); drop the declaration or correct the diffusion"
            )

    # --- state and parameters --------------------------------------------------------------------
    @cached_property
    def start(self) -> np.ndarray:
        """The initial state as an array, shape () or (d,)."""
        if self.x0 is None:
            size = len(self.components) if self.components is not None else 0
            return np.ones(size) if size else np.array(1.0)
        try:
            array = np.array(self.x0)
            if array.dtype.kind not in "biufO":  # strings and complex numbers would be converted silently
                raise TypeError(array.dtype)
            array = array.astype(float)
        except (TypeError, ValueError):
            raise ModelError(f"x0 is {self.x0!r}; give a number or a 1-d array of numbers") from None
        if array.ndim > 1 or array.size == 0 or not np.isfinite(array).all():
            raise ModelError(f"x0 is {self.x0!r}; give one finite number, or a 1-d array of them")
        return array

    @property
    def scalar_state(self) -> bool:
        """Whether the model's functions see the state as a number instead of a (1,) array."""
        return self.start.ndim == 0

    @property
    def d(self) -> int:
        """Number of components."""
        return self.start.size

    @property
    def m(self) -> int:
        """Number of Brownian motions."""
        return self.formula().m

    @cached_property
    def parameters(self) -> Parameters:
        """The checked parameter values."""
        return Parameters.of(self.params)

    def with_params(self, **changes: Any) -> SDE:
        """The same model with other parameter values.

        Raises
        ------
        ParameterError
            If a name is unknown or a value is not a finite number.
        """
        self.parameters.replace(changes)  # refuses before anything is built
        return replace(self, params={**self.params, **changes})

    def with_x0(self, x0: Any) -> SDE:
        """The same model from another initial state."""
        return replace(self, x0=x0)

    # --- formulas ----------------------------------------------------------------------------------
    def formula(self) -> Formula:
        """The coefficients as formulas, traced now (so that changed globals and closures are seen)."""
        return formulas.build(
            self.drift,
            self.diffusion,
            scalar=self.scalar_state,
            x0=tuple(self.start.ravel().tolist()),
            parameters=self.parameters,
            calculus_name=self.calculus,
            traced=self.trace,
        )

    @property
    def noise_classes(self) -> frozenset[str]:
        """Every noise class that the diffusion belongs to."""
        return self.formula().noise_classes

    @property
    def noise_structure(self) -> str:
        """The most telling noise class."""
        return structure.primary(self.noise_classes)

    @property
    def solution(self) -> Solution | None:
        """The closed-form solution, in its general form."""
        if self.exact is None or isinstance(self.exact, Solution):
            return self.exact
        return Solution(readout=self.exact)

    def to_ito(self) -> SDE:
        """The same process with Itô coefficients."""
        return self._converted("ito")

    def to_stratonovich(self) -> SDE:
        """The same process with Stratonovich coefficients."""
        return self._converted("stratonovich")

    def _converted(self, calculus: str) -> SDE:
        if calculus == self.calculus:
            return self
        sign = 1.0 if calculus == "ito" else -1.0
        if not self.trace:
            raise ModelError(
                "the Itô-Stratonovich correction needs derivatives of the diffusion, which a model with "
                "trace=False does not have; write the diffusion so that it can be traced"
            )

        def drift(x: Any, t: Any, p: Any) -> Any:
            return self._drift_corrected(x, t, p, sign)

        return replace(self, drift=drift, calculus=calculus, noise=None)

    def _drift_corrected(self, x: Any, t: Any, p: Any, sign: float) -> Any:
        from stochsim.symbolic import calculus
        from stochsim.symbolic.calculus import Diffusion
        from stochsim.symbolic.tracing import Sym, as_sym

        if not formulas.is_symbolic(x):
            converted = self.formula().converted("ito" if sign > 0 else "stratonovich")
            return formulas.at_numbers(Sym(converted.a.nodes.reshape(self.start.shape)), "x", x, t, p)
        b = Diffusion(as_sym(self.diffusion(x, t, p)).nodes)
        correction = calculus.ito_correction(b, as_sym(x))
        return as_sym(self.drift(x, t, p)).reshape(correction.shape) + sign * correction

    # --- display and operators ------------------------------------------------------------------
    def latex(self) -> str:
        """The equation as LaTeX."""
        from stochsim.symbolic import display

        return display.sde_latex(self.formula(), self.components)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __repr__(self) -> str:
        return f"SDE({self.name}: d={self.d}, m={self.m}, {self.noise_structure} noise, {self.calculus})"

    def generator(self, f: Callable[[Any], Any]) -> Any:
        """The Itô generator applied to ``f(x)``, as a SymPy expression."""
        from stochsim.symbolic import display

        return display.generator(self.to_ito().formula(), f, self.scalar_state, self.components)

    def ito(self, f: Callable[[Any], Any], inverse: Callable[[Any], Any] | None = None) -> SDE:
        """The SDE of Y = f(X) by Itô's lemma.

        Parameters
        ----------
        f : callable
            A smooth function of the state, traced.
        inverse : callable, optional
            Its inverse. Found symbolically for scalar models where possible.

        Returns
        -------
        SDE
            Of Y alone when f is invertible, else of (X, Y).
        """
        from stochsim import itolemma

        transformed: SDE = itolemma.transform(self, f, inverse)
        return transformed

    def prove(self) -> Any:
        """Whether the closed form ``exact(x0, t, W, p)`` solves the equation: a `Proof`, by Itô's formula.

        Raises
        ------
        ModelError
            If there is no closed form to prove, or it is not a function of (t, W).
        """
        from stochsim.symbolic import proofs

        return proofs.prove_solution(self)

    def fokker_planck(self) -> Any:
        """The Fokker-Planck equation of the density u(x, t), as a SymPy ``Eq``."""
        from stochsim.symbolic import display

        return display.fokker_planck(self.to_ito().formula(), self.components)
