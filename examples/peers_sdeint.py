"""sdeint under the microscope: its methods on given noise and, for itoSRI2, on given iterated integrals."""

import numpy as np
import sdeint

import stochsim as ss
from stochsim.orders import Levels


def as_solver(method, f, g, **extra):
    """One path after the other; ``extra`` are functions of (noise, path) for further arguments."""

    def solve(x0, t, noise, p):
        def end(i):
            given = {name: value(noise, i) for name, value in extra.items()}
            return method(lambda x, t: f(x, p), lambda x, t: g(x, p), x0[i], t, dW=noise.dW[i], **given)[-1]

        return np.array([end(i) for i in range(len(x0))])

    return solve


def ito_integrals(noise, i):  # (dW_j dW_k - h on the diagonal) / 2 + A_jk
    dW, h = noise.dW[i], noise.h[:, None, None]
    return (dW[:, :, None] * dW[:, None, :] - h * np.eye(dW.shape[1])) / 2 + noise.A[i]


gbm, linear = ss.models.geometric_brownian_motion(mu=0.5, sigma=0.8), ss.models.noncommuting_linear()
euler = as_solver(sdeint.itoEuler, lambda x, p: p.mu * x, lambda x, p: p.sigma * x[:, None])
heun = as_solver(sdeint.stratHeun, lambda x, p: (p.mu - p.sigma**2 / 2) * x, lambda x, p: p.sigma * x[:, None])
sri2 = as_solver(sdeint.itoSRI2, lambda x, p: p.A @ x, lambda x, p: (p.B @ x).T, I=ito_integrals)
for name, model, declared, solver, needs in (
    ("itoEuler", gbm, 0.5, euler, ("dW",)),
    ("stratHeun", gbm, 1.0, heun, ("dW",)),
    ("itoSRI2", linear, 1.0, sri2, ("dW", "A")),
):
    levels = Levels(finest=9, n_levels=7)
    e = ss.strong_order(model, solver=solver, needs=needs, declared=declared, n_paths=1024, levels=levels)
    print(f"{name:20} {model.name:26} {declared:3g}  {e.order:.3f} ± {e.half_width:.3f}  {e.verdict}", flush=True)
