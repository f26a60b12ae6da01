"""Classifier-free guidance draws no tilted law: variances in closed form, and what samplers make of the same scores."""

import sys

import numpy as np

import stochsim as ss
from stochsim.diffusion.guidance.composed import Guided, predictor_corrector_guidance
from stochsim.diffusion.guidance.guided_laws import guided_map, tilted_gaussian
from stochsim.laws import affine_map

given, anything = (ss.densities.Gaussian([0.0], [c]) for c in (0.2, 1.0))
process = ss.diffusion.EDM(t_end=10.0)
grid = ss.diffusion.grids.karras(process, 400, stop=1e-3)
start = given.noised(1.0, 10.0).covariance


def drawn(sampler, weight):
    """Variance of what a sampler draws with the score γ s_c + (1 - γ) s_u; its map is affine, so it is exact."""
    model = Guided(ss.diffusion.Model(given, process), ss.diffusion.Model(anything, process), weight)
    return affine_map(lambda x, noise: sampler(model, x, grid, noise), 1).law([0.0], start)[1][0, 0]


def closed_form(weight, eta):
    return guided_map((given, anything), (weight, 1 - weight), process, 10.0, 0.0, eta=eta).law([0.0], start)[1][0, 0]


gammas, found = np.array([1.0, 2.0, 3.0, 5.0]), {}
found["tilted law"] = [tilted_gaussian((given, anything), (g, 1 - g)).covariance[0, 0] for g in gammas]
found["flow"], found["reverse equation"] = ([closed_form(g, eta) for g in gammas] for eta in (0.0, 1.0))
corrected = predictor_corrector_guidance.with_options(corrections=8)
for sampler in (ss.diffusion.samplers.heun, ss.diffusion.samplers.sde_dpm_pp_2m, corrected):
    found[sampler.label] = [drawn(sampler, g) for g in gammas]
for label, variances in found.items():
    print(f"{label:43}", *(f"γ = {g:g}: {v:.4f}" for g, v in zip(gammas, variances, strict=True)))

if len(sys.argv) > 1:  # a file name for the picture
    ax = ss.plot.errors({k: (gammas, v) for k, v in list(found.items())[:3]}, xlabel="guidance γ", ylabel="variance")
    ax.set_xscale("linear")
    ax.figure.savefig(sys.argv[1], dpi=200)
