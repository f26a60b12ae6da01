"""Certificates: whether samplers have the orders that they claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochsim.diffusion import _problems as problems
from stochsim.diffusion._evidence import TOLERANCE, Evidence
from stochsim.diffusion._weak import is_markov, weak_error
from stochsim.diffusion.forward import Process
from stochsim.diffusion.model import Model
from stochsim.diffusion.record import REGISTRY, Sampler, no_noise

__all__ = ["Certificate", "certificates", "certify", "certify_all"]

STEPS, QUICK_STEPS, QUICK_TOLERANCE = tuple(2**k for k in range(3, 12)), (16, 32, 64), 0.3
LAW_STEPS, WEAK_STEPS, QUICK_WEAK_STEPS = STEPS[:8], STEPS[:7], (16, 32, 64)
TERMINAL_STEPS = (32, 64, 128, 256)
TOLERANCES = tuple(10.0**-k for k in range(2, 10))
ORDER_OF_VERDICTS = ("diverged", "lower", "pre-asymptotic", "higher", "confirmed", "exact", "reported")


@dataclass(frozen=True)
class Certificate:
    """What was claimed and what was measured.

    Attributes
    ----------
    sampler : Sampler
    process : object
    nfe : float
        Evaluations a step, measured over 64 steps.
    rows : tuple of Evidence
    notes : tuple of str
        What could not be measured, and why.
    """

    sampler: Sampler
    process: Any
    nfe: float
    rows: tuple[Evidence, ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The worst of the rows' verdicts; a higher order on one problem counts if no other confirms the claim."""
        found = {row.verdict for row in self.rows if row.measure != "terminal"}
        found -= {"higher"} if "confirmed" in found else set()
        return next((v for v in ORDER_OF_VERDICTS if v in found), "not measured")

    @property
    def confirmed(self) -> bool:
        """Whether a claim was measured and none failed."""
        return self.verdict in ("confirmed", "exact")

    def __repr__(self) -> str:
        record = self.sampler
        head = (
            f"{record.label}: {self.verdict} ({record.kind}, {type(self.process).__name__}, {self.nfe:.3g} evaluations "
            f"a step, declared {record.nfe:g}; history {record.history}, starter {record.starter})"
        )
        return "\n".join([head, *(f"  {row}" for row in self.rows), *(f"  {note}" for note in self.notes)])


def certify(
    sampler: Sampler, process: Any = None, *, steps: tuple[int, ...] | None = None, quick: bool = False
) -> Certificate:
    """Measure the orders of a sampler, and compare them with its record.

    Parameters
    ----------
    sampler : Sampler
        With its options set; its variants are certified one by one by `certify_all`.
    process : Process, optional
        That of the record, VP, or critically damped Langevin.
    steps : tuple of int, optional
        Numbers of steps, each twice the one before: 8 to 2048 unless slopes stand still earlier (1024 for laws under
        noise, 512 for expectations).
    quick : bool
        Up to 64 steps, orders within 0.3 (enough to tell 2 from 3), and of deterministic samplers only the states, on
        the mixture.

    Returns
    -------
    Certificate

    Notes
    -----
    States of deterministic samplers are compared, at the quarters of the grid, with the exact flow map of N(1, 0.25)
    and of a mixture of two Gaussians on the line; laws with `stochsim.laws.exact_law` on N(1, 0.25), in W2;
    expectations of Markov samplers with noise on the mixture by quadrature. Grids run from λ = -1 to 1 and are uniform
    in time (in √t if α = 1), unless the record claims its order for other grids; errors below 2e-13 are rounding and
    are left out. An order is the limit of the slopes between neighbouring grids, extrapolated where they settle; it is
    confirmed within 0.05 (adaptive: 0.2, against evaluations). "terminal" reports the slope on grids that end without
    noise.
    """
    process = process or problems.default_process(sampler)
    sampler.check(process)
    plan = _Plan.of(sampler, process, steps, quick)
    rows, notes = plan.measured()
    return Certificate(sampler, process, _evaluations(sampler, process), tuple(rows), tuple(notes))


def certify_all(*, quick: bool = False) -> list[Certificate]:
    """Certificates of all registered samplers, in all their variants."""
    return [certify(r.with_options(**o), quick=quick) for r in REGISTRY.values() for o in r.variants]


def certificates(quick: bool = False) -> list[dict[str, Any]]:
    """Rows of the table of `certify_all`: one for each sampler and measure.

    Parameters
    ----------
    quick : bool

    Returns
    -------
    list of dict
        Sampler, kind, measure, problem, declared, measured, verdict, slopes and errors.
    """
    return [
        {
            "sampler": c.sampler.label,
            "kind": c.sampler.kind,
            "process": type(c.process).__name__,
            "nfe": c.nfe,
            "starter": c.sampler.starter,
            "measure": row.measure,
            "problem": row.problem,
            "declared": row.declared,
            "measured": row.order,
            "verdict": row.verdict,
            "slopes": row.slopes.tolist(),
            "errors": list(row.errors),
            "reference": c.sampler.reference,
        }
        for c in certify_all(quick=quick)
        for row in c.rows
    ]


@dataclass(frozen=True)
class _Plan:
    """What to measure of a sampler, and how far."""

    sampler: Sampler
    process: Any
    steps: tuple[int, ...]
    law_steps: tuple[int, ...]
    weak_steps: tuple[int, ...]
    tolerance: float
    quick: bool

    @classmethod
    def of(cls, sampler: Sampler, process: Any, steps: tuple[int, ...] | None, quick: bool) -> _Plan:
        if steps is not None:
            return cls(sampler, process, steps, steps, steps, TOLERANCE, quick)
        if quick:
            return cls(sampler, process, QUICK_STEPS, QUICK_STEPS, QUICK_WEAK_STEPS, QUICK_TOLERANCE, quick)
        return cls(sampler, process, STEPS, STEPS if sampler.kind == "ode" else LAW_STEPS, WEAK_STEPS, TOLERANCE, quick)

    def measured(self) -> tuple[list[Evidence], list[str]]:
        """Rows, and notes on what could not be measured."""
        sampler, process = self.sampler, self.process
        if sampler.control == "tolerance":
            if sampler.kind == "sde":
                return [], ["adaptive steps depend on the noise: no law in closed form"]
            return list(_adaptive(sampler, process, TOLERANCES[: 4 if self.quick else None])), []
        rows: list[Evidence] = []
        notes: list[str] = []
        if sampler.kind == "ode" and isinstance(process, Process):
            rows += self._paths(process)
        if sampler.law_order is not None and _has_gaussian_law(process) and not (self.quick and rows):
            rows.append(self._law())
        if sampler.kind == "sde" and sampler.weak_order is not None and isinstance(process, Process):
            if is_markov(sampler, Model(problems.mixture(), process), problems.family(sampler, process)(5)):
                rows.append(self._weak())
            else:
                notes.append("not Markov on the line with at most two noises a step: no expectations by quadrature")
        if sampler.control == "fixed_point":
            rows.append(_rounds(sampler, process))
        return rows, notes

    def _doubled(
        self, problem: str, measure: str, declared: float | None, error: Callable[[int], float], steps: tuple[int, ...]
    ) -> Evidence:
        """Errors for more and more steps, until slopes stand still."""
        errors: list[float] = []
        for n in steps:
            errors.append(error(n))
            row = Evidence(problem, measure, declared, steps[: len(errors)], tuple(errors), self.tolerance)
            if row.settled and not self.quick:
                break
        return row

    def _paths(self, process: Process) -> Iterator[Evidence]:
        make = problems.family(self.sampler, process)
        targets = {"N(1, 0.25)": problems.gaussian(), "two modes": problems.mixture()}
        for name, target in list(targets.items())[1 if self.quick else 0 :]:

            def error(n: int, target: Any = target) -> float:
                return path_error(self.sampler, target, process, make(n))[0]

            yield self._doubled(name, "path", self.sampler.path_order, error, self.steps)
        if process.sigma(0.0) == 0.0 and not self.quick:
            ending = problems.family(self.sampler, process, to_data=True)
            errors = tuple(path_error(self.sampler, problems.gaussian(), process, ending(n))[0] for n in TERMINAL_STEPS)
            if np.all(np.isfinite(errors)):
                yield Evidence("N(1, 0.25)", "terminal", None, TERMINAL_STEPS, errors)

    def _law(self) -> Evidence:
        make = problems.family(self.sampler, self.process)

        def error(n: int) -> float:
            return _law_error(self.sampler, self.process, make(n))

        return self._doubled("N(1, 0.25)", "law", self.sampler.law_order, error, self.law_steps)

    def _weak(self) -> Evidence:
        target, make = problems.mixture(), problems.family(self.sampler, self.process)

        def error(n: int) -> float:
            return weak_error(self.sampler, target, self.process, make(n))

        return self._doubled("two modes", "weak", self.sampler.weak_order, error, self.weak_steps)


def path_error(sampler: Sampler, target: Any, process: Any, grid: np.ndarray) -> tuple[float, int]:
    """Root mean square error of states over 13 points, at the quarters of the grid; and the evaluations.

    At one time alone the leading error of one problem may vanish by accident.
    """
    model, paths = Model(target, process), problems.Paths(target, process)
    x = paths.points(float(grid[0]))
    places = _quarters(len(grid) - 1)
    with np.errstate(all="ignore"):  # what is not finite is reported as such
        states = sampler.states_at(places, model, x.copy(), grid, no_noise)
    exact = [paths.exact(x, float(grid[0]), float(grid[i])) for i in places[-len(states) :]]
    return float(np.sqrt(np.mean((np.array(states) - exact) ** 2))), model.nfe


def _quarters(n: int) -> list[int]:
    return sorted({n // 4, n // 2, 3 * n // 4, n} - {0})


def _law_error(sampler: Sampler, process: Any, grid: np.ndarray) -> float:
    """Root mean square of W2 at the quarters of the grid, on N(1, 0.25)."""
    laws = sampler.affine_laws(problems.gaussian(), process, grid, _quarters(len(grid) - 1))
    return float(np.sqrt(np.mean([law.w2**2 for law in laws])))


def _has_gaussian_law(process: Any) -> bool:
    from stochsim.densities import Gaussian

    return isinstance(process.noised(problems.gaussian(), 0.5 * process.t_end), Gaussian)


def _adaptive(sampler: Sampler, process: Any, tolerances: tuple[float, ...]) -> Iterator[Evidence]:
    ends = problems.family(sampler, process)(1)
    for name, target in (("N(1, 0.25)", problems.gaussian()), ("two modes", problems.mixture())):
        names = {"tol", "rtol", "atol"} & set(sampler.defaults)
        tuned = [sampler.with_options(**dict.fromkeys(sorted(names), tol)) for tol in tolerances]
        best = {nfe: error for error, nfe in (path_error(each, target, process, ends) for each in tuned)}
        work, errors = tuple(float(nfe) for nfe in best), tuple(best.values())
        yield Evidence(name, "tolerance", sampler.path_order, work, errors, 0.2)


def _rounds(sampler: Sampler, process: Any) -> Evidence:
    """Distance of the states after some rounds to those after as many rounds as steps."""
    grid, target = problems.family(sampler, process)(32), problems.mixture()
    x = problems.Paths(target, process).points(float(grid[0]))
    rounds = (1, 2, 4, 8, 16)
    ends = [sampler.with_options(rounds=r)(Model(target, process), x.copy(), grid, no_noise) for r in (*rounds, 32)]
    errors = tuple(float(np.sqrt(np.mean((y - ends[-1]) ** 2))) for y in ends[:-1])
    return Evidence("two modes", "rounds", None, rounds, errors)


def _evaluations(sampler: Sampler, process: Any, n: int = 64) -> float:
    model = Model(problems.gaussian(), process)
    grid = problems.family(sampler, process)(n)
    sampler(model, np.zeros((2 if sampler.space == "phase" else 1, 1)), grid, no_noise)
    return model.nfe / n
