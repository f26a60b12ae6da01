"""Weak order without noise: expectations by quadrature, so that the order has five digits and no sampling."""

import sys

import numpy as np

import stochsim as ss

model = ss.models.double_well()  # no solution in closed form, and none is needed
for name, f in {"x²": np.square, "cos x": np.cos, "tanh 3x": lambda x: np.tanh(3 * x)}.items():
    e = ss.weak_order(model, ss.schemes.euler_maruyama, f)
    print(f"E[{name}]: order {e.order:.4f} ± {e.half_width:.4f} ({e.method}, {e.n_paths} paths)")

gbm = ss.models.geometric_brownian_motion(mu=0.5, sigma=0.8)
exact = ss.weak_order(gbm, ss.schemes.euler_maruyama)  # linear: moments by matrix powers
noisy = ss.weak_order(gbm, ss.schemes.euler_maruyama, np.square, method="monte_carlo", n_paths=20_000)
for e in (exact, noisy):
    print(f"{e.method:12} {e.order:.4f} ± {e.half_width:.4f}: {e.verdict}")

if len(sys.argv) > 1:  # a file name for the picture
    ss.plot.order([exact]).figure.savefig(sys.argv[1])
