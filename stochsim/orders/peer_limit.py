"""Where no closed form exists: whether two schemes of different families share their limit, on the same paths."""

from __future__ import annotations

import numpy as np

from stochsim import schemes
from stochsim.formula import Formula
from stochsim.levels import CoupledRun
from stochsim.orders.limits import LimitResult, LimitSums, limit_test
from stochsim.orders.sampling import Sample
from stochsim.schemes.record import Scheme

PARTNERS = {  # what each family is compared with, in order of preference; other code and other formulas
    "ito": (schemes.platen, schemes.milstein, schemes.drift_implicit_euler, schemes.euler_maruyama),
    "stratonovich": (schemes.stratonovich_heun, schemes.stratonovich_milstein, schemes.euler_heun),
}


def certified_other(scheme: Scheme, formula: Formula) -> Scheme | None:
    """A scheme of another family that fits the same equation."""
    for other in PARTNERS[scheme.calculus]:
        if other.name != scheme.name and other.fits(formula):
            return other
    return None


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
