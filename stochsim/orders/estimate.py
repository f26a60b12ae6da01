"""The result of measuring an order: the number, its interval, the verdict, and where they come from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stochsim.orders.digits import with_interval
from stochsim.orders.estimators import Fit
from stochsim.orders.limits import LimitResult
from stochsim.orders.verdicts import Verdict

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

__all__ = ["OrderEstimate"]

SELF_EVIDENT = ("confirmed", "measured")
"""Verdicts whose explanation repeats the numbers."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class OrderEstimate:
    """A measured order of convergence.

    Parameters
    ----------
    kind : str
        "strong" or "weak".
    order : float
        The estimate; nan for an exact scheme.
    ci : tuple of float
        Total 95 % interval.
    local_orders : (n_levels - 1,) array
        Slopes between neighbouring levels.
    fit_p : float
        p-value of the lack-of-fit test; nan where there is none.
    declared : float or None
        The order the scheme claims.
    verdict : str
        "exact", "wrong limit", "lower than declared", "higher than declared", "pre-asymptotic", "confirmed",
        "inconclusive" or, when nothing is declared, "measured".
    explanation : str
        The sentence that goes with the verdict.
    method : str
        "coupled paths", "moments", "quadrature", "monte carlo", ...
    reference : str
        What the scheme was compared with.
    statistical, model : float
        The two parts of the half-width; statistical is 0 for a noise-free method.
    h : (n_levels,) array
        Step sizes, from coarse to fine.
    errors : (n_levels,) array
        Errors at these steps.
    errors_se : (n_levels,) array
        Their standard errors; zero for a noise-free method.
    n_paths : int
        Paths; 0 for a noise-free method.
    kurtosis : float
        Largest relative second moment E S^2 / (E S)^2 of what was averaged; nan for a noise-free method.
    limit : LimitResult or None
        The wrong-limit test.
    problem, scheme : str
        Names.
    seconds : float
        Wall time.
    extra : Mapping
        Anything else a method has to say.
    """

    kind: str
    order: float
    ci: tuple[float, float]
    local_orders: FloatArray
    fit_p: float
    declared: float | None
    verdict: str
    explanation: str
    method: str
    reference: str
    statistical: float
    model: float
    h: FloatArray
    errors: FloatArray
    errors_se: FloatArray
    n_paths: int
    kurtosis: float
    limit: LimitResult | None
    problem: str
    scheme: str
    seconds: float
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_fit(
        cls,
        fit: Fit,
        verdict: Verdict,
        *,
        kind: str,
        declared: float | None,
        method: str,
        reference: str,
        problem: str,
        scheme: str,
        seconds: float,
        limit: LimitResult | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> OrderEstimate:
        """Estimate of a regression on coupled levels.

        Parameters
        ----------
        fit : Fit
            The regression that is reported.
        verdict : Verdict
            What was decided on it.
        kind, declared, method, reference, problem, scheme, seconds, limit, extra
            As in the class. ``extra`` is extended by the metric, the basis and the dropped levels.
        """
        facts = {
            "metric": fit.metric,
            "basis": fit.basis.name,
            "levels_used": fit.used,
            "levels_dropped": fit.dropped,
        }
        return cls(
            kind=kind,
            order=fit.order,
            ci=fit.ci,
            local_orders=fit.local_orders,
            fit_p=fit.fit_p,
            declared=declared,
            verdict=verdict.name,
            explanation=verdict.explanation,
            method=method,
            reference=reference,
            statistical=fit.statistical,
            model=fit.model,
            h=fit.h,
            errors=np.abs(fit.errors),
            errors_se=fit.errors_se,
            n_paths=fit.n_paths,
            kurtosis=float(fit.kurtosis[list(fit.used)].max()),
            limit=limit,
            problem=problem,
            scheme=scheme,
            seconds=seconds,
            extra=facts | dict(extra or {}),
        )

    @property
    def half_width(self) -> float:
        """Half of the total 95 % interval."""
        return (self.ci[1] - self.ci[0]) / 2

    def __str__(self) -> str:
        claim = "none declared" if self.declared is None else f"{self.declared:g} declared"
        what = f"{self.kind.capitalize()} order of {self.scheme} on {self.problem}"
        head = f"{what}: {self._measured()}, {claim}: {self.verdict}"
        reason = [] if self.verdict in SELF_EVIDENT else [self.explanation]
        return "\n  ".join([head, *reason, self._source()])

    def __repr__(self) -> str:
        return str(self)

    def _measured(self) -> str:
        return "no order" if math.isnan(self.order) else with_interval(self.order, self.half_width)

    def _interval(self) -> str:
        if not self.statistical > 0:
            return self._measured()
        return f"{self._measured()} (statistical {self.statistical:.3f} + model {self.model:.3f})"

    def _source(self) -> str:
        paths = f"{self.n_paths} paths, " if self.n_paths else ""
        steps = f"{len(self.h)} levels, h = {self.h[0]:.3g} to {self.h[-1]:.3g}"
        return f"By {self.method} against {self.reference}: {paths}{steps}, {self.seconds:.2g} s"

    def _repr_html_(self) -> str:
        declared = "–" if self.declared is None else f"{self.declared:g}"
        rows = {
            "scheme": self.scheme,
            "problem": self.problem,
            "measured": self._interval(),
            "declared": declared,
            "verdict": f"{self.verdict}: {self.explanation}",
            "source": self._source(),
        }
        cells = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td style='text-align:left'>{escape(text)}</td></tr>"
            for name, text in rows.items()
        )
        return f"<table><caption>{escape(self.kind)} order</caption>{cells}</table>"

    def to_xarray(self) -> xr.Dataset:
        """Errors and local orders as variables, everything else as attributes that netCDF can hold."""
        import xarray as xr

        h = np.asarray(self.h)
        return xr.Dataset(
            {
                "error": ("level", np.asarray(self.errors)),
                "error_se": ("level", np.asarray(self.errors_se)),
                "local_order": ("interval", np.asarray(self.local_orders)),
            },
            coords={"h": ("level", h), "h_between": ("interval", np.sqrt(h[1:] * h[:-1]))},
            attrs=self._attributes(),
        )

    def _attributes(self) -> dict[str, str | float | int]:
        names = (
            "kind",
            "order",
            "fit_p",
            "verdict",
            "explanation",
            "method",
            "reference",
            "statistical",
            "model",
        )
        facts = {name: getattr(self, name) for name in (*names, "n_paths", "kurtosis", "problem", "scheme", "seconds")}
        facts |= {"ci_low": self.ci[0], "ci_high": self.ci[1]}
        facts["declared"] = math.nan if self.declared is None else self.declared
        facts["limit"] = "not tested" if self.limit is None else str(self.limit)
        return facts | {f"extra_{name}": str(value) for name, value in self.extra.items()}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Errors against step size with the declared slope, in the house style.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure otherwise.
        """
        from stochsim import plot

        return plot.order(self, ax=ax)
