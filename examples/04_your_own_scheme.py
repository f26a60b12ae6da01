"""Your own scheme in ten lines: the strong Taylor scheme of order 1.5, and its two orders measured."""

import sys

import stochsim as ss


@ss.schemes.scheme(strong_order=1.5, weak_order=2.0, noise="scalar", reference="Kloeden & Platen 1992, eq. (10.4.1)")
def taylor_1_5(sde, x, t, h, dW, dZ):
    """All terms of the Itô-Taylor expansion up to order 1.5, for one Brownian motion; dZ is the integral of W - W_k."""
    a, b = sde.drift(x, t), sde.diffusion(x, t).matrix[:, 0]
    L1b = sde.L(0, b)
    milstein = x + a * h + b * dW + L1b * (dW**2 - h) / 2
    mixed = sde.L(0, a) * dZ + sde.L0(b) * (h * dW - dZ) + sde.L0(a) * h**2 / 2
    return milstein + mixed + sde.L(0, L1b) * (dW**2 / 3 - h) * dW / 2


model = ss.models.arcsinh_brownian()
strong = ss.strong_order(model, taylor_1_5)
weak = ss.weak_order(model, taylor_1_5)
for e in (strong, weak):
    print(f"{e.kind:6}  declared {e.declared:g}, measured {e.order:.3f} ± {e.half_width:.3f}: {e.verdict}")

if len(sys.argv) > 1:  # a file name for the picture
    ss.plot.order([ss.strong_order(model, ss.schemes.milstein), strong]).figure.savefig(sys.argv[1])
