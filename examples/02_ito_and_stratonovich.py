"""Itô against Stratonovich: one formula, two equations, and the drift that turns one into the other."""

import sys

import numpy as np

import stochsim as ss


def equation(calculus):
    """The equation dX = X dW / 2, read in one calculus or the other."""
    return ss.SDE(lambda x, t, p: 0 * x, lambda x, t, p: p.sigma * x, {"sigma": 0.5}, x0=1.0, calculus=calculus)


run = {"t_end": 1.0, "n_steps": 256, "n_paths": 20_000, "seed": 2, "save": [0.0, 0.25, 0.5, 0.75, 1.0]}
ito = ss.simulate(equation("ito"), ss.schemes.milstein, **run)
stratonovich = ss.simulate(equation("stratonovich"), ss.schemes.stratonovich_milstein, **run)
for name, ds, exact in (("Itô", ito, 1.0), ("Stratonovich", stratonovich, np.exp(0.125))):
    end = ds.x.sel(time=1.0)
    print(
        f"{name:12}  E X_1 = {float(end.mean()):.3f} ± {1.96 * float(end.std()) / 20_000**0.5:.3f}, exact {exact:.3f}"
    )

print("Stratonovich:", equation("stratonovich").latex())
print("as Itô:      ", equation("stratonovich").to_ito().latex())
again = ss.simulate(equation("stratonovich").to_ito(), ss.schemes.milstein, **run)
gap = float(abs(again.x - stratonovich.x).max())
print(f"the two forms on the same paths: {'equal to rounding' if gap < 1e-12 else gap}")

if len(sys.argv) > 1:  # a file name for the picture
    with ss.plot.style():
        fine = run | {"save": "all", "n_paths": 1}
        ax = ss.plot.paths(ss.simulate(equation("ito"), ss.schemes.milstein, **fine), n=1)
        ss.plot.paths(ss.simulate(equation("stratonovich"), ss.schemes.stratonovich_milstein, **fine), ax, n=1)
        ax.lines[1].set_color(ss.plot.OKABE_ITO[1])
        ax.set_title("one Brownian path: Itô blue, Stratonovich orange", loc="left")
        ax.figure.savefig(sys.argv[1])
