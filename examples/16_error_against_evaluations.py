"""Error against evaluations for five samplers: exact, for the flow of a mixture on the line is known in closed form."""

import sys

import numpy as np

import stochsim as ss

target = ss.densities.GaussianMixture([0.4, 0.6], [[-1.5], [1.0]], [0.09, 0.25])
process, d = ss.diffusion.VP(), ss.diffusion
noise = np.linspace(-3.0, 3.0, 601)[:, None]  # first states, at t = 1
weight = np.exp(-(noise**2) / 2) / np.exp(-(noise**2) / 2).sum()
exact = d.exact.flow_map(target, process, noise.T, 1.0, process.t_min).T

curves, slopes = {}, {}
for name in ("ddim", "heun", "dpm_solver_pp_2m", "dpm_solver_pp_3m", "rho_rk"):
    sampler, found = d.REGISTRY[name], []
    for budget in (5, 10, 20, 50, 100, 200, 400):
        grid = d.grids.quadratic(process, max(1, int(budget / sampler.nfe)))
        ds = d.sample(target, sampler, process, grid=grid, n_particles=len(noise), start=noise)
        found.append((ds.nfe, np.sqrt((weight * (ds.x.values - exact) ** 2).sum())))
    nfe, error = np.array(found).T
    curves[name], slopes[name] = (nfe, error), -sampler.path_order
    slope = -np.log(error[-1] / error[-2]) / np.log(nfe[-1] / nfe[-2])
    print(f"{name:17} at", ", ".join(f"{n:.0f}: {e:.0e}" for n, e in zip(nfe, error, strict=True)), end="; ")
    print(f"slope {slope:.2f}, order {sampler.path_order:g}")

if len(sys.argv) > 1:  # a file name for the picture
    ax = ss.plot.errors(curves, xlabel="evaluations of the score", ylabel="root mean square error", orders=slopes)
    ax.figure.savefig(sys.argv[1], dpi=200)
