"""The table of models: complete, documented, honest about hypotheses, light to import, strict about values."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.codegen.arrays import compile_arrays
from stochsim.errors import ParameterError
from stochsim.models.record import REGISTRY, ModelRecord
from stochsim.sde import SDE
from stochsim.symbolic.calculus import gradient

WANTED = {
    "geometric_brownian_motion", "multi_noise_geometric_brownian_motion", "commuting_linear", "ornstein_uhlenbeck",
    "multivariate_ornstein_uhlenbeck", "forced_ornstein_uhlenbeck", "langevin_oscillator", "arctan_brownian",
    "arctan_ornstein_uhlenbeck", "tanh_brownian", "sinh_brownian", "arcsinh_brownian", "cube_brownian",
    "decaying_additive", "cox_ingersoll_ross", "squared_bessel", "heston", "log_verhulst", "ginzburg_landau",
    "double_well", "kubo_oscillator", "noncommuting_linear", "hidden_brownian_motion", "heisenberg",
}  # fmt: skip
NOISE = {
    "geometric_brownian_motion": "scalar", "multi_noise_geometric_brownian_motion": "commutative",
    "commuting_linear": "commutative", "kubo_oscillator": "scalar", "noncommuting_linear": "general",
    "hidden_brownian_motion": "general", "heisenberg": "general", "heston": "general", "log_verhulst": "additive",
    "multivariate_ornstein_uhlenbeck": "additive", "langevin_oscillator": "additive",
}  # fmt: skip


def test_the_table_holds_every_model() -> None:
    assert set(REGISTRY) >= WANTED
    assert set(ss.models.__all__) - set(REGISTRY) <= {"REGISTRY", "ModelRecord", "model", "from_exact"}


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_a_record_builds_its_model(name: str) -> None:
    record = REGISTRY[name]
    assert isinstance(record.default, SDE)
    assert record.default.name == name == record.name
    assert getattr(ss.models, name) is record.build
    assert record.summary.endswith((".", ").", ")"))
    assert record.answers or name == "double_well"


@pytest.mark.parametrize("name", sorted(NOISE))
def test_the_noise_is_of_its_class(name: str) -> None:
    assert REGISTRY[name].default.noise_structure == NOISE[name]


def steepest(sde: SDE) -> float:
    """Largest derivative of a coefficient, far out and near 0; inf where it is not finite."""
    formula = sde.formula()
    slopes = gradient([*formula.a.flat(), *formula.b.matrix.flat()], formula.x)
    names = (*(f"x{i}" for i in range(sde.d)), "t", *formula.parameters.vector_names)
    function = compile_arrays(tuple(slopes.flat()), names)
    sizes = np.array([1e-12, 1e-6, 0.5, 1.0, 30.0, 300.0])
    x = np.concatenate([-sizes, sizes]) * (1.0 if sde.d == 1 else np.random.default_rng(2).normal(size=(sde.d, 12)))
    with np.errstate(all="ignore"):
        values = function(*np.atleast_2d(x), 0.5, *formula.parameters.first_vector().values())
    worst = float(np.max([np.max(np.abs(v)) for v in values]))
    return worst if np.isfinite(worst) else np.inf


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_the_lipschitz_claim_is_honest(name: str) -> None:
    """Slopes stay below 50 at all sampled points where it is claimed, and exceed it where it is not."""
    sde = REGISTRY[name].default
    assert (steepest(sde) < 50.0) == ("lipschitz" in sde.satisfies)


def test_parameters_sweep() -> None:
    sde = ss.models.ornstein_uhlenbeck(theta=[0.5, 1.0, 2.0])
    ds = ss.simulate(sde, ss.schemes.exact, t_end=1.0, n_steps=2, n_paths=4, seed=1, executor="arrays")
    assert ds.x.sizes["theta"] == 3


def test_parameters_can_be_changed_after_building() -> None:
    """The closed forms read the parameters, they do not remember them."""
    built = ss.models.multivariate_ornstein_uhlenbeck(theta=((2.0, 0.0), (0.0, 3.0)))
    changed = ss.models.multivariate_ornstein_uhlenbeck().with_params(theta=ss.fixed([[2.0, 0.0], [0.0, 3.0]]))
    ends = [
        ss.simulate(m, ss.schemes.exact, t_end=1.0, n_steps=3, n_paths=5, seed=2, executor="arrays").x.values
        for m in (built, changed)
    ]
    np.testing.assert_array_equal(*ends)


@pytest.mark.parametrize(
    ("build", "arguments", "sentence"),
    [
        ("cox_ingersoll_ross", {"kappa": -1.0}, "kappa"),
        ("cox_ingersoll_ross", {"sigma": [0.5, 0.0]}, "sigma"),
        ("squared_bessel", {"dimension": 0.0}, "dimension"),
        ("heston", {"xi": 0.0}, "xi"),
        ("langevin_oscillator", {"gamma": 0.0}, "gamma"),
        ("double_well", {"b": -1.0}, "b is"),
        ("arctan_brownian", {"x0": 2.0}, "between"),
        ("multivariate_ornstein_uhlenbeck", {"theta": [[1.0]]}, r"shape \(1, 1\); give shape \(2, 2\)"),
        ("multi_noise_geometric_brownian_motion", {"sigma": 0.3}, "sigma has shape"),
        ("noncommuting_linear", {"B": [["a"]]}, "give an array of numbers"),
        ("geometric_brownian_motion", {"mu": "fast"}, "mu"),
        ("geometric_brownian_motion", {"mu": np.nan}, "mu"),
    ],
)
def test_a_value_outside_its_domain_is_refused(build: str, arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        getattr(ss.models, build)(**arguments)


def test_importing_the_models_loads_nothing_heavy() -> None:
    code = "import stochsim.models, sys; print(*[m for m in ('numba', 'sympy', 'scipy', 'xarray') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_a_record_is_made_by_the_decorator_alone() -> None:
    def straight_line(x0: float = 0.0) -> SDE:
        """A line."""
        return SDE(lambda x, t, p: 1.0, lambda x, t, p: 0.0 * x, x0=x0, name="straight_line")

    record = ModelRecord("straight_line", straight_line)
    assert record.summary == "A line."
    assert record.answers == ()
