"""First chains: Hamiltonian Monte Carlo on a mixture, against its exact means, with R-hat and effective sizes."""

import sys

import stochsim as ss

bumps = ss.densities.GaussianMixture([0.5, 0.3, 0.2], [[-1.5, 0.0], [1.5, 0.5], [0.5, -1.5]], [0.5, 0.4, 0.3])
hmc = ss.mcmc.HMC(step_size=0.3, n_leapfrog=8)
ds = ss.mcmc.sample(bumps, hmc, n_chains=4, n_steps=2000, n_warmup=100, seed=1)

print(dict(ds.sizes), f"acceptance {float(ds.accept_prob.mean()):.3f}")
for i in range(2):
    x = ds.x.isel(component=i)
    print(
        f"E x{i + 1} = {float(x.mean()):+.3f} ± {1.96 * ss.metrics.mcse(x):.3f}, exact {bumps.mean[i]:+.3f}; "
        f"R-hat {ss.metrics.rhat(x):.3f}, worth {ss.metrics.ess(x):.0f} independent draws of {x.size}"
    )

if len(sys.argv) > 1:  # a file name for the picture
    ax = ss.plot.trajectories(bumps, ds.isel(draw=slice(0, 60)), n=2, box=((-4, 4), (-4, 3)))
    ax.figure.savefig(sys.argv[1])
