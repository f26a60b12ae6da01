"""Distances between laws, diagnostics of chains, and checks of samplers at a stated false-alarm rate.

Samples are arrays (n, d). Distances return numbers; tests return a `Check` that says its statistic, threshold,
p-value, verdict and false-alarm rate.
"""

from stochsim.metrics._degenerate import KernelDiscrepancy
from stochsim.metrics.check import Check
from stochsim.metrics.diagnostics import autocorrelation_time, ess, mcse, rhat, to_arviz
from stochsim.metrics.embeddings import mmd
from stochsim.metrics.gaussians import kl_gaussian, wasserstein2_gaussian
from stochsim.metrics.goodness import ModeWeights, ks_test, mode_weights
from stochsim.metrics.invariance import invariance_test
from stochsim.metrics.joint_tests import geweke_joint_test, simulation_based_calibration
from stochsim.metrics.pairwise import energy_distance
from stochsim.metrics.stein import kernel_stein_discrepancy
from stochsim.metrics.transport import sliced_wasserstein2, wasserstein1d
from stochsim.metrics.work import ShadowWork, shadow_work

__all__ = [
    "Check",
    "KernelDiscrepancy",
    "ModeWeights",
    "ShadowWork",
    "autocorrelation_time",
    "energy_distance",
    "ess",
    "geweke_joint_test",
    "invariance_test",
    "kernel_stein_discrepancy",
    "kl_gaussian",
    "ks_test",
    "mcse",
    "mmd",
    "mode_weights",
    "rhat",
    "shadow_work",
    "simulation_based_calibration",
    "sliced_wasserstein2",
    "to_arviz",
    "wasserstein1d",
    "wasserstein2_gaussian",
]
