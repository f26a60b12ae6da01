"""The splittings that have names, with what each leaves exact on Gaussian targets of curvature ω², at any friction."""

from __future__ import annotations

from dataclasses import dataclass, field

from stochsim.mcmc.kinetic.splitting import Splitting
from stochsim.mcmc.record import Claims, sampler

__all__ = ["ABOBA", "BAOAB", "BUB", "OABAO", "OBABO", "UBU"]


@sampler(Claims("Leimkuhler & Matthews 2013, section 2", bias_order=2, exact_gaussian=("position",)))
@dataclass(frozen=True)
class BAOAB(Splitting):
    """Kick, drift, friction, drift, kick: positions exact on Gaussians, momenta too cold by 1 - (ωh)²/4.

    In the limit of high friction positions are of order 4 on every target (Leimkuhler, Matthews & Stoltz 2016).
    """

    scheme: str = field(default="BAOAB", init=False)


@sampler(Claims("Leimkuhler & Matthews 2013, section 2", bias_order=2, exact_gaussian=("position",)))
@dataclass(frozen=True)
class ABOBA(Splitting):
    """Drift, kick, friction, kick, drift: positions exact on Gaussians, momenta too hot by 1/(1 - (ωh)²/4)."""

    scheme: str = field(default="ABOBA", init=False)


@sampler(Claims("Bussi & Parrinello 2007", bias_order=2, exact_gaussian=("momentum",)))
@dataclass(frozen=True)
class OBABO(Splitting):
    """Friction, kick, drift, kick, friction: momenta exact on Gaussians, positions too wide by 1/(1 - (ωh)²/4)."""

    scheme: str = field(default="OBABO", init=False)


@sampler(Claims("Leimkuhler & Matthews 2013, section 2", bias_order=2, exact_gaussian=("momentum",)))
@dataclass(frozen=True)
class OABAO(Splitting):
    """Friction, drift, kick, drift, friction: momenta exact on Gaussians, positions too narrow by 1 - (ωh)²/4."""

    scheme: str = field(default="OABAO", init=False)


@sampler(Claims("Zapatero 2017; Sanz-Serna & Zygalakis 2021", bias_order=2, strong_order=2))
@dataclass(frozen=True)
class UBU(Splitting):
    """Half a free flow, a kick, half a free flow: strong order 2 with one gradient.

    On Gaussians, to leading order, position variances are too small by (ωh)²/6, momentum variances too large by
    (ωh)²/12, and their covariance is γh²/24: it reads the same backwards, and yet does not vanish.
    """

    scheme: str = field(default="UBU", init=False)


@sampler(Claims("Zapatero 2017; Sanz-Serna & Zygalakis 2021", bias_order=2, strong_order=2))
@dataclass(frozen=True)
class BUB(Splitting):
    """Half a kick, a free flow, half a kick: the errors of UBU with the roles of place and momentum exchanged."""

    scheme: str = field(default="BUB", init=False)
