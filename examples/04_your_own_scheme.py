"""Your own scheme in ten lines: the strong Taylor scheme of order 1.5, and its two orders measured."""

import sys

import stochsim as ss


@ss.schemes.scheme(strong_order=1.5, weak_order=2.0, noise="scalar",
                   reference="Kloeden & Platen 1992, eq. (10.4.1)")  # fmt: skip
def taylor_1_5(sde, x, t, h, dW, dZ):
    """All terms of the Itô-Taylor expansion whose mean square is at least h³."""
    a, b = sde.drift(x, t), sde.diffusion(x, t).matrix[:, 0]
    L1b = sde.L(0, b)
    first = a * h + b * dW + L1b * (dW**2 - h) / 2
    second = sde.L(0, a) * dZ + sde.L0(b) * (h * dW - dZ) + sde.L0(a) * h**2 / 2
    return x + first + second + sde.L(0, L1b) * (dW**2 / 3 - h) * dW / 2


model = ss.models.arcsinh_brownian()
strong = ss.strong_order(model, taylor_1_5)
weak = ss.weak_order(model, taylor_1_5)
for e in (strong, weak):
    print(f"{e.kind:6} declared {e.declared:g}, measured {e.order:.2f} ± {e.half_width:.2f}: {e.verdict}")

if len(sys.argv) > 1:  # a file name for the picture
    strong.plot().figure.savefig(sys.argv[1])
