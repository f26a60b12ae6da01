"""An order trap: on a linear drift a scheme of strong order 1.5 for additive noise looks like one of order 2."""

import sys

import stochsim as ss
from stochsim.orders import Levels


@ss.schemes.scheme(strong_order=1.5, noise="additive", reference="Kloeden & Platen 1992, eq. (10.4.1)")
def additive_1_5(sde, x, t, h, dW, dZ):
    """The strong Taylor scheme of order 1.5 where the noise depends neither on x nor on t."""
    a, b = sde.drift(x, t), sde.diffusion(x, t).matrix[:, 0]
    return x + a * h + b * dW + sde.L(0, a) * dZ + sde.L0(a) * h**2 / 2


levels = Levels(finest=10, n_levels=8)  # log_verhulst: the closed form runs on a grid 16 times finer
estimates = []
for model in (ss.models.ornstein_uhlenbeck(), ss.models.log_verhulst()):
    e = ss.strong_order(model, additive_1_5, n_paths=1536, levels=levels, executor="arrays")
    print(f"{model.name:18}  declared {e.declared:g}, measured {e.order:.2f} ± {e.half_width:.2f}: {e.verdict}")
    estimates.append(e)

if len(sys.argv) > 1:  # a file name for the picture
    ss.plot.order(estimates).figure.savefig(sys.argv[1])
