"""Lévy areas of the libraries: three moments of A over one step of length 1, against the exact law."""

import numpy as np
import sdeint
import torch
import torchsde

import stochsim as ss

N = 200_000


def torchsde_areas(kind):
    path = torchsde.BrownianInterval(0.0, 1.0, (N, 2), dtype=torch.float64, levy_area_approximation=kind, entropy=1)
    dW, A = path(0.0, 1.0, return_A=True)
    return dW.numpy(), A[:, 0, 1].numpy()


def sdeint_areas(rule):
    rng = np.random.default_rng(1)
    dW = rng.standard_normal((N, 2))
    return dW, rule(dW, 1.0, generator=rng)[1][:, 0, 1] - dW[:, 0] * dW[:, 1] / 2


def stochsim_areas(n_steps):  # the third component of the Heisenberg problem is the area; Chen's relation adds steps
    ds = ss.simulate(ss.models.heisenberg(), ss.schemes.exact, t_end=1.0, n_steps=n_steps, n_paths=N, seed=1)
    return ds.x.values[:, :2], ds.x.values[:, 2]


drawn = {f"torchsde, {kind}": torchsde_areas(kind) for kind in ("davie", "foster")}
drawn |= {f"sdeint, {rule.__name__}": sdeint_areas(rule) for rule in (sdeint.Ikpw, sdeint.Iwik)}
drawn |= {f"stochsim, {n} step{'s' * (n > 1)}": stochsim_areas(n) for n in (1, 8)}
for name, (dW, A) in drawn.items():
    moments = {"E A²": (A**2, 1 / 4), "E A²|dW|²": (A**2 * (dW**2).sum(axis=1), 5 / 6), "E A⁴": (A**4, 5 / 16)}
    relative = {k: (v.mean() / exact - 1, 1.96 * v.std() / N**0.5 / exact) for k, (v, exact) in moments.items()}
    print(f"{name:18}", "  ".join(f"{k} {r:+6.1%} ± {e:.1%}" for k, (r, e) in relative.items()))
