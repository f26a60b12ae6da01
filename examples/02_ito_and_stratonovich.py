"""Itô against Stratonovich: one formula, two equations, and the drift that turns one into the other."""

import sys

import numpy as np

import stochsim as ss


def equation(calculus: str) -> ss.SDE:
    """DX = 0.5 X dW, read in one calculus or the other."""
    return ss.SDE(lambda x, t, p: 0.0 * x, lambda x, t, p: p.sigma * x, {"sigma": 0.5}, 1.0, calculus)


runs = {"t_end": 1.0, "n_steps": 200, "n_paths": 4000, "seed": 3, "save": "all"}
ito = ss.simulate(equation("ito"), ss.schemes.milstein, **runs)
stratonovich = ss.simulate(equation("stratonovich"), ss.schemes.stratonovich_milstein, **runs)
converted = equation("stratonovich").to_ito()
print("the Stratonovich equation in Itô form:", converted.latex())

ends = {"Itô": (ito, 1.0), "Stratonovich": (stratonovich, np.exp(0.125))}
for name, (ds, exact) in ends.items():
    end = ds.x.isel(time=-1)
    print(f"E X_1, {name:12} {float(end.mean()):.3f} ± {float(1.96 * end.std() / 4000**0.5):.3f}   exact {exact:.3f}")

again = ss.simulate(converted, ss.schemes.milstein, **runs)
gap = float(abs(again.x - stratonovich.x).isel(time=-1).mean())
print(f"mean distance of the converted equation from the Stratonovich one, same paths: {gap:.4f}")

if len(sys.argv) > 1:  # a file name for the picture
    ax = ss.plot.paths(ito, n=1)
    ss.plot.paths(stratonovich, ax, n=1)
    ax.lines[1].set_color(ss.plot.OKABE_ITO[1])
    ax.set_title("one Brownian path, two readings: Itô blue, Stratonovich red")
    ax.figure.savefig(sys.argv[1])
