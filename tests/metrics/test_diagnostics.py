"""Diagnostics of chains: exact autocorrelation times, shifted chains, and ArviZ's names."""

import numpy as np
import pytest
import xarray as xr

from stochsim.errors import ParameterError
from stochsim.metrics import autocorrelation_time, ess, mcse, rhat, to_arviz


def autoregression(a: float, n_chains: int, n_draws: int, seed: int = 0) -> np.ndarray:
    """Stationary chains x' = a x + sqrt(1 - a²) noise, of variance one."""
    noise = np.random.default_rng(seed).standard_normal((n_chains, n_draws))
    x = np.empty_like(noise)
    x[:, 0] = noise[:, 0]
    for t in range(1, n_draws):
        x[:, t] = a * x[:, t - 1] + np.sqrt(1 - a * a) * noise[:, t]
    return x


@pytest.mark.parametrize("a", [-0.5, 0.0, 0.5, 0.9])
def test_autocorrelation_time_of_an_autoregression(a: float) -> None:
    # 40 chains of 5000 draws: the relative sd of the estimate is below 3 %
    x = autoregression(a, 40, 5000)
    exact = (1 + a) / (1 - a)
    assert autocorrelation_time(x) == pytest.approx(exact, rel=0.15)
    for kind in ("bulk", "mean"):
        assert ess(x, kind) == pytest.approx(x.size / exact, rel=0.15)
    assert mcse(x) == pytest.approx(np.sqrt(exact / x.size), rel=0.1)


def test_tail_size_of_independent_draws_is_their_number() -> None:
    x = autoregression(0.0, 10, 2000)
    assert ess(x, "tail") == pytest.approx(x.size, rel=0.1)
    assert ess(autoregression(0.9, 10, 2000), "tail") < 0.4 * x.size


def test_rhat_of_chains_of_one_law_is_one() -> None:
    assert rhat(autoregression(0.5, 8, 4000)) == pytest.approx(1.0, abs=0.01)


def test_rhat_of_shifted_chains() -> None:
    # split into 16 halves with means +1/2 and -1/2 and W = 1: R² = 1 + (16/15)/4, up to the normalisation of ranks
    x = autoregression(0.0, 8, 1000)
    x[:4] += 1.0
    exact = np.sqrt(1 + 0.25 * 16 / 15)
    assert rhat(x) == pytest.approx(exact, abs=0.03)


def test_rhat_sees_a_wrong_scale_of_one_chain() -> None:
    x = autoregression(0.0, 4, 2000)
    x[0] *= 3
    assert rhat(x) > 1.1


def test_components_are_judged_one_by_one() -> None:
    x = np.stack([autoregression(a, 4, 1000, seed) for seed, a in enumerate((0.0, 0.8))], axis=-1)
    found = ess(x)
    assert isinstance(found, np.ndarray)
    assert found.shape == (2,)
    assert found[0] == pytest.approx(ess(x[..., 0]))
    assert found[1] < found[0] / 3


def test_a_component_that_never_moved_has_no_rhat() -> None:
    assert np.isnan(rhat(np.ones((4, 100))))


def test_data_arrays_are_read_by_their_dimensions() -> None:
    x = autoregression(0.5, 4, 100)
    assert ess(xr.DataArray(x.T, dims=("draw", "chain"))) == ess(x)


def chain() -> xr.Dataset:
    x = autoregression(0.0, 4, 50)
    return xr.Dataset(
        {
            "x": (("draw", "chain", "component"), np.stack([x.T, x.T], axis=-1)),
            "log_prob": (("chain", "draw"), -x * x),
            "accept_prob": (("chain", "draw"), np.ones_like(x)),
            "n_leapfrog": (("chain", "draw"), np.full(x.shape, 7)),
            "step_size": (("chain",), np.full(4, 0.1)),
        },
        attrs={"sampler": "HMC", "seed": "7"},
    )


def test_arviz_finds_its_names() -> None:
    tree = to_arviz(chain())
    assert set(tree.children) == {"posterior", "sample_stats"}
    assert set(tree["sample_stats"].data_vars) == {"lp", "acceptance_rate", "n_steps", "step_size"}
    assert tree["posterior"]["x"].dims == ("chain", "draw", "component")
    assert tree["posterior"].attrs == {"sampler": "HMC", "seed": "7", "inference_library": "stochsim"}


def test_chains_without_statistics_have_one_group() -> None:
    assert set(to_arviz(chain()[["x"]]).children) == {"posterior"}


def test_bad_input_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"shape \(10,\)"):
        ess(np.zeros(10))
    with pytest.raises(ParameterError, match="4 draws or more"):
        rhat(np.zeros((4, 3)))
    x = autoregression(0.0, 4, 10)
    x[2, 5] = np.inf
    with pytest.raises(ParameterError, match="1 of 4 chains"):
        mcse(x)
    with pytest.raises(ParameterError, match="kind='fast'"):
        ess(np.zeros((4, 10)), "fast")
    with pytest.raises(ParameterError, match="kind='mode'"):
        mcse(np.zeros((4, 10)), "mode")
    with pytest.raises(ParameterError, match="dimensions here: path"):
        to_arviz(xr.Dataset({"x": ("path", np.zeros(3))}))
