"""sdeint under the microscope: its three kinds of method on given noise and given Lévy areas."""

import numpy as np
import sdeint

import stochsim as ss
from stochsim.orders import Levels


def as_solver(method, f, g, **given):
    """Method on one path after the other; ``given(noise, path)`` are its further arguments."""

    def solve(x0, t, noise, p):
        def end(i):
            areas = {k: v(noise, i) for k, v in given.items()}
            return method(lambda x, s: f(x, p), lambda x, s: g(x, p), x0[i], t, dW=noise.dW[i], **areas)[-1]

        return np.array([end(i) for i in range(len(x0))])

    return solve


def ito_integrals(noise, i):
    products = noise.dW[i][:, :, None] * noise.dW[i][:, None, :]
    return (products - noise.h[:, None, None] * np.eye(noise.dW.shape[2])) / 2 + noise.A[i]


gbm, linear = ss.models.geometric_brownian_motion(mu=0.5, sigma=0.8), ss.models.noncommuting_linear()
run = {"levels": Levels(finest=9, n_levels=7), "n_paths": 256}
euler = as_solver(sdeint.itoEuler, lambda x, p: p.mu * x, lambda x, p: np.diag(p.sigma * x))
heun = as_solver(sdeint.stratHeun, lambda x, p: (p.mu - p.sigma**2 / 2) * x, lambda x, p: np.diag(p.sigma * x))
sri2 = as_solver(
    sdeint.itoSRI2, lambda x, p: linear.drift(x, 0.0, p), lambda x, p: np.array(linear.diffusion(x, 0.0, p)), I=ito_integrals
)
for name, model, solver, needs, declared in (
    ("itoEuler", gbm, euler, ("dW",), 0.5),
    ("stratHeun", gbm, heun, ("dW",), 1.0),
    ("itoSRI2", linear, sri2, ("dW", "A"), 1.0),
):
    e = ss.strong_order(model, solver=solver, needs=needs, declared=declared, **run)
    print(f"{name:20} {model.name:37} {declared:3} {e.order:.3f} ± {e.half_width:.3f} {e.verdict}", flush=True)
