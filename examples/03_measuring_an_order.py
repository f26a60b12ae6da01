"""Measuring an order: three schemes on one model, with intervals, verdicts, and a drift that is one per cent off."""

import sys

import stochsim as ss

model = ss.models.arctan_brownian(a=0.8, x0=0.5)
S = ss.schemes
estimates = [ss.strong_order(model, scheme) for scheme in (S.euler_maruyama, S.milstein, S.platen)]
for e in estimates:
    print(f"{e.scheme:15} declared {e.declared:g}, measured {e.order:.2f} ± {e.half_width:.2f}: {e.verdict}")


@S.scheme(strong_order=0.5, weak_order=1.0)
def careless(sde, x, t, h, dW):
    """Euler-Maruyama with a drift that is one per cent too large."""
    return x + 1.01 * sde.drift(x, t) * h + sde.diffusion(x, t) @ dW


e = ss.strong_order(model, careless)
print(f"{e.scheme:15} {e.verdict}")

if len(sys.argv) > 1:  # a file name for the picture
    ss.plot.order(estimates).figure.savefig(sys.argv[1])
