"""First paths: simulate a model, and hold its mean, its variance and its law against the exact ones."""

import sys
from types import SimpleNamespace

import numpy as np

import stochsim as ss

model = ss.models.geometric_brownian_motion(mu=0.3, sigma=0.4, x0=1.0)
ds = ss.simulate(model, ss.schemes.milstein, t_end=1.0, n_steps=128, n_paths=4000, seed=1, save="all")

p = SimpleNamespace(**model.params)
end = ds.x.isel(time=-1)
mean, variance = model.mean(1.0, model.x0, p), model.cov(1.0, model.x0, p)
error = 1.96 * float(end.std()) / np.sqrt(len(end))
print(f"mean      {float(end.mean()):.3f} ± {error:.3f}, exact {mean:.3f}")
print(f"variance  {float(end.var(ddof=1)):.3f}, exact {variance:.3f}")

if len(sys.argv) > 1:  # a file name for the picture
    from matplotlib import pyplot as plt

    with ss.plot.style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, width_ratios=(2, 1))
        ss.plot.paths(ds, left, n=12)
        left.plot(ds.time, model.mean(ds.time, model.x0, p), color="black")
        x = np.linspace(0.2, 4.0, 300)
        right.hist(end, bins=60, range=(0.2, 4.0), density=True, orientation="horizontal", alpha=0.3)
        right.plot(model.density(x, 1.0, model.x0, p), x, color="black")
        right.set(title="law at $t = 1$, exact in black", xlabel="density")
        figure.savefig(sys.argv[1])
