"""Sampling: the same bits however the work is cut, the right law, sentences for what cannot be."""

from typing import Any

import numpy as np
import pytest

from stochsim.densities import Gaussian, GaussianMixture
from stochsim.diffusion import EDM, VP, Flow, MeanReverting, PFGMpp, sample, samplers
from stochsim.errors import DivergenceError, ParameterError, SchemeError
from stochsim.metrics import ks_test

MIXTURE = GaussianMixture([0.3, 0.7], [[-2.0, 0.0], [1.0, 1.0]], [0.1, 0.3])
LINE = GaussianMixture([0.3, 0.7], [-2.0, 1.0], [0.1, 0.5])


def states(**given: Any) -> np.ndarray:
    given = {"n_steps": 12, "n_particles": 700, "seed": 3, **given}
    return sample(MIXTURE, given.pop("sampler", "EM"), given.pop("process", VP()), **given).x.values


@pytest.mark.parametrize("process", [VP(), EDM(), PFGMpp(8.0)], ids=lambda p: type(p).__name__)
def test_chunks_and_threads_change_no_bit(process: Any) -> None:
    sampler = "ddim" if isinstance(process, PFGMpp) else "EM"
    whole = states(process=process, sampler=sampler, threads=1)
    np.testing.assert_array_equal(states(process=process, sampler=sampler, chunk=97, threads=3), whole)
    np.testing.assert_array_equal(states(process=process, sampler=sampler, n_particles=50), whole[:50])


def test_another_seed_gives_other_particles() -> None:
    assert not np.array_equal(states(seed=4), states())


def test_the_result_says_how_it_was_made() -> None:
    result = sample(MIXTURE, samplers.heun, VP(), n_steps=10, n_particles=5, seed=7)
    assert result.x.dims == ("particle", "component")
    expected = {"sampler": "heun", "nfe": 20, "n_steps": 10, "seed": "7", "t_start": 1.0, "t_stop": 1e-3}
    assert expected.items() <= result.attrs.items()


def test_trajectories_hold_all_times_and_end_in_the_result() -> None:
    result = sample(MIXTURE, "DDIM", VP(), n_steps=6, n_particles=30, seed=1, return_trajectory=True, chunk=11)
    assert result.x.dims == ("particle", "time", "component")
    assert result.time.values[[0, -1]].tolist() == [1.0, 1e-3]
    end = sample(MIXTURE, "DDIM", VP(), n_steps=6, n_particles=30, seed=1).x.values
    np.testing.assert_array_equal(result.x.isel(time=-1).values, end)


@pytest.mark.parametrize("wrong", [False, True])
def test_many_steps_give_the_law_of_the_data(wrong: bool) -> None:
    """Kolmogorov-Smirnov at a false-alarm rate of 1e-4; four steps of DDIM, a wrong law, must fail."""
    sampler, steps = ("ddim", 4) if wrong else ("dpm_solver_3", 40)
    p = VP()
    grid = p.t_of_lam(np.linspace(p.lam(1.0), 5.0, steps + 1))
    x = sample(LINE, sampler, p, grid=grid, n_particles=20_000, seed=5).x.values
    assert ks_test(x, p.noised(LINE, float(grid[-1])), false_alarm=1e-4).passed != wrong


def test_first_states_have_the_law_of_the_noised_data() -> None:
    """At a false-alarm rate of 1e-4 for each component."""
    x = sample(MIXTURE, "ddim", VP(), grid=[0.3, 0.29], n_particles=20_000, seed=2, return_trajectory=True).x.values
    assert ks_test(x[:, 0], VP().noised(MIXTURE, 0.3), false_alarm=1e-4).passed


def test_the_prior_forgets_the_data() -> None:
    g = Gaussian([50.0], [0.25])
    starts = [sample(g, "ddim", VP(), grid=[0.5, 0.4], n_particles=400, seed=0, start=s, return_trajectory=True)
              for s in ("exact", "prior")]  # fmt: skip
    exact, prior = (s.x.values[:, 0, 0] for s in starts)
    assert exact.mean() > 10.0
    assert abs(prior.mean()) < 5.0 / 20.0  # five standard errors: false alarms below 1e-6


def test_states_given_are_the_first_ones() -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    got = sample(MIXTURE, "ddim", VP(), grid=[0.5, 0.3], n_particles=40, start=x, return_trajectory=True)
    np.testing.assert_array_equal(got.x.values[:, 0], x)


def test_encoding_and_decoding_return_the_data() -> None:
    x = MIXTURE.sample(50, seed=0)
    grid = np.linspace(1.0, 1e-2, 800)
    noise = sample(MIXTURE, "dpm_solver_3", VP(), grid=grid[::-1], n_particles=50, start=x).x.values
    back = sample(MIXTURE, "dpm_solver_3", VP(), grid=grid, n_particles=50, start=noise).x.values
    np.testing.assert_allclose(back, x, atol=1e-6)


def test_a_mean_reverting_process_gathers_about_its_centre() -> None:
    p = MeanReverting(np.array([30.0, -30.0]), 0.5)
    result = sample(MIXTURE, "ddim", p, n_steps=30, n_particles=2000, seed=0, return_trajectory=True).x.values
    np.testing.assert_allclose(result[:, 0].mean(axis=0), [30.0, -30.0], atol=0.3)
    np.testing.assert_allclose(result[:, -1].mean(axis=0), MIXTURE.mean, atol=0.3)


def test_flows_start_from_pure_noise() -> None:
    x = sample(LINE, "euler", Flow(), n_steps=200, n_particles=20_000, seed=1).x.values
    assert abs(x.mean() - LINE.mean[0]) < 0.06  # five standard errors and the bias of 200 steps


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n_steps": None}, "give one of n_steps"),
        ({"n_steps": 4, "grid": [1.0, 0.1]}, "give one of n_steps"),
        ({"n_steps": None, "grid": [0.5, 0.5, 0.1]}, "repeats a time between places 0 and 1"),
        ({"n_steps": None, "nfe": 1, "sampler": "heun"}, "nfe is 1; heun needs 2 for one step"),
        ({"n_steps": 0}, "n_steps is 0"),
        ({"n_particles": 0}, "n_particles is 0"),
        ({"start": "noise"}, "start is 'noise'"),
        ({"start": np.zeros((3, 2))}, r"give states of shape \(700, 2\)"),
        ({"backend": "torch"}, "backend is 'torch'; give 'numpy' or 'cupy'"),
        ({"sampler": "DDIMM"}, "no sampler is called 'DDIMM'; there are"),
    ],
)
def test_bad_input_gets_a_sentence(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        states(**given)


def test_a_budget_buys_whole_steps() -> None:
    assert sample(MIXTURE, "heun", VP(), nfe=11, n_particles=2, seed=0).attrs["n_steps"] == 5


def test_without_cupy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cupy", None)
    with pytest.raises(ParameterError, match=r"pip install 'stochsim\[gpu\]'"):
        states(backend="cupy")


def test_an_unknown_option_is_refused_and_those_known_are_named() -> None:
    with pytest.raises(SchemeError, match=r"unipc has no option ordre; it has .*order"):
        samplers.unipc.with_options(ordre=3)


def test_particles_that_blow_up_are_reported() -> None:
    with pytest.raises(DivergenceError, match="of 700 particles are not finite"):
        states(score=lambda x, t: 1e300 * x**3)
