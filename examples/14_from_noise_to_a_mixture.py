"""From noise to a mixture: particles carried by a diffusion sampler with the exact score; ``.gif`` makes a film."""

import sys

import numpy as np

import stochsim as ss

angles = 2 * np.pi * np.arange(8) / 8
ring = ss.densities.GaussianMixture(np.ones(8) / 8, 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1), 0.05)
process = ss.diffusion.VP()
grid = ss.diffusion.grids.quadratic(process, 40)
ds = ss.diffusion.sample(
    ring, "dpm_solver_pp_2m", process, grid=grid, n_particles=4000, seed=1, start="prior", return_trajectory=True
)

end = ds.x.isel(time=-1).values
print(f"{ds.sizes['particle']} particles, {ds.nfe} evaluations of the score each")
found = np.bincount(ring.responsibilities(end).argmax(axis=-1), minlength=8)
print("particles in the eight modes:", *found)
print(f"expected: {4000 / 8:.0f} ± {1.96 * np.sqrt(4000 * 7) / 8:.0f} each")
nearest = np.linalg.norm(end[:, None] - ring.means, axis=-1).min(axis=1)
spread = np.sqrt(np.mean(nearest**2))
print(
    f"distance from the nearest centre {spread:.3f} ± {1.96 * spread / np.sqrt(4 * 4000):.3f}, exact {np.sqrt(0.1):.3f}"
)

frames = ds.x.transpose("time", "particle", "component").values[:, :400]
titles = [f"t = {t:.3f}" for t in ds.time.values]
box = ((-4.5, 4.5), (-4.5, 4.5))
if sys.argv[-1].endswith(".gif"):
    film = ss.plot.animate(frames, ring, box=box, titles=titles, interval=100)
    film.save(sys.argv[1], writer="pillow", dpi=80)
elif len(sys.argv) > 1:  # any other file name: four times of it
    from matplotlib import pyplot as plt

    with ss.plot.style():
        figure, axes = plt.subplots(1, 4, figsize=(10, 2.9), sharey=True)
        for ax, k in zip(axes, (0, 26, 33, 40), strict=True):
            ss.plot.contours(process.noised(ring, grid[k]), box, ax)
            ax.plot(*frames[k].T, ".", markersize=2)
            ax.set(title=titles[k], ylabel="")
        figure.savefig(sys.argv[1])
