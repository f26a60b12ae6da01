"""Named models, each with what is known about it in closed form. Add one by adding a function."""

from stochsim.models.closed_form import from_exact
from stochsim.models.geometric import (
    commuting_linear,
    geometric_brownian_motion,
    multi_noise_geometric_brownian_motion,
)
from stochsim.models.mean_reverting import (
    decaying_additive,
    forced_ornstein_uhlenbeck,
    langevin_oscillator,
    multivariate_ornstein_uhlenbeck,
    ornstein_uhlenbeck,
)
from stochsim.models.planar import heisenberg, hidden_brownian_motion, kubo_oscillator, noncommuting_linear
from stochsim.models.polynomial import double_well, ginzburg_landau, log_verhulst
from stochsim.models.record import REGISTRY, ModelRecord, model
from stochsim.models.square_root import cox_ingersoll_ross, heston, squared_bessel
from stochsim.models.transformed import (
    arcsinh_brownian,
    arctan_brownian,
    arctan_ornstein_uhlenbeck,
    cube_brownian,
    sinh_brownian,
    tanh_brownian,
)

__all__ = [
    "REGISTRY",
    "ModelRecord",
    "arcsinh_brownian",
    "arctan_brownian",
    "arctan_ornstein_uhlenbeck",
    "commuting_linear",
    "cox_ingersoll_ross",
    "cube_brownian",
    "decaying_additive",
    "double_well",
    "forced_ornstein_uhlenbeck",
    "from_exact",
    "geometric_brownian_motion",
    "ginzburg_landau",
    "heisenberg",
    "heston",
    "hidden_brownian_motion",
    "kubo_oscillator",
    "langevin_oscillator",
    "log_verhulst",
    "model",
    "multi_noise_geometric_brownian_motion",
    "multivariate_ornstein_uhlenbeck",
    "noncommuting_linear",
    "ornstein_uhlenbeck",
    "sinh_brownian",
    "squared_bessel",
    "tanh_brownian",
]
