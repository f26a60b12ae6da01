"""A model file of your own, for the command line: ``stochsim order my_model.py:sde --scheme milstein``."""

import numpy as np

import stochsim as ss

# a population with growth r up to the capacity K, in an environment that fluctuates
sde = ss.SDE(
    drift=lambda x, t, p: p.r * x * (1 - x / p.K),
    diffusion=lambda x, t, p: p.sigma * x / np.sqrt(1 + x**2),
    params={"r": 1.0, "K": 2.0, "sigma": 0.4},
    x0=0.5,
    satisfies=("smooth",),
    name="population",
)
