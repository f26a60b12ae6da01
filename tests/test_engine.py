"""The runner of kernels: short calls, a clean stop on Ctrl-C, moments merged in one order, progress told."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import stochsim as ss
from stochsim import engine
from stochsim.engine import MomentTree, Pace
from stochsim.steps import step_program

ROOT = Path(__file__).resolve().parent.parent
SECONDS_TO_STOP = 1.0  # 0.1 on a quiet machine; tests may share theirs
INTERRUPTED = """
import os, signal, threading, time
import stochsim as ss
sde = ss.models.geometric_brownian_motion()
options = dict(
    t_end=1.0, n_steps={n_steps}, seed=3, save={save!r}, executor={executor!r}, threads={threads}, progress=False
)
ss.simulate(sde, ss.schemes.milstein, **options | dict(n_steps=2), n_paths=10)
sent = []
def interrupt():
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(1.0, interrupt).start()
try:
    ss.simulate(sde, ss.schemes.milstein, **options, n_paths=2_000_000)
    print("finished")
except KeyboardInterrupt as stop:
    print(time.perf_counter() - sent[0])
    partial = getattr(stop, "partial", None)
    if partial is not None:
        n = partial.sizes["path"] if "path" in partial.sizes else int(partial["count"][0])
        moments = options["save"] == "moments"
        k, name = (n, "x_mean") if moments else (min(n, 300), "x")
        found = partial[name].values if moments else partial[name].values[:k]
        whole = ss.simulate(sde, ss.schemes.milstein, **options, n_paths=k)[name].values[-len(found):]
        print(n, float(abs(found - whole).max()))
"""


def interrupted(**options):
    script = INTERRUPTED.format(**({"n_steps": 5000, "save": "final", "executor": "lanes", "threads": 2} | options))
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_ctrl_c_returns_at_once_with_the_finished_paths():
    seconds, n_paths, difference = map(float, interrupted())
    assert seconds < SECONDS_TO_STOP
    assert n_paths % engine.LEAF == 0
    assert 0 < n_paths < 2_000_000
    assert difference == 0.0


@pytest.mark.parametrize(
    "options", [{"save": "moments", "n_steps": 200}, {"executor": "arrays"}, {"n_steps": 1_000_000}],
    ids=["moments", "arrays", "long"],
)  # fmt: skip
def test_ctrl_c_returns_at_once_from_every_kind_of_run(options):
    assert float(interrupted(**options)[0]) < SECONDS_TO_STOP


def test_ctrl_c_returns_the_moments_of_the_finished_paths():
    _, n_paths, difference = map(float, interrupted(save="moments", n_steps=4000, threads=1))
    assert 0 < n_paths < 2_000_000
    assert n_paths % engine.LEAF == 0
    assert difference < 1e-12


def pace():
    return Pace(step_program(ss.models.geometric_brownian_motion(), ss.schemes.milstein))


@pytest.mark.parametrize("seconds_per_step", [1e-9, 1e-6, 1e-4])
def test_calls_are_short_whatever_a_step_costs(monkeypatch, seconds_per_step):
    now = [0.0]
    monkeypatch.setattr(engine, "perf_counter", lambda: now[0])
    n_steps, lengths, position = 40_001, [], 0
    for first, last in pace().calls(n_steps, 2048):
        assert first == position
        assert first % 2 == 0
        position = last
        now[0] += (last - first) * seconds_per_step
        lengths.append((last - first) * seconds_per_step)
    assert position == n_steps
    limit = max(engine.CALL_SECONDS, 2 * seconds_per_step)
    assert max(lengths[1:], default=0.0) <= limit
    assert lengths[0] <= 100 * limit  # the first call only guesses; it is told from operations, not from time


def test_the_pace_is_learned_for_the_next_leaf(monkeypatch):
    now, common = [0.0], pace()
    monkeypatch.setattr(engine, "perf_counter", lambda: now[0])
    for first, last in common.calls(1000, 2048):
        now[0] += (last - first) * 1e-3
    first, last = next(common.calls(1000, 2048))
    assert (last - first) * 1e-3 == pytest.approx(0.7 * engine.CALL_SECONDS, rel=0.1)


def test_a_failure_in_one_leaf_stops_the_run(monkeypatch):
    def broken(job, moments):
        def work(lo, *rest):
            raise FloatingPointError(f"leaf at {lo}")

        return work

    monkeypatch.setattr(engine, "lane_worker", broken)
    with pytest.raises(FloatingPointError, match="leaf at"):
        ss.simulate(
            ss.models.geometric_brownian_motion(), ss.schemes.milstein, t_end=1.0, n_steps=2, n_paths=9000, seed=1,
            executor="lanes", threads=2,
        )  # fmt: skip


@pytest.mark.parametrize("n_leaves", [1, 2, 3, 5, 8])
def test_moments_are_merged_in_one_order(n_leaves):
    rng = np.random.default_rng(n_leaves)
    leaves = [np.array([[10.0, m, 10.0]]) for m in rng.standard_normal(n_leaves)]
    results = set()
    for order in itertools.islice(itertools.permutations(range(n_leaves)), 200):
        tree = MomentTree(1, n_leaves)
        for i in order:
            tree.add(i, leaves[i])
        results.add(tree.result().tobytes())
    assert len(results) == 1
    count, mean, _ = np.frombuffer(results.pop())
    assert count == 10.0 * n_leaves
    assert mean == pytest.approx(np.mean([leaf[0, 1] for leaf in leaves]))


def moments_job(n_paths):
    program = step_program(ss.models.geometric_brownian_motion(), ss.schemes.milstein)
    return engine.Job(
        program, np.array([0.1, 0.2, 0.0]), (1, 2), np.linspace(0.0, 1.0, 5), n_paths,
        lambda lo, hi: np.ones((1, hi - lo)), np.array([2, 4]),
    )  # fmt: skip


@pytest.mark.parametrize("finished", [0, 1, 3])
def test_ctrl_c_hands_over_the_moments_of_the_finished_leaves(monkeypatch, finished):
    make = engine.lane_worker

    def interrupted_at_a_leaf(job, moments):
        work = make(job, moments)

        def until(lo, *rest):
            if lo >= finished * engine.LEAF:
                raise KeyboardInterrupt
            return work(lo, *rest)

        return until

    monkeypatch.setattr(engine, "lane_worker", interrupted_at_a_leaf)
    with pytest.raises(engine.Interrupted) as stop:
        engine.run_moments(moments_job(5 * engine.LEAF), threads=1)
    monkeypatch.undo()
    assert (stop.value.values[:, 0] == finished * engine.LEAF).all()
    assert stop.value.marks.size == 0
    if finished:
        whole, _ = engine.run_moments(moments_job(finished * engine.LEAF), threads=1)
        np.testing.assert_array_equal(stop.value.values, whole)


def test_a_leaf_that_was_stopped_halfway_is_not_in_the_moments(monkeypatch):
    def stopped(job, moments):
        def work(lo, hi, acc, column, stop, progress):
            if lo == 0:
                raise KeyboardInterrupt
            while not stop:
                time.sleep(0.01)
            acc += 1.0
            return np.zeros(hi - lo)

        return work

    monkeypatch.setattr(engine, "lane_worker", stopped)
    with pytest.raises(engine.Interrupted) as stop:
        engine.run_moments(moments_job(2 * engine.LEAF), threads=2)
    assert not stop.value.values.any()


def test_progress_counts_every_path_step():
    told = []

    class Bar:
        def update(self, n):
            told.append(n)

    program = step_program(ss.models.geometric_brownian_motion(), ss.schemes.euler_maruyama)
    job = engine.Job(
        program, np.array([0.1, 0.2, 0.0]), (1, 2), np.linspace(0.0, 1.0, 8), 3000,
        lambda lo, hi: np.ones((1, hi - lo)), np.array([7]),
    )  # fmt: skip
    for executor in ("lanes", "arrays"):
        told.clear()
        engine.run_states(job, executor=executor, threads=2, progress=Bar())
        assert sum(told) == 3000 * 7


def test_small_runs_are_not_compiled(tmp_path):
    script = (
        "import stochsim as ss\nfrom stochsim.codegen import cache\n"
        "for n in (10, 20_000_000):\n"
        "    p = __import__('stochsim.steps', fromlist=['x']).step_program(\n"
        "        ss.models.geometric_brownian_motion(), ss.schemes.milstein)\n"
        "    print(__import__('stochsim.engine', fromlist=['x']).choose_executor(p, n, 'auto'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True,
        env=os.environ | {"STOCHSIM_CACHE_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.split() == ["arrays", "lanes"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
