"""Orders of the law of stochastic samplers on N(1, 0.25), by exact propagation: no Monte Carlo."""

import numpy as np
import pytest

from stochsim.diffusion import REGISTRY, _problems
from stochsim.diffusion._evidence import Evidence
from stochsim.laws import exact_law

SHORT = tuple(2**k for k in range(4, 9))
LONG = tuple(2**k for k in range(6, 11))  # multistep samplers settle late
PHASE = tuple(2**k for k in range(3, 8))
SDE = [
    r.with_options(**o)
    for r in REGISTRY.values()
    if r.kind == "sde" and r.control == "grid" and r.law_order not in (None, np.inf)
    for o in r.variants
    if o.get("variance") != "exact"
]


def law_order(record, measure="w2"):
    """What the errors of the law at the end say of the claim."""
    process = _problems.default_process(record)
    family = _problems.family(record, process)
    counts = LONG if record.history else PHASE if record.space == "phase" else SHORT
    errors = [getattr(exact_law(record, _problems.gaussian(), process, family(n)), measure) for n in counts]
    return Evidence("N(1, 0.25)", "law", record.law_order, counts, tuple(errors))


@pytest.mark.parametrize("record", SDE, ids=lambda r: r.label)
def test_the_order_of_the_law_is_the_declared_one_within_0_05(record):
    found = law_order(record)
    assert found.verdict == "confirmed", found


@pytest.mark.parametrize("name", ["euler_maruyama", "stochastic_heun"])
@pytest.mark.parametrize("measure", ["mean_error", "cov_error"])
def test_mean_and_covariance_have_it_too_where_the_mean_is_not_exact(name, measure):
    found = law_order(REGISTRY[name], measure)
    assert found.verdict == "confirmed", found


@pytest.mark.parametrize("record", [r for r in SDE if r.parametrisation != "score"], ids=lambda r: r.label)
def test_the_mean_of_a_gaussian_is_exact_for_exponential_integrators(record):
    process = _problems.default_process(record)
    law = exact_law(record, _problems.gaussian(), process, _problems.family(record, process)(9))
    assert law.mean_error < 1e-13, law
