"""What a validation measured, kept row by row, and shown as lines, tables, figures and a page."""

from stochsim.report.page import write_page
from stochsim.report.rows import CheckRow, ClaimRow, MutantRow, OrderRow, Row, RunFacts, StabilityRow
from stochsim.report.sampler_tables import diffusion_table, mcmc_table
from stochsim.report.store import Store, read_run
from stochsim.report.tables import method_table

__all__ = [
    "CheckRow",
    "ClaimRow",
    "MutantRow",
    "OrderRow",
    "Row",
    "RunFacts",
    "StabilityRow",
    "Store",
    "diffusion_table",
    "mcmc_table",
    "method_table",
    "read_run",
    "write_page",
]
