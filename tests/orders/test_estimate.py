"""The result object: what it says, what it stores, that it survives netCDF."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from stochsim.orders.estimate import OrderEstimate
from stochsim.orders.estimators import ErrorSums, Fit, fit_order
from stochsim.orders.limits import LimitSums, limit_test
from stochsim.orders.verdicts import decide

H = 2.0 ** -np.arange(3, 12)


@pytest.fixture(scope="module")
def fit() -> Fit:
    z = np.random.default_rng(0).standard_normal((9, 4096))
    return fit_order(ErrorSums.of(H, H[:, None] * np.exp(0.3 * z)), "C")


@pytest.fixture(scope="module")
def estimate(fit: Fit) -> OrderEstimate:
    return OrderEstimate.from_fit(
        fit,
        decide(fit, declared=1.0),
        kind="strong",
        declared=1.0,
        method="coupled paths",
        reference="the exact solution",
        problem="gbm <test>",
        scheme="milstein",
        seconds=0.25,
        extra={"seed": 7},
    )


def test_the_numbers_are_those_of_the_fit(fit: Fit, estimate: OrderEstimate) -> None:
    assert (estimate.order, estimate.ci) == (fit.order, fit.ci)
    assert estimate.half_width == pytest.approx(fit.half_width)
    assert estimate.statistical + estimate.model <= estimate.half_width + 1e-12
    np.testing.assert_array_equal(estimate.errors_se, fit.errors_se)
    assert estimate.extra["basis"] == "C"
    assert estimate.extra["seed"] == 7


def test_it_prints_as_one_paragraph(estimate: OrderEstimate) -> None:
    text = str(estimate)
    assert "\n" not in text
    assert text.startswith(f"Strong order of milstein on gbm <test>: {estimate.order:.3f} ± {estimate.half_width:.3f}")
    for part in ("1 declared", estimate.verdict, "4096 paths", "9 levels", "the exact solution", "statistical"):
        assert part in text


def test_without_a_declaration_or_an_order_it_says_so(estimate: OrderEstimate) -> None:
    assert "none declared" in str(dataclasses.replace(estimate, declared=None))
    assert ": no order" in str(dataclasses.replace(estimate, order=math.nan))


def test_a_noise_free_estimate_mentions_no_paths_and_shows_its_digits(estimate: OrderEstimate) -> None:
    exact = dataclasses.replace(estimate, n_paths=0, order=0.5, ci=(0.4999, 0.5001), statistical=0.0, model=1e-4)
    assert "0.50000 ± 0.00010" in str(exact)
    assert "paths," not in str(exact)


def test_html_is_escaped(estimate: OrderEstimate) -> None:
    html = estimate._repr_html_()
    assert "gbm &lt;test&gt;" in html
    assert "<caption>strong order</caption>" in html


def test_the_dataset_survives_netcdf(estimate: OrderEstimate, tmp_path: Path) -> None:
    z = np.random.default_rng(0).standard_normal((1, 500))
    limit = limit_test(LimitSums.of(H, H[:, None, None] * np.abs(z)[None], z), 1.0)
    dataset = dataclasses.replace(estimate, limit=limit, declared=None).to_xarray()
    dataset.to_netcdf(tmp_path / "order.nc", engine="scipy")
    with xr.open_dataset(tmp_path / "order.nc", engine="scipy") as stored:
        np.testing.assert_array_equal(stored.error, estimate.errors)
        np.testing.assert_array_equal(stored.h, H)
        assert stored.local_order.shape == (8,)
        assert stored.attrs["verdict"] == estimate.verdict
        assert math.isnan(stored.attrs["declared"])
        assert "standard errors" in stored.attrs["limit"]
