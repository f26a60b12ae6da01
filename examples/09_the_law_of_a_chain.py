"""The law of a chain, exactly: on a Gaussian an unadjusted step is an affine map, so its bias is linear algebra."""

import sys

import numpy as np

import stochsim as ss

target = ss.densities.Gaussian([0.0, 0.0], [[1.0, 0.6], [0.6, 1.0]])
samplers = [ss.mcmc.ULA(step_size=0.5), ss.mcmc.BAOAB(step_size=0.9, friction=1.0)]
runs = []
for sampler in samplers:
    law = ss.exact_law(sampler, target)
    ds = ss.mcmc.sample(target, sampler, n_chains=2000, n_steps=20, n_warmup=100, seed=2)
    chains = (ds.x.isel(component=0) ** 2).mean("draw")  # one number a chain: these are independent
    error = 1.96 * float(chains.std()) / np.sqrt(len(chains))
    print(f"{sampler.name:5}  E x₁² = {float(chains.mean()):.3f} ± {error:.3f}, by its law {law.cov[0, 0]:.6f}")
    print(
        f"       W2 to the target {law.w2:.6f}, {law.autocorrelation_time():.1f} steps for an independent draw, "
        f"unstable from h = {ss.mcmc.stability_limit(sampler, target.target, 2):.4f}"
    )
    runs.append((sampler, law, ds))

if len(sys.argv) > 1:  # a file name for the picture
    from matplotlib import pyplot as plt

    with ss.plot.style():
        figure, axes = plt.subplots(1, 2, figsize=(7.2, 2.9), sharex=True, sharey=True)
        x = np.linspace(-5.0, 5.0, 300)
        for ax, (sampler, law, ds) in zip(axes, runs, strict=True):
            ss.plot.marginals(target.marginal([0]), ds.x.isel(component=[0]), [ax])
            chain = ss.densities.Gaussian([0.0], law.cov[0, 0])
            ax.plot(x, np.exp(chain.log_prob(x[:, None])), "--", color=ss.plot.OKABE_ITO[1])
            ax.set_title(f"{sampler.name}: exact law dashed, target black", loc="left")
        figure.savefig(sys.argv[1])
