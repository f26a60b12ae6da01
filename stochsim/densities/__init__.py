"""Analytic densities, each with its score, exact draws and exact moments."""

from stochsim.densities.banana import Banana
from stochsim.densities.checkerboard import Checkerboard
from stochsim.densities.custom import FormulaDensity, from_log_prob
from stochsim.densities.double_well import DoubleWell
from stochsim.densities.funnel import Funnel
from stochsim.densities.gaussian import Gaussian
from stochsim.densities.mixture import GaussianMixture
from stochsim.densities.mueller_brown import MuellerBrown
from stochsim.densities.record import REGISTRY, Density, DensityRecord
from stochsim.densities.regression import LinearPosterior, LogisticPosterior
from stochsim.densities.ring import Ring
from stochsim.densities.student import StudentT
from stochsim.densities.tempered import Tempered
from stochsim.densities.truncated import TruncatedGaussian
from stochsim.densities.two_moons import TwoMoons
from stochsim.densities.von_mises import VonMisesMixture

__all__ = [
    "REGISTRY",
    "Banana",
    "Checkerboard",
    "Density",
    "DensityRecord",
    "DoubleWell",
    "FormulaDensity",
    "Funnel",
    "Gaussian",
    "GaussianMixture",
    "LinearPosterior",
    "LogisticPosterior",
    "MuellerBrown",
    "Ring",
    "StudentT",
    "Tempered",
    "TruncatedGaussian",
    "TwoMoons",
    "VonMisesMixture",
    "from_log_prob",
]
