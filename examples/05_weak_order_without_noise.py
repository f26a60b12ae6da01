"""Weak order without noise: expectations by quadrature or exact moments, so the order has digits and no sampling."""

import sys

import numpy as np

import stochsim as ss

model = ss.models.double_well(x0=0.5)  # no solution in closed form, and none is needed
for name, f in {"x": lambda x: x, "x²": np.square, "tanh x": np.tanh}.items():
    e = ss.weak_order(model, ss.schemes.euler_maruyama, f)
    print(f"double well, E[{name}]: order {e.order:.4f} ± {e.half_width:.0e}: {e.verdict} by {e.method}")

gbm = ss.models.geometric_brownian_motion(mu=0.5, sigma=0.8)  # linear: its moments obey a recursion
moments = ss.weak_order(gbm, ss.schemes.euler_maruyama, np.square)
sampled = ss.weak_order(gbm, ss.schemes.euler_maruyama, np.square, method="monte_carlo", n_paths=20_000)
for e in (moments, sampled):
    print(f"GBM, E[x²], {e.method}: order {e.order:.4f} ± {e.half_width:.0e}: {e.verdict}")

if len(sys.argv) > 1:  # a file name for the picture
    ss.plot.order([moments, sampled]).figure.savefig(sys.argv[1])
