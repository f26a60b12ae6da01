"""Where no closed form exists: whether two schemes of different families share their limit, on the same paths."""

from __future__ import annotations

import numpy as np

from stochsim import schemes
from stochsim.errors import TraceError
from stochsim.levels import CoupledRun
from stochsim.noise.increments import Primitive
from stochsim.orders.limits import LimitResult, LimitSums, limit_test
from stochsim.orders.sampling import Sample
from stochsim.schemes.record import Scheme
from stochsim.sde import SDE
from stochsim.steps import ArrayStep

PARTNERS = {  # what each family is compared with, in order of preference; other code and other formulas
    "ito": (schemes.platen, schemes.milstein, schemes.drift_implicit_euler, schemes.euler_maruyama),
    "stratonovich": (schemes.stratonovich_heun, schemes.stratonovich_milstein, schemes.euler_heun),
}
COLUMNS = 32
STEP = 0.01
WARM_UP = 4  # steps of the scheme itself: the formulas are compared where its paths go
SAME = 1e-9  # relative to the move of a step; formulas that differ at all differ by about STEP of it, or its square
ROUNDING = 1e-13  # relative to the state: the same formula in another order of operations


def certified_other(scheme: Scheme, sde: SDE) -> Scheme | None:
    """A certified scheme that fits the same equation and whose step is another formula there; None without one.

    Parameters
    ----------
    scheme : Scheme
        The scheme whose limit is in doubt.
    sde : SDE
        The problem. On some problems two schemes are one formula (platen is euler_maruyama for additive
        noise), and a scheme compared with itself shares every limit.
    """
    fitting = (s for s in PARTNERS[scheme.calculus] if s.name != scheme.name and s.fits(sde.formula()))
    return next((other for other in fitting if _runs(other, sde) and not same_step(scheme, other, sde)), None)


def _runs(scheme: Scheme, sde: SDE) -> bool:
    """Whether the step can be written: one with derivatives cannot for a model with trace=False."""
    try:
        ArrayStep(sde, scheme)
    except TraceError:
        return False
    return True


def same_step(scheme: Scheme, other: Scheme, sde: SDE) -> bool:
    """Whether two schemes make the same step at random states with the same draws, up to rounding.

    Graphs are not compared, as a*b and b*a are two of them. Steps that are nowhere finite count as the same.

    Parameters
    ----------
    scheme, other : Scheme
        Both fit the problem and use normal draws.
    sde : SDE
        The problem, at its first parameter values.
    """
    own, theirs = ArrayStep(sde, scheme), ArrayStep(sde, other)
    rng = np.random.default_rng(0)
    x, draws = sde.start.reshape(-1, 1) * np.ones(COLUMNS), _normals((own, theirs), rng)
    for k in range(WARM_UP):
        x = own(x, STEP * k, STEP, _drawn(own, _normals((own,), rng)))
    y, z = (step(x, STEP * WARM_UP, STEP, _drawn(step, draws)) for step in (own, theirs))
    finite = (np.isfinite(y) & np.isfinite(z)).all(axis=0)
    size, move, gap = (np.abs(v[:, finite]).max(initial=0.0) for v in (x, y - x, y - z))
    return bool(gap <= SAME * move + ROUNDING * size)


def _normals(steps: tuple[ArrayStep, ...], rng: np.random.Generator) -> dict[Primitive, np.ndarray]:
    named = dict.fromkeys(p for step in steps for p in step.program.primitives)
    return {primitive: rng.standard_normal(COLUMNS) for primitive in named}


def _drawn(step: ArrayStep, draws: dict[Primitive, np.ndarray]) -> np.ndarray:
    return np.array([draws[primitive] for primitive in step.program.primitives])


def compare_limits(other: CoupledRun, own: CoupledRun, sample: Sample, threads: int) -> LimitResult:
    """The wrong-limit test on the difference of two schemes, on the paths of ``sample``."""
    span = np.sqrt(own.levels.t_end - own.levels.t0)
    total: LimitSums | None = None
    pairs = zip(own.chunks(sample.n_paths, 0, threads), other.chunks(sample.n_paths, 0, threads), strict=True)
    for mine, theirs in pairs:
        part = LimitSums.of(own.levels.h, mine.x - theirs.x, mine.noise["dW"] / span)
        total = part if total is None else total + part
    assert total is not None
    return limit_test(total, sample.scale)
