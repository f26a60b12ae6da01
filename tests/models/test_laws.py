"""Means, covariances, densities and transitions: by the Kolmogorov equations, quadrature and the exact sampler."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.stats import kstest, ncx2, norm

import stochsim as ss
from stochsim.codegen.arrays import compile_arrays
from stochsim.errors import DivergenceError, ModelError
from stochsim.parameters import Namespace
from stochsim.sde import SDE

MODELS = {name: record.default for name, record in ss.models.REGISTRY.items()}
MODELS["geometric_brownian_motion, stratonovich"] = ss.models.geometric_brownian_motion(
    mu=0.3, sigma=0.6, calculus="stratonovich"
)
MODELS["ornstein_uhlenbeck, no rate"] = ss.models.ornstein_uhlenbeck(theta=0.0)
MODELS["cox_ingersoll_ross, near 0"] = ss.models.cox_ingersoll_ross(kappa=1.5, theta=0.4, sigma=1.2, x0=0.3)
MODELS["heston, positive rho"] = ss.models.heston(kappa=0.4, xi=0.7, rho=0.6, x0=(2.0, 0.3))
MODELS["langevin_oscillator, overdamped"] = ss.models.langevin_oscillator(omega=0.7, gamma=3.0)
MODELS["hidden_brownian_motion, twisted"] = ss.models.hidden_brownian_motion(twist=3.0)
TIME_DEPENDENT = {"forced_ornstein_uhlenbeck", "decaying_additive"}
WITH_MOMENTS = [n for n, sde in MODELS.items() if sde.mean is not None]
WITH_DENSITY = [n for n, sde in MODELS.items() if sde.density is not None]
STATIONARY = [n for n, sde in MODELS.items() if sde.stationary is not None]
STATIONARY = [n for n in STATIONARY if n != "ornstein_uhlenbeck, no rate"]
SUPPORT = {
    "arctan": (-np.pi / 2, np.pi / 2),
    "tanh": (-1.0, 1.0),
    "geometric": (0.0, np.inf),
    "multi_noise": (0.0, np.inf),
    "cox": (0.0, np.inf),
    "squared": (0.0, np.inf),
    "ginzburg": (0.0, np.inf),
}


def parameters(sde: SDE) -> Namespace:
    return Namespace(sde.parameters.first())


def coefficients(sde: SDE) -> Callable[[Any, float], tuple[np.ndarray, np.ndarray]]:
    """Itô drift (d,) and b b^T (d, d) at a point (d,) and time."""
    formula = sde.to_ito().formula()
    d, m = formula.d, formula.m
    names = (*(f"x{i}" for i in range(d)), "t", *formula.parameters.vector_names)
    function = compile_arrays((*formula.a.flat(), *formula.b.matrix.flat()), names)
    vector = list(formula.parameters.first_vector().values())

    def at(x: Any, t: float) -> tuple[np.ndarray, np.ndarray]:
        values = np.array([float(v) for v in function(*np.atleast_1d(x), t, *vector)])
        b = values[d:].reshape(d, m)
        return values[:d], b @ b.T

    return at


# --- derivatives by differences of sixth order ---------------------------------------------------------

OFFSETS = np.arange(-3, 4)
FIRST = np.array([-1, 9, -45, 0, 45, -9, 1]) / 60.0
SECOND = np.array([2, -27, 270, -490, 270, -27, 2]) / 180.0


def slope(f: Callable[[float], Any], at: float, step: float = 2e-3) -> Any:
    return sum(c * f(at + k * step) for c, k in zip(FIRST, OFFSETS, strict=True) if c) / step


def gradient(f: Callable[[np.ndarray], Any], x: np.ndarray, step: float = 2e-3) -> list[Any]:
    return [slope(lambda v, i=i: f(_moved(x, i, v)), x[i], step) for i in range(len(x))]


def _moved(x: np.ndarray, i: int, value: float) -> np.ndarray:
    return np.where(np.arange(len(x)) == i, value, x)


def hessian(f: Callable[[np.ndarray], Any], x: np.ndarray, step: float = 4e-3) -> list[list[Any]]:
    d = len(x)

    def entry(i: int, j: int) -> Any:
        if i == j:
            return sum(c * f(_moved(x, i, x[i] + k * step)) for c, k in zip(SECOND, OFFSETS, strict=True)) / step**2
        return slope(lambda v: slope(lambda w: f(_moved(_moved(x, i, v), j, w)), x[j], step), x[i], step)

    upper = {(i, j): entry(i, j) for i in range(d) for j in range(i, d)}
    return [[upper[min(i, j), max(i, j)] for j in range(d)] for i in range(d)]


# --- moments -------------------------------------------------------------------------------------------


def first_and_second(sde: SDE, t: float, x0: np.ndarray) -> np.ndarray:
    """E X_i and E X_i X_j as one vector."""
    start = x0[0] if sde.scalar_state else x0
    p = parameters(sde)
    mean = np.atleast_1d(np.asarray(sde.mean(t, start, p), dtype=float))
    cov = np.atleast_2d(np.asarray(sde.cov(t, start, p), dtype=float))
    assert mean.shape == (sde.d,)
    assert cov.shape == (sde.d, sde.d)
    return np.concatenate([mean, (cov + np.outer(mean, mean)).ravel()])


def backward_residual(sde: SDE, t: float, x0: np.ndarray, factor: float = 1.0) -> float:
    """|du/dt - L u| over its terms, for u = E[f(X_t)], f = x_i and x_i x_j, as a function of the start."""

    def u(s: float, x: np.ndarray) -> np.ndarray:
        values = first_and_second(sde, s, x)
        return np.concatenate([values[: sde.d], factor * values[sde.d :]])

    a, square = coefficients(sde)(x0, 0.0)
    change = slope(lambda s: u(s, x0), t)
    along = sum(a[i] * g for i, g in enumerate(gradient(lambda x: u(t, x), x0)))
    second = hessian(lambda x: u(t, x), x0)
    spread = 0.5 * sum(square[i, j] * second[i][j] for i in range(sde.d) for j in range(sde.d))
    size = np.abs(change) + np.abs(along) + np.abs(spread) + np.abs(u(t, x0))
    return float(np.max(np.abs(change - along - spread) / size))


def starts(sde: SDE) -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    return [np.atleast_1d(sde.start) * rng.uniform(0.8, 1.3) + 0.1 * rng.uniform(size=sde.d) for _ in range(2)]


@pytest.mark.parametrize("name", [n for n in WITH_MOMENTS if n not in TIME_DEPENDENT])
def test_moments_obey_the_backward_equation(name: str) -> None:
    """The unique smooth solution of du/dt = L u from u = x_i, x_i x_j is E[X_i], E[X_i X_j]."""
    sde = MODELS[name]
    for t, x0 in zip((0.1, 1.7), starts(sde), strict=True):
        assert backward_residual(sde, t, x0) < 1e-7
    x0 = np.atleast_1d(sde.start)
    np.testing.assert_allclose(
        first_and_second(sde, 0.0, x0), np.concatenate([x0, np.outer(x0, x0).ravel()]), atol=1e-14
    )


@pytest.mark.parametrize("name", ["heston", "kubo_oscillator", "noncommuting_linear"])
def test_moments_of_another_equation_do_not(name: str) -> None:
    """Negative control: parameters of the closed form 1 % off those of the equation."""
    sde, other = MODELS[name], MODELS[name]
    changed = {k: v * 1.01 for k, v in sde.parameters.values.items()}
    other = sde.with_params(**{k: ss.fixed(v) if v.ndim else float(v) for k, v in changed.items()})
    mixed = SDE(
        sde.drift, sde.diffusion, sde.params, sde.x0, sde.calculus,
        mean=lambda t, x0, p: other.mean(t, x0, parameters(other)),
        cov=lambda t, x0, p: other.cov(t, x0, parameters(other)),
    )  # fmt: skip
    assert backward_residual(mixed, 0.6, starts(sde)[0]) > 1e-4


@pytest.mark.parametrize("name", sorted(TIME_DEPENDENT))
def test_moments_with_time_dependent_coefficients_obey_their_equations(name: str) -> None:
    """m' = a(m, t) and v' = 2 (da/dx) v + b^2 for a drift linear in x, from m(0) = x0, v(0) = 0."""
    sde, at, p = MODELS[name], coefficients(MODELS[name]), parameters(MODELS[name])
    x0 = float(sde.start)
    for t in (0.2, 0.9, 2.5):
        m, v = sde.mean(t, x0, p), sde.cov(t, x0, p)
        (a,), ((square,),) = at(m, t)
        rate = at(1.0, t)[0][0] - at(0.0, t)[0][0]
        assert slope(lambda s: sde.mean(s, x0, p), t) == pytest.approx(a, abs=1e-10)
        assert slope(lambda s: sde.cov(s, x0, p), t) == pytest.approx(2 * rate * v + square, abs=1e-10)
    assert sde.mean(0.0, x0, p) == pytest.approx(x0, abs=1e-15)
    assert sde.cov(0.0, x0, p) == 0.0


def test_hestons_second_moment_is_infinite_after_the_riccati_equation_explodes() -> None:
    """B' = 1 - k B + xi^2 B^2 / 2 from 0 reaches infinity; just before, its integral gives E S^2."""
    sde = ss.models.heston(mu=0.0, kappa=0.5, theta=0.2, xi=1.0, rho=0.5, x0=(1.0, 0.2))
    p, k = parameters(sde), 0.5 - 2 * 0.5 * 1.0

    def riccati(t: float, y: np.ndarray) -> list[float]:
        return [1 - k * y[0] + 0.5 * y[0] ** 2, 0.5 * 0.2 * y[0]]

    blown = lambda t, y: y[0] - 1e6  # noqa: E731
    blown.terminal = True  # type: ignore[attr-defined]
    path = solve_ivp(riccati, (0, 10), [0.0, 0.0], events=blown, rtol=1e-11, atol=1e-12, dense_output=True)
    explosion = path.t_events[0][0]
    t = 0.9 * explosion
    B, A = path.sol(t)
    assert sde.cov(t, sde.start, p)[0, 0] + 1.0 == pytest.approx(np.exp(A + B * 0.2), rel=1e-7)
    assert sde.cov(1.01 * explosion, sde.start, p)[0, 0] == np.inf
    assert sde.cov(3.0 * explosion, sde.start, p)[0, 0] == np.inf


# --- densities -----------------------------------------------------------------------------------------


def forward_residual(sde: SDE, u: Callable[[np.ndarray, float], Any], x: np.ndarray, t: float) -> float:
    """|du/dt + sum d_i (a_i u) - 1/2 sum d_i d_j (c_ij u)| over its terms."""
    at = coefficients(sde)

    def flux(y: np.ndarray) -> np.ndarray:
        return at(y, t)[0] * u(y, t)

    def spread(y: np.ndarray) -> np.ndarray:
        return at(y, t)[1] * u(y, t)

    change = slope(lambda s: u(x, s), t)
    drift = sum(gradient(lambda y, i=i: flux(y)[i], x)[i] for i in range(sde.d))
    second = hessian(spread, x)
    noise = 0.5 * sum(second[i][j][i, j] for i in range(sde.d) for j in range(sde.d))
    size = abs(change) + abs(drift) + abs(noise) + abs(u(x, t))
    return float(abs(change + drift - noise) / size)


def probe_points(sde: SDE, name: str) -> list[np.ndarray]:
    """Points near the start, inside the support."""
    start = np.atleast_1d(sde.start)
    low, high = support(name)
    points = [start * f + s for f, s in ((1.0, 0.13), (0.8, 0.05), (1.2, 0.21))]
    return [np.clip(p, low + 0.1, high - 0.1) for p in points]


def support(name: str) -> tuple[float, float]:
    return next((v for k, v in SUPPORT.items() if name.startswith(k)), (-np.inf, np.inf))


def density(sde: SDE) -> Callable[[np.ndarray, float], Any]:
    start = float(sde.start) if sde.scalar_state else sde.start
    p = parameters(sde)
    return lambda x, t: sde.density(x[0] if sde.scalar_state else x, t, start, p)


@pytest.mark.parametrize("name", WITH_DENSITY)
def test_densities_obey_the_fokker_planck_equation(name: str) -> None:
    sde = MODELS[name]
    for x in probe_points(sde, name):
        assert forward_residual(sde, density(sde), x, 0.5) < 1e-6


@pytest.mark.parametrize("name", ["ornstein_uhlenbeck", "cox_ingersoll_ross", "sinh_brownian"])
def test_a_density_with_a_wrong_spread_does_not(name: str) -> None:
    """Negative control: the density one per cent later."""
    sde = MODELS[name]
    u = density(sde)
    assert forward_residual(sde, lambda x, t: u(x, 1.01 * t), probe_points(sde, name)[0], 0.5) > 1e-3


def mass(f: Callable[[float], Any], name: str, middle: float) -> float:
    low, high = support(name)
    return sum(quad(f, a, b, limit=200, epsabs=1e-12)[0] for a, b in ((low, middle), (middle, high)))


@pytest.mark.parametrize("name", [n for n in WITH_DENSITY if MODELS[n].scalar_state])
def test_scalar_densities_have_mass_one_and_the_mean(name: str) -> None:
    sde, p, x0, t = MODELS[name], parameters(MODELS[name]), float(MODELS[name].start), 0.5
    # the density of the cube has an integrable pole at 0, where the pieces meet
    middle = 0.0 if name == "cube_brownian" else x0
    assert mass(lambda x: sde.density(x, t, x0, p), name, middle) == pytest.approx(1.0, abs=1e-7)
    if sde.mean is not None:
        mean = mass(lambda x: x * sde.density(x, t, x0, p), name, middle)
        assert mean == pytest.approx(sde.mean(t, x0, p), abs=1e-6)


@pytest.mark.parametrize("name", ["multivariate_ornstein_uhlenbeck", "langevin_oscillator", "hidden_brownian_motion"])
def test_densities_in_the_plane_have_mass_one(name: str) -> None:
    sde, p, t = MODELS[name], parameters(MODELS[name]), 0.5
    mean, width = sde.mean(t, sde.start, p), 9.0 * np.sqrt(np.diag(sde.cov(t, sde.start, p)))
    axes = [np.linspace(m - w, m + w, 401) for m, w in zip(mean, width, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    cell = np.prod([a[1] - a[0] for a in axes])
    assert sde.density(grid, t, sde.start, p).shape == (401, 401)
    assert sde.density(grid, t, sde.start, p).sum() * cell == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("name", STATIONARY)
def test_stationary_densities_do_not_move(name: str) -> None:
    sde, p = MODELS[name], parameters(MODELS[name])
    for x in probe_points(sde, name):
        still = forward_residual(sde, lambda y, t: sde.stationary(y[0] if sde.scalar_state else y, p), x, 0.5)
        assert still < 1e-6
    if sde.scalar_state:
        assert mass(lambda x: sde.stationary(x, p), name, float(sde.start)) == pytest.approx(1.0, abs=1e-8)


def test_a_growing_linear_process_has_no_stationary_law() -> None:
    sde = ss.models.multivariate_ornstein_uhlenbeck(theta=((1.0, 0.0), (0.0, -0.1)))
    with pytest.raises(ModelError, match="no stationary law"):
        sde.stationary(np.zeros(2), parameters(sde))


# --- samplers ------------------------------------------------------------------------------------------


def exact_end(name: str, n_paths: int, seed: int = 5) -> np.ndarray:
    """(n_paths, d) states at t = 1 by two exact steps."""
    ds = ss.simulate(
        MODELS[name], ss.schemes.exact, t_end=1.0, n_steps=2, n_paths=n_paths, seed=seed, executor="arrays"
    )
    names = MODELS[name].components or ["x"]
    return np.concatenate([ds[c].values.reshape(n_paths, -1) for c in names], axis=1)


SAMPLED = [n for n in WITH_MOMENTS if MODELS[n].exact is not None or MODELS[n].transition is not None]


@pytest.mark.parametrize("name", SAMPLED)
def test_exact_samples_have_the_moments(name: str) -> None:
    """Each mean and (co)variance within 5 standard errors: false alarms below 1e-5 a model (seed fixed)."""
    sde, n = MODELS[name], 20_000
    x = exact_end(name, n)
    mean = np.atleast_1d(sde.mean(1.0, float(sde.start) if sde.scalar_state else sde.start, parameters(sde)))
    cov = np.atleast_2d(sde.cov(1.0, float(sde.start) if sde.scalar_state else sde.start, parameters(sde)))
    centred = x - mean
    products = centred[:, :, None] * centred[:, None, :]
    assert (np.abs(centred.mean(axis=0)) < 5 * x.std(axis=0) / np.sqrt(n) + 1e-12).all()
    assert (np.abs(products.mean(axis=0) - cov) < 5 * products.std(axis=0) / np.sqrt(n) + 1e-12).all()


def squared_law(name: str) -> Callable[[Any], Any]:
    sde, p = MODELS[name], parameters(MODELS[name])
    if name == "squared_bessel":
        return ncx2(p.dimension, float(sde.start)).cdf
    c = p.sigma**2 * (1 - np.exp(-p.kappa)) / (4 * p.kappa)
    law = ncx2(4 * p.kappa * p.theta / p.sigma**2, float(sde.start) * np.exp(-p.kappa) / c)
    return lambda x: law.cdf(np.asarray(x) / c)


@pytest.mark.parametrize("name", ["cox_ingersoll_ross", "cox_ingersoll_ross, near 0", "squared_bessel"])
def test_square_root_transitions_have_their_law(name: str) -> None:
    """Two steps against the law of one: Kolmogorov-Smirnov, false alarm 1e-5."""
    x = exact_end(name, 20_000)[:, 0]
    assert kstest(x, squared_law(name)).pvalue > 1e-5
    assert kstest(1.05 * x, squared_law(name)).pvalue < 1e-5  # negative control


def test_hidden_brownian_motion_is_normal_and_so_is_euler() -> None:
    """Kolmogorov-Smirnov in two directions for the transition and for Euler-Maruyama; false alarm 4e-5."""
    name = "hidden_brownian_motion, twisted"
    euler = ss.simulate(
        MODELS[name], ss.schemes.euler_maruyama, t_end=1.0, n_steps=3, n_paths=20_000, seed=6, executor="arrays"
    ).x.values
    for x in (exact_end(name, 20_000), euler):
        z = x - MODELS[name].start
        for direction in (np.array([1.0, 0.0]), np.array([0.6, -0.8])):
            assert kstest(z @ direction, norm.cdf).pvalue > 1e-5
    assert kstest(1.1 * (euler[:, 0] - MODELS[name].start[0]), norm.cdf).pvalue < 1e-5


def area(n_steps: int) -> np.ndarray:
    ds = ss.simulate(
        MODELS["heisenberg"], ss.schemes.exact, t_end=1.0, n_steps=n_steps, n_paths=50_000, seed=9, executor="arrays"
    )
    return np.asarray(ds.x.values[:, 2])


def test_the_area_has_levys_law_after_several_steps() -> None:
    """Hyperbolic secant law, Kolmogorov-Smirnov, false alarm 1e-5; areas have Gaussian shape given (dW, dZ)."""

    def law(x: Any) -> Any:
        return 2 / np.pi * np.arctan(np.exp(np.pi * np.asarray(x)))

    assert kstest(area(16), law).pvalue > 1e-5
    assert kstest(area(1), law).pvalue < 1e-5  # negative control: one step alone has the variance, not the law


def test_the_exact_matrix_process_refuses_steps_beyond_its_range() -> None:
    sde = ss.models.multivariate_ornstein_uhlenbeck(theta=((40.0, 0.0), (0.0, 1.0)))
    with pytest.raises(DivergenceError):
        ss.simulate(sde, ss.schemes.exact, t_end=1.0, n_steps=1, n_paths=3, seed=1, executor="arrays")
