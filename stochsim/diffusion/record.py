"""What a diffusion sampler is: a generator of states along a grid, and a record of what its authors claim."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from stochsim.diffusion.model import Model
from stochsim.errors import ParameterError, SchemeError
from stochsim.laws import ExactLaw, affine_maps

__all__ = ["PARAMETRISATIONS", "REGISTRY", "Sampler", "sampler"]

PARAMETRISATIONS = ("eps", "x0", "v", "score", "velocity")
REGISTRY: dict[str, Sampler] = {}

Options = Mapping[str, Any]
Claim = float | None | Callable[[Options], float | None]


@dataclass(frozen=True, eq=False)
class Sampler:
    """A sampler: ``f(model, x, grid, noise)`` returns the state at the end of the grid.

    Attributes
    ----------
    steps : callable
        A generator function ``steps(model, x, grid, noise, *, options...)`` that yields the state (d, n) after each
        interval of the grid.
    name : str
    kind : {"ode", "sde"}
    path_order, law_order, weak_order : float or None
        Claimed global orders in the step size, of the states, of the law on Gaussian targets, and of expectations on
        others (as the law's unless said); None where nothing is claimed.
    nfe : float
        Evaluations of the score a step.
    history : int
        Earlier evaluations that a step uses.
    starter : str
        How the history begins: "none" (needs none), "cold" (lower orders first), or what it does.
    parametrisation : str
        The prediction it is written in.
    control : {"grid", "tolerance", "fixed_point"}
        What makes it accurate: more steps, its tolerance (adaptive: only the ends of the grid count), or its rounds.
    space : {"data", "phase"}
        Columns x (d, n), or positions above velocities (2d, n).
    process : type or None
        The process it is written for; None: any with levels α and σ.
    uniform_in : {"any", "t", "lam", "rho"}
        The grids for which the claims hold: all smooth ones, or those uniform in time, in λ, or in ρ = σ/α.
    variants : tuple of dict
        Options with which it is certified, each for itself; the claims may depend on them.
    aliases : tuple of str
        What it is called elsewhere.
    reference : str
    options : dict
        Keyword arguments of ``steps`` that differ from their defaults.
    """

    steps: Callable[..., Iterator[Any]]
    name: str
    kind: str
    reference: str
    claims: Mapping[str, Claim]
    history: int = 0
    starter: str = "none"
    parametrisation: str = "eps"
    control: str = "grid"
    space: str = "data"
    process: type | None = None
    uniform_in: str = "any"
    variants: tuple[Options, ...] = ({},)
    aliases: tuple[str, ...] = ()
    options: Options = field(default_factory=lambda: MappingProxyType({}))

    def __call__(self, model: Any, x: Any, grid: Any, noise: Any) -> Any:
        """The state at the end of the grid, columns (d, n)."""
        for state in self.steps(model, x, grid, noise, **self.options):
            x = state
        return x

    def trajectory(self, model: Any, x: Any, grid: Any, noise: Any) -> list[Any]:
        """All states: the first one, and that after each interval."""
        return [x, *(state.copy() for state in self.steps(model, x, grid, noise, **self.options))]

    def states_at(self, places: Sequence[int], model: Any, x: Any, grid: Any, noise: Any) -> list[Any]:
        """States after some of the intervals, numbered from 1; that at the end if the sampler chooses its own steps."""
        kept = {}
        for i, state in enumerate(self.steps(model, x, grid, noise, **self.options), start=1):
            x = state
            if i in places:
                kept[i] = state.copy()
        return [kept[i] for i in places] if self.control != "tolerance" else [x]

    def with_options(self, **options: Any) -> Sampler:
        """The same sampler with keyword arguments set.

        Raises
        ------
        SchemeError
            If it has no such option; those it has are named.
        """
        unknown = set(options) - set(self.defaults)
        if unknown:
            raise SchemeError(
                f"{self.name} has no option {', '.join(sorted(unknown))}; it has {', '.join(self.defaults) or 'none'}"
            )
        return replace(self, options=MappingProxyType({**self.options, **options}))

    def check(self, process: Any) -> None:
        """Refuse a process that the sampler is not written for.

        Raises
        ------
        SchemeError
            Saying which one it is written for.
        """
        wanted = self.process.__name__ if self.process else f"a process of {self.space} space"
        if process.space != self.space or (self.process is not None and not isinstance(process, self.process)):
            raise SchemeError(f"{self.name} is written for {wanted} and got {type(process).__name__}; give that")

    @property
    def defaults(self) -> dict[str, Any]:
        """Its options, with their default values."""
        return _options(self.steps)

    @property
    def path_order(self) -> float | None:
        """Claimed order of the states, with these options."""
        return self._claim("path_order")

    @property
    def law_order(self) -> float | None:
        """Claimed order of the law, with these options."""
        return self._claim("law_order")

    @property
    def weak_order(self) -> float | None:
        """Claimed order of expectations, with these options."""
        return self._claim("weak_order")

    @property
    def nfe(self) -> float:
        """Evaluations of the score a step, with these options."""
        return self._claim("nfe") or 0.0

    @property
    def label(self) -> str:
        """Its name, with the options that were set."""
        said = ", ".join(f"{key}={value!r}" for key, value in self.options.items())
        return f"{self.name}({said})" if said else self.name

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.steps.__doc__

    def __repr__(self) -> str:
        return f"Sampler({self.label}: {self.kind}, order {self.path_order or self.law_order})"

    def affine_law(self, target: Any, process: Any, grid: Any, start: Any = "exact") -> ExactLaw:
        """The law of the output for a Gaussian target: what `stochsim.laws.exact_law` calls.

        Parameters
        ----------
        target : Gaussian
        process : Process
        grid : array_like
        start : {"exact", "prior"} or tuple of arrays
            The law of the first state: that of the noised target, N(0, σ² I), or (mean, covariance).

        Raises
        ------
        SchemeError
            If the output is not affine in the first state and the noises.
        """
        return self.affine_laws(target, process, grid, [len(grid) - 1], start)[0]

    def affine_laws(
        self, target: Any, process: Any, grid: Any, places: Sequence[int], start: Any = "exact"
    ) -> list[ExactLaw]:
        """Laws of the states after some of the intervals of the grid, numbered from 1, in one run.

        Parameters
        ----------
        target : Gaussian
        process : Process
        grid : array_like
        places : sequence of int
        start : {"exact", "prior"} or tuple of arrays

        Raises
        ------
        SchemeError
            As `affine_law`.
        """
        self.check(process)
        times = process.check_grid(grid)
        model = Model(target, process)
        first, centre = model.noised(float(times[0])), process.centre
        if isinstance(start, str):
            prior = np.diag(process.prior_std(float(times[0]), target.d)[:, 0] ** 2)
            start = (np.zeros(first.d), prior) if start == "prior" else (first.mean, first.covariance)

        def run(x: Any, noise: Any) -> list[Any]:
            return self.states_at(places, model, x, times, noise)

        moments = [each.law(*start) for each in affine_maps(run, first.d, name=self.label)]
        aims = [model.noised(float(times[i])) for i in places]
        return [
            ExactLaw(mean + centre, covariance, aim.mean + centre, aim.covariance)
            for (mean, covariance), aim in zip(moments, aims, strict=True)
        ]

    def _claim(self, name: str) -> float | None:
        claim = self.claims[name]
        return claim({**self.defaults, **self.options}) if callable(claim) else claim


def _options(steps: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(steps).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


def sampler(
    *,
    kind: str,
    path_order: Claim = None,
    law_order: Claim = None,
    weak_order: Claim | str = "as law_order",
    nfe: Claim = 1.0,
    history: int = 0,
    starter: str = "none",
    parametrisation: str = "eps",
    control: str = "grid",
    space: str = "data",
    process: type | None = None,
    uniform_in: str = "any",
    variants: tuple[Options, ...] = ({},),
    aliases: tuple[str, ...] = (),
    reference: str,
    name: str | None = None,
    register: bool = True,
) -> Callable[[Callable[..., Iterator[Any]]], Sampler]:
    """Make a sampler of a generator function ``f(model, x, grid, noise, *, options...)``.

    Parameters
    ----------
    kind : {"ode", "sde"}
    path_order, law_order, weak_order, nfe : float, None, or callable
        Claims (see `Sampler`); a function of the options (a dict) where they depend on them.
    history : int
    starter : str
    parametrisation : {"eps", "x0", "v", "score", "velocity"}
    control : {"grid", "tolerance", "fixed_point"}
    space : {"data", "phase"}
    process : type, optional
    uniform_in : {"any", "t", "lam", "rho"}
    variants : tuple of dict
    aliases : tuple of str
    reference : str
        Authors, year and equation.
    name : str, optional
        Default: the function's name.
    register : bool
        Add it to the table of known samplers.

    Raises
    ------
    SchemeError
        If a word is unknown, an option has no default, or the function has other arguments.
    """
    _check_words(kind=(kind, ("ode", "sde")), parametrisation=(parametrisation, PARAMETRISATIONS))
    _check_words(control=(control, ("grid", "tolerance", "fixed_point")), space=(space, ("data", "phase")))
    _check_words(uniform_in=(uniform_in, ("any", "t", "lam", "rho")))

    def decorate(steps: Callable[..., Iterator[Any]]) -> Sampler:
        arguments = [p.name for p in inspect.signature(steps).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        if arguments != ["model", "x", "grid", "noise"] or inspect.Parameter.empty in _options(steps).values():
            raise SchemeError(
                f"{steps.__name__} has the arguments {', '.join(arguments)}; a sampler is f(model, x, grid, noise, *, "
                "options with defaults)"
            )
        weak = law_order if isinstance(weak_order, str) else weak_order
        claims = MappingProxyType({"path_order": path_order, "law_order": law_order, "weak_order": weak, "nfe": nfe})
        record = Sampler(
            steps, name or steps.__name__, kind, reference, claims, history, starter, parametrisation, control, space,
            process, uniform_in, tuple(variants), tuple(aliases),
        )  # fmt: skip
        if register:
            REGISTRY[record.name] = record
        return record

    return decorate


def _check_words(**words: tuple[str, tuple[str, ...]]) -> None:
    for name, (given, known) in words.items():
        if given not in known:
            raise SchemeError(f"{name} is {given!r}; give one of {', '.join(known)}")


def find(name: str) -> Sampler:
    """The registered sampler of a name or alias.

    Raises
    ------
    ParameterError
        If there is none.
    """
    for record in REGISTRY.values():
        if name == record.name or name in record.aliases:
            return record
    raise ParameterError(f"no sampler is called {name!r}; there are {', '.join(REGISTRY)}")


def no_noise(k: int, shape: tuple[int, ...]) -> np.ndarray:
    """The noise of a run without any: zeros."""
    return np.zeros(shape)
