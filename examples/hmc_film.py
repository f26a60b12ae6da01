"""A film of Hamiltonian Monte Carlo: particles roll along level lines, and are kicked anew; ``hmc_film.py hmc.gif``."""

import sys

import numpy as np

import stochsim as ss

bumps = ss.densities.GaussianMixture([0.5, 0.3, 0.2], [[-1.5, 0.0], [1.5, 0.5], [0.5, -1.5]], [0.5, 0.4, 0.3])
rng = np.random.default_rng(5)
target, (x, p) = bumps.target, rng.standard_normal((2, 2, 12))  # components, particles
frames, titles = [], []
for kick in range(3):
    p = rng.standard_normal(x.shape)
    for leap in range(20):
        frames.append(x.T)
        titles.append("fresh momenta" if leap < 4 else f"trajectory {kick + 1}")
        x, p, _ = ss.mcmc.integrators.LEAPFROG.step(target.score, lambda v: v, x, p, target.score(x), 0.1)
print(f"{len(frames)} frames of {frames[0].shape[0]} particles")

if sys.argv[-1].endswith(".gif"):
    film = ss.plot.animate(frames, bumps, box=((-4.0, 4.0), (-4.0, 3.0)), titles=titles, tail=8)
    film.save(sys.argv[1], writer="pillow", dpi=80)
elif len(sys.argv) > 1:  # any other file name: a picture of the first trajectories
    ax = ss.plot.contours(bumps, ((-4.0, 4.0), (-4.0, 3.0)))
    ax.plot(*np.array(frames[:20]).transpose(2, 0, 1), ".-", markersize=2, linewidth=0.6)
    ax.figure.savefig(sys.argv[1])
