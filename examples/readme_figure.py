"""The figure of the README: paths over their exact density, and three measured orders."""

import sys
from types import SimpleNamespace

import numpy as np
from matplotlib import pyplot as plt

import stochsim as ss


@ss.schemes.scheme(strong_order=1.5, weak_order=2.0, noise="scalar")
def taylor_1_5(sde, x, t, h, dW, dZ):
    """The strong Taylor scheme of order 1.5, Kloeden & Platen 1992, eq. (10.4.1)."""
    a, b = sde.drift(x, t), sde.diffusion(x, t).matrix[:, 0]
    L1b = sde.L(0, b)
    first = a * h + b * dW + L1b * (dW**2 - h) / 2
    second = sde.L(0, a) * dZ + sde.L0(b) * (h * dW - dZ) + sde.L0(a) * h**2 / 2
    return x + first + second + sde.L(0, L1b) * (dW**2 / 3 - h) * dW / 2


model = ss.models.arcsinh_brownian(b=1.0, x0=0.2)
t, x = np.linspace(0.02, 4.0, 300), np.linspace(-2.7, 2.7, 300)
density = np.array([model.density(x, s, model.x0, SimpleNamespace(**model.params)) for s in t])
paths = ss.simulate(model, ss.schemes.milstein, t_end=4.0, n_steps=400, n_paths=6, seed=4, save="all")
schemes = (ss.schemes.euler_maruyama, ss.schemes.milstein, taylor_1_5)
estimates = [ss.strong_order(model, scheme) for scheme in schemes]
for e in estimates:
    print(f"{e.scheme:15} {e.order:.3f} ± {e.half_width:.3f}, declared {e.declared:g}: {e.verdict}")

with ss.plot.style():
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.4), width_ratios=(1.15, 1))
    left.pcolormesh(t, x, density.T, cmap="Greys", vmin=0.0, vmax=0.7, rasterized=True)
    ss.plot.paths(paths, left, n=6)
    left.set_title("arcsinh_brownian: six paths over the exact density")
    ss.plot.order(estimates, right)
    figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "stochsim.png", dpi=150)
