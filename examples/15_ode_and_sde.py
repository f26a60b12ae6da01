"""One family of marginals, two samplers: the probability flow and the reverse equation, over the exact noised laws."""

import sys

import numpy as np

import stochsim as ss

target = ss.densities.GaussianMixture([0.3, 0.7], [[-1.5], [1.0]], [0.04, 0.16])
process = ss.diffusion.VP()
grid = ss.diffusion.grids.quadratic(process, 200)
samplers = {"flow: Heun": "heun", "reverse equation: Euler-Maruyama": "euler_maruyama"}
runs = {
    label: ss.diffusion.sample(
        target, name, process, grid=grid, n_particles=4000, seed=3, start="prior", return_trajectory=True
    ).x.isel(component=0)
    for label, name in samplers.items()
}
for label, x in runs.items():
    for k in (100, 150, 200):
        law, now = process.noised(target, grid[k]), x.isel(time=k)
        print(
            f"{label:33} t = {grid[k]:.3f}: mean {float(now.mean()):.3f} ± {1.96 * float(now.std()) / 4000**0.5:.3f}, "
            f"exact {law.mean[0]:.3f}; variance {float(now.var()):.3f}, exact {law.covariance[0, 0]:.3f}"
        )
    print(f"{label:33} length of a particle's way {float(abs(x.diff('time')).sum('time').mean()):.1f}")

if len(sys.argv) > 1:  # a file name for the picture
    from matplotlib import pyplot as plt

    y = np.linspace(-3.2, 3.2, 300)
    exact = np.exp([process.noised(target, t).log_prob(y[:, None]) for t in grid])
    with ss.plot.style():
        figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
        for ax, (label, x) in zip(axes, runs.items(), strict=True):
            ax.pcolormesh(np.sqrt(grid), y, exact.T, cmap="Greys", vmax=1.2, shading="gouraud", rasterized=True)
            ax.plot(np.sqrt(grid), x[:12].T, color=ss.plot.OKABE_ITO[0], linewidth=0.7)
            ax.set(title=label, xlabel="√t", xlim=(1, 0.03), ylim=(-3.2, 3.2))
        figure.savefig(sys.argv[1])
