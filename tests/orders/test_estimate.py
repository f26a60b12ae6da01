"""The result object: what it says, what it stores, that it survives netCDF."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from stochsim.orders.digits import with_interval
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


def test_it_prints_as_two_lines(estimate: OrderEstimate) -> None:
    text = str(estimate)
    head, source = text.splitlines()
    assert head == (
        f"Strong order of milstein on gbm <test>: {estimate.order:.3f} ± {estimate.half_width:.3f}, "
        "1 declared: confirmed"
    )
    for part in ("coupled paths", "4096 paths", "9 levels", "the exact solution"):
        assert part in source
    assert repr([estimate]) == f"[{text}]"
    assert "array(" not in repr(estimate)


def test_a_verdict_that_needs_a_reason_gives_it(estimate: OrderEstimate) -> None:
    doubted = dataclasses.replace(estimate, verdict="pre-asymptotic", explanation="use smaller steps")
    assert str(doubted).splitlines()[1] == "  use smaller steps"


def test_without_a_declaration_or_an_order_it_says_so(estimate: OrderEstimate) -> None:
    assert "none declared" in str(dataclasses.replace(estimate, declared=None))
    assert ": no order" in str(dataclasses.replace(estimate, order=math.nan))


@pytest.mark.parametrize(
    ("value", "half_width", "text"),
    [
        (0.5094, 0.0187, "0.509 ± 0.019"),
        (0.5, 0.0005, "0.500 ± 0.001"),
        (0.5, 4.9e-4, "0.500 (±5e-4)"),
        (0.49999, 1e-4, "0.5000 (±1e-4)"),
        (1.0000012, 2.8e-6, "1.00000 (±3e-6)"),
        (1.0, 1e-12, "1.000000 (±1e-12)"),
        (1.0, 0.0, "1 (±0)"),
    ],
)
def test_numbers_have_the_digits_of_their_interval(value: float, half_width: float, text: str) -> None:
    assert with_interval(value, half_width) == text


def test_a_noise_free_estimate_mentions_no_paths_and_shows_its_digits(estimate: OrderEstimate) -> None:
    exact = dataclasses.replace(estimate, n_paths=0, order=0.5, ci=(0.499999, 0.500001), statistical=0.0, model=1e-6)
    assert "0.500000 (±1e-6), 1 declared" in str(exact)
    assert "± 0.000" not in str(exact) + exact._repr_html_()
    assert "4096" not in str(exact)


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
