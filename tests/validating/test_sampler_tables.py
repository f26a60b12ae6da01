"""The tables of samplers: what records claim, beside what was measured; the page of the documentation is in step."""

from pathlib import Path

import pytest

from stochsim import diffusion, mcmc
from stochsim.report import CheckRow, OrderRow, Row, diffusion_table, mcmc_table
from stochsim.report.tables import readme_table, table_faults

PAGE = Path(__file__).resolve().parents[2] / "docs" / "samplers.md"
MARKERS = {name: (f"<!-- {name}:begin -->", f"<!-- {name}:end -->") for name in ("mcmc", "diffusion")}
MAKERS = {"mcmc": mcmc_table, "diffusion": diffusion_table}


def order(family: str, kind: str, scheme: str, value: float | None, verdict: str = "confirmed") -> OrderRow:
    return OrderRow(
        family=family, kind=kind, scheme=scheme, problem="p", method="m", noise="", declared=2.0, order=value,
        verdict=verdict, explanation="",
    )  # fmt: skip


def cells(table: str, name: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"| `{name}` |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_sampler_has_a_line() -> None:
    assert len(mcmc_table().splitlines()) == 2 + len(mcmc.REGISTRY)
    assert len(diffusion_table().splitlines()) == 2 + sum(len(r.variants) for r in diffusion.REGISTRY.values())


def test_measured_orders_and_checks_of_chains() -> None:
    check = CheckRow(
        family="mcmc", kind="exact", scheme="BAOAB", problem="Gaussian", holds=True, value=2e-14, threshold=1e-10,
        control="c", control_fails=True, explanation="",
    )  # fmt: skip
    rows: list[Row] = [order("mcmc", "bias", "BAOAB", 1.99), order("mcmc", "bias", "BAOAB", None, "exact"), check]
    assert cells(mcmc_table(rows), "BAOAB")[5] == "bias 1.99, bias none on Gaussians, marginal to 2e-14"
    rows = [order("mcmc", "bias", "UnadjustedHMC", 2.0), order("mcmc", "bias", "UnadjustedHMC(yoshida)", 3.98)]
    assert cells(mcmc_table(rows), "UnadjustedHMC")[5] == "bias 2.00 to 3.98"
    assert cells(mcmc_table(), "BAOAB")[5] == "–"


def test_measured_orders_of_diffusion_samplers() -> None:
    rows = [order("diffusion", "path", "ddim", 0.98), order("diffusion", "path", "ddim", 1.01),
            order("diffusion", "law", "ddim", 1.0), order("mcmc", "law", "ddim", 7.0)]  # fmt: skip
    line = cells(diffusion_table(rows), "ddim")
    assert (line[4], line[6]) == ("0.98 to 1.01", "1.00")


@pytest.mark.parametrize("name", MAKERS)
def test_the_page_says_what_the_records_claim(name: str) -> None:
    assert table_faults(readme_table(PAGE.read_text("utf-8"), *MARKERS[name]), MAKERS[name]()) == []


@pytest.mark.parametrize("name", MAKERS)
def test_a_page_that_says_something_else_is_reported(name: str) -> None:
    """The negative control of the test above."""
    table = MAKERS[name]()
    first = table.splitlines()[2]
    assert table_faults(table.replace(first, first.replace("| 1 |", "| 9 |")), table)
    assert table_faults(table.replace(first + "\n", ""), table)[0].endswith("is missing")
