"""What ODE samplers do exactly: point masses, stationary laws, changes of scale, and each other's special cases."""

import numpy as np
import pytest

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import EDM, VP, Flow, Model, grids, samplers
from stochsim.diffusion.exact import flow_map
from stochsim.diffusion.record import REGISTRY, Sampler, no_noise
from stochsim.errors import ParameterError

ODE = [r.with_options(**options) for r in REGISTRY.values() if r.kind == "ode" for options in r.variants]
STEPPED = [r for r in ODE if r.control == "grid" and r.process is None and r.space == "data"]
MIXTURE = GaussianMixture([0.4, 0.6], [-1.0, 1.0], [0.09, 0.25])
POINTS = np.linspace(-2.0, 2.0, 9)[None]


def run(record: Sampler, target, process, grid, x=POINTS) -> np.ndarray:
    return record(Model(target, process), np.array(x), np.asarray(grid, dtype=float), no_noise)


def point_mass(process, place: float):
    """The score of a point mass; times may be an array."""
    return lambda x, t: (process.alpha(t) * place - x) / process.sigma(t) ** 2


EXPONENTIAL = [r for r in STEPPED if r.parametrisation in ("eps", "x0") and r.name != "dpm_solver_v3"]


@pytest.mark.parametrize("record", EXPONENTIAL, ids=lambda r: r.label)
def test_methods_of_noise_or_data_prediction_are_exact_for_a_point_mass(record: Sampler) -> None:
    process = VP()
    grid = grids.uniform(process, 7, 0.9, 0.05)
    model = Model(None, process, score=point_mass(process, 0.7))
    y = record(model, POINTS.copy(), grid, no_noise)
    (a, s), (b, q) = ((process.alpha(t), process.sigma(t)) for t in (grid[0], grid[-1]))
    assert np.allclose(y, b * 0.7 + q / s * (POINTS - a * 0.7), rtol=0.0, atol=2e-14)


def test_a_method_of_velocity_prediction_is_not_exact_for_a_point_mass() -> None:
    process = VP()
    grid = grids.uniform(process, 7, 0.9, 0.05)
    model = Model(None, process, score=point_mass(process, 0.7))
    exact = samplers.ddim(model, POINTS.copy(), grid, no_noise)
    assert np.abs(samplers.heun(model, POINTS.copy(), grid, no_noise) - exact).max() > 1e-3


VELOCITY = [r for r in ODE if r.parametrisation in ("v", "velocity")]


@pytest.mark.parametrize("record", VELOCITY, ids=lambda r: r.label)
def test_the_standard_normal_does_not_move_with_velocity_prediction(record: Sampler) -> None:
    y = run(record, Gaussian([0.0], [1.0]), VP(), grids.uniform(VP(), 5, 0.9, 0.1))
    assert np.allclose(y, POINTS, rtol=0.0, atol=1e-14)


def test_the_standard_normal_moves_with_ddim_by_the_cosine_of_the_angle() -> None:
    process, grid = VP(), np.array([0.6, 0.2])
    angle = np.arctan2(process.sigma(grid), process.alpha(grid))
    y = run(samplers.ddim, Gaussian([0.0], [1.0]), process, grid)
    assert np.allclose(y, np.cos(angle[0] - angle[1]) * POINTS, rtol=1e-14)


def test_ddim_multiplies_a_gaussian_by_its_closed_factor() -> None:
    process, grid, v = VP(), np.array([0.6, 0.2]), 0.3
    (a, b), (s, q) = process.alpha(grid), process.sigma(grid)
    y = run(samplers.ddim, Gaussian([0.0], [v]), process, grid)
    assert np.allclose(y, (a * b * v + s * q) / (a**2 * v + s**2) * POINTS, rtol=1e-14)


# in x/α with σ/α these know nothing of the process; times enter deis_tab, pndm (its start), and all velocities
TIMELESS = [r for r in EXPONENTIAL if r.name not in ("deis_tab", "pndm")]


@pytest.mark.parametrize("record", [*TIMELESS, samplers.dpm_solver_v3], ids=lambda r: r.label)
@pytest.mark.parametrize("process", [VP(), Flow()], ids=lambda p: type(p).__name__)
def test_the_process_is_a_change_of_scale(record: Sampler, process) -> None:
    grid = grids.uniform_lam(process, 8, float(process.t_of_lam(-1.0)), float(process.t_of_lam(1.0)))
    a, sigma = process.alpha(grid), process.sigma(grid)
    here = run(record, MIXTURE, process, grid, a[0] * POINTS) / a[-1]
    there = run(record, MIXTURE, EDM(), sigma / a)
    assert np.allclose(here, there, rtol=0.0, atol=1e-11 if record.name == "dpm_solver_v3" else 5e-14)


def test_a_method_in_time_depends_on_the_process() -> None:
    process = VP()
    grid = grids.uniform_lam(process, 8, float(process.t_of_lam(-1.0)), float(process.t_of_lam(1.0)))
    a, sigma = process.alpha(grid), process.sigma(grid)
    here = run(samplers.heun, MIXTURE, process, grid, a[0] * POINTS) / a[-1]
    assert np.abs(here - run(samplers.heun, MIXTURE, EDM(), sigma / a)).max() > 1e-4


EQUAL = [
    ("ddim", {}, "exponential_ab", {"order": 1, "prediction": "x0"}),
    ("ddim", {}, "exponential_ab", {"order": 1, "prediction": "eps"}),
    ("ddim", {}, "deis_tab", {"order": 0}),
    ("ddim", {}, "rho_ab", {"order": 1}),
    ("ddim", {}, "rho_rk", {"method": "euler"}),
    ("ddim", {}, "ipndm", {"order": 1}),
    ("ddim", {}, "ghvb", {"order": 1, "beta": 1.0}),
    ("ddim", {}, "gradient_estimation", {"gamma": 1.0}),
    ("ddim", {}, "picard", {"rounds": 9}),
    ("gradient_estimation", {"gamma": 1.5}, "ipndm", {"order": 2}),
    ("edm_heun", {}, "rho_rk", {"method": "heun"}),
    ("edm_heun", {"fraction": 0.5}, "rho_rk", {"method": "midpoint"}),
    ("heun", {}, "runge_kutta", {"method": "heun"}),
    ("euler", {}, "runge_kutta", {"method": "euler"}),
    ("unipc", {"order": 3, "kind": "bh1"}, "unipc", {"order": 3, "kind": "bh2"}),
    ("unipc", {"order": 4, "kind": "bh1"}, "unipc", {"order": 4, "kind": "bh2"}),
    (
        "dpm_solver_pp_3m", {"starter": "cold"},
        "exponential_ab", {"order": 3, "prediction": "x0", "starter": "cold"},
    ),
    ("dpm_solver_3m", {"starter": "cold"}, "exponential_ab", {"order": 3, "prediction": "eps", "starter": "cold"}),
]  # fmt: skip


@pytest.mark.parametrize(("one", "its", "other", "others"), EQUAL)
def test_two_names_of_the_same_map_agree_to_rounding(one: str, its: dict, other: str, others: dict) -> None:
    grid = grids.uniform(VP(), 9, 0.7, 0.1)
    if "dpm_solver" in one:  # their second steps are of order 2, but of different methods
        grid = grid[-2:]
    a, b = (run(REGISTRY[n].with_options(**o), MIXTURE, VP(), grid) for n, o in ((one, its), (other, others)))
    assert np.allclose(a, b, rtol=0.0, atol=5e-14)


def test_both_kinds_of_unipc_differ_at_order_2() -> None:
    grid = grids.uniform(VP(), 9, 0.7, 0.1)
    a, b = (run(samplers.unipc.with_options(order=2, kind=kind), MIXTURE, VP(), grid) for kind in ("bh1", "bh2"))
    assert np.abs(a - b).max() > 1e-5


def test_heavy_ball_with_all_weight_on_the_new_is_adams() -> None:
    grid = np.linspace(1.5, 0.5, 12)
    for order in (2, 3, 4):
        a = run(samplers.ghvb.with_options(order=order, beta=1.0), MIXTURE, EDM(), grid)
        b = run(samplers.rho_ab.with_options(order=order), MIXTURE, EDM(), grid)
        assert np.allclose(a, b, rtol=0.0, atol=5e-14)


@pytest.mark.parametrize(("order", "beta"), [(1, 0.5), (1, 0.8), (2, 0.5), (2, 0.8)])
def test_heavy_balls_are_stable_up_to_their_limit(order: int, beta: float) -> None:
    """The linear test equation dy/dρ = y, run with falling ρ, put in as a score of its own: ε = x."""
    limit = (4.0 - 2.0 * beta) / beta if order == 1 else 2.0 - beta
    sizes = []
    for part in (0.98, 1.02):
        grid = 5000.0 - part * limit * np.arange(400)
        model = Model(None, EDM(t_end=5000.0), score=lambda x, t: -x / t)
        sizes.append(
            abs(samplers.ghvb.with_options(order=order, beta=beta)(model, np.ones((1, 1)), grid, no_noise)[0, 0])
        )
    assert sizes[0] < 1.0 < sizes[1]


def test_picard_comes_close_long_before_as_many_rounds_as_steps() -> None:
    grid = grids.uniform(VP(), 64, 0.5, 0.2)
    exact = run(samplers.ddim, MIXTURE, VP(), grid)
    gaps = [np.abs(run(samplers.picard.with_options(rounds=k), MIXTURE, VP(), grid) - exact).max() for k in (4, 8, 12)]
    assert gaps[0] > 50.0 * gaps[1] > 2500.0 * gaps[2]


ROUND_TRIP = [r for r in STEPPED if r.path_order >= 2]


@pytest.mark.parametrize("record", ROUND_TRIP, ids=lambda r: r.label)
def test_a_rising_grid_encodes(record: Sampler) -> None:
    process = VP()
    grid = grids.uniform(process, 100, 0.4, 0.2)[::-1]
    exact = flow_map(MIXTURE, process, POINTS, grid[0], grid[-1])
    assert np.allclose(run(record, MIXTURE, process, grid), exact, rtol=0.0, atol=2e-4)


ENDS = [r for r in STEPPED if r.name != "dpm_solver_v3"]


@pytest.mark.parametrize("record", [*ENDS, samplers.dpm_solver_v3], ids=lambda r: r.label)
def test_a_grid_may_end_without_noise(record: Sampler) -> None:
    grid = np.append(grids.karras(EDM(), 30, 3.0, 0.01), 0.0)
    exact = flow_map(MIXTURE, EDM(), POINTS, 3.0, 0.0)
    assert np.allclose(run(record, MIXTURE, EDM(), grid), exact, rtol=0.0, atol=0.15)


FROM_NOISE = [r for r in STEPPED if r.parametrisation in ("x0", "v") and r.options.get("prediction") != "eps"]


@pytest.mark.parametrize("record", [*FROM_NOISE, samplers.ddim], ids=lambda r: r.label)
def test_a_flow_may_begin_without_data(record: Sampler) -> None:
    grid = grids.uniform(Flow(), 40, 1.0, 0.2)
    exact = flow_map(MIXTURE, Flow(), POINTS, 1.0, 0.2)
    assert np.allclose(run(record, MIXTURE, Flow(), grid), exact, rtol=0.0, atol=0.1)


def test_noise_prediction_refuses_to_begin_without_data() -> None:
    with pytest.raises(ParameterError, match="α = 0"):
        run(samplers.dpm_solver_2, MIXTURE, Flow(), [1.0, 0.5])


def test_an_unknown_option_is_refused_by_name() -> None:
    grid = [0.5, 0.2]
    for record in (
        samplers.unipc.with_options(kind="bh3"),
        samplers.exponential_ab.with_options(order=5),
        samplers.exponential_ab.with_options(prediction="v"),
        samplers.runge_kutta.with_options(method="rk5"),
    ):
        with pytest.raises(ParameterError, match=r"bh1|order is 5|prediction is 'v'|no tableau"):
            run(record, MIXTURE, VP(), grid)
