"""Orders of the ODE samplers against exact flow maps, and what they cost.

Nothing is random here, so no check has a false-alarm rate. The negative controls are the mutants.
"""

import numpy as np
import pytest

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import EDM, VP, Flow, Model, certify, grids, samplers
from stochsim.diffusion.exact import flow_map
from stochsim.diffusion.mutants import MUTANTS
from stochsim.diffusion.record import REGISTRY, Sampler, no_noise
from stochsim.errors import DivergenceError, ParameterError

ODE = [r.with_options(**options) for r in REGISTRY.values() if r.kind == "ode" for options in r.variants]
STEPPED = [r for r in ODE if r.control == "grid" and r.process is None and r.space == "data"]
DORMAND_PRINCE = samplers.runge_kutta.with_options(method="dormand_prince")
TARGETS = {
    "N(1, 0.25)": Gaussian([1.0], [0.25]),
    "two modes": GaussianMixture([0.4, 0.6], [-1.0, 1.0], [0.09, 0.25]),
}
POINTS = np.linspace(-2.0, 2.0, 9)[None]
NARROW, WIDE = 0.3, 1.5  # half widths in λ; slopes settle sooner on a narrow one
ROUNDING = 1e-12


def grid_of(record: Sampler, process, n: int, width: float = NARROW) -> np.ndarray:
    start, stop = (float(process.t_of_lam(lam)) for lam in (-width, width))
    if record.uniform_in == "rho":
        return grids.karras(process, n, start, stop, rho=1.0)
    return grids.uniform(process, n, start, stop)


def error(record: Sampler, target, process, grid: np.ndarray) -> float:
    y = record(Model(target, process), POINTS.copy(), grid, no_noise)
    return float(np.sqrt(np.mean((y - flow_map(target, process, POINTS, grid[0], grid[-1])) ** 2)))


def measured_order(record: Sampler, target, process) -> float:
    """Slope between the two finest of three grids, extrapolated once by its change; infinite at rounding."""
    width, finest = NARROW, 256 if record.name == "unipc" and record.path_order < 5 else 128
    if (
        record.options.get("method") == "dormand_prince"
    ):  # soon at rounding: longer steps, of which more for the mixture
        width, finest = 2.0 * NARROW, 32 if isinstance(target, Gaussian) else 64
    steps = (finest // 4, finest // 2, finest)
    e = [error(record, target, process, grid_of(record, process, n, width)) for n in steps]
    if max(e) < ROUNDING:
        return float("inf")
    first, second = np.log2(e[0] / e[1]), np.log2(e[1] / e[2])
    return float(2.0 * second - first)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("record", [*STEPPED, DORMAND_PRINCE], ids=lambda r: r.label)
def test_the_order_is_as_declared(record: Sampler, target: str) -> None:
    order = measured_order(record, TARGETS[target], VP())
    if record.name == "dpm_solver_v3" and target == "N(1, 0.25)":
        assert order == float("inf")
    else:
        assert abs(order - record.path_order) < 0.05


@pytest.mark.parametrize("process", [EDM(), Flow(shift=2.0)], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("name", ["dpm_solver_3", "dpm_solver_pp_2m", "deis_tab", "unipc", "velocity_ab", "heun"])
def test_the_order_holds_for_other_processes(name: str, process) -> None:
    record = REGISTRY[name]
    assert abs(measured_order(record, TARGETS["two modes"], process) - record.path_order) < 0.2


@pytest.mark.parametrize("record", [r for r in STEPPED if r.history == 0], ids=lambda r: r.label)
def test_evaluations_are_as_declared(record: Sampler) -> None:
    model = Model(TARGETS["two modes"], VP())
    record(model, POINTS.copy(), grid_of(record, VP(), 10), no_noise)
    assert model.nfe == 10 * record.nfe


@pytest.mark.parametrize("record", [r for r in STEPPED if r.history], ids=lambda r: r.label)
def test_evaluations_of_a_multistep_method_are_as_declared_but_for_its_start(record: Sampler) -> None:
    counts = []
    for n in (10, 20):
        model = Model(TARGETS["two modes"], VP())
        record(model, POINTS.copy(), grid_of(record, VP(), n), no_noise)
        counts.append(model.nfe)
    assert counts[1] - counts[0] == 10 * record.nfe
    assert counts[0] <= 10 * record.nfe + 9


@pytest.mark.parametrize(
    ("record", "options"),
    [(m, o) for m in MUTANTS for o in m.variants],
    ids=lambda v: v.name if isinstance(v, Sampler) else str(v),
)
def test_a_wrong_formula_is_found_out(record: Sampler, options: dict) -> None:
    steps = (64, 128, 256) if "integer" in record.name else (32, 64, 128)
    found = certify(record.with_options(**options), steps=steps)
    claim = record.with_options(**options).path_order
    assert found.verdict in ("lower", "pre-asymptotic")
    assert all(row.slopes.min() < claim - 0.5 for row in found.rows if row.measure in ("path", "law"))


@pytest.mark.parametrize(
    ("record", "options", "measured"),
    [
        (samplers.dpm_solver_pp_3m, {}, 2),
        (samplers.rho_ab, {"order": 4}, 2),
        (samplers.deis_tab, {"order": 3}, 2),
        (samplers.exponential_ab, {"order": 4}, 2),
        (samplers.velocity_ab, {"order": 4}, 2),
        (samplers.dpm_solver_v3, {"order": 3}, 2),
        (samplers.unipc, {"order": 4}, 3),
    ],
    ids=lambda v: v.name if isinstance(v, Sampler) else "",
)
def test_a_cold_start_leaves_the_order_it_claims(record: Sampler, options: dict, measured: float) -> None:
    cold = record.with_options(starter="cold", **options)
    assert cold.path_order == measured
    assert abs(measured_order(cold, TARGETS["two modes"], VP()) - measured) < 0.3


def test_the_midpoint_rule_in_sigma_is_of_order_3_on_a_gaussian_alone() -> None:
    midpoint = samplers.edm_heun.with_options(fraction=0.5)
    assert abs(measured_order(midpoint, TARGETS["N(1, 0.25)"], VP()) - 3.0) < 0.05
    assert abs(measured_order(midpoint, TARGETS["two modes"], VP()) - 2.0) < 0.1


def test_pndm_is_of_order_4_on_equal_steps_of_sigma() -> None:
    process, target = EDM(), TARGETS["two modes"]
    e = [error(samplers.pndm, target, process, np.linspace(1.5, 0.5, n + 1)) for n in (64, 128)]
    assert abs(np.log2(e[0] / e[1]) - 4.0) < 0.2


ADAPTIVE = [
    (samplers.dpm_solver_adaptive.with_options(order=2), 2),
    (samplers.dpm_solver_adaptive.with_options(order=3), 3),
    (samplers.runge_kutta_adaptive.with_options(method="bogacki_shampine"), 3),
    (samplers.runge_kutta_adaptive.with_options(method="dormand_prince"), 5),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("record", "order"), ADAPTIVE, ids=lambda v: v.label if isinstance(v, Sampler) else "")
def test_the_error_of_adaptive_steps_follows_the_tolerance(record: Sampler, order: int, target: str) -> None:
    ends = grid_of(record, VP(), 1, WIDE)
    tolerances = (1e-2, 1e-4, 1e-6) if order == 2 else (1e-4, 1e-6, 1e-8)
    e = [error(record.with_options(rtol=r, atol=r), TARGETS[target], VP(), ends) for r in tolerances]
    assert all(0.02 * r < size < 20.0 * r for size, r in zip(e, tolerances, strict=True))


@pytest.mark.parametrize(("record", "order"), ADAPTIVE, ids=lambda v: v.label if isinstance(v, Sampler) else "")
def test_adaptive_steps_of_a_particle_do_not_depend_on_others(record: Sampler, order: int) -> None:
    ends = grid_of(record, VP(), 1)
    together = record(Model(TARGETS["two modes"], VP()), POINTS.copy(), ends, no_noise)
    alone = record(Model(TARGETS["two modes"], VP()), POINTS[:, 3:4].copy(), ends, no_noise)
    assert np.array_equal(together[:, 3:4], alone)


def test_adaptive_steps_refuse_an_end_without_noise() -> None:
    with pytest.raises(ParameterError, match="no noise"):
        samplers.dpm_solver_adaptive(Model(TARGETS["two modes"], EDM()), POINTS, np.array([1.0, 0.0]), no_noise)


def test_adaptive_steps_report_what_is_not_finite() -> None:
    model = Model(TARGETS["two modes"], VP())
    with pytest.raises(DivergenceError, match="not finite"), np.errstate(all="ignore"):
        samplers.runge_kutta_adaptive(model, np.full((1, 3), np.nan), np.array([0.5, 0.1]), no_noise)
