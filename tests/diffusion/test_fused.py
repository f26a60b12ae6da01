"""Claim: a sampler run as one kernel is the sampler, to rounding, on the CPU and as the source for a GPU."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stochsim as ss
from stochsim.codegen import cache
from stochsim.codegen.cuda import Device
from stochsim.columns.cuda import cuda_source
from stochsim.diffusion import VP, fused, grids, samplers
from stochsim.diffusion._noise import Normals
from stochsim.diffusion.linear import Form, tabulate
from stochsim.diffusion.model import Model
from stochsim.diffusion.record import REGISTRY
from stochsim.errors import ParameterError, SchemeError, StochsimError
from tests.gpu_stand_in import COMPILER, StandIn

KEY = (11, 12)
MIXTURE = ss.densities.GaussianMixture([0.2, 0.5, 0.3], [[-2.0, 0.0], [1.0, 1.5], [2.0, -1.0]], [0.3, 0.5, 0.2])
PROCESS = VP()
GRID = grids.uniform(PROCESS, 12)
ONE_OF_EACH_KIND = ("euler_maruyama", "dpm_solver_pp_3m", "edm_stochastic", "unipc")


def model() -> Model:
    return Model(MIXTURE, PROCESS)


def starts(n: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(2, n))


def by_tables(name: str, x: np.ndarray) -> np.ndarray:
    """The tables of a sampler carried out in the plainest way."""
    sampler, target, noise = REGISTRY[name], model(), Normals(KEY)
    kept: dict[str, list[np.ndarray]] = {"x": [x], "s": [], "p": []}
    for interval in tabulate(sampler, target, GRID):
        here: dict[tuple[str, int], Any] = {("z", j): noise(k, x.shape) for j, k in enumerate(interval.noises)}
        here |= {(kind, lag): v for kind, values in kept.items() for lag, v in enumerate(reversed(values))}
        for j, e in enumerate(interval.evaluations):
            here["new p", j] = sum(c * here[s] for s, c in e.point.items())
            here["new s", j] = target.score(here["new p", j], e.time)
        kept["x"].append(sum(c * here[s] for s, c in interval.state.items()))
        for kind in "sp":
            kept[kind] += [here[f"new {kind}", j] for j in range(len(interval.evaluations))]
    return kept["x"][-1]


def linear_names() -> list[str]:
    assert samplers is not None
    names = []
    for name in sorted(REGISTRY):
        try:
            tabulate(REGISTRY[name], model(), GRID)
        except SchemeError:
            continue
        names.append(name)
    return names


@pytest.mark.parametrize("name", linear_names())
def test_tables_are_the_sampler(name: str) -> None:
    x = starts(40)
    wanted = REGISTRY[name](model(), x.copy(), GRID, Normals(KEY))
    np.testing.assert_allclose(by_tables(name, x), wanted, rtol=0, atol=1e-9)


def test_most_samplers_are_tables() -> None:
    assert len(linear_names()) >= 30


@pytest.mark.parametrize("name", ["gotta_go_fast", "picard"])
def test_what_is_no_table_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(SchemeError, match=r"cannot be run as one kernel.*executor='arrays'"):
        tabulate(REGISTRY[name], model(), GRID)


def test_forms_refuse_what_is_not_linear() -> None:
    x = Form({("x", 0): 1.0})
    assert (2.0 * x - x / 2.0).terms == {("x", 0): 1.5}
    for act in (lambda: x * x, lambda: 1.0 / x, lambda: np.float64(2.0) + x, lambda: x.sum(), lambda: x[0]):
        with pytest.raises((SchemeError, TypeError)):
            act()


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_one_kernel_gives_the_states_of_arrays(name: str) -> None:
    x = starts(600)
    wanted = REGISTRY[name](model(), x.copy(), GRID, Normals(KEY))
    plan = fused.segments(REGISTRY[name], model(), GRID)
    found = fused.run(plan, x, KEY, threads=2)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-11)
    np.testing.assert_array_equal(fused.run(plan, x[:, 100:400], KEY, first=100, threads=1), found[:, 100:400])


def test_the_states_of_arrays_with_another_seed_are_others() -> None:
    x = starts(600)
    plan = fused.segments(REGISTRY["euler_maruyama"], model(), GRID)
    assert np.abs(fused.run(plan, x, (1, 2)) - fused.run(plan, x, (1, 3))).min() > 0.0


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler here")
@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_the_source_for_a_gpu_gives_the_states_of_the_kernel(name: str, tmp_path: Path) -> None:
    x, device = starts(300), Device(StandIn(tmp_path))
    plan = fused.segments(REGISTRY[name], model(), GRID, single=True)
    found = fused.run_on_gpu(plan, x, KEY, first=7, device=device)
    wanted = fused.run(fused.segments(REGISTRY[name], model(), GRID), x, KEY, first=7)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-11)
    assert device.cupy.launches == len(plan)  # all steps of a pattern in one launch


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler here")
def test_what_does_not_fit_into_memory_goes_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, device = starts(3000), Device(StandIn(tmp_path))
    plan = fused.segments(REGISTRY["euler_maruyama"], model(), GRID, single=True)
    whole = fused.run_on_gpu(plan, x, KEY, device=device)
    monkeypatch.setattr(StandIn.cuda.runtime, "free", 1200 * 16 * 10 // 8)
    np.testing.assert_array_equal(fused.run_on_gpu(plan, x, KEY, device=device), whole)
    assert device.cupy.launches >= 3
    monkeypatch.setattr(StandIn.cuda.runtime, "free", 1000)
    with pytest.raises(ParameterError, match="1024 columns need"):
        fused.run_on_gpu(plan, x, KEY, device=device)


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no CUDA compiler here")
def test_the_source_compiles_for_a_gpu(tmp_path: Path) -> None:
    (segment, *_) = fused.segments(REGISTRY["euler_maruyama"], model(), GRID, single=True)
    for real in ("double", "float"):
        (tmp_path / "k.cu").write_text(cuda_source(segment.kernel, real))
        subprocess.run(["nvcc", "-cubin", "-arch=sm_90", "-o", tmp_path / "k.cubin", tmp_path / "k.cu"], check=True)


def test_kernels_for_blocks_are_refused() -> None:
    (segment, *_) = fused.segments(REGISTRY["euler_maruyama"], model(), GRID)
    with pytest.raises(StochsimError, match="lanes=1"):
        cuda_source(segment.kernel)
    assert cache.name_of(segment.kernel.text)


@pytest.mark.parametrize("name", ["euler_maruyama", "dpm_solver_pp_3m"])
def test_sample_in_one_kernel_is_sample(name: str) -> None:
    options = {"n_steps": 12, "n_particles": 700, "seed": 4}
    arrays = ss.diffusion.sample(MIXTURE, name, PROCESS, **options)
    one = ss.diffusion.sample(MIXTURE, name, PROCESS, executor="fused", **options)
    np.testing.assert_allclose(one.x, arrays.x, rtol=0, atol=1e-10)
    assert one.attrs["nfe"] == arrays.attrs["nfe"]
    assert (one.attrs["executor"], arrays.attrs["executor"]) == ("fused", "arrays")


def test_sample_on_a_gpu_is_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if COMPILER is None:
        pytest.skip("no C++ compiler here")
    from stochsim.diffusion import _sample

    options = {"n_steps": 12, "n_particles": 300, "seed": 4, "executor": "fused"}
    wanted = ss.diffusion.sample(MIXTURE, "euler_maruyama", PROCESS, **options)
    monkeypatch.setattr(_sample, "array_module", lambda backend: StandIn(tmp_path))
    found = ss.diffusion.sample(MIXTURE, "euler_maruyama", PROCESS, backend="cupy", **options)
    np.testing.assert_allclose(found.x, wanted.x, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    "options", [{"executor": "cuda"}, {"executor": "fused", "return_trajectory": True}], ids=["word", "trajectory"]
)
def test_what_cannot_be_fused_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="executor"):
        ss.diffusion.sample(MIXTURE, "ddim", PROCESS, n_steps=4, **options)
