"""Diffusion sampling with exact scores: processes, grids, exact laws, and samplers with their certificates."""

from stochsim.diffusion import exact, grids, samplers
from stochsim.diffusion._certify import Certificate, certificates, certify, certify_all
from stochsim.diffusion._sample import sample
from stochsim.diffusion.augmented import CriticallyDampedLangevin, PFGMpp
from stochsim.diffusion.model import Model
from stochsim.diffusion.processes import EDM, VE, VP, Flow, MeanReverting, SubVP
from stochsim.diffusion.record import REGISTRY, Sampler, sampler

__all__ = [
    "EDM",
    "REGISTRY",
    "VE",
    "VP",
    "Certificate",
    "CriticallyDampedLangevin",
    "Flow",
    "MeanReverting",
    "Model",
    "PFGMpp",
    "Sampler",
    "SubVP",
    "certificates",
    "certify",
    "certify_all",
    "exact",
    "grids",
    "sample",
    "sampler",
    "samplers",
]
