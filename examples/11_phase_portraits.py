"""Phase portraits: three integrators with the same number of gradients on a double well, and their orders measured."""

import sys

import numpy as np

import stochsim as ss
from stochsim.mcmc.hamiltonian.integrators import LEAPFROG, OMELYAN, YOSHIDA

well = ss.densities.DoubleWell(barrier=2.0)
START = (0.0, 1.2)


def stepper(integrator, h):
    """(q, p) -> (q, p) for arrays (1, n)."""
    score = well.target.score
    return lambda q, p: integrator.step(score, lambda v: v, q, p, score(q), h)[:2]


def energy_error(integrator, h, time=9.6):
    """Largest change of H = p²/2 - log π(q) on the way."""
    (q, p), step = np.array(START)[:, None, None], stepper(integrator, h)
    energies = []
    for _ in range(round(time / h)):
        energies.append(p[0, 0] ** 2 / 2 - well.log_prob(q.T)[0])
        q, p = step(q, p)
    return np.ptp(energies)


orbits = {}
for integrator in (LEAPFROG, YOSHIDA, OMELYAN):
    h = 0.07 * integrator.gradients
    fine = [energy_error(integrator, 0.04 / 2**k) for k in (0, 1)]
    order = np.log2(fine[0] / fine[1])
    print(f"{integrator.name:8}  order {order:.2f}, h = {h:.2f}: H varies by {energy_error(integrator, h):.1e}")
    orbits[f"{integrator.name}, h = {h:.2f}"] = stepper(integrator, h)

if len(sys.argv) > 1:  # a file name for the picture
    from matplotlib import pyplot as plt

    with ss.plot.style():
        figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), sharey=True)
        for ax, (name, step) in zip(axes, orbits.items(), strict=True):
            box = ((-1.8, 1.8), (-3.2, 3.2))
            ss.plot.phase_portrait(well, {"": step}, start=START, n_steps=300, box=box, ax=ax)
            ax.set_title(name, loc="left")
        figure.savefig(sys.argv[1])
