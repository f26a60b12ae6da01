"""What a scheme is: a formula, and a record of what its author claims."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from stochsim.errors import SchemeError
from stochsim.formula import Formula
from stochsim.noise.increments import KINDS, NoisePlan
from stochsim.parameters import Parameters
from stochsim.symbolic.structure import CLASSES, primary
from stochsim.symbolic.tracing import Sym, as_sym

Order = float | Mapping[str, float] | None
REGISTRY: dict[str, Scheme] = {}


@dataclass(frozen=True, eq=False)
class Scheme:
    """A one-step scheme: ``formula(sde, x, t, h, <noise by name>)`` returns the next state.

    Attributes
    ----------
    formula : callable
        Sees the SDE as a `Formula` (``sde.drift(x, t)``, ``sde.diffusion(x, t)``, ``sde.L(j, f)``), the state
        ``x`` (d,), time ``t``, step ``h`` and the noise it names (`stochsim.noise.increments`).
    strong_order, weak_order : float, or dict from noise class to float, or None
        The claims: lower bounds over all problems that fit.
    calculus : {"ito", "stratonovich"}
        The calculus of the equation whose solution the scheme approximates.
    noise : str
        The widest noise class for which the claims hold.
    assumes : tuple of str
        Hypotheses of the theorem behind the claims.
    reference : str
        Where the scheme and its order are proved, with equation number.
    transcription : callable or None
        ``f(c, x, t, h, <noise>)``: the step once more, copied from the literature for one component and one noise in
        plain NumPy, with c.a, c.b, c.da, c.db (drift, diffusion and their x-derivatives) functions of (x, t).
        The formula check compares it with the program that runs.
    """

    formula: Callable[..., Any]
    name: str
    strong_order: Order
    weak_order: Order
    calculus: str
    noise: str
    assumes: tuple[str, ...]
    reference: str
    needs: tuple[str, ...]
    transcription: Callable[..., Any] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The formula itself."""
        return self.formula(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Scheme({self.name}: {self.calculus}, {self.noise} noise)"

    def latex(self) -> str:
        """The scheme as LaTeX, for one component with drift a(x, t) and diffusion b(x, t) and one noise."""
        from stochsim.symbolic import scheme_display

        a, b = scheme_display.abstract_coefficients()
        sde = Formula(1, 1, a, b, self.calculus, Parameters({}, ()), (1.0,))
        return scheme_display.scheme_latex(self, sde)

    def _repr_latex_(self) -> str | None:
        return None if self.is_exact else f"$\\displaystyle {self.latex()}$"

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.formula.__doc__

    def _repr_html_(self) -> str:
        claims = {
            "calculus": _NAMES[self.calculus],
            "noise": self.noise,
            "strong order": _claim(self.strong_order),
            "weak order": _claim(self.weak_order),
            "reference": self.reference,
        }
        rows = "".join(f"<tr><th>{k}</th><td>{escape(v)}</td></tr>" for k, v in claims.items())
        return f"<table><caption>{escape(self.name)}</caption>{rows}</table>"

    @property
    def is_exact(self) -> bool:
        """Whether this is the exact solution itself, not a formula."""
        return self.name == "exact"

    def declared(self, kind: str, classes: frozenset[str]) -> float | None:
        """The declared ``"strong"`` or ``"weak"`` order for noise of these classes: the highest that applies."""
        order: Order = getattr(self, f"{kind}_order")
        if not isinstance(order, Mapping):
            return order
        fitting = [value for name, value in order.items() if name in classes]
        return max(fitting) if fitting else None

    def check(self, sde: Formula) -> None:
        """Refuse an SDE that the claims do not cover.

        Raises
        ------
        SchemeError
            Naming what does not fit, and the schemes that do.
        """
        if self.calculus != sde.calculus:
            other = "to_ito" if self.calculus == "ito" else "to_stratonovich"
            raise SchemeError(
                f"{self.name} is for {_NAMES[self.calculus]} equations, this SDE is {_NAMES[sde.calculus]}; use "
                f"{_list(fitting(sde))}, or convert it with sde.{other}()"
            )
        if self.noise not in sde.noise_classes:
            raise SchemeError(
                f"{self.name} needs {self.noise} noise, this SDE has {primary(sde.noise_classes)} noise; use "
                f"{_list(fitting(sde))}"
            )

    def fits(self, sde: Formula) -> bool:
        """Whether the claims cover this SDE."""
        return self.calculus == sde.calculus and self.noise in sde.noise_classes

    def step(self, sde: Formula, x: Sym, t: Any, h: Any, noise: Mapping[str, Sym]) -> Sym:
        """The next state as formulas, shape (d,).

        Raises
        ------
        SchemeError
            If the formula returns another shape.
        """
        result = as_sym(self.formula(sde, x, t, h, *(noise[k] for k in self.needs)))
        if result.shape != (sde.d,):
            raise SchemeError(
                f"{self.name} returned shape {result.shape} for a state of {sde.d}; a scheme returns the next state, "
                f"shape ({sde.d},): use b @ dW for the noise term"
            )
        return result

    def plan(self, sde: Formula) -> NoisePlan:
        """The noise of one step."""
        return NoisePlan.of(self.needs, sde.m)


_NAMES = {"ito": "Itô", "stratonovich": "Stratonovich"}


def _claim(order: Order) -> str:
    if isinstance(order, Mapping):
        return ", ".join(f"{value:g} ({name} noise)" for name, value in order.items())
    return "none" if order is None else f"{order:g}"


def _list(schemes: list[Scheme]) -> str:
    return ", ".join(s.name for s in schemes) or "a scheme of your own (see ss.schemes.scheme)"


def fitting(sde: Formula) -> list[Scheme]:
    """Registered schemes whose claims cover this SDE."""
    return [s for s in REGISTRY.values() if not s.is_exact and s.fits(sde)]


def scheme(
    *,
    strong_order: Order = None,
    weak_order: Order = None,
    calculus: str = "ito",
    noise: str = "general",
    assumes: tuple[str, ...] = ("lipschitz", "smooth"),
    reference: str = "",
    name: str | None = None,
    transcription: Callable[..., Any] | None = None,
    register: bool = False,
) -> Callable[[Callable[..., Any]], Scheme]:
    """Make a scheme of a formula ``f(sde, x, t, h, <noise names>)``.

    Parameters
    ----------
    strong_order, weak_order : float, or dict from noise class to float, optional
        The claimed orders, or None where nothing is claimed.
    calculus : {"ito", "stratonovich"}
    noise : {"scalar", "diagonal", "additive", "commutative", "general"}
        The widest class for which the claims hold.
    assumes : tuple of str
        Hypotheses of the theorem: ``"lipschitz"`` (global), ``"smooth"``.
    reference : str
        Source with equation number.
    name : str, optional
        Default: the function's name.
    transcription : callable, optional
        An independent copy of the step for the formula check (see `Scheme`).
    register : bool
        Add it to the table of known schemes (done by the schemes shipped with stochsim).

    Raises
    ------
    SchemeError
        If the calculus, the noise class or a noise name is unknown.
    """
    if calculus not in _NAMES:
        raise SchemeError(f"calculus is {calculus!r}; give 'ito' or 'stratonovich'")
    if noise not in CLASSES:
        raise SchemeError(f"noise is {noise!r}; give one of {', '.join(CLASSES)}")

    def decorate(formula: Callable[..., Any]) -> Scheme:
        arguments = list(inspect.signature(formula).parameters)
        needs = tuple(arguments[4:])
        if len(arguments) < 5 or any(n not in KINDS for n in needs):
            raise SchemeError(
                f"a scheme is a function (sde, x, t, h, noise...) with noise named {', '.join(KINDS)}; "
                f"{formula.__name__} has ({', '.join(arguments)})"
            )
        record = Scheme(
            formula,
            name or formula.__name__,
            strong_order,
            weak_order,
            calculus,
            noise,
            tuple(assumes),
            reference,
            needs,
            transcription,
        )
        if register:
            REGISTRY[record.name] = record
        return record

    return decorate
