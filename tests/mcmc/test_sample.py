"""Claim: `sample` takes what users give, and refuses what cannot work in one sentence, before any compilation."""

import numpy as np
import pytest

import stochsim as ss
from stochsim.codegen import cache
from stochsim.errors import DivergenceError, ModelError, ParameterError
from stochsim.mcmc import HMC, MALA, ULA

TARGET = ss.densities.Gaussian([1.0, -1.0], [1.0, 4.0])


def test_the_dataset_says_what_it_holds() -> None:
    ds = ss.mcmc.sample(TARGET, HMC(0.5, 3), n_chains=20, n_steps=30, n_warmup=10, seed=3)
    assert ds.x.dims == ("chain", "draw", "component")
    assert ds.x.shape == (20, 30, 2)
    assert {"log_prob", "accept_prob", "energy", "diverging"} <= set(ds.data_vars)
    np.testing.assert_allclose(ds.log_prob, TARGET.log_prob(ds.x.values.reshape(-1, 2)).reshape(20, 30), rtol=1e-12)
    assert ds.attrs["seed"] == "3"
    assert ds.attrs["n_warmup"] == 10
    assert ds.attrs["n_diverging"] == 0


def test_datasets_survive_a_file(tmp_path: object) -> None:
    import xarray as xr

    ds = ss.mcmc.sample(TARGET, MALA(0.5), n_chains=3, n_steps=4, seed=1)
    ds.to_netcdf(f"{tmp_path}/chains.nc")
    with xr.open_dataset(f"{tmp_path}/chains.nc") as back:
        np.testing.assert_array_equal(back.x, ds.x)


@pytest.mark.parametrize("x0", [[0.5, 0.5], np.full((20, 2), 0.5), ss.densities.Gaussian([0.5, 0.5], 1e-12)], ids=type)
def test_chains_begin_where_they_are_told(x0: object) -> None:
    ds = ss.mcmc.sample(TARGET, ULA(1e-9), n_chains=20, n_steps=1, seed=3, x0=x0)
    np.testing.assert_allclose(ds.x, 0.5, atol=1e-3)


def test_starts_are_drawn_anew_for_every_seed() -> None:
    first, second = (ss.mcmc.sample(TARGET, ULA(1e-9), n_chains=20, n_steps=1, seed=s).x.values for s in (1, 2))
    assert not np.isclose(first, second).any()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ss.mcmc.sample(TARGET, HMC), ParameterError, r"the class HMC.*HMC\(\.\.\.\)"),
        (lambda: ss.mcmc.sample(TARGET, "hmc"), ParameterError, "one of ss.mcmc"),
        (lambda: ss.mcmc.sample(lambda x: -x, MALA(0.1)), ParameterError, "from_log_prob"),
        (lambda: ss.mcmc.sample(TARGET, MALA(0.1), save="all"), ParameterError, "draws, final, moments"),
        (lambda: ss.mcmc.sample(TARGET, MALA(0.1), n_chains=0), ParameterError, "n_chains is 0"),
        (lambda: ss.mcmc.sample(TARGET, MALA(0.1), x0=np.zeros(3)), ParameterError, r"shape \(3,\); give \(2,\)"),
        (lambda: ss.mcmc.sample(TARGET, MALA(0.1), x0=[np.nan, 0.0]), ParameterError, "not finite"),
        (lambda: ss.mcmc.sample(TARGET, MALA(0.1), x0=[1e200, 0.0]), ParameterError, "start of 4 of 4 chains"),
        (lambda: MALA(0.0), ParameterError, "step_size is 0.0"),
        (lambda: HMC(0.1, 0), ParameterError, "n_leapfrog is 0"),
        (lambda: HMC(0.1, 3, metric=[[1.0, 2.0], [2.0, 1.0]]), ModelError, "smallest eigenvalue is -1"),
        (lambda: HMC(0.1, 3, metric=[1.0, -1.0]), ModelError, "smallest eigenvalue is -1"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(call: object, error: type, words: str) -> None:
    before = cache.compiled_count
    with pytest.raises(error, match=words):
        call()  # type: ignore[operator]
    assert cache.compiled_count == before


def test_chains_that_leave_the_finite_numbers_are_counted() -> None:
    with pytest.raises(DivergenceError, match="8 of 8 chains of ULA") as caught:
        ss.mcmc.sample(TARGET, ULA(50.0), n_chains=8, n_steps=400, seed=1)
    assert caught.value.n_diverged == 8
    ds = ss.mcmc.sample(TARGET, ULA(50.0), n_chains=8, n_steps=400, seed=1, allow_divergence=True, save="final")
    assert not np.isfinite(ds.x).any()
