"""Models, schemes, samplers and densities as text: formulas, what is declared of them, and the lists of all."""

from __future__ import annotations

from typing import Any

from stochsim.report.tables import declared_text
from stochsim.schemes import REGISTRY, Scheme
from stochsim.sde import SDE

__all__ = ["density_list", "model_list", "model_text", "sampler_list", "scheme_list", "scheme_text"]

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


def sampler_list() -> str:
    """Every registered sampler on a line: Markov chains, then diffusions."""
    return f"{_chain_list()}\n\n{_diffusion_list()}"


def _chain_list() -> str:
    from stochsim.mcmc import REGISTRY

    lines = [f"{'Markov chain sampler':28} {'bias order':16} {'exact on Gaussians':19} {'strong':7} source"]
    for name, cls in sorted(REGISTRY.items()):
        claims = cls.claims
        bias = "none, adjusted" if claims.adjusted else f"{claims.bias_order:g}"
        exact = "–" if claims.adjusted else ", ".join(claims.exact_gaussian) or "–"
        lines.append(f"{name:28} {bias:16} {exact:19} {_or_none(claims.strong_order):7} {claims.reference}")
    return "\n".join(lines)


def _diffusion_list() -> str:
    from stochsim.diffusion import REGISTRY

    lines = [f"{'diffusion sampler':28} {'kind':5} {'path':6} {'law':6} {'evaluations':12} {'starter':24} source"]
    for name, record in sorted(REGISTRY.items()):
        path, law = _orders(record, "path_order"), _orders(record, "law_order")
        lines.append(
            f"{name:28} {record.kind:5} {path:6} {law:6} {record.nfe:<12g} {record.starter:24} {record.reference}"
        )
    return "\n".join(lines)


def _orders(record: Any, name: str) -> str:
    """The claims of all variants: ``1``, or ``1-4``."""
    found = [getattr(record.with_options(**options), name) for options in record.variants]
    known = sorted({value for value in found if value is not None})
    return "–" if not known else f"{known[0]:g}" if len(known) == 1 else f"{known[0]:g}-{known[-1]:g}"


def density_list() -> str:
    """Every density on a line: its class, and the first sentence of its docstring."""
    from stochsim import densities
    from stochsim.densities import Density

    lines = [f"{'density':28} what it is"]
    for name in sorted(densities.__all__):
        value = getattr(densities, name)
        if isinstance(value, type) and issubclass(value, Density) and value is not Density:
            lines.append(f"{name:28} {_first_line(value)}")
    lines.append(f"{'from_log_prob':28} {_first_line(densities.from_log_prob)}")
    return "\n".join(lines)


def _first_line(value: Any) -> str:
    return " ".join((value.__doc__ or "").strip().split("\n\n")[0].split())
