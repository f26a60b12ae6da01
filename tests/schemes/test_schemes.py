"""Claims of the scheme table: every formula is the one in the literature, every record is complete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.orders.mutants import mutants
from stochsim.orders.transcriptions import formula_agrees
from stochsim.steps import ArrayStep
from tests.problems import cubic, gbm, non_commuting, stratonovich_gbm, two_noises

S = ss.schemes
FORMULAS = [s for s in S.REGISTRY.values() if not s.is_exact]
TRANSCRIBED = [s for s in FORMULAS if s.transcription is not None]
CLASSES = frozenset({"general", "commutative", "diagonal", "scalar", "additive"})


def problem_for(scheme: Any) -> ss.SDE:
    return cubic() if scheme.calculus == "ito" else stratonovich_gbm()


@pytest.mark.parametrize("scheme", TRANSCRIBED, ids=lambda s: s.name)
def test_formula_is_the_one_in_the_literature(scheme: Any) -> None:
    assert formula_agrees(problem_for(scheme), scheme)


@pytest.mark.parametrize("scheme", TRANSCRIBED, ids=lambda s: s.name)
def test_formula_check_sees_every_mutant(scheme: Any) -> None:
    sde = problem_for(scheme)
    assert all(formula_agrees(sde, m.scheme, m.lag) is False for m in mutants(scheme, sde))


@pytest.mark.parametrize("scheme", FORMULAS, ids=lambda s: s.name)
def test_record_is_complete(scheme: Any) -> None:
    assert scheme.reference
    assert scheme.__doc__
    claims = [scheme.declared(kind, CLASSES) for kind in ("strong", "weak")]
    assert any(c is not None for c in claims)
    assert all(c is None or (c > 0 and (2 * c).is_integer()) for c in claims)


def test_the_schemes_of_known_order_are_transcribed() -> None:
    assert {"euler_maruyama", "milstein", "platen", "stratonovich_heun"} <= {s.name for s in TRANSCRIBED}


def test_a_transcription_sees_every_kind_of_noise() -> None:
    def taylor(c, x, t, h, dw, dz):  # type: ignore[no-untyped-def]
        return x + c.a(x, t) * h + c.b(x, t) * dw + c.da(x, t) * c.b(x, t) * dz

    def make(factor: float) -> Any:
        @S.scheme(strong_order=1.0, transcription=taylor)
        def with_area(sde, x, t, h, dW, dZ):  # type: ignore[no-untyped-def]
            a, b = sde.drift(x, t), sde.diffusion(x, t)
            return x + a * h + b @ dW + factor * S.diff(a, x) * (b @ dZ)

        return with_area

    assert formula_agrees(cubic(), make(1.0))
    assert formula_agrees(cubic(), make(1.001)) is False


def test_every_registered_scheme_is_an_attribute() -> None:
    assert all(getattr(S, name) is record for name, record in S.REGISTRY.items())
    assert set(S.REGISTRY) <= set(S.__all__)
    assert "REGISTRY" not in S.REGISTRY


def test_adding_a_scheme_is_adding_one_file(tmp_path: Path) -> None:
    # the package is imported once more in a fresh process, with a folder that holds one more file
    (tmp_path / "one_more.py").write_text(
        "from stochsim.schemes.record import scheme\n"
        "@scheme(strong_order=0.5, reference='nowhere', register=True)\n"
        "def added(sde, x, t, h, dW):\n"
        "    return x + sde.diffusion(x, t) @ dW\n"
    )
    code = (
        "import sys; from importlib.util import find_spec, module_from_spec\n"
        f"spec = find_spec('stochsim.schemes'); spec.submodule_search_locations.append({str(tmp_path)!r})\n"
        "package = module_from_spec(spec); sys.modules[spec.name] = package; spec.loader.exec_module(package)\n"
        "print(package.added, 'added' in package.__all__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "Scheme(added: ito, general noise) True"


def test_heun_has_weak_order_two_for_additive_noise_only() -> None:
    def problem(diffusion: Any) -> ss.SDE:
        return ss.SDE(lambda x, t, p: x - x**3, diffusion, x0=0.4, calculus="stratonovich", name="double well")

    additive = ss.weak_order(problem(lambda x, t, p: 0.5), S.stratonovich_heun)
    assert (additive.declared, additive.verdict) == (2.0, "confirmed"), str(additive)
    general = ss.weak_order(problem(lambda x, t, p: 0.5 * np.cos(x)), S.stratonovich_heun)
    assert (general.declared, general.verdict) == (1.0, "confirmed"), str(general)
    lower = ss.weak_order(problem(lambda x, t, p: 0.5), S.euler_heun, declared=2.0)
    assert lower.verdict == "lower than declared"  # the drift is not averaged there


def test_heun_for_additive_noise_is_the_weak_scheme_of_order_two_of_platen() -> None:
    # Kloeden & Platen 1992, eq. (15.1.1), transcribed; one component, one noise
    def platen_15_1_1(a: Any, b: Any, x: Any, h: float, dw: Any) -> Any:
        ahead, root = x + a(x) * h + b(x) * dw, np.sqrt(h)
        up, down = x + a(x) * h + b(x) * root, x + a(x) * h - b(x) * root
        noise = (b(up) + b(down) + 2 * b(x)) * dw / 4 + (b(up) - b(down)) * (dw**2 - h) / (4 * root)
        return x + (a(ahead) + a(x)) * h / 2 + noise

    x, z, h = np.linspace(-1.0, 1.5, 7), np.linspace(-2.0, 2.0, 7), 0.07
    for b, same in ((lambda x: 0.5 + 0.0 * x, True), (lambda x: 0.5 * np.cos(x), False)):
        sde = ss.SDE(lambda x, t, p: x - x**3, lambda x, t, p, b=b: b(x), x0=0.4, calculus="stratonovich")
        step = ArrayStep(sde, S.stratonovich_heun)(x[None], 0.0, h, z[None])[0]
        wanted = platen_15_1_1(lambda x: x - x**3, b, x, h, np.sqrt(h) * z)
        assert (np.abs(step - wanted).max() < 1e-14) == same


def test_declared_order_depends_on_the_noise() -> None:
    assert S.euler_maruyama.declared("strong", frozenset({"general"})) == 0.5
    assert S.euler_maruyama.declared("strong", frozenset({"general", "additive"})) == 1.0


def test_milstein_for_commutative_noise_uses_every_pair() -> None:
    # exact to the second order in the increments: against the closed form at a tiny step
    sde, h = two_noises(), 1e-6
    xi = np.array([[1.3], [-0.7]])
    x = ArrayStep(sde, S.milstein)(np.array([[1.0], [2.0]]), 0.0, h, xi)[:, 0]
    w = np.sqrt(h) * xi[:, 0]
    exact = [np.exp(-0.025 * h + 0.3 * w[0] + 0.4 * w[1]), 2 * np.exp(0.075 * h + 0.2 * w[0] - 0.1 * w[1])]
    assert np.abs(x - exact).max() < 2e-9  # the third-order term is about 1e-10, the second about 1e-7
    euler = ArrayStep(sde, S.euler_maruyama)(np.array([[1.0], [2.0]]), 0.0, h, xi)[:, 0]
    assert np.abs(euler - exact).max() > 1e-8


def test_a_scheme_of_ones_own_is_one_function() -> None:
    @S.scheme(strong_order=0.5, weak_order=1.0, reference="nowhere")
    def mine(sde, x, t, h, dW):  # type: ignore[no-untyped-def]
        """Euler-Maruyama again."""
        return x + sde.drift(x, t) * h + sde.diffusion(x, t) @ dW

    a = ss.simulate(gbm(), mine, t_end=1.0, n_steps=5, n_paths=4, seed=1, executor="arrays").x.values
    b = ss.simulate(gbm(), S.euler_maruyama, t_end=1.0, n_steps=5, n_paths=4, seed=1, executor="arrays").x.values
    assert np.array_equal(a, b)
    assert mine.name not in S.REGISTRY


def test_schemes_with_every_kind_of_noise_run() -> None:
    @S.scheme(strong_order=0.5, weak_order=1.0)
    def everything(sde, x, t, h, dW, dZ, A, dW3, dW2, V):  # type: ignore[no-untyped-def]
        return x + sde.diffusion(x, t) @ (dW + 0 * (dZ + dW3 + dW2) + 0.0 * (A + V) @ dW)

    ds = ss.simulate(non_commuting(), everything, t_end=1.0, n_steps=5, n_paths=4, seed=1, executor="arrays")
    assert np.isfinite(ds.x.values).all()


def test_bad_schemes_get_one_sentence() -> None:
    with pytest.raises(ss.errors.SchemeError, match="noise named dW"):
        S.scheme()(lambda sde, x, t, h, dB: x)
    with pytest.raises(ss.errors.SchemeError, match="'ito' or 'stratonovich'"):
        S.scheme(calculus="it")
    with pytest.raises(ss.errors.SchemeError, match="give one of"):
        S.scheme(noise="white")
    wrong = S.scheme()(lambda sde, x, t, h, dW: [x[0], x[0]])
    with pytest.raises(ss.errors.SchemeError, match="returned shape"):
        ss.simulate(gbm(), wrong, t_end=1.0, n_steps=2)


def test_newton_failure_is_reported_as_divergence() -> None:
    # x_1 = x_0 + h (1 + x_1^2) with h = 1 has no real solution
    sde = ss.SDE(lambda x, t, p: 1 + x**2, lambda x, t, p: 0.0 * x, x0=0.0)
    with pytest.raises(ss.errors.DivergenceError):
        ss.simulate(sde, S.drift_implicit_euler, t_end=1.0, n_steps=1, seed=1, executor="arrays")
