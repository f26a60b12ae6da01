"""Models and schemes as text: their formulas, what is declared and known of them, and the lists of all."""

from __future__ import annotations

from stochsim.report.tables import declared_text
from stochsim.schemes import REGISTRY, Scheme
from stochsim.sde import SDE

__all__ = ["model_list", "model_text", "scheme_list", "scheme_text"]

CALCULI = {"ito": "Itô", "stratonovich": "Stratonovich"}
ANSWERS = ("exact", "transition", "mean", "cov", "density", "stationary")


def model_text(sde: SDE, latex: bool = False) -> str:
    """A model as lines: its equation, parameters, noise structure, hypotheses and closed forms.

    Parameters
    ----------
    sde : SDE
    latex : bool
        The equation as LaTeX.
    """
    from stochsim.symbolic import display

    formula = sde.formula()
    written = display.sde_latex(formula, sde.components) if latex else display.sde_text(formula, sde.components)
    answers = [name for name in ANSWERS if getattr(sde, name) is not None]
    values = [f"{name} = {value.tolist()}" for name, value in sde.parameters.values.items()]
    lines = [
        f"{sde.name}: {CALCULI[sde.calculus]}, d = {sde.d}, m = {sde.m}",
        _indented(written),
        f"  parameters: {', '.join(values) or 'none'}; from x = {sde.start.tolist()}",
        f"  noise: {sde.noise_structure} ({', '.join(sorted(sde.noise_classes))})",
        f"  satisfies: {', '.join(sde.satisfies) or 'neither lipschitz nor smooth'}",
        f"  known in closed form: {', '.join(answers) or 'nothing'}",
    ]
    return "\n".join(lines)


def scheme_text(scheme: Scheme, sde: SDE, latex: bool = False) -> str:
    """A scheme as lines: what it declares for this model, its source, and its step written out.

    Parameters
    ----------
    scheme : Scheme
    sde : SDE
    latex : bool
        The step as LaTeX.

    Raises
    ------
    SchemeError
        If the scheme does not fit the model.
    """
    from stochsim.symbolic import scheme_display

    formula = sde.formula()
    scheme.check(formula)
    write = scheme_display.scheme_latex if latex else scheme_display.scheme_text
    classes = sde.noise_classes
    orders = [f"{kind} order {_or_none(scheme.declared(kind, classes))}" for kind in ("strong", "weak")]
    first = (scheme.__doc__ or "").strip().split("\n\n")[0]
    lines = [
        f"{scheme.name}: {' '.join(first.split())}",
        f"  declared here: {', '.join(orders)} (assumes {', '.join(scheme.assumes) or 'nothing'})",
        f"  source: {scheme.reference or 'none given'}",
        _indented(write(scheme, formula, sde.components)),
    ]
    return "\n".join(lines)


def _or_none(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _indented(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())


def scheme_list() -> str:
    """Every registered scheme on a line."""
    lines = [f"{'scheme':22} {'calculus':13} {'noise':12} {'strong':20} {'weak':6} source"]
    for name, scheme in sorted(REGISTRY.items()):
        calculus = "any" if scheme.is_exact else CALCULI[scheme.calculus]
        strong, weak = declared_text(scheme.strong_order), declared_text(scheme.weak_order)
        lines.append(f"{name:22} {calculus:13} {scheme.noise:12} {strong:20} {weak:6} {scheme.reference}")
    return "\n".join(lines)


def model_list() -> str:
    """Every registered model on a line."""
    from stochsim.models import REGISTRY

    lines = [f"{'model':38} {'d':>2} {'m':>2}  {'noise':12} {'known':42} equation"]
    for name, record in sorted(REGISTRY.items()):
        sde = record.default
        known = ", ".join(record.answers)
        lines.append(f"{name:38} {sde.d:>2} {sde.m:>2}  {sde.noise_structure:12} {known:42} {record.summary}")
    return "\n".join(lines)
