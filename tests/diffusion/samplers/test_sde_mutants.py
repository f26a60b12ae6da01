"""Wrong published formulas: `certify`'s evidence must flag each; the right ones are confirmed in test_sde_orders."""

import pytest

from stochsim.diffusion import _problems
from stochsim.diffusion._evidence import Evidence
from stochsim.diffusion.mutants_sde import MUTANTS
from stochsim.laws import exact_law

STEPS = tuple(2**k for k in range(6, 11))
TRUE_ORDERS = {
    "er_sde_2_sum": 1.0,
    "er_sde_3_sum": 1.0,
    "er_sde_3_backward": 2.0,
    "sde_3m_without_two": 2.0,
    "dpm_pp_sde_two_paths": 1.0,
    "flow_with_noise": 0.0,
    "corrector_of_fixed_snr": 0.0,
    "sa_3_cold": 2.0,
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_wrong_published_formulas_are_flagged(mutant):
    """The order of the law on N(1, 0.25), up to 1024 steps, is below the claim, and is the one that theory gives."""
    process = _problems.default_process(mutant)
    family = _problems.family(mutant, process)
    errors = tuple(exact_law(mutant, _problems.gaussian(), process, family(n)).w2 for n in STEPS)
    found = Evidence("N(1, 0.25)", "law", mutant.law_order, STEPS, errors)
    assert found.verdict in ("lower", "pre-asymptotic"), found
    assert abs(found.order - TRUE_ORDERS[mutant.name]) < 0.15, found


def test_every_mutant_has_its_true_order_written_down():
    assert {m.name for m in MUTANTS} == set(TRUE_ORDERS)
