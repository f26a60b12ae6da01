"""Diffusion sampling with exact scores: processes, grids, exact laws, and samplers with their certificates."""

from stochsim.diffusion import exact, grids, samplers
from stochsim.diffusion._certify import Certificate, certificates, certify, certify_all
from stochsim.diffusion._sample import sample
from stochsim.diffusion.augmented import CriticallyDampedLangevin, PFGMpp
from stochsim.diffusion.flows import interpolants, kinetic_paths, reflow
from stochsim.diffusion.flows.interpolants import Interpolation
from stochsim.diffusion.guidance import editing, feynman_kac, guided_laws, posterior_sampling, superposition
from stochsim.diffusion.guidance.composed import Guided
from stochsim.diffusion.guidance.posterior_sampling import LinearMeasurement, PosteriorModel
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
    "Guided",
    "Interpolation",
    "LinearMeasurement",
    "MeanReverting",
    "Model",
    "PFGMpp",
    "PosteriorModel",
    "Sampler",
    "SubVP",
    "certificates",
    "certify",
    "certify_all",
    "editing",
    "exact",
    "feynman_kac",
    "grids",
    "guided_laws",
    "interpolants",
    "kinetic_paths",
    "posterior_sampling",
    "reflow",
    "sample",
    "sampler",
    "samplers",
    "superposition",
]
