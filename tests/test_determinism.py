"""Same seed, same bits: whatever the executor, the threads, the cuts, the neighbours or the process."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import stochsim as ss
from stochsim import _ensemble, engine, levels
from stochsim.levels import CoupledRun, Levels

ROOT = Path(__file__).resolve().parent.parent
SEED = 12
N = 700  # paths: two whole blocks of 256 and a part of a third


def gbm():
    return ss.models.geometric_brownian_motion(mu=0.4, sigma=0.6)


def coupled_trigonometry():
    """Two components, general noise, every kind of elementary function."""

    def drift(x, t, p):
        return [np.sin(x[1]) * np.exp(-p.rate * t), np.log1p(x[1] ** 2) - np.tanh(x[0])]

    def diffusion(x, t, p):
        return [[0.3 * np.cos(x[0]), 0.1], [np.sqrt(1.0 + x[1] ** 2), np.arctan(x[0])]]

    return ss.SDE(drift, diffusion, params={"rate": 0.5}, x0=[1.0, 0.5], name="trigonometry")


def cubic():
    return ss.SDE(lambda x, t, p: x - x**3, lambda x, t, p: 0.5 * np.sqrt(1.0 + x**2), x0=1.0, name="cubic")


def selecting():
    """Branches become selects; a square root that is not always defined."""
    return ss.SDE(
        lambda x, t, p: np.where(x > 1.0, -x, np.abs(x)),
        lambda x, t, p: np.sqrt(np.maximum(x, 0.0)),
        x0=1.0,
        name="selecting",
    )


def stratonovich():
    return ss.SDE(
        lambda x, t, p: -np.tanh(x), lambda x, t, p: np.cos(x), x0=0.3, calculus="stratonovich", name="stratonovich"
    )


CASES = {
    "scalar": (gbm, "milstein"),
    "derivative-free": (cubic, "platen"),
    "general noise": (coupled_trigonometry, "euler_maruyama"),
    "tamed": (coupled_trigonometry, "tamed_euler"),
    "implicit": (cubic, "drift_implicit_euler"),
    "selects": (selecting, "euler_maruyama"),
    "Stratonovich": (stratonovich, "stratonovich_heun"),
    "exact": (gbm, "exact"),
}


def run(case="scalar", *, sde=None, scheme=None, **options):
    model, name = CASES[case]
    given = {"t_end": 1.0, "n_steps": 37, "n_paths": N, "seed": SEED, "executor": "lanes", "allow_divergence": True}
    return ss.simulate(sde or model(), scheme or getattr(ss.schemes, name), **given | options)


def bits(ds):
    return {name: np.asarray(ds[name].values, dtype=float).view(np.int64) for name in ds.data_vars}


def same(a, b):
    a, b = bits(a), bits(b)
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("case", CASES)
def test_kernels_return_the_bits_of_numpy(case):
    assert same(run(case, save="all"), run(case, save="all", executor="arrays"))


def test_the_comparison_of_bits_can_fail():
    assert not same(run(), run(seed=SEED + 1))
    assert not same(run(), run(params={"sigma": np.nextafter(0.6, 1.0)}))


@pytest.mark.parametrize("save", ["all", "moments"])
@pytest.mark.parametrize("case", ["scalar", "general noise"])
def test_threads_change_nothing(case, save):
    many = {"n_paths": 3 * engine.LEAF + 17, "n_steps": 5, "save": save}
    assert same(run(case, threads=1, **many), run(case, threads=2, **many))


@pytest.mark.parametrize("leaf", [256, 1024])
@pytest.mark.parametrize("executor", ["lanes", "arrays"])
@pytest.mark.parametrize("case", ["scalar", "implicit"])
def test_the_size_of_a_leaf_changes_nothing(monkeypatch, case, executor, leaf):
    expected = run(case, executor=executor, save="all")
    monkeypatch.setattr(engine, "LEAF", leaf)
    assert same(run(case, executor=executor, save="all", threads=2), expected)


@pytest.mark.parametrize("seconds", [1e-9, 3e-5, 10.0])
@pytest.mark.parametrize("save", ["all", "moments"])
@pytest.mark.parametrize("case", ["scalar", "implicit"])
def test_the_length_of_a_call_changes_nothing(monkeypatch, case, save, seconds):
    expected = run(case, save=save)
    monkeypatch.setattr(engine, "CALL_SECONDS", seconds)
    assert same(run(case, save=save), expected)


@pytest.mark.parametrize("executor", ["lanes", "arrays"])
@pytest.mark.parametrize("case", ["scalar", "general noise", "implicit"])
def test_the_number_of_paths_changes_no_path(case, executor):
    batch = run(case, executor=executor, save="all")
    for n in (1, 255, 257):
        assert same(run(case, executor=executor, save="all", n_paths=n), batch.isel(path=slice(n)))


@pytest.mark.parametrize("executor", ["lanes", "arrays"])
def test_a_path_run_alone_is_the_path_of_the_batch(monkeypatch, executor):
    jobs = []
    original = engine.run_states

    def remember(job, **options):
        jobs.append(job)
        return original(job, **options)

    monkeypatch.setattr(_ensemble.engine, "run_states", remember)
    batch = run("general noise", save="all", executor=executor)
    for k in (0, 3, 256, N - 1):
        alone = replace(jobs[0], n_paths=1, first_path=k)
        values, _ = original(alone, executor=executor, threads=1)
        assert np.array_equal(values[:, :, 0], batch.x.values[k, 1:])


@pytest.mark.parametrize("executor", ["lanes", "arrays"])
@pytest.mark.parametrize("case", ["derivative-free", "implicit"])
def test_a_neighbour_that_explodes_changes_nothing(case, executor):
    x0 = np.ones((N, 1))
    quiet = run(case, x0=x0, executor=executor, save="all")
    x0[[5, 300], 0] = 1e200, 1e308
    loud = run(case, x0=x0, executor=executor, save="all")
    others = np.delete(np.arange(N), [5, 300])
    assert np.isnan(loud.x.values[[5, 300]]).any()
    assert not same(loud, quiet)
    assert same(loud.isel(path=others), quiet.isel(path=others))


def test_a_path_that_was_infinite_once_stays_marked():
    @ss.schemes.scheme()
    def returning(sde, x, t, h, dW):
        """The first step may overflow; the others bring every state back to [-1, 1]."""
        return np.where(t < 0.1, (x * 1e200) * 1e200, np.tanh(x)) + 0.0 * dW

    x0 = np.full((N, 1), 1e-200)
    x0[7] = 1.0
    for executor in ("lanes", "arrays"):
        ds = run(scheme=returning, x0=x0, n_steps=4, executor=executor)
        assert ds.attrs["n_diverged"] == 1
        assert np.flatnonzero(np.isnan(ds.x.values)).tolist() == [7]


def test_antithetic_halves_use_negated_draws():
    walk = ss.SDE(lambda x, t, p: 0.0 * x, lambda x, t, p: 1.0 + 0.0 * x, x0=0.0)
    lanes = run("selects", sde=walk, antithetic=True, n_paths=600, save="all")
    x = lanes.x.values
    assert np.array_equal(x[:300], -x[300:])
    assert same(lanes.isel(path=slice(300)), run("selects", sde=walk, n_paths=300, save="all"))
    general = {"case": "general noise", "antithetic": True, "n_paths": 600, "save": "all"}
    assert same(run(**general), run(**general, executor="arrays"))
    assert same(run(**general), run(**general, threads=2))


@pytest.mark.parametrize("split", [10, 11])
def test_a_continued_run_is_the_run_in_one_piece(split):
    t = np.linspace(0.0, 1.0, 26)
    grid = {"t_end": None, "n_steps": None}
    whole = run(t=t, **grid)
    first = run(t=t[: split + 1], **grid)
    assert same(run(t=t[split:], x0=first, seed=None, **grid), whole)


def coupled(executor, case="scalar"):
    sde, scheme = CASES[case]
    options = {"sup": True, "executor": executor}
    return CoupledRun.of(sde(), getattr(ss.schemes, scheme), Levels(finest=6, n_levels=4), (1, 2), **options)


def ends(run, threads=1, n=N):
    parts = list(run.chunks(n, threads=threads))
    return [np.concatenate([getattr(p, name) for p in parts], axis=-1) for name in ("x", "exact", "sup")]


@pytest.mark.parametrize("threads", [1, 2])
def test_coupled_levels_have_the_same_bits_everywhere(monkeypatch, threads):
    expected = ends(coupled("arrays"))
    monkeypatch.setattr(levels, "LEAF", 256)
    for again in (ends(coupled("lanes"), threads), ends(coupled("lanes"), threads, n=N + 1)):
        for a, b in zip(again, expected, strict=True):
            assert np.array_equal(a[..., :N], b)


SCRIPT = """
import hashlib
import numpy as np
import sys
sys.path.insert(0, {tests!r})
from test_determinism import run
for case in ("scalar", "implicit"):
    for save in ("final", "moments"):
        ds = run(case, save=save)
        print(hashlib.sha256(b"".join(ds[name].values.tobytes() for name in sorted(ds.data_vars))).hexdigest())
"""


def test_another_process_gets_the_same_bits():
    def python():
        script = SCRIPT.format(tests=str(ROOT / "tests"))
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
        )
        return done.stdout

    first = python()
    assert len(set(first.split())) == 4
    assert python() == first
