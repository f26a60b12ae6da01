"""Tables of samplers for documentation: what their records claim, beside what a validation measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from stochsim.report.rows import CheckRow, OrderRow, Row

__all__ = ["diffusion_table", "mcmc_table"]


def mcmc_table(rows: Sequence[Row] = ()) -> str:
    """The samplers of Markov chains in Markdown: claims, and what was measured of them.

    Parameters
    ----------
    rows : sequence of Row
        Of a validation; without them nothing is measured.

    Returns
    -------
    str
        A head, a rule and a line for each registered sampler, in the order of their names.
    """
    from stochsim.mcmc import REGISTRY

    head = ("sampler", "bias order", "exact on Gaussians", "strong order", "gradients", "measured", "reference")
    lines = [head, ("---",) * len(head)]
    for name, cls in sorted(REGISTRY.items()):
        claims = cls.claims
        bias = "none (adjusted)" if claims.adjusted else f"{claims.bias_order:g}"
        exact = ", ".join(claims.exact_gaussian) if claims.exact_gaussian and not claims.adjusted else "–"
        measured = _of_chains([r for r in rows if _is_of(r, "mcmc", name)])
        strong = _number(claims.strong_order)
        lines.append((f"`{name}`", bias, exact, strong, f"{claims.gradients}", measured, claims.reference))
    return _markdown(lines)


def diffusion_table(rows: Sequence[Row] = ()) -> str:
    """The samplers of diffusions in Markdown: orders, work, history and starter, and what certificates measured.

    Parameters
    ----------
    rows : sequence of Row
        Of a validation; without them nothing is measured.

    Returns
    -------
    str
        A head, a rule and a line for each variant of each registered sampler.
    """
    from stochsim.diffusion import REGISTRY

    head = (
        "sampler", "also called", "kind", "path order", "measured path", "law order", "measured law", "evaluations",
        "history", "starter", "reference",
    )  # fmt: skip
    lines = [head, ("---",) * len(head)]
    for _, first in sorted(REGISTRY.items()):
        for record in (first.with_options(**options) for options in first.variants):
            own = [r for r in rows if isinstance(r, OrderRow) and r.family == "diffusion" and r.scheme == record.label]
            path, law = ([r for r in own if r.kind in kinds] for kinds in (("path", "tolerance"), ("law",)))
            lines.append((
                f"`{record.label}`", ", ".join(record.aliases) or "–", record.kind, _number(record.path_order),
                _range(path), _number(record.law_order), _range(law), f"{record.nfe:g}", f"{record.history}",
                record.starter, record.reference,
            ))  # fmt: skip
    return _markdown(lines)


def _is_of(row: Row, family: str, name: str) -> bool:
    label = getattr(row, "scheme", "")
    return row.family == family and (label == name or label.startswith(f"{name}("))


def _of_chains(rows: Sequence[Row]) -> str:
    """Orders of the bias and of paths, exact marginals, invariance."""
    orders = {kind: [r for r in rows if isinstance(r, OrderRow) and r.kind == kind] for kind in ("bias", "strong")}
    parts = [f"{kind} {_range(found)}" for kind, found in orders.items() if _range(found) != "–"]
    parts += ["bias none on Gaussians" for r in orders["bias"] if r.verdict == "exact"]
    parts += [_said(r) for r in rows if isinstance(r, CheckRow)]
    return ", ".join(dict.fromkeys(parts)) or "–"


def _said(row: CheckRow) -> str:
    if row.kind == "exact":
        return f"marginal to {row.value:.0e}" if row.holds else "marginal not exact"
    return "invariant" if row.verdict == "holds" else f"invariance: {row.verdict}"


def _range(rows: Iterable[OrderRow]) -> str:
    orders = [r.order for r in rows if r.order is not None and r.judged]
    if not orders:
        return "–"
    low, high = f"{min(orders):.2f}", f"{max(orders):.2f}"
    return low if low == high else f"{low} to {high}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return "exact" if math.isinf(value) else f"{value:g}"


def _markdown(lines: Iterable[Sequence[Any]]) -> str:
    return "\n".join("| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |" for cells in lines)
