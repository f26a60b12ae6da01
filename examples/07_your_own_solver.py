"""Your own solver: any function that takes its noise as arrays, here with a planted mistake."""

import numpy as np

import stochsim as ss

model = ss.models.geometric_brownian_motion(mu=0.5, sigma=0.8)


def milstein(x0, t, noise, p, correction=1.0):
    """x0 (n_paths, 1), t (n_steps + 1,), noise.dW (n_paths, n_steps, 1); returns (n_paths, 1)."""
    x = x0.copy()
    for k, h in enumerate(np.diff(t)):
        dW = noise.dW[:, k]
        x = x + p.mu * x * h + p.sigma * x * dW + 0.5 * p.sigma**2 * x * (dW**2 - correction * h)
    return x


def forgot_the_h(x0, t, noise, p):
    """The same with dW² in place of dW² - h: a Stratonovich formula on an Itô equation."""
    return milstein(x0, t, noise, p, correction=0.0)


for solver in (milstein, forgot_the_h):
    e = ss.strong_order(model, solver=solver, declared=1.0, n_paths=4096)
    print(f"{e.scheme:12} measured {e.order:.2f} ± {e.half_width:.2f}, declared 1: {e.verdict}")
