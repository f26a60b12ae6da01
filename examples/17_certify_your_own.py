"""Certify a diffusion sampler of your own, and one as published: declared orders against measured ones."""

import sys
from math import expm1

import numpy as np

import stochsim as ss
from stochsim.diffusion.mutants import MUTANTS


@ss.diffusion.sampler(
    kind="ode", path_order=2, law_order=2, history=1, starter="cold", parametrisation="x0", register=False,
    reference="Lu et al. 2022b, algorithm 2",
)  # fmt: skip
def my_2m(model, x, grid, noise):
    """Extrapolate E[x_0|x] linearly in λ to the middle of the step, then integrate as if it were constant."""
    t, a, s, lam = model.tables(grid)
    before, earlier = None, 1.0
    for i, h in enumerate(np.diff(lam)):
        d = model.denoised(x, t[i])
        slope = 0.0 if before is None else (d - before) / earlier
        x = s[i + 1] / s[i] * x - a[i + 1] * expm1(-h) * (d + 0.5 * h * slope)
        before, earlier = d, h
        yield x


published = {m.name: m for m in MUTANTS}["multistep-3 without the factor 2"]
found = [ss.certify(sampler) for sampler in (my_2m, published, ss.diffusion.samplers.dpm_solver_pp_3m)]
for certificate in found:
    print(f"{certificate.sampler.name}: {certificate.verdict}")
    for row in certificate.rows:
        print(f"    {row.measure:9}{row.problem:11} declared {row.declared or '-':>3}, measured {row.order:.2f}")

if len(sys.argv) > 1:  # a file name for the picture
    names = ("my_2m", "as published", "with the factor 2")
    rows = {n: next(r for r in c.rows if r.problem == "two modes") for n, c in zip(names, found, strict=True)}
    curves = {name: (row.work, row.errors) for name, row in rows.items()}
    orders = {name: -round(row.order) for name, row in rows.items()}
    ax = ss.plot.errors(curves, xlabel="steps", ylabel="error of states", orders=orders)
    ax.figure.savefig(sys.argv[1], dpi=200)
