"""Claims of `simulate`: the same bits by every route, saving, sweeping, continuing, and refusing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import stochsim as ss
from stochsim import engine
from tests.problems import gbm, non_commuting, rotation, stratonovich_gbm, two_noises

S = ss.schemes
SMALL: dict[str, Any] = {"t_end": 1.0, "n_steps": 12, "seed": 7, "executor": "arrays"}

FITTING = [
    (gbm, S.euler_maruyama),
    (gbm, S.milstein),
    (gbm, S.platen),
    (gbm, S.tamed_euler),
    (gbm, S.drift_implicit_euler),
    (gbm, S.exact),
    (stratonovich_gbm, S.euler_heun),
    (stratonovich_gbm, S.stratonovich_heun),
    (two_noises, S.milstein),
    (rotation, S.drift_implicit_euler),
]


@pytest.mark.parametrize(("problem", "scheme"), FITTING, ids=lambda v: getattr(v, "name", getattr(v, "__name__", "")))
def test_kernels_and_arrays_return_the_same_bits(problem: Any, scheme: Any) -> None:
    sde = problem()
    runs = [
        ss.simulate(sde, scheme, t_end=1.0, n_steps=7, n_paths=300, seed=3, save="all", executor=e).x.values
        for e in ("lanes", "arrays")
    ]
    assert np.array_equal(*runs)


def test_one_path_alone_equals_that_path_in_a_batch() -> None:
    many = ss.simulate(gbm(), S.milstein, n_paths=700, **SMALL).x.values
    few = ss.simulate(gbm(), S.milstein, n_paths=3, **SMALL).x.values
    assert np.array_equal(many[:3], few)


def test_threads_and_leaves_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    one = ss.simulate(gbm(), S.milstein, n_paths=5000, threads=1, **SMALL).x.values
    monkeypatch.setattr(engine, "LEAF", 512)
    assert np.array_equal(one, ss.simulate(gbm(), S.milstein, n_paths=5000, threads=2, **SMALL).x.values)


def test_law_of_the_exact_scheme() -> None:
    # mean of log X_1: false-alarm rate 6e-5 (4 standard errors); the negative control shifts it by 2 %
    n = 20_000
    x = ss.simulate(gbm(), S.exact, t_end=1.0, n_steps=1, n_paths=n, seed=5, executor="arrays").x.values
    z = (np.log(x).mean() - (0.5 - 0.32)) / (0.8 / np.sqrt(n))
    assert abs(z) < 4
    assert abs((np.log(x).mean() * 1.0 + 0.03 - (0.5 - 0.32)) / (0.8 / np.sqrt(n))) > 4


def test_saving_all_times_and_chosen_times_agree_with_the_final_state() -> None:
    final = ss.simulate(gbm(), S.milstein, n_paths=5, **SMALL)
    every = ss.simulate(gbm(), S.milstein, n_paths=5, save="all", **SMALL)
    some = ss.simulate(gbm(), S.milstein, n_paths=5, save=[0.0, 0.5, 1.0], **SMALL)
    assert every.x.dims == ("path", "time")
    assert every.sizes["time"] == 13
    assert np.array_equal(every.x.values[:, -1], final.x.values)
    assert np.array_equal(some.x.values, every.x.values[:, [0, 6, 12]])
    assert np.array_equal(some.time.values, [0.0, 0.5, 1.0])


def test_moments_are_those_of_the_paths() -> None:
    sde = two_noises()
    paths = ss.simulate(sde, S.milstein, t_end=1.0, n_steps=4, n_paths=3000, seed=1, save="all").x.values
    moments = ss.simulate(sde, S.milstein, t_end=1.0, n_steps=4, n_paths=3000, seed=1, save="moments")
    np.testing.assert_allclose(moments.x_mean.values, paths.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.x_var.values, paths.var(axis=0, ddof=1), rtol=1e-10, atol=1e-15)
    for k in range(1, 5):
        np.testing.assert_allclose(moments.x_cov.values[k], np.cov(paths[:, k].T), rtol=1e-10)
    assert (moments["count"].values == 3000).all()


def test_swept_parameters_are_dimensions_and_share_the_noise() -> None:
    ds = ss.simulate(gbm(), S.milstein, n_paths=4, params={"sigma": [0.1, 0.8], "mu": [0.0, 0.5, 1.0]}, **SMALL)
    assert ds.x.dims == ("mu", "sigma", "path")
    alone = ss.simulate(gbm(mu=0.5, sigma=0.8), S.milstein, n_paths=4, **SMALL)
    assert np.array_equal(ds.x.sel(mu=0.5, sigma=0.8).values, alone.x.values)


def test_named_components_are_variables() -> None:
    sde = ss.SDE(lambda x, t, p: [x[1], -x[0]], lambda x, t, p: [0.1, 0.1], x0=[1.0, 0.0], components=("q", "v"))
    ds = ss.simulate(sde, S.euler_maruyama, n_paths=3, save="all", **SMALL)
    assert set(ds.data_vars) == {"q", "v"}


def test_observables_are_saved_beside_the_state() -> None:
    seen = {"square": lambda x: x**2, "shifted": lambda x, t: x + t}
    ds = ss.simulate(gbm(), S.milstein, n_paths=3, save="all", observables=seen, **SMALL)
    np.testing.assert_array_equal(ds.square.values, ds.x.values * ds.x.values)
    np.testing.assert_allclose(ds.shifted.values, ds.x.values + ds.time.values)


def test_saved_noise_reproduces_the_run() -> None:
    kept = ss.simulate(two_noises(), S.milstein, n_paths=5, save_noise=True, **SMALL)
    assert kept.dW.dims == ("path", "step", "noise")
    again = ss.simulate(two_noises(), S.milstein, n_paths=5, noise=kept.dW.values, **SMALL)
    plain = ss.simulate(two_noises(), S.milstein, n_paths=5, **SMALL)
    assert np.array_equal(kept.x.values, again.x.values)
    assert np.array_equal(kept.x.values, plain.x.values)


def test_antithetic_paths_use_negated_draws() -> None:
    ds = ss.simulate(gbm(mu=0.0, sigma=1.0), S.exact, n_paths=6, antithetic=True, **SMALL)
    logs = np.log(ds.x.values) + 0.5
    np.testing.assert_allclose(logs[:3], -logs[3:], atol=1e-12)


def test_a_continued_run_equals_one_run() -> None:
    t = np.linspace(0.0, 1.0, 10)
    options: dict[str, Any] = {"executor": "arrays"}
    whole = ss.simulate(gbm(), S.milstein, t=t, n_paths=5, seed=3, **options)
    first = ss.simulate(gbm(), S.milstein, t=t[:4], n_paths=5, seed=3, **options)
    assert np.array_equal(ss.simulate(gbm(), S.milstein, t=t[3:], x0=first, **options).x.values, whole.x.values)


def test_results_go_to_netcdf_and_back(tmp_path: Any) -> None:
    ds = ss.simulate(gbm(), S.milstein, n_paths=5, save="all", **SMALL)
    ds.to_netcdf(tmp_path / "run.nc", engine="scipy")
    with xr.open_dataset(tmp_path / "run.nc", engine="scipy") as back:
        assert np.array_equal(back.x.values, ds.x.values)
        assert back.attrs["seed"] == "7"


def test_explosion_is_an_error_with_the_first_time() -> None:
    sde = ss.SDE(lambda x, t, p: x**3, lambda x, t, p: x, x0=3.0)
    with pytest.raises(ss.errors.DivergenceError, match="tamed_euler") as caught:
        ss.simulate(sde, S.euler_maruyama, n_paths=10, **SMALL)
    assert caught.value.n_diverged == 10
    assert 0 < caught.value.first_time <= 1


def test_allowed_explosions_are_nan_and_counted_and_leave_neighbours_alone() -> None:
    sde = ss.SDE(lambda x, t, p: -(x**3), lambda x, t, p: 0.1 + 0 * x, x0=1.0)
    starts = np.array([[0.5], [400.0], [0.7]])
    ds = ss.simulate(sde, S.euler_maruyama, n_paths=3, x0=starts, allow_divergence=True, **SMALL)
    calm = ss.simulate(sde, S.euler_maruyama, n_paths=3, x0=np.array([[0.5], [0.6], [0.7]]), **SMALL)
    assert ds.attrs["n_diverged"] == 1
    assert np.isnan(ds.x.values[1])
    assert np.array_equal(ds.x.values[[0, 2]], calm.x.values[[0, 2]])


def test_untraced_functions_run_by_arrays() -> None:
    def drift(x: Any, t: Any, p: Any) -> Any:
        return -p.k * np.interp(x, [-2.0, 0.0, 2.0], [-2.0, 0.0, 2.0])

    sde = ss.SDE(drift, lambda x, t, p: 0.2 + 0 * x, params={"k": 1.0}, x0=0.5, trace=False)
    same = ss.SDE(lambda x, t, p: -p.k * x, lambda x, t, p: 0.2, params={"k": 1.0}, x0=0.5)
    a = ss.simulate(sde, S.euler_maruyama, t_end=1.0, n_steps=12, n_paths=50, seed=7)
    assert a.attrs["executor"] == "arrays"
    np.testing.assert_allclose(a.x, ss.simulate(same, S.euler_maruyama, n_paths=50, **SMALL).x, rtol=1e-12)
    with pytest.raises(ss.errors.TraceError, match="trace=False"):
        ss.simulate(sde, S.milstein, t_end=1.0, n_steps=12)


def test_seed_none_draws_one_and_records_it() -> None:
    ds = ss.simulate(gbm(), S.milstein, t_end=1.0, n_steps=4, n_paths=3, executor="arrays")
    seed = int(ds.attrs["seed"])
    again = ss.simulate(gbm(), S.milstein, t_end=1.0, n_steps=4, n_paths=3, seed=seed, executor="arrays")
    assert np.array_equal(ds.x.values, again.x.values)


BAD = [
    ({"n_paths": 0}, "n_paths is 0"),
    ({"n_paths": 2.5}, "whole number"),
    ({"n_steps": 0}, "n_steps is 0"),
    ({"t_end": 0.0}, "not after t0"),
    ({"t_end": float("nan")}, "finite"),
    ({"seed": 1.5}, "seed"),
    ({"seed": True}, "seed"),
    ({"save": "everything"}, "save is 'everything'"),
    ({"save": [0.123]}, "not a step time"),
    ({"x0": [1.0, 2.0, 3.0]}, "x0 has shape"),
    ({"x0": float("inf")}, "x0 has shape"),
    ({"params": {"sgima": 1.0}}, "did you mean 'sigma'"),
    ({"params": {"sigma": float("nan")}}, "finite"),
    ({"params": {"sigma": "big"}}, "give a number"),
    ({"params": {"sigma": np.eye(2)}}, "ss.fixed"),
    ({"antithetic": True, "n_paths": 3}, "even"),
    ({"executor": "gpu"}, "executor"),
    ({"noise": np.zeros((2, 2))}, "noise dW has shape"),
    ({"threads": 0}, "threads"),
]


@pytest.mark.parametrize(("change", "sentence"), BAD, ids=[str(list(b[0])) for b in BAD])
def test_bad_arguments_get_one_sentence(change: dict[str, Any], sentence: str) -> None:
    arguments: dict[str, Any] = {"t_end": 1.0, "n_steps": 4, "n_paths": 2, "seed": 1, "executor": "arrays"} | change
    with pytest.raises(ss.errors.ParameterError, match=sentence):
        ss.simulate(gbm(), S.milstein, **arguments)


def test_a_scheme_that_does_not_fit_names_those_that_do() -> None:
    with pytest.raises(ss.errors.SchemeError, match=r"commutative noise.*euler_maruyama"):
        ss.simulate(non_commuting(), S.milstein, t_end=1.0, n_steps=4)
    with pytest.raises(ss.errors.SchemeError, match=r"Stratonovich.*to_stratonovich"):
        ss.simulate(gbm(), S.euler_heun, t_end=1.0, n_steps=4)
    with pytest.raises(ss.errors.SchemeError, match="no exact solution"):
        ss.simulate(non_commuting(), S.exact, t_end=1.0, n_steps=4)
    with pytest.raises(ss.errors.SchemeError, match=r"ss\.schemes"):
        ss.simulate(gbm(), "milstein", t_end=1.0, n_steps=4)  # type: ignore[arg-type]


def test_a_time_dependent_closed_form_from_another_start_is_refused() -> None:
    sde = ss.SDE(
        lambda x, t, p: 2 * t + 0 * x,
        lambda x, t, p: 1.0 + 0 * x,
        x0=0.0,
        exact=lambda x0, t, W, p: x0 + t**2 + W,
        name="parabola",
    )
    assert np.isfinite(ss.simulate(sde, S.exact, n_paths=2, **SMALL).x.values).all()
    with pytest.raises(ss.errors.ParameterError, match="holds from t=0"):
        ss.simulate(sde, S.exact, t0=0.5, n_paths=2, **SMALL)
    with pytest.raises(ss.errors.ParameterError, match="holds from t=0"):
        ss.strong_order(sde, S.milstein, t0=0.5)
