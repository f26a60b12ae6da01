"""Your own solver: any function that takes its noise as arrays; here with a mistake, and without."""

import numpy as np

import stochsim as ss

model = ss.models.geometric_brownian_motion(mu=0.5, sigma=0.8)  # Itô


def heun(x0, t, noise, p, correction=0.0):
    """x0 (n_paths, 1), t (n_steps + 1,), noise.dW (n_paths, n_steps, 1); returns x at the end, (n_paths, 1)."""
    x, mu = x0, p.mu - correction
    for k, h in enumerate(np.diff(t)):
        predictor = x + mu * x * h + p.sigma * x * noise.dW[:, k]
        x = x + mu * (x + predictor) / 2 * h + p.sigma * (x + predictor) / 2 * noise.dW[:, k]
    return x


def corrected_heun(x0, t, noise, p):
    """The same with the drift of the Stratonovich equation that has the same solution."""
    return heun(x0, t, noise, p, correction=p.sigma**2 / 2)


for solver in (heun, corrected_heun):
    e = ss.strong_order(model, solver=solver, declared=1.0, n_paths=4096)
    print(f"{e.scheme:15} measured {e.order:z.2f} ± {e.half_width:.2f}, declared 1: {e.verdict}")
