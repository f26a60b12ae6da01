"""Claim: figures of densities and samplers show what they are given, and refuse what they cannot draw."""

from pathlib import Path

import numpy as np
import pytest

import stochsim as ss
from stochsim.errors import ParameterError

TARGET = ss.densities.GaussianMixture([0.4, 0.6], [[-1.0, 0.0], [1.0, 0.5]], 0.3)


@pytest.fixture
def chains() -> object:
    return ss.mcmc.sample(TARGET, ss.mcmc.MALA(0.3), n_chains=4, n_steps=50, seed=1)


def test_contours_cover_four_standard_deviations() -> None:
    ax = ss.plot.contours(TARGET)
    width = 4.0 * np.sqrt(TARGET.covariance[0, 0])
    assert ax.get_xlim() == pytest.approx((TARGET.mean[0] - width, TARGET.mean[0] + width))
    assert len(ax.collections) == 1


def test_contours_need_two_components() -> None:
    with pytest.raises(ParameterError, match="3 components"):
        ss.plot.contours(ss.densities.Gaussian(np.zeros(3)))


def test_trajectories_are_those_of_the_first_chains(chains: object) -> None:
    ax = ss.plot.trajectories(TARGET, chains, n=2)
    drawn = [line for line in ax.lines if line.get_linestyle() == "-"]
    assert len(drawn) == 2
    np.testing.assert_array_equal(drawn[1].get_xydata(), chains.x.values[1])  # type: ignore[attr-defined]


def test_end_points_are_no_trajectory() -> None:
    ends = ss.mcmc.sample(TARGET, ss.mcmc.MALA(0.3), n_chains=4, n_steps=5, seed=1, save="final").isel(
        draw=0, drop=True
    )
    with pytest.raises(ParameterError, match="end points only"):
        ss.plot.trajectories(TARGET, ends)


def test_marginals_have_the_exact_law_in_black(chains: object) -> None:
    axes = ss.plot.marginals(TARGET, chains)
    assert len(axes) == 2
    (line,) = axes[1].lines
    x, y = line.get_xydata().T
    np.testing.assert_allclose(y, np.exp(TARGET.marginal([1]).log_prob(x[:, None])))
    assert line.get_color() == "black"


def test_phase_portraits_follow_the_integrator() -> None:
    density = ss.densities.Gaussian(0.0)
    integrator = ss.mcmc.integrators.LEAPFROG

    def step(q: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return integrator.step(density.target.score, lambda p: p, q, p, density.target.score(q), 0.3)[:2]

    ax = ss.plot.phase_portrait(density, {"leapfrog": step}, start=(1.0, 0.0), n_steps=40)
    q, p = ax.lines[0].get_xydata().T
    np.testing.assert_allclose(0.5 * p**2 + 0.5 * (1 - 0.3**2 / 4) * q**2, 0.5 * (1 - 0.3**2 / 4), atol=1e-12)


def test_errors_have_dashed_slopes() -> None:
    h = 2.0 ** -np.arange(1, 6)
    ax = ss.plot.errors({"a": (h, h**2), "b": (h, 0.1 * h)}, orders={"a": 2.0})
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert len(dashed) == 1
    np.testing.assert_allclose(dashed[0].get_ydata(), h**2)
    with pytest.raises(ParameterError, match="no positive error"):
        ss.plot.errors({"a": (h, 0.0 * h)})
    with pytest.raises(ParameterError, match="at least one"):
        ss.plot.errors({})


def test_films_are_saved(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).normal(size=(3, 20, 2))
    film = ss.plot.animate(frames, TARGET, titles=["a", "b", "c"], tail=2)
    film.save(tmp_path / "film.gif", writer="pillow")
    assert (tmp_path / "film.gif").stat().st_size > 5_000
    with pytest.raises(ParameterError, match=r"\(frames, n, 2\)"):
        ss.plot.animate(frames[0])


@pytest.fixture(autouse=True)
def _closed() -> object:
    yield
    from matplotlib import pyplot as plt

    plt.close("all")
