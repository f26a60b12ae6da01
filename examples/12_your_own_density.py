"""Your own density: a formula, whose score is derived, and NUTS that finds its step size and metric by itself."""

import sys

import numpy as np

import stochsim as ss

boomerang = ss.densities.from_log_prob(
    lambda x, p: -((x[0] / p.width) ** 2) / 2 - (x[1] + np.log(np.cosh(x[0]))) ** 2 / (2 * p.depth**2),
    params={"width": 1.5, "depth": 0.6},
    name="boomerang",
)
print(f"{boomerang}, score at (1, 0): {boomerang.score([1.0, 0.0]).round(4)}")

ds = ss.mcmc.sample(boomerang, ss.mcmc.NUTS(), n_chains=8, n_steps=1000, n_warmup=300, seed=3)
print(f"{int(ds.diverging.sum())} divergences, {float(ds.n_leapfrog.mean()):.1f} leapfrogs a step")
for i in range(2):
    x = ds.x.isel(component=i)
    print(
        f"E x{i + 1} = {float(x.mean()):+.3f} ± {1.96 * ss.metrics.mcse(x):.3f}, "
        f"by quadrature {boomerang.mean[i]:+z.3f}; R-hat {ss.metrics.rhat(x):.3f}"
    )

if len(sys.argv) > 1:  # a file name for the picture
    ax = ss.plot.trajectories(boomerang, ds.isel(draw=slice(0, 100)), n=2, box=((-5.0, 5.0), (-6.0, 3.0)))
    ax.figure.savefig(sys.argv[1])
