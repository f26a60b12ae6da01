"""Closed-form solutions: proved by Itô's formula, and compared with schemes on the same paths."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.levels import CoupledRun, Levels
from stochsim.models.polynomial import NO_JOINT_LAW
from stochsim.parameters import Namespace
from stochsim.sde import SDE
from stochsim.steps import functional_symbols
from stochsim.symbolic import graph as g
from stochsim.symbolic import proofs
from stochsim.symbolic.calculus import gradient, time_derivative
from stochsim.symbolic.numbers import is_zero
from stochsim.symbolic.structure import sample_points
from stochsim.symbolic.tracing import Sym, as_sym, trace

MODELS = {name: record.default for name, record in ss.models.REGISTRY.items()}
PLAIN = [name for name, sde in MODELS.items() if sde.exact is not None and sde.solution.functionals is None]
SYMBOLIC = {
    "arcsinh_brownian",
    "cube_brownian",
    "geometric_brownian_motion",
    "kubo_oscillator",
    "multi_noise_geometric_brownian_motion",
    "tanh_brownian",
}
BY_FUNCTIONALS = [name for name, sde in MODELS.items() if sde.exact is not None and name not in PLAIN]


# --- functions of (t, W) ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLAIN)
def test_the_solution_is_proved(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name not in SYMBOLIC:
        monkeypatch.setattr(proofs, "LARGEST_SIMPLIFIED", 0)  # in 50 digits: SymPy takes up to half a minute
    proof = proofs.prove_solution(MODELS[name])
    assert proof
    assert (proof.method == proofs.SYMBOLIC) == (name in SYMBOLIC)


@pytest.mark.parametrize("name", PLAIN)
def test_a_solution_with_more_noise_is_refuted(name: str) -> None:
    sde = MODELS[name]
    readout = sde.solution.readout
    wrong = replace(sde, exact=lambda x0, t, W, p: readout(x0, t, 1.001 * W, p))
    assert not proofs.prove_solution(wrong)


# --- functions of path functionals ------------------------------------------------------------------------


@dataclass(frozen=True)
class Functionals:
    """The linear (or exponential) SDE dy = drift dt + noise dW that the functionals of a model obey."""

    drift: Callable[[Any, Any], Any]
    noise: Callable[[Any, Any], Any]  # (n, m)


def _vector_drift(A: Any, y: Any) -> Any:
    d = A.shape[0]
    return np.concatenate([A @ y[:d], (A @ (np.eye(d) + y[d:].reshape(d, d))).reshape(d * d)])


def _vector_noise(S: Any) -> Any:
    d, m = S.shape
    return np.concatenate([S, np.zeros((d * d, m))])


def _oscillator(p: Any) -> tuple[Any, Any]:
    A = np.stack([np.stack([0.0 * p.omega, 1.0 + 0.0 * p.omega]), np.stack([-(p.omega**2), -p.gamma])])
    return A, np.stack([np.stack([0.0 * p.sigma]), np.stack([p.sigma])])


def _growth(rate: Callable[[Any], Any], volatility: Callable[[Any], Any]) -> Functionals:
    return Functionals(
        lambda y, p: [0.0, np.exp(rate(p) * y[2] + volatility(p) * y[0]), 1.0], lambda y, p: [[1.0], [0.0], [0.0]]
    )


EQUATIONS = {
    "ornstein_uhlenbeck": Functionals(lambda y, p: [-p.theta * y[0]], lambda y, p: [[1.0]]),
    "arctan_ornstein_uhlenbeck": Functionals(lambda y, p: [-p.theta * y[0]], lambda y, p: [[1.0]]),
    "forced_ornstein_uhlenbeck": Functionals(
        lambda y, p: [-(p.theta - p.fading) * y[0], 1.0], lambda y, p: [[1.0], [0.0]]
    ),
    "decaying_additive": Functionals(lambda y, p: [0.0, 1.0], lambda y, p: [[1.0], [0.0]]),
    "multivariate_ornstein_uhlenbeck": Functionals(
        lambda y, p: _vector_drift(-p.theta, y), lambda y, p: _vector_noise(p.sigma)
    ),
    "langevin_oscillator": Functionals(
        lambda y, p: _vector_drift(_oscillator(p)[0], y), lambda y, p: _vector_noise(_oscillator(p)[1])
    ),
    "heisenberg": Functionals(
        lambda y, p: [0.0, 0.0, 0.0], lambda y, p: [[1.0, 0.0], [0.0, 1.0], [-0.5 * y[1], 0.5 * y[0]]]
    ),
    "log_verhulst": _growth(lambda p: p.growth - 0.5 * p.sigma**2, lambda p: p.sigma),
    "ginzburg_landau": _growth(lambda p: 2.0 * p.growth, lambda p: 2.0 * p.sigma),
}


def residuals(sde: SDE, equation: Functionals, volume: float = 1.0) -> list[g.Node]:
    """Itô's formula for X = readout(x0, t, y): drift and noise of X, less the model's own; and X at y = 0."""
    formula, solution = sde.formula(), sde.solution
    y = functional_symbols(solution, formula, first=formula.d)
    x0 = Sym(formula.x.nodes.reshape(sde.start.shape))
    X = trace(solution.readout, (x0, formula.t, y, formula.p), "exact").reshape(formula.d)
    alpha, beta = as_sym(equation.drift(y, formula.p)), volume * as_sym(equation.noise(y, formula.p))
    slopes = gradient(X, y)
    change = time_derivative(X, formula.t) + slopes @ alpha
    hessian = gradient(slopes, y)
    for j in range(formula.m):
        change = change + 0.5 * (hessian @ beta[:, j] @ beta[:, j])
    a, b = formula.drift(X, formula.t), formula.diffusion(X, formula.t).matrix
    zero = {v.value: g.ZERO for v in y.flat()}
    clock = {"t": g.ZERO} if formula.autonomous else {}
    start = g.substitute(X.flat(), zero | clock)
    return [*(change - a).flat(), *(slopes @ beta - b).flat(), *(Sym(start) - formula.x).flat()]


def points(sde: SDE) -> list[dict[str, float]]:
    formula, rng = sde.formula(), np.random.default_rng(3)
    near = sample_points(formula.x0, formula.parameters.first_vector(), 8)
    names = [f"x{formula.d + i}" for i in range(sde.solution.n)]
    return [dict(p) | {n: float(rng.uniform(0.05, 0.6)) for n in names} for p in near]


@pytest.mark.parametrize("name", BY_FUNCTIONALS)
def test_the_readout_obeys_itos_formula(name: str) -> None:
    assert is_zero(residuals(MODELS[name], EQUATIONS[name]), points(MODELS[name]))


@pytest.mark.parametrize("name", BY_FUNCTIONALS)
def test_a_readout_with_more_noise_is_refuted(name: str) -> None:
    """Negative control: functionals driven by 1.001 W."""
    assert not is_zero(residuals(MODELS[name], EQUATIONS[name], volume=1.001), points(MODELS[name]))


def test_every_model_with_functionals_has_its_equation() -> None:
    assert set(EQUATIONS) == set(BY_FUNCTIONALS)


def advance(sde: SDE, times: np.ndarray, dW: np.ndarray, dZ: np.ndarray, start: float = 0.0) -> np.ndarray:
    """The solution at the end from increments (steps, m, n), by the model's own functions on arrays."""
    solution, p = sde.solution, Namespace(sde.parameters.first())
    y = np.zeros((solution.n, dW.shape[-1]))
    e = np.zeros((solution.n_aux, dW.shape[-1]))
    for k, (t, h) in enumerate(zip(times[:-1], np.diff(times), strict=True)):
        noise = Namespace({"dW": dW[k], "dZ": dZ[k], "e": e})
        y = np.stack(np.broadcast_arrays(*solution.functionals(y, t, h, noise, p), dW[k][0])[:-1])
    return np.asarray(solution.readout(sde.start, times[-1] - start, y, p))


def merged(h: float, dW: np.ndarray, dZ: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of steps as one, by Chen's relation."""
    return dW[::2] + dW[1::2], dZ[::2] + dZ[1::2] + h * dW[::2]


@pytest.mark.parametrize("name", [n for n in BY_FUNCTIONALS if MODELS[n].solution.note == NO_JOINT_LAW])
def test_a_reference_without_joint_law_has_order_three_halves(name: str) -> None:
    """Strong order 1.5; the seed is fixed."""
    sde, rng, levels = MODELS[name], np.random.default_rng(8), 10
    h = 2.0**-levels
    dW = np.sqrt(h) * rng.standard_normal((2**levels, 1, 2000))
    dZ = h * (dW / 2 + np.sqrt(h / 12) * rng.standard_normal(dW.shape))
    ends = []
    for level in range(levels, 3, -1):
        ends.append(advance(sde, np.linspace(0, 1, 2**level + 1), dW, dZ))
        dW, dZ = merged(2.0**-level, dW, dZ)
    errors = [np.abs(x - ends[0]).mean() for x in ends[2:]]
    slope = np.polyfit(np.arange(len(errors)), np.log2(errors), 1)[0]
    assert slope > 1.35
    assert errors[-1] < 3e-3
    assert sde.solution.resolution == 16


# --- the same path as a scheme ----------------------------------------------------------------------------

SCHEMES = {"kubo_oscillator": (ss.schemes.stratonovich_milstein, 1.0), "heisenberg": (ss.schemes.euler_maruyama, 0.5)}


def coarse_and_fine(sde: SDE, scheme: Any, t0: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute errors at h = 2^-4 and 2^-7 over a unit of time, relative to the size of X."""
    run = CoupledRun.of(sde, scheme, Levels(t0, t0 + 1.0, finest=7, n_levels=4), (11, 5), executor="arrays")
    (end,) = run.chunks(1000)
    size = np.sqrt((end.exact**2).sum(axis=0).mean())
    errors = np.sqrt(((end.x - end.exact) ** 2).sum(axis=1)).mean(axis=1) / size
    return errors[0], errors[-1]


@pytest.mark.parametrize("name", [*PLAIN, *BY_FUNCTIONALS])
def test_a_scheme_converges_to_the_solution(name: str) -> None:
    """Three halvings gain about 2^(3 p); a wrong solution leaves a plateau. Seeds are fixed."""
    scheme, order = SCHEMES.get(name, (ss.schemes.milstein, 1.0))
    coarse, fine = coarse_and_fine(MODELS[name], scheme)
    assert fine < (0.02 if order == 1.0 else 0.1)
    assert np.log2(coarse / fine) / 3 == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize("name", ["geometric_brownian_motion", "ornstein_uhlenbeck", "log_verhulst"])
def test_a_wrong_solution_shows_on_the_path(name: str) -> None:
    """Negative control: the solution of the equation with 3 % more noise."""
    other = MODELS[name].with_params(sigma=1.03 * MODELS[name].params["sigma"])
    coarse, fine = coarse_and_fine(replace(MODELS[name], exact=_frozen(other)), ss.schemes.milstein)
    assert np.log2(coarse / fine) / 3 < 0.6


def _frozen(sde: SDE) -> Any:
    """The solution of a model at its own parameters, whatever parameters it is asked for."""
    p, solution = Namespace(sde.parameters.first()), sde.solution
    if solution.functionals is None:
        return lambda x0, t, W, _: solution.readout(x0, t, W, p)
    return replace(
        solution,
        readout=lambda x0, t, y, _: solution.readout(x0, t, y, p),
        functionals=lambda y, t, h, noise, _: solution.functionals(y, t, h, noise, p),
    )


@pytest.mark.parametrize("name", ["decaying_additive", "forced_ornstein_uhlenbeck"])
def test_a_later_start_is_solved_too(name: str) -> None:
    """Their coefficients depend on time; the solution must know when it started."""
    coarse, fine = coarse_and_fine(MODELS[name], ss.schemes.milstein, t0=0.7)
    assert fine < 0.02
    assert np.log2(coarse / fine) / 3 == pytest.approx(1.0, abs=0.25)


def test_euler_on_the_heisenberg_group_has_its_known_error() -> None:
    """Root mean square error sqrt(h T)/2 in the area at every step.

    2000 paths; the squared error has a kurtosis below 12, so its mean is within 5 standard errors, 0.37
    relative, with a false alarm below 1e-6 (the seed is fixed).
    """
    levels = Levels(finest=6, n_levels=4)
    run = CoupledRun.of(MODELS["heisenberg"], ss.schemes.euler_maruyama, levels, (3, 4), executor="arrays")
    (end,) = run.chunks(2000)
    square = ((end.x - end.exact)[:, 2] ** 2).mean(axis=1)
    np.testing.assert_allclose(square, levels.h / 4, rtol=0.25)
    assert np.abs((end.x - end.exact)[:, :2]).max() < 1e-12


def test_the_kubo_oscillator_keeps_its_length() -> None:
    ds = ss.simulate(
        MODELS["kubo_oscillator"], ss.schemes.exact, t_end=3.0, n_steps=5, n_paths=50, seed=1, executor="arrays"
    )
    np.testing.assert_allclose(np.linalg.norm(ds.x.values, axis=-1), 1.0, rtol=1e-14)
