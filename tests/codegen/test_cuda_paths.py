"""Claim: the source made for a GPU is the kernel: the same paths to rounding, from the same random integers."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import stochsim as ss
from stochsim.codegen import cuda
from stochsim.codegen.cuda import Device
from stochsim.codegen.cuda_paths import paths_source
from stochsim.errors import ParameterError
from stochsim.steps import step_program
from tests.gpu_stand_in import COMPILER, StandIn

CASES = [
    (ss.models.geometric_brownian_motion, ss.schemes.milstein),
    (ss.models.ginzburg_landau, ss.schemes.drift_implicit_euler),
    (ss.models.kubo_oscillator, ss.schemes.stratonovich_heun),
    (ss.models.tanh_brownian, ss.schemes.platen),
]


def in_calculus(sde: ss.SDE, scheme: ss.schemes.Scheme) -> ss.SDE:
    return sde.to_ito() if scheme.calculus == "ito" else sde.to_stratonovich()


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler here")
@pytest.mark.parametrize(("model", "scheme"), CASES, ids=lambda v: getattr(v, "name", getattr(v, "__name__", "")))
def test_paths_of_the_source_for_a_gpu(
    model: Callable[[], ss.SDE], scheme: ss.schemes.Scheme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = StandIn(tmp_path)
    monkeypatch.setattr(cuda, "device", lambda: Device(stand_in))
    sde = in_calculus(model(), scheme)
    options = {"t_end": 1.0, "n_steps": 7, "n_paths": 300, "seed": 4, "save": [0.0, 2 / 7, 1.0]}
    found = ss.simulate(sde, scheme, executor="cuda", **options)
    wanted = ss.simulate(sde, scheme, executor="arrays", **options)
    assert stand_in.launches == 1
    for name in wanted.data_vars:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-12, atol=1e-13)
    assert found.attrs["executor"] == "cuda"


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no CUDA compiler here")
def test_sources_compile_for_a_gpu(tmp_path: Path) -> None:
    program = step_program(ss.models.ginzburg_landau(), ss.schemes.drift_implicit_euler)
    (tmp_path / "k.cu").write_text(paths_source(program, "float"))
    subprocess.run(["nvcc", "-cubin", "-arch=sm_90", "-o", tmp_path / "k.cubin", tmp_path / "k.cu"], check=True)


def test_without_cupy_the_extra_is_named() -> None:
    try:
        import cupy  # noqa: F401
    except ImportError:
        with pytest.raises(ParameterError, match=r"stochsim\[gpu\]"):
            ss.simulate(
                ss.models.geometric_brownian_motion(), ss.schemes.milstein, t_end=1.0, n_steps=4, executor="cuda"
            )
