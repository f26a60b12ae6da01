"""Bias against step size: stationary laws on an anharmonic well by quadrature, so the order has digits and no noise."""

import sys

import numpy as np

import stochsim as ss

well = ss.densities.from_log_prob(lambda x: -(x[0] ** 4) / 4 - x[0] ** 2 / 2, d=1)
S = ss.mcmc
halved = 0.2 / 2.0 ** np.arange(3)
fourth = 0.4 / 2.0 ** np.arange(0.0, 2.5, 0.5)
plane = {"nodes": (36, 36)}  # of position and momentum
cases = {
    "ULA": (S.ULA(0.1), 0.04 / 2.0 ** np.arange(4), {}),
    "OBABO": (S.OBABO(0.1, friction=1.0), halved, plane),
    "BAOAB": (S.BAOAB(0.1, friction=1.0), halved, plane),
    "BAOAB, γ = 2000": (S.BAOAB(0.1, friction=2000.0), fourth, plane | {"noise_nodes": 32}),
}
found = {
    name: S.stationary_bias(sampler, well, np.square, steps, **rules) for name, (sampler, steps, rules) in cases.items()
}
for name, b in found.items():
    print(
        f"{name:15}  E x² off by {b.bias[-1]:+.2e} at h = {b.step_sizes[-1]:g}: order {b.order:.3f} "
        f"± {b.fit.uncertainty:.3f}"
    )

if len(sys.argv) > 1:  # a file name for the picture
    curves = {name: (b.step_sizes, abs(b.bias)) for name, b in found.items()}
    slopes = dict(zip(curves, (1, 2, 2, 4), strict=True))
    with ss.plot.style():
        ax = ss.plot.errors(curves, ylabel="|bias of E x²|", orders=slopes)
        ax.set_title("quartic well: bias in the stationary law", loc="left")
        ax.figure.savefig(sys.argv[1])
