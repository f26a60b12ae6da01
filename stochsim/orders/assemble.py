"""Measurements of every method as one kind of result."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stochsim.orders.estimate import OrderEstimate
from stochsim.orders.estimators import Fit
from stochsim.orders.limits import LimitResult
from stochsim.orders.sampling import Sample
from stochsim.orders.tables import OrderTable
from stochsim.orders.verdicts import DELTA, Verdict

WEAK_TOLERANCE = {
    1: 0.02,
    2: 0.05,
}  # accepted distance of a noise-free order from its declaration, by dimension


def estimate_of_fit(
    fit: Fit | None,
    sample: Sample,
    *,
    verdict: Verdict,
    limit: LimitResult | None,
    declared: float | None,
    **names: Any,
) -> OrderEstimate:
    """From a fit to sums over paths (None: exact)."""
    if fit is not None:
        return OrderEstimate.from_fit(fit, verdict, declared=declared, limit=limit, **names)
    mean, _, _ = sample.errors.moments("l1")
    return without_fit(sample.errors.h, mean, verdict, declared=declared, n_paths=sample.n_paths, **names)


def without_fit(
    h: np.ndarray, errors: np.ndarray, verdict: Verdict, *, errors_se: np.ndarray | None = None, **names: Any
) -> OrderEstimate:
    """A result without an order: an exact scheme, or errors that are lost in noise."""
    return OrderEstimate(
        order=math.nan, ci=(math.nan, math.nan), local_orders=np.full(len(h) - 1, np.nan), fit_p=math.nan,
        verdict=verdict.name, explanation=verdict.explanation, statistical=0.0, model=0.0, h=h, errors=np.abs(errors),
        errors_se=np.zeros(len(h)) if errors_se is None else errors_se, kurtosis=math.nan, limit=None, **names,
    )  # fmt: skip


def judge_table(table: OrderTable, declared: float | None, dimension: int = 1) -> Verdict:
    """The verdict on a noise-free table: its uncertainty is a bound, not a confidence statement."""
    if math.isinf(table.order):
        return Verdict("exact", "every error lies within the numerical floor")
    if table.wrong_limit:
        worst = max(table.defects, key=lambda d: abs(d.value) / max(d.uncertainty, 1e-300) if d.detected else 0.0)
        name = table.names[table.defects.index(worst)]
        return Verdict("wrong limit", f"the error of {name} tends to {worst.value:.3e} ± {worst.uncertainty:.1e}")
    if math.isnan(table.order):
        return Verdict("inconclusive", table.reason)
    measured = f"order {table.order:.4f} ± {table.uncertainty:.1g}"
    if declared is None:
        return Verdict("measured", f"{measured}, none declared")
    tolerance = WEAK_TOLERANCE.get(dimension, DELTA)
    distance = table.order - declared
    if abs(distance) <= tolerance:
        return Verdict("confirmed", f"{measured} is inside {declared:g} ± {tolerance:g}")
    if abs(distance) - table.uncertainty > DELTA:
        side = "lower" if distance < 0 else "higher"
        return Verdict(f"{side} than declared", f"{measured}, {declared:g} declared")
    return Verdict("inconclusive", f"{measured} is not inside {declared:g} ± {tolerance:g}")


def estimate_of_table(
    table: OrderTable,
    *,
    declared: float | None,
    verdict: Verdict,
    extra: dict[str, Any] | None = None,
    **names: Any,
) -> OrderEstimate:
    """From a noise-free table: the errors shown are those of the functional that decides."""
    settled = [i for i, fit in enumerate(table.fits) if fit.status == "determined" and fit.order == table.order]
    index = settled[0] if settled else 0
    fit = table.fits[index]
    orders = {name: f.order for name, f in zip(table.names, table.fits, strict=True)}
    facts: dict[str, Any] = {"functional": table.names[index], "orders": orders}
    width = 0.0 if math.isnan(table.uncertainty) else table.uncertainty
    order = table.order if math.isfinite(table.order) else math.nan
    return OrderEstimate(
        order=order, ci=(order - width, order + width), local_orders=fit.slopes, fit_p=math.nan,
        declared=declared, verdict=verdict.name, explanation=verdict.explanation, statistical=0.0, model=width,
        h=table.h, errors=np.abs(table.errors[:, index]), errors_se=table.floor[:, index], n_paths=0,
        kurtosis=math.nan, limit=None,
        extra=facts | (extra or {}), **names,
    )  # fmt: skip
